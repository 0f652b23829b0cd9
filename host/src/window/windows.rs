//! The windows of one step: rows go in, groups come out when the watermark says that their windows have ended.

use serde::{Deserialize, Serialize};

use super::accumulator::Accumulator;
use super::aligned::Aligned;
use super::emission::{Closed, Emission};
use super::kind::WindowKind;
use super::pending::Waiting;
use super::session::Sessions;
use super::sliding::Sliding;
use super::snapshot::Snapshots;
use super::store::{SavedStore, Store};
use crate::batch::{Batch, Column, RowOrder};
use crate::fault::Fault;
use crate::time::Timestamp;

/// Rows for the windows. All columns have as many rows as the batch.
#[derive(Debug)]
pub struct WindowInput<'a> {
    /// Times and origin of the rows; its columns do not matter.
    pub batch: &'a Batch,
    /// The group keys.
    pub keys: &'a [Column],
    /// For each window, the partition keys of its sessions; empty where it has none.
    pub partition_keys: &'a [Vec<Column>],
    /// For each accumulator, what it takes.
    pub arguments: &'a [Vec<Column>],
}

/// The windows of one step, over the same groups and accumulators.
#[derive(Debug)]
pub struct Windows {
    windows: Vec<Window>,
    store: Store,
    /// How many group keys there are.
    keys: usize,
    /// How many rows were taken.
    taken: u64,
    watermark: Timestamp,
}

#[derive(Debug)]
enum Window {
    Aligned(Aligned),
    Sliding(Sliding),
    Sessions(Sessions),
    Snapshots(Snapshots),
}

impl Windows {
    /// Windows without rows.
    pub fn new(kinds: impl IntoIterator<Item = WindowKind>, keys: usize, accumulators: Vec<Box<dyn Accumulator>>) -> Self {
        let windows = kinds.into_iter().map(Window::new).collect();
        Self { windows, store: Store::new(accumulators), keys, taken: 0, watermark: Timestamp::MIN }
    }

    /// Takes rows, in any order, but all after the last watermark.
    ///
    /// # Errors
    /// A [`Fault`] of this program: a row at or before the watermark, or columns of other lengths. Nothing was taken then.
    pub fn push(&mut self, input: &WindowInput<'_>) -> Result<(), Fault> {
        let rows = input.batch.rows();
        self.check(input)?;
        let orders = RowOrder::of(input.batch, self.taken);
        self.taken += rows as u64;
        let mut fresh = Vec::new();
        let groups = self.store.keys.numbers(input.keys, rows, &mut fresh);
        let mut slots = Vec::with_capacity(rows);
        for (number, window) in self.windows.iter_mut().enumerate() {
            slots.clear();
            let partition_keys = input.partition_keys.get(number).map_or(&[][..], |columns| columns);
            window.assign(&orders, &groups, partition_keys, &mut self.store, &mut slots);
            self.store.grow();
            for (accumulator, columns) in self.store.accumulators.iter_mut().zip(input.arguments) {
                accumulator.add(columns, &orders, &slots);
                accumulator.clear(super::store::NOWHERE);
            }
        }
        self.store.keys.sweep(&fresh);
        Ok(())
    }

    fn check(&self, input: &WindowInput<'_>) -> Result<(), Fault> {
        let rows = input.batch.rows();
        let columns = input.keys.iter().chain(input.partition_keys.iter().flatten()).chain(input.arguments.iter().flatten());
        if input.arguments.len() != self.store.accumulators.len() || columns.into_iter().any(|column| column.len() != rows) {
            return Err(Fault::internal(format!("the columns of a window do not fit its {rows} rows")));
        }
        match input.batch.times.iter().find(|time| **time <= self.watermark) {
            Some(time) => Err(Fault::internal(format!("a row of {time} came after the watermark {}", self.watermark))),
            None => Ok(()),
        }
    }

