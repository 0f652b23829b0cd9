//! The generic guest: a door for JavaScript and a raw door for wasm hosts, with room for a model. `tamis-pack` bakes one
//! in; the same code scores natively, for tests and benches.
//!
//! # Layout
//!
//! - [`model`]: the scorer and the signature that were baked in
//! - `fit`: the columns that were given, fitted to the ones that the model reads; odd rows become reasons
//! - [`call`]: one call over a frame: fit, score, reply. The same on every target; `results` and `reasons` make the values
//! - `raw`: the raw door (`tamis_*` exports), `bake`: what tamis-pack calls, only on wasm
//! - `js`: the JavaScript door (`init`, `run`, `score`, `probabilities`, `explain`, `signature`), only on wasm
//!
//! Nothing here panics on input: a wrong frame or table is an error for the caller, an odd row is rejected with a
//! reason and the other rows get their results.

#[cfg(target_arch = "wasm32")]
mod bake;
mod block;
pub mod call;
mod fit;
#[cfg(target_arch = "wasm32")]
mod js;
pub mod model;
#[cfg(target_arch = "wasm32")]
mod raw;
pub mod reasons;
mod results;

pub use block::Block;
pub use call::{Memory, call};
pub use model::Model;
