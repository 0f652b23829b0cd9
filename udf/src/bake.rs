//! What tamis-pack calls to bake a model in. Memory that is given back meanwhile is zeroed, so that nothing but the model
//! stays behind in the packed module.

#![expect(unreachable_pub, reason = "exports of the module, not of the crate")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use tamis_frame::Contract;

use crate::model::{self, Model};

static BAKING: AtomicBool = AtomicBool::new(false);

struct Clean;

// SAFETY: every block comes from and goes back to `System`, with the layout that it was asked for with.
unsafe impl GlobalAlloc for Clean {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's to give back, and as long as the layout says.
        unsafe {
            if BAKING.load(Ordering::Relaxed) {
                at.write_bytes(0, layout.size());
            }
            System.dealloc(at, layout);
        }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !BAKING.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            return unsafe { System.realloc(at, layout, size) };
        }
        // SAFETY: the new block is another one, both are as long as what is copied, and the old one is given back once.
        unsafe {
            let new = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(at, new, layout.size().min(size));
                self.dealloc(at, layout);
            }
            new
        }
    }
}

#[global_allocator]
static ALLOCATOR: Clean = Clean;

thread_local! {
    static ROOM: RefCell<[Vec<u8>; 3]> = const { RefCell::new([const { Vec::new() }; 3]) };
    static FAILED: RefCell<String> = const { RefCell::new(String::new()) };
}

// SAFETY (of each `unsafe(no_mangle)` below): the names start with `tamis_`, which no other symbol of the module does.

/// Room for one of the parts of a model: 0 the signature's JSON, 1 its contract, 2 the program's bytes.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_bake_room(part: u32, len: u32) -> u32 {
    BAKING.store(true, Ordering::Relaxed);
    ROOM.with_borrow_mut(|parts| {
        parts.get_mut(part as usize).map_or(0, |room| {
            *room = vec![0; len as usize];
            room.as_ptr() as usize as u32
        })
    })
}

/// Bakes in what was written there; 0, or `ptr << 32 | len` of why it cannot be.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_bake() -> u64 {
    let result = read(ROOM.take()).and_then(model::bake);
    BAKING.store(false, Ordering::Relaxed);
    let Err(message) = result else { return 0 };
    FAILED.with_borrow_mut(|failed| {
        *failed = message;
        (failed.as_ptr() as usize as u64) << 32 | failed.len() as u64
    })
}

fn read([json, contract, program]: [Vec<u8>; 3]) -> Result<Model, String> {
    let json = String::from_utf8(json).map_err(|error| error.to_string())?;
    let contract = Contract::from_bytes(&contract).ok_or("the signature's contract is corrupt")?;
    Model::new(json, contract, &program)
}
