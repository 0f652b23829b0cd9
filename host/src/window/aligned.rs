//! Tumbling and hopping windows: rows are added to panes, which no window's boundary cuts.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::emission::Emission;
use super::keys::NumberMap;
use super::kind::{boundary_at_or_after, common_divisor};
use super::running::Running;
use super::store::{NOWHERE, Store};
use crate::batch::RowOrder;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Aligned {
    size: i64,
    hop: i64,
    offset: i64,
    /// The length of a pane.
    pane: i64,
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The slot of each group, by the pane's end.
    panes: BTreeMap<Timestamp, NumberMap<u32>>,
    /// The content of each group's window; empty for tumbling windows.
    running: BTreeMap<u32, Running>,
    /// When which group's oldest pane leaves.
    exits: VecDeque<(Timestamp, u32)>,
    /// The end of the last window.
    reached: Option<Timestamp>,
}

impl Aligned {
    pub(super) fn new(size: i64, hop: i64, offset: i64) -> Self {
        Self { size, hop, offset, pane: common_divisor(size, hop), state: State::default() }
    }

    /// The slot of each row.
    pub(super) fn assign(&mut self, orders: &[RowOrder], groups: &[u32], store: &mut Store, slots: &mut Vec<u32>) {
        // Rows of one batch are mostly of one pane: it is taken out while they last.
        let mut end = Timestamp::MIN;
        let mut pane: Option<NumberMap<u32>> = None;
        for (order, group) in orders.iter().zip(groups) {
            let start = end.0.saturating_sub(self.pane);
            if pane.is_none() || order.time > end || order.time.0 <= start {
                if let Some(pane) = pane.take() {
                    self.state.panes.insert(end, pane);
                }
                let next = boundary_at_or_after(order.time, self.pane, self.offset);
                if self.hop > self.size && self.is_in_no_window(next) {
                    slots.push(NOWHERE);
                    continue;
                }
                end = next;
                pane = Some(self.state.panes.remove(&end).unwrap_or_default());
            }
            let Some(pane) = &mut pane else { continue };
            let slot = *pane.entry(*group).or_insert_with(|| store.take(*group, *order));
            store.note_first(slot, *order);
            slots.push(slot);
        }
        if let Some(pane) = pane {
            self.state.panes.insert(end, pane);
        }
    }

    /// Windows that are shorter than their hop leave gaps.
    fn is_in_no_window(&self, pane_end: Timestamp) -> bool {
        boundary_at_or_after(pane_end, self.hop, self.offset).0.saturating_sub(self.size) >= pane_end.0
    }

    pub(super) fn advance(&mut self, watermark: Timestamp, store: &mut Store, out: &mut Emission) {
        if self.size == self.hop {
            return self.tumble(watermark, store, out);
        }
        while let Some(end) = self.next_end().filter(|end| *end <= watermark) {
            self.hop_to(end, store);
            out.running(end, self.state.running.values(), store);
        }
        if watermark == Timestamp::MAX {
            // Rows at the very end of time have no window that they leave.
            for mut running in std::mem::take(&mut self.state.running).into_values() {
                running.leave(Timestamp::MAX, store);
                running.release(store);
            }
        }
    }

    /// Each pane is a window.
    fn tumble(&mut self, watermark: Timestamp, store: &mut Store, out: &mut Emission) {
        while let Some(pane) = self.state.panes.first_entry().filter(|pane| *pane.key() <= watermark) {
            let (end, groups) = pane.remove_entry();
            out.groups(end, &mut groups.into_values().collect(), store);
        }
    }

    /// The end of the next window that holds anything.
    fn next_end(&self) -> Option<Timestamp> {
        let next_pane = self.state.panes.first_key_value().map(|(end, _)| boundary_at_or_after(*end, self.hop, self.offset));
        if self.state.running.is_empty() {
            return next_pane;
        }
        // At the end of all time there is no next one.
        self.state.reached.and_then(|reached| reached.0.checked_add(self.hop)).map(Timestamp)
    }

    /// Moves every group's window so that it ends at `end`.
    fn hop_to(&mut self, end: Timestamp, store: &mut Store) {
        let state = &mut self.state;
        while let Some((_, group)) = state.exits.pop_front_if(|(exit, _)| *exit <= end) {
            if let Some(running) = state.running.get_mut(&group) {
                running.leave(Timestamp(end.0.saturating_sub(self.size)), store);
                if running.is_empty()
                    && let Some(running) = state.running.remove(&group)
                {
                    running.release(store);
                }
            }
        }
        while let Some(pane) = state.panes.first_entry().filter(|pane| *pane.key() <= end) {
            let (time, groups) = pane.remove_entry();
            for (group, slot) in groups {
                let running = state.running.entry(group).or_insert_with(|| Running::new(group, store));
                if running.enter(time, slot, store) {
                    state.exits.push_back((Timestamp(time.0.saturating_add(self.size)), group));
                }
            }
        }
        state.reached = Some(end);
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(&self.state)
    }

    pub(super) fn restore(&mut self, saved: &[u8]) -> Result<(), postcard::Error> {
        self.state = postcard::from_bytes(saved)?;
        Ok(())
    }
}
