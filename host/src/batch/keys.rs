//! The keys of documents: deterministic, so that a replayed row overwrites itself in every output.
//!
//! A key is bytes in big-endian order, so keys of one stream ascend as its rows arrive:
//!
//! | rows | bytes | as text |
//! | --- | --- | --- |
//! | events | `1`, branch `u16`, input `u16`, partition `u32`, offset `u64`, row within the offset `u32` | `branch-input-partition-offset-row` |
//! | made by a window or join | `2`, branch, time in ticks `i64` with the sign bit flipped, row within that time `u32` | `wbranch-ticks-row` |
//! | the same, told apart by group | `3`, branch, time, hash of the group's values `u64`, row within time and group `u32` | `gbranch-ticks-hash-row` |
//!
//! The branch says which of the query's statements made the row: two statements may feed one output from the same event.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Batch, Origin, RowId, write_value};
use crate::time::Timestamp;

const EVENT: u8 = 1;
const DERIVED: u8 = 2;
const GROUPED: u8 = 3;
const SIGN: u64 = 1 << 63;

/// One key for each row of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentKeys {
    width: usize,
    bytes: Vec<u8>,
}

impl DocumentKeys {
    /// The keys of a batch's rows. Rows of events are known by partition and offset; rows that a window
    /// or a join made are known by their time and their place among the batch's rows of that time, which holds
    /// as long as one batch carries all rows of one time. Where it does not, use [`DocumentKeys::by_group`].
    pub fn of(batch: &Batch, branch: u16) -> Self {
        match &batch.origin {
            Origin::Events { input, partition, offsets } => {
                let input = u16::try_from(*input).unwrap_or(u16::MAX);
                let mut head = vec![EVENT];
                head.extend_from_slice(&branch.to_be_bytes());
                head.extend_from_slice(&input.to_be_bytes());
                head.extend_from_slice(&partition.to_be_bytes());
                Self::build(&head, offsets.iter().map(|offset| offset.to_be_bytes()))
            }
            Origin::Several(rows) => {
                let mut head = vec![EVENT];
                head.extend_from_slice(&branch.to_be_bytes());
                Self::build(&head, rows.iter().map(|(input, id)| event(*input, *id)))
            }
            Origin::Derived => {
                let mut head = vec![DERIVED];
                head.extend_from_slice(&branch.to_be_bytes());
                Self::build(&head, batch.times.iter().map(|time| ordered(*time)))
            }
        }
    }

    /// The keys of rows that a window made, known by their time and the values of these columns (those of `GROUP BY`).
    /// They do not depend on the order in which the groups come out.
    pub fn by_group(batch: &Batch, branch: u16, columns: &[usize]) -> Self {
        let mut head = vec![GROUPED];
        head.extend_from_slice(&branch.to_be_bytes());
        let mut text = Vec::new();
        let identities = (0..batch.rows()).map(|row| {
            text.clear();
            for column in columns {
                write_value(&batch.columns[*column].value(row), &mut text);
                text.push(b'\n');
            }
            let mut identity = [0; 16];
            identity[..8].copy_from_slice(&ordered(batch.times[row]));
            identity[8..].copy_from_slice(&stable_hash(&text).to_be_bytes());
            identity
        });
        Self::build(&head, identities)
    }

