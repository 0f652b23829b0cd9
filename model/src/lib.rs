//! What a row is worth: encoders turn columns into 32-bit features, a kernel of trees turns features into
//! log-odds, a link turns log-odds into a score. No IO and no clock.
//!
//! # Layout
//!
//! - [`scorer`]: [`Scorer`], the whole model, over columns, one slice of scores out
//! - [`encoder`]: what a column becomes before the trees see it; [`categories`] finds a text among the known ones
//! - [`tree`]: ensembles of any depth; [`additive`]: ensembles of one-column trees, collapsed to one table a column
//! - [`bytes`]: the compact form that a guest carries
//! - `onnx` (feature `onnx`): ONNX to [`Scorer`], by tract-onnx; a guest never carries it
//!
//! # The same bits everywhere
//!
//! Features are compared as 32-bit floats, as ONNX says. Sums are 64-bit, in one fixed order: the base, then the
//! columns (or trees) from first to last. `exp` is libm's pure Rust on every target, never the platform's.

#![forbid(unsafe_code)]

pub mod additive;
pub mod bytes;
pub mod categories;
pub mod encoder;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod scorer;
pub mod tree;

pub use bytes::CorruptError;
pub use categories::Categories;
pub use encoder::{Cells, Encoder};
pub use scorer::{ModelError, ScoreError, Scorer};
pub use tree::{Branch, Mode, Node, Trees};
