//! Every kind of window against an oracle that looks at all rows of all windows, over random streams, with random cuts into
//! batches, random watermarks, and the state saved and restored at random points.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::batch::{Batch, Column, ColumnBuilder, Origin, RowId, RowOrder, Value};
use crate::fault::Fault;
use crate::time::Timestamp;

/// Keeps the numbers of the rows: what is in a window, exactly. Subtracts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content(Vec<Vec<i64>>);

/// Keeps the greatest number only. Does not subtract.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Greatest(Vec<Option<i64>>);

fn numbers(columns: &[Column]) -> impl Iterator<Item = i64> + '_ {
    let Column::BigInt(numbers) = &columns[0] else { panic!("integers") };
    numbers.values().iter().copied()
}

impl Accumulator for Content {
    fn grow(&mut self, slots: usize) {
        self.0.resize(slots.max(self.0.len()), Vec::new());
    }

    fn add(&mut self, columns: &[Column], _orders: &[RowOrder], slots: &[u32]) {
        numbers(columns).zip(slots).for_each(|(number, slot)| self.0[*slot as usize].push(number));
    }

    fn merge(&mut self, into: u32, from: u32) {
        let from = self.0[from as usize].clone();
        self.0[into as usize].extend(from);
    }

    fn subtracts(&self) -> bool {
        true
    }

    fn subtract(&mut self, from: u32, part: u32) {
        for number in self.0[part as usize].clone() {
            let place = self.0[from as usize].iter().position(|known| *known == number).expect("what leaves is in the window");
            self.0[from as usize].swap_remove(place);
        }
    }

    fn clear(&mut self, slot: u32) {
        self.0[slot as usize].clear();
    }

    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String> {
        let mut numbers = self.0[slot as usize].clone();
        numbers.sort_unstable();
        out.push(Value::Array(numbers.into_iter().map(Value::BigInt).collect()));
        None
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        Ok(postcard::to_stdvec(self).unwrap())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        *self = postcard::from_bytes(saved).unwrap();
        Ok(())
    }
}

impl Accumulator for Greatest {
    fn grow(&mut self, slots: usize) {
        self.0.resize(slots.max(self.0.len()), None);
    }

    fn add(&mut self, columns: &[Column], _orders: &[RowOrder], slots: &[u32]) {
        numbers(columns).zip(slots).for_each(|(number, slot)| self.0[*slot as usize] = self.0[*slot as usize].max(Some(number)));
    }

    fn merge(&mut self, into: u32, from: u32) {
        self.0[into as usize] = self.0[into as usize].max(self.0[from as usize]);
    }

    fn subtracts(&self) -> bool {
        false
    }

    fn subtract(&mut self, _from: u32, _part: u32) {
        panic!("it does not subtract");
    }

    fn clear(&mut self, slot: u32) {
        self.0[slot as usize] = None;
    }

    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String> {
        out.push(self.0[slot as usize].map_or(Value::Null, Value::BigInt));
        None
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        Ok(postcard::to_stdvec(self).unwrap())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        *self = postcard::from_bytes(saved).unwrap();
        Ok(())
    }
}

/// A row. Its offset is its number.
#[derive(Debug, Clone, Copy)]
struct Row {
    number: i64,
    time: i64,
    partition: u32,
    group: i64,
    session: i64,
    /// Before which watermark it comes: a share of those before which it may.
    stage: f64,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (-40i64..80, 0u32..3, 0i64..3, 0i64..2, 0.0..1.0);
    prop::collection::vec(row, 0..50).prop_map(|rows| {
        let numbered = rows.into_iter().zip(0..);
        numbered.map(|((time, partition, group, session, stage), number)| Row { number, time, partition, group, session, stage }).collect()
    })
}

/// What comes out: end, window, group, the numbers of the rows, the greatest of them.
type Out = (i64, u32, i64, Vec<i64>, i64);

fn new(kinds: &[WindowKind]) -> Windows {
    Windows::new(kinds.iter().copied(), 1, vec![Box::new(Content::default()), Box::new(Greatest::default())])
}

