//! The sandbox that functions run in: wasmtime, with limits on memory, time and what comes back.
//! Comes in: the rows of a step. Goes out: one value a row, and why some rows have none.
//!
//! # Layout
//!
//! - [`Sandbox`]: the engine and its limits; loads modules
//! - [`Function`]: a loaded module, its signature and its pool of instances
//! - `columns`: a batch's columns, fitted to the signature
//! - `instance`: one instance of the module and the raw door's calls
//! - `bisect`: finds the row at fault when a call fails

mod bisect;
mod columns;
mod engine;
mod error;
mod function;
mod instance;
mod limits;

pub use engine::Sandbox;
pub use error::UdfError;
pub use function::{Called, Function};
pub use limits::Limits;
