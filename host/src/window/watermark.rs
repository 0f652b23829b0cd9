//! Watermarks: per partition, the time before which no more events are expected; for all, the least of them.

use crate::time::Timestamp;

/// The watermarks of all partitions that a job reads.
#[derive(Debug, Clone)]
pub struct Watermarks {
    partitions: Vec<Timestamp>,
}

impl Watermarks {
    /// So many partitions, none of which has seen an event.
    pub fn new(partitions: usize) -> Self {
        Self { partitions: vec![Timestamp::MIN; partitions] }
    }

    /// A partition has reached `time`; watermarks never go back.
    pub fn observe(&mut self, partition: usize, time: Timestamp) {
        if let Some(watermark) = self.partitions.get_mut(partition) {
            *watermark = (*watermark).max(time);
        }
    }

    /// The watermark of a partition.
    pub fn of(&self, partition: usize) -> Timestamp {
        self.partitions.get(partition).copied().unwrap_or(Timestamp::MIN)
    }

    /// The least of all.
    pub fn current(&self) -> Timestamp {
        self.partitions.iter().min().copied().unwrap_or(Timestamp::MIN)
    }
}