    /// The groups of all windows that end at or before the watermark, their ends ascending; of one end by window, then in the
    /// order of their first rows.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Closed> {
        self.watermark = self.watermark.max(watermark);
        let mut out = Emission::new(self.windows.len() > 1, self.keys, self.store.accumulators.len());
        for (number, window) in self.windows.iter_mut().enumerate() {
            out.window = number as u32;
            match window {
                Window::Aligned(window) => window.advance(watermark, &mut self.store, &mut out),
                Window::Sliding(window) => window.advance(watermark, &mut self.store, &mut out),
                Window::Sessions(window) => window.advance(watermark, &mut self.store, &mut out),
                Window::Snapshots(window) => window.advance(watermark, &mut self.store, &mut out),
            }
        }
        out.finish();
        out.closed
    }

    /// How many partial results are kept.
    pub fn slots(&self) -> usize {
        self.store.in_use()
    }

    /// How many groups are known.
    pub fn groups(&self) -> usize {
        self.store.keys.len()
    }

    /// The whole state.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot be written.
    pub fn save(&self) -> Result<Vec<u8>, Fault> {
        let unwritten = |error: postcard::Error| Fault::internal(format!("the state of a window cannot be written: {error}"));
        let windows = self.windows.iter().map(Window::save).collect::<Result<_, _>>().map_err(unwritten)?;
        let saved = Saved { windows, store: self.store.save()?, taken: self.taken, watermark: self.watermark };
        postcard::to_stdvec(&saved).map_err(unwritten)
    }

    /// Takes up a saved state; the windows and accumulators are those of the step that saved it.
    ///
    /// # Errors
    /// A [`Fault`] when the bytes are damaged or of another step.
    pub fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        let damaged = |_| Fault::internal("the saved state of a window is damaged or of another query");
        let saved: Saved = postcard::from_bytes(saved).map_err(damaged)?;
        if saved.windows.len() != self.windows.len() {
            return Err(damaged(postcard::Error::DeserializeUnexpectedEnd));
        }
        for (window, saved) in self.windows.iter_mut().zip(&saved.windows) {
            window.restore(saved).map_err(damaged)?;
        }
        self.store.restore(&saved.store)?;
        (self.taken, self.watermark) = (saved.taken, saved.watermark);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    windows: Vec<Vec<u8>>,
    store: SavedStore,
    taken: u64,
    watermark: Timestamp,
}

impl Window {
    fn new(kind: WindowKind) -> Self {
        match kind {
            WindowKind::Hopping { size, hop, offset } => Self::Aligned(Aligned::new(size.max(1), hop.max(1), offset)),
            WindowKind::Sliding { size } => Self::Sliding(Sliding::new(size)),
            WindowKind::Session { timeout, max_duration } => Self::Sessions(Sessions::new(timeout, max_duration.max(1))),
            WindowKind::Snapshot => Self::Snapshots(Snapshots::default()),
        }
    }

    /// The slot of each row. A window whose boundaries depend on the rows gives each row its own until the watermark comes.
    fn assign(&mut self, orders: &[RowOrder], groups: &[u32], partition_keys: &[Column], store: &mut Store, slots: &mut Vec<u32>) {
        let numbers = match self {
            Self::Aligned(window) => return window.assign(orders, groups, store, slots),
            Self::Sessions(window) => window.number(partition_keys, orders.len()),
            Self::Sliding(_) | Self::Snapshots(_) => vec![0; orders.len()],
        };
        for ((order, group), session) in orders.iter().zip(groups).zip(numbers) {
            let row = Waiting { order: *order, slot: store.take(*group, *order), session };
            slots.push(row.slot);
            match self {
                Self::Aligned(_) => {}
                Self::Sliding(window) => window.push(row),
                Self::Sessions(window) => window.push(row),
                Self::Snapshots(window) => window.push(row),
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        match self {
            Self::Aligned(window) => window.save(),
            Self::Sliding(window) => window.save(),
            Self::Sessions(window) => window.save(),
            Self::Snapshots(window) => window.save(),
        }
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), postcard::Error> {
        match self {
            Self::Aligned(window) => window.restore(saved),
            Self::Sliding(window) => window.restore(saved),
            Self::Sessions(window) => window.restore(saved),
            Self::Snapshots(window) => window.restore(saved),
        }
    }
}
