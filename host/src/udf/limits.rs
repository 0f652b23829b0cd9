//! What a function may cost.

use std::time::Duration;

/// Limits of each instance and call. A function that goes beyond one fails; the host and the other rows do not.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Linear memory of an instance, in bytes.
    pub memory_bytes: usize,
    /// Time of one call.
    pub deadline: Duration,
    /// Bytes of a reply.
    pub max_reply_bytes: usize,
    /// Rows of one call; a larger batch is split.
    pub max_rows: usize,
    /// Instances at a time, over all modules.
    pub instances: u32,
    /// Calls after which an instance is replaced by a fresh one.
    pub calls_per_instance: u32,
    /// Failed calls that are spent on finding the rows at fault in one batch; the rest of the batch is rejected then.
    pub failures_per_batch: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            deadline: Duration::from_secs(1),
            max_reply_bytes: 64 << 20,
            max_rows: 16_384,
            instances: 64,
            calls_per_instance: 1_000_000,
            failures_per_batch: 40,
        }
    }
}