/// Runs the windows over the rows.
fn run(kinds: &[WindowKind], rows: &[Row], marks: &[i64], cut: usize, saved_at: &[bool]) -> Vec<Out> {
    let mut windows = new(kinds);
    let mut marks = marks.to_vec();
    marks.sort_unstable();
    marks.push(i64::MAX);
    // A row comes at the latest before the first watermark that reaches it.
    let stage = |row: &Row| {
        let latest = marks.iter().position(|mark| *mark >= row.time).unwrap();
        (row.stage * (latest + 1) as f64) as usize
    };
    let mut out = Vec::new();
    for (number, mark) in marks.iter().enumerate() {
        let coming: Vec<&Row> = rows.iter().filter(|row| stage(row) == number).collect();
        for part in coming.chunks(cut) {
            let numbers = Column::BigInt(part.iter().map(|row| row.number).collect::<Vec<_>>().into());
            let batch = Batch {
                names: Arc::new([]),
                columns: Vec::new(),
                times: part.iter().map(|row| Timestamp(row.time)).collect(),
                origin: Origin::Several(
                    part.iter().map(|row| (0, RowId { partition: row.partition, offset: row.number as u64 })).collect(),
                ),
            };
            let sessions = vec![Column::BigInt(part.iter().map(|row| row.session).collect::<Vec<_>>().into())];
            windows
                .push(&WindowInput {
                    batch: &batch,
                    keys: &[Column::BigInt(part.iter().map(|row| row.group).collect::<Vec<_>>().into())],
                    partition_keys: &kinds.iter().map(|_| sessions.clone()).collect::<Vec<_>>(),
                    arguments: &[vec![numbers.clone()], vec![numbers]],
                })
                .unwrap();
        }
        if saved_at.get(number).copied().unwrap_or(false) {
            let saved = windows.save().unwrap();
            windows = new(kinds);
            windows.restore(&saved).unwrap();
        }
        for closed in windows.advance(Timestamp(*mark)) {
            assert!(closed.faults.is_empty());
            for row in 0..closed.times.len() {
                assert!(closed.times[row].0 <= *mark);
                let (Value::BigInt(group), Value::Array(content), Value::BigInt(greatest)) =
                    (closed.keys[0].value(row), closed.values[0].value(row), closed.values[1].value(row))
                else {
                    panic!("a group with rows has all results");
                };
                let content = content.iter().map(|value| if let Value::BigInt(number) = value { *number } else { panic!("a number") });
                out.push((closed.times[row].0, closed.windows[row], group, content.collect(), greatest));
            }
        }
    }
    assert_eq!((windows.slots(), windows.groups()), (0, 0), "nothing is kept after the end");
    out
}

/// The windows that hold anything, as (end, rows).
fn expected(kind: WindowKind, rows: &[Row]) -> Vec<(i64, Vec<Row>)> {
    let inside = |start: i64, end: i64| rows.iter().filter(move |row| start < row.time && row.time <= end).copied().collect::<Vec<_>>();
    let mut found = match kind {
        WindowKind::Hopping { size, hop, offset } => {
            let ends = (-300..300).filter(|end| (end - offset).rem_euclid(hop) == 0);
            ends.map(|end| (end, inside(end - size, end))).collect::<Vec<_>>()
        }
        WindowKind::Snapshot => (-300..300).map(|end| (end, inside(end - 1, end))).collect(),
        WindowKind::Sliding { size } => {
            // Of each group, the moments when its content changes.
            let mut all = Vec::new();
            for group in 0..3 {
                for end in -300..300 {
                    let of_group = |rows: Vec<Row>| rows.into_iter().filter(|row| row.group == group).collect::<Vec<_>>();
                    let enters = !of_group(inside(end - 1, end)).is_empty();
                    let leaves = !of_group(inside(end - size - 1, end - size)).is_empty();
                    if enters || leaves {
                        all.push((end, of_group(inside(end - size, end))));
                    }
                }
            }
            all
        }
        WindowKind::Session { timeout, max_duration } => {
            (0..2).flat_map(|key| sessions(timeout, max_duration, rows.iter().filter(|row| row.session == key))).collect()
        }
    };
    found.retain(|(_, rows)| !rows.is_empty());
    found
}

