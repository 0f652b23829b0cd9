//! One event as bytes in a segment file. All numbers are little-endian.
//!
//! ```text
//!  0  u32  length: how many bytes follow the checksum
//!  4  u32  CRC-32 of the length and of everything after the checksum
//!  8  u64  offset
//! 16  i64  enqueued time, 100 ns steps since 1970
//! 24  u8   flags: 1 a partition key follows, 2 user properties follow
//!          [u16 length, key]  [u16 count, each: u16 length, name, u32 length, value]
//!          body, to the end
//! ```
//!
//! The offset is written although it could be counted: a record that was lost or moved is then seen,
//! and after a damaged one the next whole record is found and known for what it is.

use bytes::Bytes;

use super::{Event, NewEvent};
use crate::time::Timestamp;

/// Length and checksum.
const PREFIX: usize = 8;
/// Up to and including the flags.
pub(super) const HEAD: usize = 25;
/// The longest record that is written or believed.
pub(super) const MAX_RECORD: usize = 32 << 20;

const HAS_KEY: u8 = 1;
const HAS_PROPERTIES: u8 = 2;

/// What the head of a whole, right record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the whole record.
    pub(super) size: usize,
    pub(super) offset: u64,
    pub(super) enqueued: Timestamp,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// `needed` bytes would be there if the length is right.
    #[error("the record is cut off")]
    Short { needed: usize },
    #[error("the length {0} cannot be")]
    Length(u32),
    #[error("the checksum does not match")]
    Checksum,
    #[error("the fields run over the record's end")]
    Layout,
}

/// How many bytes `event` takes; `None` when a part is too long.
pub(super) fn size(event: &NewEvent) -> Option<usize> {
    let mut size = HEAD;
    if let Some(key) = &event.key {
        u16::try_from(key.len()).ok()?;
        size += 2 + key.len();
    }
    if !event.properties.is_empty() {
        u16::try_from(event.properties.len()).ok()?;
        size += 2;
        for (name, value) in &event.properties {
            u16::try_from(name.len()).ok()?;
            size += 2 + name.len() + 4 + value.len();
        }
    }
    size += event.body.len();
    (size <= MAX_RECORD).then_some(size)
}

/// Appends `event` to `out`. The caller has asked [`size`] before.
pub(super) fn write(out: &mut Vec<u8>, offset: u64, enqueued: Timestamp, event: &NewEvent) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&enqueued.0.to_le_bytes());
    let has_key = if event.key.is_some() { HAS_KEY } else { 0 };
    let has_properties = if event.properties.is_empty() { 0 } else { HAS_PROPERTIES };
    out.push(has_key | has_properties);
    if let Some(key) = &event.key {
        out.extend_from_slice(&(key.len() as u16).to_le_bytes());
        out.extend_from_slice(key.as_bytes());
    }
    if !event.properties.is_empty() {
        out.extend_from_slice(&(event.properties.len() as u16).to_le_bytes());
        for (name, value) in &event.properties {
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.extend_from_slice(&event.body);
    let length = ((out.len() - start - PREFIX) as u32).to_le_bytes();
    let crc = checksum(length, &out[start + PREFIX..]);
    out[start..start + 4].copy_from_slice(&length);
    out[start + 4..start + PREFIX].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(length: [u8; 4], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(rest);
    hasher.finalize()
}

/// Looks at the record that starts at the beginning of `bytes`.
pub(super) fn check(bytes: &[u8]) -> Result<Head, Flaw> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else { return Err(Flaw::Short { needed: PREFIX }) };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *prefix;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let size = length as usize + PREFIX;
    if !(HEAD..=MAX_RECORD).contains(&size) {
        return Err(Flaw::Length(length));
    }
    let Some(record) = bytes.get(..size) else { return Err(Flaw::Short { needed: size }) };
    if checksum([l0, l1, l2, l3], &record[PREFIX..]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Flaw::Checksum);
    }
    let mut fields = Fields { bytes: record, at: PREFIX };
    let offset = fields.array().map(u64::from_le_bytes).ok_or(Flaw::Layout)?;
    let enqueued = fields.array().map(i64::from_le_bytes).ok_or(Flaw::Layout)?;
    Ok(Head { size, offset, enqueued: Timestamp(enqueued) })
}

