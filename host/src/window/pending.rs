//! Rows that wait for the watermark, in the order in which they are to be worked on.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::batch::RowOrder;
use crate::time::Timestamp;

/// A row that waits. Its group and its values are in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) order: RowOrder,
    pub(super) slot: u32,
    /// The session key.
    pub(super) session: u32,
}

/// Rows that come in order wait in a queue, others in a heap: what is usual is cheap.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    queue: VecDeque<Waiting>,
    strays: BinaryHeap<Reverse<Waiting>>,
}

impl Pending {
    pub(super) fn push(&mut self, row: Waiting) {
        if self.queue.back().is_none_or(|last| *last <= row) {
            self.queue.push_back(row);
        } else {
            self.strays.push(Reverse(row));
        }
    }

    /// The time of the next row.
    pub(super) fn next_time(&self) -> Option<Timestamp> {
        let queued = self.queue.front().map(|row| row.order.time);
        let stray = self.strays.peek().map(|Reverse(row)| row.order.time);
        queued.into_iter().chain(stray).min()
    }

    /// Takes the next row if it is not after `until`.
    pub(super) fn pop(&mut self, until: Timestamp) -> Option<Waiting> {
        let from_strays = match (self.queue.front(), self.strays.peek()) {
            (Some(queued), Some(Reverse(stray))) => stray < queued,
            (None, Some(_)) => true,
            _ => false,
        };
        if from_strays {
            let due = self.strays.peek().is_some_and(|Reverse(row)| row.order.time <= until);
            return if due { self.strays.pop().map(|Reverse(row)| row) } else { None };
        }
        let due = self.queue.front().is_some_and(|row| row.order.time <= until);
        if due { self.queue.pop_front() } else { None }
    }
}
