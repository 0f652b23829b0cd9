//! A stateful operator of the running query: a window, a join, an analytic function, a pattern.
//!
//! Rows come in any order; results are made only when the watermark says that all rows up to it have come, in the order
//! of (time, arrival). So a result never depends on how rows were cut into batches or how partitions interleaved.

use std::fmt;

use super::Functions;
use crate::batch::Batch;
use crate::fault::{Fault, Rejected};
use crate::time::Timestamp;

/// What an operator may use while it works.
pub struct Context<'a> {
    /// The job's functions, for `udf.…` and `uda.…`.
    pub functions: &'a mut dyn Functions,
    /// Rows that are not processed further, and why.
    pub rejected: &'a mut Vec<Rejected>,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("rejected", &self.rejected.len()).finish_non_exhaustive()
    }
}

/// A stateful operator. The watermark given to [`Operate::advance`] means: every row with time at or before it has
/// come, and later rows have later times; [`Timestamp::MAX`] is the end of bounded input.
pub trait Operate: fmt::Debug + Send {
    /// Takes rows from source number `port`: 0 is the only or left one. Rows may come in any order, but each is after
    /// the last watermark. Rows of one time keep the order in which they are pushed.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    fn push(&mut self, port: usize, batch: &Batch, context: &mut Context<'_>) -> Result<(), Fault>;

    /// What is determined up to the watermark: batches whose times ascend. No result has a time after the watermark.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    fn advance(&mut self, watermark: Timestamp, context: &mut Context<'_>) -> Result<Vec<Batch>, Fault>;

    /// Up to which time all results are out after `advance(watermark)`; later results have later times. What reads this operator
    /// advances to here. A left join or a pattern may still wait for what decides about a row whose result has an earlier time.
    fn settled(&self, watermark: Timestamp) -> Timestamp {
        watermark
    }

    /// The whole state, so that [`Operate::restore`] on a new operator of the same step goes on exactly from here.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot be written.
    fn save(&self) -> Result<Vec<u8>, Fault>;

    /// Takes up a saved state. Called once, before any row.
    ///
    /// # Errors
    /// A [`Fault`] when the bytes are damaged or of another step.
    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault>;
}
