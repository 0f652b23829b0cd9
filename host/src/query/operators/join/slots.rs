//! Which rows of either side have which key: found by hash, in the order of their times.

use std::collections::VecDeque;

use super::super::keys::KeyIndex;

/// A row that may find a partner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its time in ticks.
    pub(super) time: i64,
    /// What its distance is measured from; for rows of the right side its time.
    pub(super) anchor: i64,
    /// Its number in the side's store.
    pub(super) row: u64,
}

/// The rows of one key.
#[derive(Debug, Default)]
pub(super) struct Slot {
    left: VecDeque<Entry>,
    right: VecDeque<Entry>,
}

/// How far apart partners may be, in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Least `right - anchor`.
    pub(super) low: i64,
    /// Greatest.
    pub(super) high: i64,
    /// Greatest `left - anchor`.
    pub(super) lag: i64,
}

impl Bounds {
    /// Right rows at or before this are of no use to left rows after `time`.
    pub(super) fn right_end(self, time: i64) -> i64 {
        time.saturating_sub(self.lag).saturating_add(self.low)
    }

    /// Left rows at or before this are of no use to right rows after `time`.
    pub(super) fn left_end(self, time: i64) -> i64 {
        time.saturating_sub(self.high)
    }
}

impl Slot {
    /// Keeps a row of a restored state.
    pub(super) fn keep(&mut self, side: usize, entry: Entry) {
        if side == 0 { self.left.push_back(entry) } else { self.right.push_back(entry) }
    }

    /// Calls `pair` with each left row that may match this right row, in order, and keeps the row.
    pub(super) fn right(&mut self, entry: Entry, bounds: Bounds, mut pair: impl FnMut(u64)) {
        drop_before(&mut self.left, bounds.left_end(entry.time));
        let end = entry.time.saturating_sub(bounds.low);
        for left in self.left.iter().take_while(|left| left.time <= end.saturating_add(bounds.lag)) {
            if (end.min(entry.time.saturating_sub(bounds.high))..=end).contains(&left.anchor) {
                pair(left.row);
            }
        }
        self.right.push_back(entry);
    }

    /// Calls `pair` with each right row that may match this left row, in order, and keeps the row.
    pub(super) fn left(&mut self, entry: Entry, bounds: Bounds, mut pair: impl FnMut(u64)) {
        drop_before(&mut self.right, bounds.right_end(entry.time));
        let (low, high) = (entry.anchor.saturating_add(bounds.low), entry.anchor.saturating_add(bounds.high));
        let first = self.right.partition_point(|right| right.time < low);
        for right in self.right.range(first..).take_while(|right| right.time <= high) {
            pair(right.row);
        }
        self.left.push_back(entry);
    }
}

fn drop_before(entries: &mut VecDeque<Entry>, time: i64) {
    while entries.front().is_some_and(|entry| entry.time < time) {
        entries.pop_front();
    }
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Slots {
    keys: KeyIndex,
    slots: Vec<Slot>,
}

impl Slots {
    /// The slot of a key.
    pub(super) fn slot(&mut self, key: &[u8]) -> &mut Slot {
        let number = self.keys.number(key);
        if number >= self.slots.len() {
            self.slots.resize_with(number + 1, Slot::default);
        }
        &mut self.slots[number]
    }

    /// Lets go of rows that nothing after `time` can match, now and then.
    pub(super) fn sweep(&mut self, time: i64, bounds: Bounds) {
        let (left, right) = (bounds.left_end(time), bounds.right_end(time));
        let slots = &mut self.slots;
        self.keys.sweep(|number| {
            let slot = &mut slots[number];
            drop_before(&mut slot.left, left.saturating_add(1));
            drop_before(&mut slot.right, right.saturating_add(1));
            !(slot.left.is_empty() && slot.right.is_empty())
        });
    }
}
