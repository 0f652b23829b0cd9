//! The content of a window that moves: parts enter at one end and leave at the other, and its result is known at any moment
//! without going over the parts again.
//!
//! An accumulator that subtracts has one total. For any other, the parts are in two stacks: of those in front, each slot holds
//! the result from itself to the end of the front; those behind are held together in the total. The result is the first of the front and
//! the total. When the front is used up, the parts behind become the front; so each part is merged a constant number of times.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::batch::RowOrder;
use crate::time::Timestamp;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Running {
    parts: VecDeque<Part>,
    /// So many of the parts are in front.
    front: usize,
    /// The slot of the total.
    total: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Part {
    time: Timestamp,
    slot: u32,
}

impl Running {
    pub(super) fn new(group: u32, store: &mut Store) -> Self {
        let total = store.take(group, RowOrder::default());
        store.grow();
        Self { parts: VecDeque::new(), front: 0, total }
    }

    /// A part enters; times ascend. Answers whether it is the first of its time.
    pub(super) fn enter(&mut self, time: Timestamp, slot: u32, store: &mut Store) -> bool {
        store.accumulators.iter_mut().for_each(|accumulator| accumulator.merge(self.total, slot));
        if self.parts.len() > self.front
            && let Some(last) = self.parts.back()
            && last.time == time
        {
            store.absorb(last.slot, slot);
            return false;
        }
        self.parts.push_back(Part { time, slot });
        true
    }

    /// The parts up to that time leave.
    pub(super) fn leave(&mut self, until: Timestamp, store: &mut Store) {
        while let Some(part) = self.parts.front().copied().filter(|part| part.time <= until) {
            if self.front == 0 {
                self.turn(store);
            }
            for accumulator in &mut store.accumulators {
                if accumulator.subtracts() {
                    accumulator.subtract(self.total, part.slot);
                }
            }
            store.release(part.slot);
            self.parts.pop_front();
            self.front -= 1;
        }
    }

    /// The parts behind become the front.
    fn turn(&mut self, store: &mut Store) {
        for accumulator in &mut store.accumulators {
            if accumulator.subtracts() {
                continue;
            }
            for number in (1..self.parts.len()).rev() {
                accumulator.merge(self.parts[number - 1].slot, self.parts[number].slot);
            }
            accumulator.clear(self.total);
        }
        self.front = self.parts.len();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The first row in the window; none when it is empty.
    pub(super) fn first(&self, store: &Store) -> Option<RowOrder> {
        Some(store.first(self.parts.front()?.slot))
    }

    /// The slot of the total.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// The slot that holds the front, for accumulators that do not subtract.
    pub(super) fn front(&self) -> Option<u32> {
        self.parts.front().filter(|_| self.front > 0).map(|part| part.slot)
    }

    /// Gives the total back; no part may be left.
    pub(super) fn release(self, store: &mut Store) {
        store.release(self.total);
    }
}
