//! The last rows, so that a reader who lost the connection can go on where it stopped.
//!
//! Batches are kept as they are (their columns are shared, not copied); a row becomes JSON only when somebody reads it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::batch::{Batch, write_row};

/// At least this many rows are kept.
const KEPT: u64 = 10_000;

/// A handle to the last rows; clones see the same rows. A reader takes what it finds and never holds the pipeline up.
#[derive(Debug, Clone)]
pub struct Rows {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: RwLock<Ring>,
    /// The sequence number of the newest row.
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    /// The sequence number before the oldest row that is kept.
    before: u64,
    batches: VecDeque<(u64, Arc<str>, Arc<Batch>)>,
}

/// One row as the feed sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Its sequence number, from 1.
    pub seq: u64,
    /// `{"output": …, "row": …}`
    pub json: String,
}

/// Rows that follow a sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Rows between the asked number and the first of these are gone.
    pub gap: bool,
    /// The rows.
    pub rows: Vec<FeedRow>,
}

impl Rows {
    /// An empty ring; `seq` rows were sent before it.
    pub(super) fn new(seq: u64) -> Self {
        let ring = Ring { before: seq, batches: VecDeque::new() };
        Self { shared: Arc::new(Shared { ring: RwLock::new(ring), newest: watch::Sender::new(seq) }) }
    }

    pub(super) fn push(&self, output: Arc<str>, batch: Batch) {
        let newest = *self.shared.newest.borrow();
        let end = newest + batch.rows() as u64;
        {
            let mut ring = self.shared.ring.write();
            ring.batches.push_back((newest, output, Arc::new(batch)));
            while let Some((start, _, batch)) = ring.batches.front()
                && start + batch.rows() as u64 + KEPT <= end
            {
                ring.before = start + batch.rows() as u64;
                ring.batches.pop_front();
            }
        }
        self.shared.newest.send_replace(end);
    }

    /// The sequence number of the newest row, as it changes.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.shared.newest.subscribe()
    }

    /// At most `limit` rows with a number above `seq`. A number that was never given out counts as a gap, too
    /// (the host was restarted with another data directory): reading starts at the oldest row that is kept.
    pub fn after(&self, seq: u64, limit: usize) -> Run {
        let (batches, before) = {
            let ring = self.shared.ring.read();
            (ring.batches.clone(), ring.before)
        };
        let newest = batches.back().map_or(before, |(start, _, batch)| start + batch.rows() as u64);
        let gap = seq < before || seq > newest;
        let from = if gap { before } else { seq };
        let mut rows = Vec::new();
        let mut buffer = Vec::new();
        for (start, output, batch) in &batches {
            let skip = usize::try_from(from.saturating_sub(*start)).unwrap_or(usize::MAX).min(batch.rows());
            for row in skip..batch.rows() {
                if rows.len() == limit {
                    return Run { gap, rows };
                }
                buffer.clear();
                write_row(batch, row, &mut buffer);
                let output = serde_json::Value::from(&**output);
                let json = format!("{{\"output\":{output},\"row\":{}}}", String::from_utf8_lossy(&buffer));
                rows.push(FeedRow { seq: start + row as u64 + 1, json });
            }
        }
        Run { gap, rows }
    }
}
