//! The left rows of a left join that have no partner yet, and when that is decided.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A left row whose partner may still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Open {
    /// After this time no partner can come.
    decided: i64,
    row: u64,
    /// The time of its result when it has none.
    result: i64,
}

/// Left rows by the time at which they are decided.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Unmatched {
    /// In order.
    open: VecDeque<Open>,
    /// Whether each row has a partner, from row number `first` on.
    matched: VecDeque<bool>,
    first: u64,
}

impl Unmatched {
    /// Takes the next left row; rows come in the order of their numbers.
    pub(super) fn push(&mut self, row: u64, decided: i64, result: i64) {
        // Rows nearly always come in the order in which they are decided, so the place is at the end or near it.
        let open = Open { decided, row, result };
        let place = if self.open.back().is_none_or(|last| *last <= open) {
            self.open.len()
        } else {
            self.open.partition_point(|other| *other <= open)
        };
        self.open.insert(place, open);
        self.matched.push_back(false);
    }

    /// A left row has a partner.
    pub(super) fn matches(&mut self, row: u64) {
        if let Some(matched) = row.checked_sub(self.first).and_then(|place| self.matched.get_mut(place as usize)) {
            *matched = true;
        }
    }

    fn has_partner(&self, row: u64) -> bool {
        row.checked_sub(self.first).and_then(|place| self.matched.get(place as usize)).is_some_and(|matched| *matched)
    }

    /// The rows that have no partner and cannot get one after `watermark`, with the times of their results.
    pub(super) fn decide(&mut self, watermark: Timestamp) -> Vec<(u64, Timestamp)> {
        let mut decided = Vec::new();
        while let Some(open) = self.open.front().copied() {
            let has_partner = self.has_partner(open.row);
            if open.decided > watermark.0 && !has_partner {
                break;
            }
            self.open.pop_front();
            if !has_partner {
                decided.push((open.row, Timestamp(open.result)));
            }
        }
        decided
    }

    /// No later result without a partner has a time at or before this. Asked after [`Unmatched::decide`].
    pub(super) fn settled(&self, watermark: Timestamp, wait: i64) -> Timestamp {
        // Rows that are open are decided in the order of their anchors, and `wait` before that is the least their results can be.
        let next = self.open.front().map_or(i64::MAX, |open| open.decided.saturating_sub(wait).saturating_sub(1));
        watermark.min(Timestamp(next))
    }

    /// Rows before number `row` are gone.
    pub(super) fn forget(&mut self, row: u64) {
        while self.first < row && self.matched.pop_front().is_some() {
            self.first += 1;
        }
    }
}
