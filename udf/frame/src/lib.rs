//! The contract that a guest and its host share: the column [`Frame`], the [`Signature`],
//! the rules by which a value fits a column ([`conform`]) and the [`limits`].
//!
//! # Layout
//!
//! - [`frame`]: one contiguous block, a header, column descriptors, Arrow-layout buffers; read in place
//! - [`encode`]: writes that block, straight into the guest's memory
//! - [`signature`]: columns, types, categories, functions and the model's identity, as JSON
//! - [`conform`]: what a missing value, an unknown category or a wrong type comes to, the same everywhere
//! - [`limits`]: what either side accepts at most
//!
//! The raw door of a guest is five exports, all over 32-bit pointers:
//!
//! | export | form | meaning |
//! |---|---|---|
//! | `tamis_abi` | `() -> u32` | the version of this contract, [`ABI_VERSION`] |
//! | `tamis_alloc` | `(len: u32) -> u32` | memory for a frame, aligned to [`ALIGN`]; 0 when there is none |
//! | `tamis_free` | `(ptr: u32, len: u32)` | gives it back |
//! | `tamis_signature` | `() -> u64` | `ptr << 32 \| len` of the signature's JSON, owned by the guest |
//! | `tamis_call` | `(function: u32, ptr: u32, len: u32) -> u64` | runs function number `function` of the signature over a frame; `ptr << 32 \| len` of the reply frame, to be given back by `tamis_free` |

pub mod conform;
pub mod encode;
pub mod frame;
pub mod limits;
pub mod signature;

pub use conform::{Cell, Reject};
pub use encode::{ColumnRef, Data, encode_error, encode_into, encoded_len};
pub use frame::{ColumnView, Frame, FrameError, Reply, Values};
pub use signature::{Column, Function, Model, Signature, Type};

/// Version of this contract; a host refuses a guest that answers another one.
pub const ABI_VERSION: u32 = 1;
/// Alignment, in bytes, of a frame and of every buffer in it.
pub const ALIGN: usize = 8;
/// The reply's column that holds one result a row.
pub const RESULT: &str = "result";
/// The reply's optional text column: why a row was rejected, null where it was not.
pub const REJECTED: &str = "rejected";

#[cfg(test)]
mod tests;
