//! JavaScript functions and aggregates, as Stream Analytics has them, run unchanged from the project's `.js` files by
//! QuickJS. A script can compute and nothing else: no files, no network, no timers; memory, time and stack are limited.
//!
//! # Layout
//!
//! - [`Script`]: a file's text, checked: it is JavaScript and has the one function to call
//! - [`Scalar`]: `udf.x(…)`, many rows a call
//! - [`Aggregate`]: `uda.x(…)`: objects with state, which can be saved
//! - `engine`: QuickJS with its limits; `values`: between the language's values and JavaScript's
//! - `prelude.js`: local time is UTC, as in the cloud; how an aggregate's state is written

mod aggregate;
mod engine;
mod error;
mod scalar;
mod script;
mod values;

pub use aggregate::{Aggregate, State};
pub use error::ScriptError;
pub use scalar::{Answers, Scalar};
pub use script::{Kind, Script};

use std::time::Duration;

/// What a script may cost. Beyond, its call fails; the host and the other rows do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptLimits {
    /// Memory of a script with all its values, in bytes.
    pub memory_bytes: usize,
    /// Stack, in bytes.
    pub stack_bytes: usize,
    /// Time of one call: one row, or one step of an aggregate.
    pub deadline: Duration,
    /// How deep a result may be nested.
    pub depth: usize,
    /// How many values and bytes of text one result may have in all.
    pub result_size: usize,
    /// Calls of one batch that may run out of time or memory before the rest of the batch is given up.
    pub exhausted_calls: usize,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            stack_bytes: 512 << 10,
            deadline: Duration::from_secs(1),
            depth: 64,
            result_size: 16 << 20,
            exhausted_calls: 10,
        }
    }
}

#[cfg(test)]
mod tests;
