//! Sliding windows: a window ends whenever a row of the group enters it or leaves it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::emission::Emission;
use super::keys::NumberMap;
use super::pending::{Pending, Waiting};
use super::running::Running;
use super::store::Store;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Sliding {
    size: i64,
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    pending: Pending,
    running: NumberMap<Running>,
    /// When which group's oldest rows leave.
    exits: VecDeque<(Timestamp, u32)>,
}

impl Sliding {
    pub(super) fn new(size: i64) -> Self {
        Self { size, state: State::default() }
    }

    pub(super) fn push(&mut self, row: Waiting) {
        self.state.pending.push(row);
    }

    pub(super) fn advance(&mut self, watermark: Timestamp, store: &mut Store, out: &mut Emission) {
        let state = &mut self.state;
        let mut changed: Vec<u32> = Vec::new();
        loop {
            let exit = state.exits.front().map(|(time, _)| *time);
            let Some(now) = exit.into_iter().chain(state.pending.next_time()).min().filter(|now| *now <= watermark) else { return };
            changed.clear();
            // Who leaves at this moment is no longer in the window that ends now.
            while let Some((_, group)) = state.exits.pop_front_if(|(time, _)| *time <= now) {
                if let Some(running) = state.running.get_mut(&group) {
                    running.leave(Timestamp(now.0.saturating_sub(self.size)), store);
                    changed.push(group);
                }
            }
            while let Some(row) = state.pending.pop(now) {
                let group = store.group(row.slot);
                let running = state.running.entry(group).or_insert_with(|| Running::new(group, store));
                if running.enter(now, row.slot, store) {
                    state.exits.push_back((Timestamp(now.0.saturating_add(self.size)), group));
                }
                changed.push(group);
            }
            changed.sort_unstable();
            changed.dedup();
            out.running(now, changed.iter().filter_map(|group| state.running.get(group)), store);
            for group in &changed {
                if state.running.get(group).is_some_and(Running::is_empty)
                    && let Some(running) = state.running.remove(group)
                {
                    running.release(store);
                }
            }
        }
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(&self.state)
    }

    pub(super) fn restore(&mut self, saved: &[u8]) -> Result<(), postcard::Error> {
        self.state = postcard::from_bytes(saved)?;
        Ok(())
    }
}
