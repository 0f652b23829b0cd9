//! The contract that a guest and its host share: the column [`Frame`], the [`Signature`],
//! the rules by which a value fits a column ([`conform`]) and the [`limits`].
//!
//! # Layout
//!
//! - [`frame`]: one contiguous block, a header, column descriptors, Arrow-layout buffers; read in place
//! - [`encode`]: writes that block, straight into the guest's memory
//! - [`signature`]: columns, types, categories, functions and the model's identity, as JSON
//! - [`contract`]: what of it a guest needs for calls, in a compact form
//! - [`conform`]: what a missing value, an unknown category or a wrong type comes to, the same everywhere
//! - [`number`]: how a number looks in a message
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

//!
//! # Functions
//!
//! Every function answers one value a row. Which ones there are is in the signature:
//!
//! | function | answers |
//! |---|---|
//! | `run` | the prediction: the class (of two, by the threshold), or a regression's number |
//! | `score` | the probability of the second class of two, of the likeliest of several, or a regression's number |
//! | `probabilities` | of several classes: JSON text, `{"class": probability, …}` |
//! | `explain` | JSON text, a record: see below |
//!
//! `explain` answers, for each row,
//! `{"base": b, "value": v, "rest": r, "reasons": [{"column": …, "value": …, "contribution": c, "code": …, "text": …}, …]}`:
//! the [`TOP_REASONS`] columns that move the row's value most, first the one that moves it most. `b + r + Σ c = v`, where `v` is
//! the row's log-odds or score ([`signature::Unit`]). A host that has records hands the text on as one, so that a query may say
//! `udf.explain(step).reasons`. The code is the column's name in capitals with `_RAISES` or `_LOWERS` behind it.
//!
//! # Sections
//!
//! A packed module carries two custom sections, so that tools can read it without running it: [`SIGNATURE_SECTION`] with the
//! signature's JSON, and [`PROGRAM_SECTION`] with the scorer's bytes (`tamis_model::Program::from_bytes`).

pub mod conform;
pub mod contract;
pub mod encode;
pub mod frame;
pub mod limits;
pub mod number;
pub mod signature;

pub use conform::{Cell, Reject};
pub use contract::Contract;
pub use encode::{ColumnRef, Data, encode_error, encode_into, encoded_len};
pub use frame::{ColumnView, Frame, FrameError, Reply, Values};
pub use number::{Cents, Number};
pub use signature::{Column, Function, Model, Signature, Type};

/// Version of this contract; a host refuses a guest that answers another one.
pub const ABI_VERSION: u32 = 1;
/// Alignment, in bytes, of a frame and of every buffer in it.
pub const ALIGN: usize = 8;
/// The reply's column that holds one result a row.
pub const RESULT: &str = "result";
/// The reply's optional text column: why a row was rejected, null where it was not.
pub const REJECTED: &str = "rejected";

/// Reasons of one row that `explain` spells out; the others are summed up in its `rest`.
pub const TOP_REASONS: usize = 5;
/// The custom section of a packed module that holds the signature's JSON.
pub const SIGNATURE_SECTION: &str = "tamis:signature";
/// The custom section of a packed module that holds the scorer's bytes.
pub const PROGRAM_SECTION: &str = "tamis:program";

#[cfg(test)]
mod tests;
