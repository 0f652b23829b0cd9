//! The rows of one side that may still find a partner, in columns. A row is known by its number, from 0 in order of arrival.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::gather::{NOTHING, Part, Pick, add_names, gather_named};
use crate::batch::{Batch, Column, Origin};
use crate::time::Timestamp;

/// Small chunks are put together up to this many rows.
const CHUNK_ROWS: usize = 1024;

/// Rows in order of their times, in chunks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Store {
    chunks: VecDeque<Chunk>,
    /// The number of the next row.
    next: u64,
    /// The names of all columns that ever were, so that a row of nulls has them all.
    names: Vec<Arc<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// The number of its first row.
    pub(super) first: u64,
    pub(super) batch: Batch,
}

impl Store {
    /// Takes rows that are not before the last ones; gives the number of the first.
    pub(super) fn append(&mut self, batch: Batch) -> u64 {
        let first = self.next;
        self.next += batch.rows() as u64;
        add_names(&mut self.names, &batch.names);
        self.chunks.push_back(Chunk { first, batch });
        // Like sizes are merged, so that each row is copied a few times only however small the batches are.
        while let [.., before, last] = self.chunks.make_contiguous()
            && before.batch.rows() <= last.batch.rows() * 2
            && before.batch.rows() + last.batch.rows() <= CHUNK_ROWS
        {
            before.batch = together(&before.batch, &last.batch);
            self.chunks.pop_back();
        }
        first
    }

    /// The number of the oldest row that is still here.
    pub(super) fn oldest(&self) -> u64 {
        self.chunks.front().map_or(self.next, |chunk| chunk.first)
    }

    /// Lets go of chunks whose rows all have times at or before `time`.
    pub(super) fn forget(&mut self, time: Timestamp) {
        while self.chunks.front().is_some_and(|chunk| chunk.batch.times.last().is_none_or(|last| *last <= time)) {
            self.chunks.pop_front();
        }
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter()
    }

    /// These rows as columns, from column `skip` on; `None` is a row of nulls. All numbers must be of rows that are here.
    pub(super) fn gather(&self, rows: impl Iterator<Item = Option<u64>>, skip: usize) -> (Vec<Arc<str>>, Vec<Column>) {
        let mut used: Vec<usize> = Vec::new();
        let mut places: Vec<usize> = vec![usize::MAX; self.chunks.len()];
        let mut last = 0;
        let picks: Vec<Pick> = rows
            .map(|row| {
                let Some(row) = row else { return NOTHING };
                if !self.chunks.get(last).is_some_and(|chunk| chunk.holds(row)) {
                    last = self.chunks.partition_point(|chunk| chunk.first <= row).saturating_sub(1);
                }
                if places[last] == usize::MAX {
                    places[last] = used.len();
                    used.push(last);
                }
                (places[last], (row - self.chunks[last].first) as usize)
            })
            .collect();
        let names = self.names.get(skip..).unwrap_or_default().to_vec();
        // The first `skip` columns are left out of every batch alike.
        let part = |chunk: &usize| {
            let batch = &self.chunks[*chunk].batch;
            (&batch.names[skip..], &batch.columns[skip..], batch.rows())
        };
        let parts: Vec<Part<'_>> = used.iter().map(part).collect();
        let columns = gather_named(&names, &parts, &picks);
        (names, columns)
    }
}

impl Chunk {
    fn holds(&self, row: u64) -> bool {
        (self.first..self.first + self.batch.rows() as u64).contains(&row)
    }
}

fn together(left: &Batch, right: &Batch) -> Batch {
    let picks: Vec<Pick> = (0..left.rows()).map(|row| (0, row)).chain((0..right.rows()).map(|row| (1, row))).collect();
    let mut names = left.names.to_vec();
    add_names(&mut names, &right.names);
    let parts = [left, right].map(|batch| (&*batch.names, &*batch.columns, batch.rows()));
    let columns = gather_named(&names, &parts, &picks);
    Batch { names: names.into(), columns, times: left.times.iter().chain(right.times.iter()).copied().collect(), origin: Origin::Derived }
}
