//! The raw door: five exports over 32-bit pointers, for wasm hosts that bring no JavaScript.
//!
//! Every block that a host may write to or read from is owned here, in safe Rust. A pointer is only ever looked up
//! among the blocks that were given out, never followed: a hostile one is an error reply.

#![expect(unreachable_pub, reason = "exports of the module, not of the crate")]

use std::cell::RefCell;

use tamis_frame::{ABI_VERSION, encode_error};

use crate::call::{Block, call};
use crate::model::signature_json;

#[derive(Default)]
struct Blocks {
    given: Vec<Block>,
    /// The last blocks that came back, for the next ones of their sizes: a host sends frames of like sizes.
    spare: Vec<Block>,
}

const SPARE: usize = 2;

thread_local! {
    static BLOCKS: RefCell<Blocks> = RefCell::default();
}

fn address(block: &Block) -> u32 {
    block.bytes().as_ptr() as usize as u32
}

impl Blocks {
    fn give(&mut self, block: Block) -> u32 {
        let at = address(&block);
        self.given.push(block);
        at
    }

    fn take(&mut self, len: usize) -> Option<Block> {
        let place = self.spare.iter().position(|block| block.bytes().len() == len);
        place.map(|place| self.spare.swap_remove(place)).or_else(|| {
            self.spare.clear();
            Block::new(len)
        })
    }

    fn place(&self, at: u32, len: u32) -> Option<usize> {
        self.given.iter().position(|block| address(block) == at && block.bytes().len() == len as usize)
    }
}

fn packed(at: u32, len: usize) -> u64 {
    u64::from(at) << 32 | len as u64
}

// SAFETY (of each `unsafe(no_mangle)` below): the names start with `tamis_`, which no other symbol of the module does.

/// The version of the contract.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_abi() -> u32 {
    ABI_VERSION
}

/// Memory for a frame of `len` bytes, aligned to 8; 0 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_alloc(len: u32) -> u32 {
    BLOCKS.with_borrow_mut(|blocks| blocks.take(len as usize).map_or(0, |block| blocks.give(block)))
}

/// Gives a block back; anything but a block as it was given out is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_free(at: u32, len: u32) {
    BLOCKS.with_borrow_mut(|blocks| {
        if let Some(place) = blocks.place(at, len) {
            let block = blocks.given.swap_remove(place);
            blocks.spare.truncate(SPARE - 1);
            blocks.spare.insert(0, block);
        }
    });
}

/// The signature's JSON.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_signature() -> u64 {
    let text = signature_json();
    packed(text.as_ptr() as usize as u32, text.len())
}

/// Runs function number `function` over the frame in a block that `tamis_alloc` gave; 0 when there is no memory for
/// the answer.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_call(function: u32, at: u32, len: u32) -> u64 {
    BLOCKS.with_borrow_mut(|blocks| {
        let reply = match blocks.place(at, len) {
            Some(place) => call(function, blocks.given[place].bytes()),
            None => Block::copy_of(&encode_error(&format!("there is no block of {len} bytes at {at}; tamis_alloc gives one"))),
        };
        reply.map_or(0, |block| {
            let len = block.bytes().len();
            packed(blocks.give(block), len)
        })
    })
}
