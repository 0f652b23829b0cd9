//! Simulates card transactions: a stream to try a job with.
//!
//! - [`facts`]: the distributions, read from `model/fraud/transactions.json`
//! - [`simulate`]: draws transactions
//! - [`target`]: a file, standard output or Event Hubs' REST
//! - `run`: the command

mod error;
pub mod facts;
mod http;
mod run;
pub mod simulate;
pub mod target;

pub use error::GenerateError;
pub use http::Secret;
pub use run::{Args, Summary, run};