/// The event of a record that [`check`] found right and that starts at `at` of `buffer`. The body shares the buffer.
pub(super) fn event(buffer: &Bytes, at: usize, head: Head) -> Result<Event, Flaw> {
    let record = &buffer[at..at + head.size];
    let mut fields = Fields { bytes: record, at: HEAD };
    let flags = record[HEAD - 1];
    let key = if flags & HAS_KEY == 0 { None } else { Some(fields.short_text().ok_or(Flaw::Layout)?) };
    let mut properties = Vec::new();
    if flags & HAS_PROPERTIES != 0 {
        let count = fields.array().map(u16::from_le_bytes).ok_or(Flaw::Layout)?;
        for _ in 0..count {
            let name = fields.short_text().ok_or(Flaw::Layout)?;
            let length = fields.array().map(u32::from_le_bytes).ok_or(Flaw::Layout)?;
            let value = fields.text(length as usize).ok_or(Flaw::Layout)?;
            properties.push((name, value));
        }
    }
    let body = buffer.slice(at + fields.at..at + head.size);
    Ok(Event { offset: head.offset, enqueued: head.enqueued, body, key, properties })
}

/// The next whole, right record after position `at`, with an offset of at least `from`.
pub(super) fn find(bytes: &[u8], at: usize, from: u64) -> Option<(usize, Head)> {
    (at..bytes.len().saturating_sub(HEAD - 1)).find_map(|position| {
        let rest = &bytes[position..];
        // The cheap looks first: a plausible length, flags and offset.
        let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let offset = u64::from_le_bytes(*rest[PREFIX..].first_chunk()?);
        let plausible = (HEAD..=MAX_RECORD).contains(&(length + PREFIX))
            && rest[HEAD - 1] <= HAS_KEY | HAS_PROPERTIES
            && offset.checked_sub(from).is_some_and(|ahead| ahead <= u64::from(u32::MAX));
        if !plausible {
            return None;
        }
        check(rest).ok().map(|head| (position, head))
    })
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn text(&mut self, length: usize) -> Option<String> {
        self.take(length).and_then(|text| std::str::from_utf8(text).ok()).map(str::to_owned)
    }

    fn short_text(&mut self) -> Option<String> {
        let length = u16::from_le_bytes(self.array()?);
        self.text(length.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new_event() -> impl Strategy<Value = NewEvent> {
        (
            proptest::collection::vec(any::<u8>(), 0..400),
            proptest::option::of(".{0,20}"),
            proptest::collection::vec((".{0,8}", ".{0,30}"), 0..4),
        )
            .prop_map(|(body, key, properties)| NewEvent { body: body.into(), key, properties })
    }

    proptest! {
        #[test]
        fn every_event_reads_back_as_it_was_written(events in proptest::collection::vec((new_event(), any::<u64>(), any::<i64>()), 1..5)) {
            let mut bytes = Vec::new();
            for (event, offset, enqueued) in &events {
                let before = bytes.len();
                write(&mut bytes, *offset, Timestamp(*enqueued), event);
                prop_assert_eq!(Some(bytes.len() - before), size(event));
            }
            let buffer = Bytes::from(bytes);
            let mut at = 0;
            for (given, offset, enqueued) in &events {
                let head = check(&buffer[at..]).unwrap();
                let read = event(&buffer, at, head).unwrap();
                prop_assert_eq!((read.offset, read.enqueued.0), (*offset, *enqueued));
                prop_assert_eq!((&read.body, &read.key, &read.properties), (&given.body, &given.key, &given.properties));
                at += head.size;
            }
            prop_assert_eq!(at, buffer.len());
        }

        #[test]
        fn a_flipped_bit_or_a_missing_end_is_seen(event in new_event(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = Vec::new();
            write(&mut bytes, 7, Timestamp(9), &event);
            let at = at.index(bytes.len());
            let cut = check(&bytes[..at]);
            prop_assert!(matches!(cut, Err(Flaw::Short { .. })), "{:?}", cut);
            bytes[at] ^= 1 << bit;
            prop_assert!(check(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_looked_at_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _seen = check(&bytes);
            let _found = find(&bytes, 0, 0);
        }
    }

    #[test]
    fn the_next_whole_record_is_found_after_rubbish() {
        let mut bytes = vec![0xAB; 100];
        write(&mut bytes, 42, Timestamp(1), &NewEvent::new("x"));
        let (position, head) = find(&bytes, 3, 40).unwrap();
        assert_eq!((position, head.offset), (100, 42));
        assert_eq!(find(&bytes, 3, 43), None);
    }
}
