//! `TIMESTAMP BY … OVER key`: every value of the key has a timeline of its own.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The newest time of each key value. A key whose time has fallen behind the late bound is forgotten: no event that is still to
/// come can be out of order to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Substreams {
    newest: HashMap<Box<[u8]>, Timestamp>,
    /// When so many keys are known, those behind are looked for.
    review: usize,
}

/// Fewer keys are not worth a review.
const FEW: usize = 1024;

impl Substreams {
    /// The newest time of a key value.
    pub(super) fn newest(&self, key: &[u8]) -> Option<Timestamp> {
        self.newest.get(key).copied()
    }

    /// An event of that key has that time. No later event has a time before `floor`.
    pub(super) fn observe(&mut self, key: &[u8], time: Timestamp, tolerance: i64, floor: Timestamp) {
        if let Some(newest) = self.newest.get_mut(key) {
            *newest = (*newest).max(time);
            return;
        }
        if self.newest.len() >= self.review.max(FEW) {
            self.newest.retain(|_, newest| newest.0.saturating_sub(tolerance) > floor.0);
            self.review = self.newest.len() * 2;
        }
        self.newest.insert(key.into(), time);
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.newest.len()
    }
}
