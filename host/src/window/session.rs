//! Session windows: rows that follow each other closely, for all rows or for each partition key.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::emission::Emission;
use super::keys::{Keys, NumberMap};
use super::kind::boundary_at_or_after;
use super::pending::{Pending, Waiting};
use super::store::Store;
use crate::batch::Column;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Sessions {
    timeout: i64,
    max_duration: i64,
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    pending: Pending,
    /// The partition keys in use: by rows that wait, and by open sessions.
    keys: Keys,
    open: NumberMap<Session>,
    /// For each open session a time at or before its end.
    ends: BinaryHeap<Reverse<(Timestamp, u32)>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    /// Its first row, or the moment when its predecessor was cut.
    start: Timestamp,
    /// Its last row; after a cut, until the first row, its predecessor's.
    last: Timestamp,
    /// The slot of each group.
    groups: NumberMap<u32>,
}

impl Sessions {
    pub(super) fn new(timeout: i64, max_duration: i64) -> Self {
        Self { timeout, max_duration, state: State::default() }
    }

    /// The number of each row's partition key, held for the row.
    pub(super) fn number(&mut self, keys: &[Column], rows: usize) -> Vec<u32> {
        let numbers = self.state.keys.numbers(keys, rows, &mut Vec::new());
        numbers.iter().for_each(|number| self.state.keys.hold(*number));
        numbers
    }

    pub(super) fn push(&mut self, row: Waiting) {
        self.state.pending.push(row);
    }

    /// When the session ends, if no other row comes.
    fn end(&self, session: &Session) -> (Timestamp, bool) {
        let pause = session.last.0.saturating_add(self.timeout);
        let check = boundary_at_or_after(Timestamp(session.start.0.saturating_add(self.max_duration)), self.max_duration, 0).0;
        (Timestamp(pause.min(check)), check <= pause)
    }

    pub(super) fn advance(&mut self, watermark: Timestamp, store: &mut Store, out: &mut Emission) {
        while let Some(row) = self.state.pending.pop(watermark) {
            let now = row.order.time;
            // A row at a session's end still belongs to it.
            self.close(Timestamp(now.0.saturating_sub(1)), store, out);
            let State { keys, open, ends, .. } = &mut self.state;
            let session = open.entry(row.session).or_insert_with(|| {
                keys.hold(row.session);
                ends.push(Reverse((now, row.session)));
                Session { start: now, last: now, groups: NumberMap::default() }
            });
            session.last = now;
            match session.groups.entry(store.group(row.slot)) {
                std::collections::hash_map::Entry::Occupied(slot) => store.absorb(*slot.get(), row.slot),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(row.slot);
                }
            }
            keys.release(row.session);
        }
        self.close(watermark, store, out);
    }

    /// Closes the sessions that end at or before `until`, in the order of their ends.
    fn close(&mut self, until: Timestamp, store: &mut Store, out: &mut Emission) {
        // Sessions of several keys may end at one moment: their groups come out together.
        let mut ending = Timestamp::MIN;
        let mut slots = Vec::new();
        while let Some(Reverse((guess, key))) = self.state.ends.peek().copied().filter(|Reverse((guess, _))| *guess <= until) {
            self.state.ends.pop();
            let Some(session) = self.state.open.get(&key) else { continue };
            let (end, cut) = self.end(session);
            if end > guess {
                // Rows that came since have moved its end.
                self.state.ends.push(Reverse((end, key)));
                continue;
            }
            let Some(session) = self.state.open.remove(&key) else { continue };
            if end > ending {
                out.groups(ending, &mut slots, store);
                ending = end;
            }
            slots.extend(session.groups.into_values());
            let goes_on = session.last.0.saturating_add(self.timeout) > end.0;
            if cut && goes_on {
                self.state.open.insert(key, Session { start: end, last: session.last, groups: NumberMap::default() });
                self.state.ends.push(Reverse((end, key)));
            } else {
                self.state.keys.release(key);
            }
        }
        out.groups(ending, &mut slots, store);
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(&self.state)
    }

    pub(super) fn restore(&mut self, saved: &[u8]) -> Result<(), postcard::Error> {
        self.state = postcard::from_bytes(saved)?;
        Ok(())
    }
}
