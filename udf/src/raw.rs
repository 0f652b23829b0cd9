//! The raw door: five exports over 32-bit pointers, for wasm hosts that bring no JavaScript.
//!
//! Every block that a host may write to or read from is owned here, in safe Rust. A pointer is only ever looked up
//! among the blocks that were given out, never followed: a hostile one is an error reply.

#![expect(unreachable_pub, reason = "exports of the module, not of the crate")]

use std::cell::RefCell;

use tamis_frame::{ABI_VERSION, encode_error};

use crate::block::Block;
use crate::call::{Memory, call};
use crate::model::model;

#[derive(Default)]
struct Blocks {
    given: Vec<Block>,
    /// The last blocks that came back, for the next ones of their sizes: a host sends frames of like sizes.
    spare: Vec<Block>,
    memory: Memory,
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

    fn place(&self, at: u32, len: u32) -> Option<usize> {
        self.given.iter().position(|block| address(block) == at && block.bytes().len() == len as usize)
    }
}

/// Memory for `len` bytes: a spare block, or a new one.
fn take(spare: &mut Vec<Block>, len: usize) -> Option<Block> {
    let place = spare.iter_mut().position(|block| block.reuse(len));
    place.map(|place| spare.swap_remove(place)).or_else(|| {
        spare.clear();
        Block::new(len)
    })
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
    BLOCKS.with_borrow_mut(|blocks| take(&mut blocks.spare, len as usize).map_or(0, |block| blocks.give(block)))
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

/// The signature's JSON; nothing while there is no model inside.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_signature() -> u64 {
    model().map_or(0, |model| packed(model.json.as_ptr() as usize as u32, model.json.len()))
}

/// Runs function number `function` over the frame in a block that `tamis_alloc` gave; 0 when there is no memory for
/// the answer.
#[unsafe(no_mangle)]
pub extern "C" fn tamis_call(function: u32, at: u32, len: u32) -> u64 {
    BLOCKS.with_borrow_mut(|blocks| {
        let reply = match (blocks.place(at, len), model()) {
            (Some(place), Ok(model)) => {
                let Blocks { given, spare, memory } = blocks;
                call(model, memory, function, given[place].bytes(), |len| take(spare, len))
            }
            (_, Err(message)) => Block::copy_of(&encode_error(message)),
            (None, _) => Block::copy_of(&encode_error(&format!("there is no block of {len} bytes at {at}; tamis_alloc gives one"))),
        };
        reply.map_or(0, |block| {
            let len = block.bytes().len();
            packed(blocks.give(block), len)
        })
    })
}
