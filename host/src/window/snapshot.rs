//! Snapshot windows: the rows of one moment.

use serde::{Deserialize, Serialize};

use super::emission::Emission;
use super::keys::NumberMap;
use super::pending::{Pending, Waiting};
use super::store::Store;
use crate::time::Timestamp;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshots {
    pending: Pending,
}

impl Snapshots {
    pub(super) fn push(&mut self, row: Waiting) {
        self.pending.push(row);
    }

    pub(super) fn advance(&mut self, watermark: Timestamp, store: &mut Store, out: &mut Emission) {
        let mut groups: NumberMap<u32> = NumberMap::default();
        while let Some(now) = self.pending.next_time().filter(|now| *now <= watermark) {
            while let Some(row) = self.pending.pop(now) {
                match groups.entry(store.group(row.slot)) {
                    std::collections::hash_map::Entry::Occupied(slot) => store.absorb(*slot.get(), row.slot),
                    std::collections::hash_map::Entry::Vacant(place) => {
                        place.insert(row.slot);
                    }
                }
            }
            out.groups(now, &mut groups.drain().map(|(_, slot)| slot).collect(), store);
        }
    }

    pub(super) fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    pub(super) fn restore(&mut self, saved: &[u8]) -> Result<(), postcard::Error> {
        *self = postcard::from_bytes(saved)?;
        Ok(())
    }
}
