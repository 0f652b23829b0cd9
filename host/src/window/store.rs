//! The partial results of all windows of a step: keys, slots and accumulators.

use serde::{Deserialize, Serialize};

use super::accumulator::Accumulator;
use super::keys::Keys;
use crate::batch::RowOrder;
use crate::fault::Fault;

/// The slot for rows that are in no window; nothing reads it.
pub(super) const NOWHERE: u32 = 0;

#[derive(Debug)]
pub(super) struct Store {
    pub(super) keys: Keys,
    slots: Slots,
    pub(super) accumulators: Vec<Box<dyn Accumulator>>,
    /// The accumulators have room for so many slots.
    room: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Slots {
    /// The group of each slot.
    groups: Vec<u32>,
    /// The first row of each slot.
    first: Vec<RowOrder>,
    free: Vec<u32>,
}

impl Store {
    pub(super) fn new(accumulators: Vec<Box<dyn Accumulator>>) -> Self {
        let slots = Slots { groups: vec![0], first: vec![RowOrder::default()], free: Vec::new() };
        let mut store = Self { keys: Keys::default(), slots, accumulators, room: 0 };
        store.grow();
        store
    }

    /// An empty slot for a group. Call [`Store::grow`] before anything is added to it.
    pub(super) fn take(&mut self, group: u32, first: RowOrder) -> u32 {
        self.keys.hold(group);
        match self.slots.free.pop() {
            Some(slot) => {
                self.slots.groups[slot as usize] = group;
                self.slots.first[slot as usize] = first;
                slot
            }
            None => {
                self.slots.groups.push(group);
                self.slots.first.push(first);
                (self.slots.groups.len() - 1) as u32
            }
        }
    }

    /// Makes room in the accumulators for the slots that were taken.
    pub(super) fn grow(&mut self) {
        let slots = self.slots.groups.len();
        if self.room < slots {
            // More than needed now: slots are taken one by one.
            self.room = slots + slots / 8 + 16;
            self.accumulators.iter_mut().for_each(|accumulator| accumulator.grow(self.room));
        }
    }

    /// Gives a slot back.
    pub(super) fn release(&mut self, slot: u32) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(slot));
        self.keys.release(self.slots.groups[slot as usize]);
        self.slots.free.push(slot);
    }

    /// Adds what `from` holds to `into` and gives `from` back.
    pub(super) fn absorb(&mut self, into: u32, from: u32) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.merge(into, from));
        self.note_first(into, self.first(from));
        self.release(from);
    }

    pub(super) fn group(&self, slot: u32) -> u32 {
        self.slots.groups[slot as usize]
    }

    pub(super) fn first(&self, slot: u32) -> RowOrder {
        self.slots.first[slot as usize]
    }

    /// A row at that place was added to the slot.
    #[inline]
    pub(super) fn note_first(&mut self, slot: u32, order: RowOrder) {
        let first = &mut self.slots.first[slot as usize];
        if order < *first {
            *first = order;
        }
    }

    /// Slots in use.
    pub(super) fn in_use(&self) -> usize {
        self.slots.groups.len() - 1 - self.slots.free.len()
    }

    pub(super) fn save(&self) -> Result<SavedStore, Fault> {
        let accumulators = self.accumulators.iter().map(|accumulator| accumulator.save()).collect::<Result<_, _>>()?;
        let slots = postcard::to_stdvec(&(&self.keys, &self.slots)).map_err(|error| Fault::internal(format!("windows: {error}")))?;
        Ok(SavedStore { slots, accumulators })
    }

    pub(super) fn restore(&mut self, saved: &SavedStore) -> Result<(), Fault> {
        let damaged = || Fault::internal("the saved state of a window is damaged or of another query");
        (self.keys, self.slots) = postcard::from_bytes(&saved.slots).map_err(|_| damaged())?;
        if saved.accumulators.len() != self.accumulators.len() {
            return Err(damaged());
        }
        for (accumulator, saved) in self.accumulators.iter_mut().zip(&saved.accumulators) {
            accumulator.restore(saved)?;
        }
        self.room = 0;
        self.grow();
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedStore {
    slots: Vec<u8>,
    accumulators: Vec<Vec<u8>>,
}
