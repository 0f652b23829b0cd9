//! The guest: a model as one `.wasm`, with a door for JavaScript and a raw door for wasm hosts.
//!
//! # Layout
//!
//! - [`model`]: the scorer and the signature that the build step baked in
//! - `fit`: the columns that were given, fitted to the ones that the model reads; odd rows become reasons
//! - [`call`]: one call over a frame: fit, score, reply. The same on every target
//! - `raw`: the raw door (`tamis_*` exports), only on wasm
//! - `js`: the JavaScript door (`init`, `run`, `score`, `signature`), only on wasm
//!
//! Nothing here panics on input: a wrong frame or table is an error for the caller, an odd row is rejected with a
//! reason and the other rows get their results.

pub mod call;
mod fit;
#[cfg(target_arch = "wasm32")]
mod js;
pub mod model;
#[cfg(target_arch = "wasm32")]
mod raw;

pub use call::{Block, call};
