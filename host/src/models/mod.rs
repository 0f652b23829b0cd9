//! The versions of a job's functions, beside its data: which modules there are, which one decides (the champion),
//! which one is only watched (the challenger), and every change of that, so that the last one can be taken back.
//!
//! In: modules with what they say of themselves, and wishes (`tamis models promote …`), from any process.
//! Out: for each function the wish that holds now; the running job takes it over at a batch boundary and notes that it did.
//!
//! - [`Registry`]: the file `models.db` in the data directory
//! - [`Version`], [`Change`]: what stands in it
//! - `error`: what can be wrong with a wish

mod error;
mod registry;
#[cfg(test)]
mod tests;

pub use error::ModelsError;
pub use registry::{Module, Registry};

use crate::time::Timestamp;

/// One version of a function: a module, told apart by its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The functions' names in the query, after `udf.`: functions that share a module change together (`prediction,score`).
    pub function: String,
    /// SHA-256 of the module's bytes, in hexadecimal.
    pub sha256: String,
    /// The model's name, as the module says.
    pub name: String,
    /// The model's version, as the module says.
    pub version: String,
    /// The module's signature, as JSON; the model's card is in it.
    pub signature: String,
    /// Length of the module in bytes.
    pub bytes: u64,
    /// When it was added.
    pub added: Timestamp,
    /// What it does now.
    pub role: Role,
}

/// What a version does in the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its answers are the query's.
    Champion,
    /// It is asked the same, and its answers are stored beside the champion's.
    Challenger,
    /// Nothing.
    Idle,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
            Self::Idle => "",
        }
    }
}

/// A wish for one function: from now on these two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number; a later one holds.
    pub id: i64,
    /// The function's name.
    pub function: String,
    /// SHA-256 of the module that decides.
    pub champion: String,
    /// SHA-256 of the module that is watched.
    pub challenger: Option<String>,
    /// When it was wished.
    pub wished: Timestamp,
    /// When the job took it over; `None` as long as no job did.
    pub taken: Option<Timestamp>,
    /// Why the job did not take it over.
    pub refused: Option<String>,
}

/// The registry's file in the data directory.
const FILE: &str = "models.db";