/// Ticks through time: what the documentation says, word by word.
fn sessions<'a>(timeout: i64, max: i64, rows: impl Iterator<Item = &'a Row>) -> Vec<(i64, Vec<Row>)> {
    struct Session {
        first: i64,
        last: i64,
        rows: Vec<Row>,
    }
    let rows: Vec<&Row> = rows.collect();
    let mut found = Vec::new();
    let mut open: Option<Session> = None;
    for now in -300..300 {
        for row in rows.iter().filter(|row| row.time == now) {
            let session = open.get_or_insert(Session { first: now, last: now, rows: Vec::new() });
            session.last = now;
            session.rows.push(**row);
        }
        let Some(session) = &mut open else { continue };
        if now - session.last >= timeout {
            found.push((now, std::mem::take(&mut session.rows)));
            open = None;
        } else if now.rem_euclid(max) == 0 && now - session.first >= max {
            found.push((now, std::mem::take(&mut session.rows)));
            session.first = now;
        }
    }
    found
}

/// One row per window and group: by end, window, and the first row of the group.
fn expected_out(kinds: &[WindowKind], rows: &[Row]) -> Vec<Out> {
    let mut out = Vec::new();
    for (window, kind) in kinds.iter().enumerate() {
        for (end, rows) in expected(*kind, rows) {
            let mut groups: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
            rows.iter().for_each(|row| groups.entry(row.group).or_default().push(*row));
            for (group, rows) in groups {
                let first = rows.iter().map(|row| (row.time, row.partition, row.number)).min().unwrap();
                let mut content: Vec<i64> = rows.iter().map(|row| row.number).collect();
                content.sort_unstable();
                let greatest = *content.last().unwrap();
                out.push((first, (end, window as u32, group, content, greatest)));
            }
        }
    }
    out.sort_by_key(|(first, out)| (out.0, out.1, *first));
    out.into_iter().map(|(_, out)| out).collect()
}

fn hopping() -> impl Strategy<Value = WindowKind> {
    (1i64..20, 1i64..20, -7i64..7).prop_map(|(size, hop, offset)| WindowKind::Hopping { size, hop, offset })
}

