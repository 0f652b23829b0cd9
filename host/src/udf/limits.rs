//! What a function may cost.

use std::time::Duration;

/// Limits of each module, instance and call. A function that goes beyond one fails; the host and the other rows do not.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a module: compiling takes time that grows with them, before any deadline holds.
    pub module_bytes: usize,
    /// Linear memory of an instance, in bytes.
    pub memory_bytes: usize,
    /// Elements of each table of an instance.
    pub table_elements: usize,
    /// Time of one call, and of starting an instance.
    pub deadline: Duration,
    /// Bytes of a reply.
    pub max_reply_bytes: usize,
    /// Bytes of one text in it; a row with a longer one is rejected.
    pub max_text_bytes: usize,
    /// Rows of one call; a larger batch is split.
    pub max_rows: usize,
    /// Instances at a time, over all modules.
    pub instances: u32,
    /// Instances of one module that wait for their next call.
    pub idle: usize,
    /// Calls after which an instance is replaced by a fresh one.
    pub calls_per_instance: u32,
    /// Time that failing calls may take while the rows at fault in one batch are looked for; what is left of the batch is
    /// rejected then. Calls that trap take next to none of it; one row that loops in a call of the most rows is found after
    /// fifteen deadlines.
    pub search: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            module_bytes: 64 << 20,
            memory_bytes: 256 << 20,
            table_elements: 20_000,
            deadline: Duration::from_secs(1),
            max_reply_bytes: 64 << 20,
            max_text_bytes: 1 << 20,
            max_rows: 16_384,
            // Each processor may have one of each module at work.
            instances: (8 * processors).clamp(64, 1024) as u32,
            idle: processors,
            calls_per_instance: 1_000_000,
            search: Duration::from_secs(40),
        }
    }
}
