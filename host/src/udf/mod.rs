//! What the query's functions are: modules in a sandbox (wasmtime, with limits on memory, time and what comes back),
//! scripts, endpoints.
//! Comes in: the rows of a step. Goes out: one value a row, and why some rows have none.
//!
//! # Layout
//!
//! - [`Sandbox`]: the engine and its limits; loads modules
//! - [`Function`]: a loaded module, its signature and its pool of instances
//! - `columns`: a batch's columns, fitted to the signature
//! - `instance`: one instance of the module and the raw door's calls
//! - `bisect`: finds the row at fault when a call fails
//! - [`javascript`]: functions and aggregates in JavaScript
//! - [`azure_ml`]: functions behind an HTTP endpoint

pub mod azure_ml;
mod bisect;
mod columns;
mod engine;
mod error;
mod function;
mod instance;
pub mod javascript;
mod limits;

use crate::batch::{Batch, Column};

pub use engine::Sandbox;
pub use error::UdfError;
pub use function::{Called, Function};
pub use limits::Limits;

/// An argument of a call of a function in JavaScript or behind an endpoint.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Whole rows. Columns whose name starts with `#` are the engine's own and are left out.
    Record(&'a Batch),
    /// One value a row.
    Value(&'a Column),
}