    /// `head`, then the row's identity, then its number among the rows of the same identity.
    fn build<const N: usize>(head: &[u8], identities: impl Iterator<Item = [u8; N]>) -> Self {
        let width = head.len() + N + 4;
        let mut bytes = Vec::with_capacity(identities.size_hint().0 * width);
        let mut seen: std::collections::HashMap<[u8; N], u32> = std::collections::HashMap::new();
        let (mut last, mut number, mut ascending) = (None, 0_u32, true);
        for identity in identities {
            // Nearly always the identities ascend, and one look back tells the number. Otherwise all are remembered.
            if ascending && last.is_some_and(|last| last > identity) {
                ascending = false;
                for key in bytes.chunks_exact(width) {
                    let known = <[u8; N]>::try_from(&key[head.len()..head.len() + N]).unwrap_or([0; N]);
                    *seen.entry(known).or_insert(0) += 1;
                }
            }
            number = match (ascending, last == Some(identity)) {
                (true, true) => number + 1,
                (true, false) => 0,
                (false, _) => {
                    let count = seen.entry(identity).or_insert(0);
                    *count += 1;
                    *count - 1
                }
            };
            last = Some(identity);
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(&identity);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Self { width, bytes }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The key of row `row`.
    pub fn get(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.width..(row + 1) * self.width]
    }

    /// Those of `rows` rows from row `first`.
    #[must_use]
    pub fn slice(&self, first: usize, rows: usize) -> Self {
        Self { width: self.width, bytes: self.bytes[first * self.width..(first + rows) * self.width].to_vec() }
    }

    /// The key of row `row` as text: letters, digits and `-` only, so that it can be a document's id anywhere.
    pub fn text(&self, row: usize) -> String {
        key_text(self.get(row))
    }
}

/// What stands behind the branch in the key of an event's row.
fn event(input: usize, id: RowId) -> [u8; 14] {
    let mut identity = [0; 14];
    identity[..2].copy_from_slice(&u16::try_from(input).unwrap_or(u16::MAX).to_be_bytes());
    identity[2..6].copy_from_slice(&id.partition.to_be_bytes());
    identity[6..].copy_from_slice(&id.offset.to_be_bytes());
    identity
}

/// A key as text; bytes that are no key are written in hexadecimal.
pub fn key_text(key: &[u8]) -> String {
    fn number(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
    // The sign bit is flipped back.
    let ticks = |bytes: &[u8]| (number(bytes) ^ SIGN).cast_signed();
    match (key.first(), key.len()) {
        (Some(&EVENT), 21) => {
            let (branch, input, partition) = (number(&key[1..3]), number(&key[3..5]), number(&key[5..9]));
            format!("{branch}-{input}-{partition}-{}-{}", number(&key[9..17]), number(&key[17..21]))
        }
        (Some(&DERIVED), 15) => format!("w{}-{}-{}", number(&key[1..3]), ticks(&key[3..11]), number(&key[11..15])),
        (Some(&GROUPED), 23) => {
            format!("g{}-{}-{:016x}-{}", number(&key[1..3]), ticks(&key[3..11]), number(&key[11..19]), number(&key[19..23]))
        }
        _ => key.iter().fold(String::from("x"), |mut text, byte| {
            let _written = write!(text, "{byte:02x}");
            text
        }),
    }
}

fn ordered(time: Timestamp) -> [u8; 8] {
    (time.0.cast_unsigned() ^ SIGN).to_be_bytes()
}

/// FNV-1a: the same on every machine and in every version, which `std`'s hashers do not promise.
fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Column;

    fn batch(origin: Origin, times: Vec<i64>) -> Batch {
        let groups: Vec<String> = (0..times.len()).map(|row| format!("group {row}")).collect();
        Batch {
            names: vec!["group".into()].into(),
            columns: vec![Column::Text(groups.iter().map(Some).collect())],
            times: times.into_iter().map(Timestamp).collect(),
            origin,
        }
    }

    #[test]
    fn rows_of_one_event_are_numbered_and_keys_ascend() {
        let origin = Origin::Events { input: 1, partition: 3, offsets: vec![7, 7, 7, 8, 300].into() };
        let keys = DocumentKeys::of(&batch(origin, vec![0; 5]), 2);
        let texts: Vec<String> = (0..keys.len()).map(|row| keys.text(row)).collect();
        assert_eq!(texts, ["2-1-3-7-0", "2-1-3-7-1", "2-1-3-7-2", "2-1-3-8-0", "2-1-3-300-0"]);
        assert!((1..keys.len()).all(|row| keys.get(row - 1) < keys.get(row)));
    }

    #[test]
    fn a_key_does_not_depend_on_how_events_were_cut_into_batches() {
        let whole = DocumentKeys::of(&batch(Origin::Events { input: 0, partition: 0, offsets: vec![1, 2, 2, 3].into() }, vec![0; 4]), 0);
        let part = DocumentKeys::of(&batch(Origin::Events { input: 0, partition: 0, offsets: vec![2, 2, 3].into() }, vec![0; 3]), 0);
        assert!((0..3).all(|row| part.get(row) == whole.get(row + 1)));
    }

    #[test]
    fn a_key_is_the_same_among_rows_of_other_partitions() {
        let ids = [(0, 1, 7), (1, 3, 7), (1, 3, 7), (0, 1, 4)].map(|(input, partition, offset)| (input, RowId { partition, offset }));
        let mixed = Origin::Several(ids.into());
        let keys = DocumentKeys::of(&batch(mixed, vec![0; 4]), 2);
        let alone = DocumentKeys::of(&batch(Origin::Events { input: 1, partition: 3, offsets: vec![7, 7].into() }, vec![0; 2]), 2);
        assert_eq!([keys.get(1), keys.get(2)], [alone.get(0), alone.get(1)]);
        assert_eq!(keys.text(3), "2-0-1-4-0");
    }

    #[test]
    fn rows_of_windows_are_known_by_time_also_when_times_do_not_ascend() {
        let keys = DocumentKeys::of(&batch(Origin::Derived, vec![10, 10, -5, 10, -5]), 0);
        let texts: Vec<String> = (0..keys.len()).map(|row| keys.text(row)).collect();
        assert_eq!(texts, ["w0-10-0", "w0-10-1", "w0--5-0", "w0-10-2", "w0--5-1"]);
        assert!(keys.get(2) < keys.get(0));
    }

    #[test]
    fn groups_have_the_same_key_in_any_order() {
        let rows = batch(Origin::Derived, vec![10, 10, 10]);
        let turned = rows.take(&[2, 0, 1]);
        let (keys, turned) = (DocumentKeys::by_group(&rows, 0, &[0]), DocumentKeys::by_group(&turned, 0, &[0]));
        assert_eq!(keys.get(2), turned.get(0));
        assert_eq!(keys.get(0), turned.get(1));
        assert_ne!(keys.get(0), keys.get(1));
    }
}