fn any_kind() -> impl Strategy<Value = WindowKind> {
    prop_oneof![
        hopping(),
        (1i64..12, -7i64..7).prop_map(|(size, offset)| WindowKind::Hopping { size, hop: size, offset }),
        (1i64..20).prop_map(|size| WindowKind::Sliding { size }),
        (1i64..12, 1i64..20).prop_map(|(timeout, max_duration)| WindowKind::Session { timeout, max_duration }),
        Just(WindowKind::Snapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_window_has_the_rows_that_an_oracle_finds(
        kind in any_kind(), rows in rows(), marks in prop::collection::vec(-50i64..110, 0..8), cut in 1usize..9, saved in prop::collection::vec(any::<bool>(), 9),
    ) {
        prop_assert_eq!(run(&[kind], &rows, &marks, cut, &saved), expected_out(&[kind], &rows));
    }

    #[test]
    fn several_windows_over_the_same_rows_give_the_union_of_their_results(
        kinds in prop::collection::vec(any_kind(), 2..4), rows in rows(), marks in prop::collection::vec(-50i64..110, 0..5), cut in 1usize..9, saved in prop::collection::vec(any::<bool>(), 6),
    ) {
        prop_assert_eq!(run(&kinds, &rows, &marks, cut, &saved), expected_out(&kinds, &rows));
    }

    #[test]
    fn the_windows_that_hold_a_time_are_those_that_an_oracle_finds(kind in hopping(), time in -100i64..100) {
        let WindowKind::Hopping { size, hop, offset } = kind else { panic!("hopping") };
        let ends = (-300..300).filter(|end| (end - offset).rem_euclid(hop) == 0 && end - size < time && time <= *end);
        let expected: Vec<_> = ends.map(|end| (Timestamp(end - size), Timestamp(end))).collect();
        prop_assert_eq!(kind.holding(Timestamp(time)), Some(expected));
    }
}

fn at(time: i64) -> Row {
    Row { number: time, time, partition: 0, group: 0, session: 0, stage: 0.0 }
}

/// Ends and numbers of rows of a single group.
fn ends(kind: WindowKind, times: &[i64]) -> Vec<(i64, usize)> {
    let rows: Vec<Row> = times.iter().map(|time| at(*time)).collect();
    run(&[kind], &rows, &[], 3, &[]).into_iter().map(|(end, _, _, rows, _)| (end, rows.len())).collect()
}

#[test]
fn a_tumbling_window_excludes_its_start_and_includes_its_end() {
    assert_eq!(ends(WindowKind::Hopping { size: 3, hop: 3, offset: 0 }, &[1, 1, 3, 3, 4, 6]), [(3, 4), (6, 2)]);
    // An offset of one tick back turns it round.
    assert_eq!(ends(WindowKind::Hopping { size: 30, hop: 30, offset: -1 }, &[0, 29, 30]), [(29, 2), (59, 1)]);
}

#[test]
fn a_hopping_window_comes_at_every_hop_while_it_holds_a_row() {
    let kind = WindowKind::Hopping { size: 20, hop: 5, offset: 0 };
    assert_eq!(ends(kind, &[0, 5, 20]), [(0, 1), (5, 2), (10, 2), (15, 2), (20, 2), (25, 1), (30, 1), (35, 1)]);
}

#[test]
fn hopping_windows_come_to_an_end_at_the_end_of_time() {
    let kind = WindowKind::Hopping { size: 20, hop: 5, offset: 0 };
    assert!(ends(kind, &[i64::MAX - 30, i64::MAX - 3]).len() < 10);
}

#[test]
fn a_sliding_window_ends_when_a_row_enters_or_leaves_and_is_not_shown_empty() {
    // The documentation's picture: a leaving row is out, two at once are one change.
    let expected = [(100, 1), (117, 2), (150, 4), (200, 3), (217, 2), (265, 1)];
    assert_eq!(ends(WindowKind::Sliding { size: 100 }, &[100, 117, 150, 150, 265]), expected);
}

#[test]
fn a_session_ends_after_the_timeout_or_at_the_first_check_when_it_is_too_long() {
    // The documentation's picture, in tenths of a minute: 5 minutes of timeout, checks every 10 minutes.
    let kind = WindowKind::Session { timeout: 50, max_duration: 100 };
    assert_eq!(ends(kind, &[10, 40, 125, 150, 195, 240, 260, 340]), [(90, 2), (300, 5), (390, 1)]);
    // A row at the very timeout still belongs to it; one at the cut too.
    assert_eq!(ends(kind, &[10, 60, 110]), [(160, 3)]);
    assert_eq!(ends(kind, &[0, 50, 100, 101]), [(100, 3), (151, 1)]);
}

#[test]
fn a_row_at_or_before_the_watermark_is_refused() {
    let mut windows = new(&[WindowKind::Snapshot]);
    windows.advance(Timestamp(10));
    let batch = Batch { names: Arc::new([]), columns: Vec::new(), times: [Timestamp(10)].into(), origin: Origin::Derived };
    let column = Column::BigInt(vec![1].into());
    let arguments = [vec![column.clone()], vec![column.clone()]];
    let fault = windows.push(&WindowInput { batch: &batch, keys: &[column], partition_keys: &[], arguments: &arguments }).unwrap_err();
    assert!(fault.message.contains("after the watermark"), "{fault}");
    assert_eq!(windows.slots(), 0);
}

#[test]
fn a_damaged_or_foreign_state_is_refused() {
    let mut windows = new(&[WindowKind::Snapshot]);
    assert!(windows.restore(&[1, 2, 3]).is_err());
    let other = new(&[WindowKind::Snapshot, WindowKind::Snapshot]).save().unwrap();
    assert!(windows.restore(&other).is_err());
}
