//! What a row is worth: a small program over columns turns them into features, trees or weighted sums turn features into
//! log-odds, a link turns log-odds into scores; and the reasons for a score. No IO and no clock.
//!
//! # Layout
//!
//! - [`program`]: what a model computes, as data; [`bytes`] is the compact form that a packed module carries
//! - [`scorer`]: [`Scorer`] runs a program over [`Cells`], 512 rows at a time; `ops` are its plain steps
//! - [`forest`]: trees as data; `bins` cut features at their thresholds; `kernel` chooses `masks` for small trees and
//!   `walk` for large ones; [`additive`]: one-column trees, collapsed to one table a column
//! - [`categories`]: finds a text among the known ones
//! - [`explain`]: the reasons, by `shap`
//! - `onnx` (feature `onnx`): the compiler from ONNX; a guest never carries it
//!
//! # The same bits everywhere
//!
//! Features are compared as the ONNX types say: 32-bit floats are rounded before. Sums are 64-bit, in one fixed order: the
//! base, then the columns (or trees) from first to last. `exp` is libm's pure Rust on every target, never the platform's.

#![forbid(unsafe_code)]

pub mod additive;
mod bins;
pub mod bytes;
pub mod categories;
pub mod cells;
pub mod explain;
pub mod forest;
mod kernel;
mod masks;
#[cfg(feature = "onnx")]
pub mod onnx;
mod ops;
pub mod program;
#[cfg(test)]
mod random;
pub mod scorer;
mod shap;
#[cfg(test)]
mod tests;
mod walk;

pub use bytes::BytesError;
pub use categories::Categories;
pub use cells::Cells;
pub use explain::with_background;
pub use forest::{Aggregate, Branch, Covers, Forest, Mode, Node, Tree};
pub use program::{Binary, Head, Joint, Kind, Program, Step, Unary};
pub use scorer::{Engine, Foreign, ModelError, ScoreError, Scorer, Scratch};
