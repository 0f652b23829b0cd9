//! Segment files: `00000000000000001234.log` holds the records from offset 1234 on, after a header of 32 bytes.
//!
//! ```text
//!  0  8 bytes "TAMISLOG"     8  u32 format     12  u32 nothing
//! 16  u64 first offset      24  i64 enqueued time of the event before it
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::LogError;
use super::record::{self, Flaw};
use crate::time::Timestamp;

/// Bytes before the first record.
pub(super) const HEADER: u64 = 32;
const MAGIC: &[u8; 8] = b"TAMISLOG";
const FORMAT: u32 = 1;
/// How far apart the places are that the index remembers.
pub(super) const INDEX_STEP: u64 = 64 << 10;

/// Where some of the records start.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    entries: Vec<(u64, u64)>,
}

impl Index {
    /// Remembers that the record of `offset` starts at `position`, unless the last remembered one is near.
    pub(super) fn note(&mut self, offset: u64, position: u64) {
        if self.entries.last().is_none_or(|(_, last)| position >= last + INDEX_STEP) {
            self.entries.push((offset, position));
        }
    }

    /// Remembers it although the last one is near: damage lies between them.
    fn note_after_gap(&mut self, offset: u64, position: u64) {
        self.entries.push((offset, position));
    }

    /// A place at or before the record of `offset`, with no damage between that was known when the index was made.
    pub(super) fn position(&self, offset: u64) -> u64 {
        let after = self.entries.partition_point(|(known, _)| *known <= offset);
        after.checked_sub(1).map_or(HEADER, |index| self.entries[index].1)
    }
}

/// The path of the segment that starts with offset `base`.
pub(super) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

/// The first offsets of all segments in `dir`, ascending.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>, LogError> {
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let name = entry.map_err(LogError::io("list", dir))?.file_name();
        let base: Option<u64> = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|digits| digits.parse().ok());
        bases.extend(base);
    }
    bases.sort_unstable();
    Ok(bases)
}

/// Makes a segment with nothing in it, durably.
pub(super) fn create(dir: &Path, base: u64, before: Timestamp) -> Result<File, LogError> {
    let path = path(dir, base);
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(true).open(&path).map_err(LogError::io("create", &path))?;
    let mut header = Vec::with_capacity(HEADER as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&base.to_le_bytes());
    header.extend_from_slice(&before.0.to_le_bytes());
    file.write_all(&header).map_err(LogError::io("write", &path))?;
    file.sync_all().map_err(LogError::io("sync", &path))?;
    sync_dir(dir)?;
    Ok(file)
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(LogError::io("sync", dir))
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// A good one, with the enqueued time of the event before the segment.
    Good(Timestamp),
    /// A crash left it unfinished, or it is damaged.
    Broken,
}

/// Reads the header of a segment that is named after `base`.
pub(super) fn header(path: &Path, bytes: &[u8], base: u64) -> Result<Header, LogError> {
    let Some(header) = bytes.first_chunk::<{ HEADER as usize }>() else { return Ok(Header::Broken) };
    let number = |at: usize| header[at..].first_chunk().copied().map_or(0, u64::from_le_bytes);
    if &header[..8] != MAGIC || number(16) != base {
        return Ok(Header::Broken);
    }
    let format = number(8) as u32;
    if format != FORMAT {
        return Err(LogError::Format {
            path: path.to_owned(),
            what: format!("the log's format is {format}, this version of tamis reads {FORMAT}"),
        });
    }
    Ok(Header::Good(Timestamp(number(24) as i64)))
}

/// A place in a segment that is no record, between records that are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The offset that was expected.
    pub(super) offset: u64,
    pub(super) position: u64,
    pub(super) flaw: Option<Flaw>,
    /// The offset of the next whole record.
    pub(super) resume: u64,
}

/// What a walk over a segment's records found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) index: Index,
    /// The offset after the last whole record.
    pub(super) next: u64,
    /// The position after the last whole record.
    pub(super) end: usize,
    /// The enqueued time of the last whole record.
    pub(super) last: Option<Timestamp>,
    pub(super) gaps: Vec<Gap>,
    /// Why the walk ended before the end of the bytes.
    pub(super) tail: Option<Flaw>,
}

/// Walks over the records of a whole segment's bytes and checks each. What follows the last whole record is the tail.
pub(super) fn scan(bytes: &[u8], base: u64) -> Scan {
    let start = (HEADER as usize).min(bytes.len());
    let mut scan = Scan { next: base, end: start, ..Scan::default() };
    let mut at = start;
    while at < bytes.len() {
        let flaw = match record::check(&bytes[at..]) {
            Ok(head) if head.offset == scan.next => {
                scan.index.note(head.offset, at as u64);
                at += head.size;
                (scan.end, scan.next, scan.last) = (at, head.offset + 1, Some(head.enqueued));
                continue;
            }
            Ok(_) => None,
            Err(flaw) => Some(flaw),
        };
        // Not what is expected here: go on with the next whole record, if there is one.
        let Some((position, head)) = record::find(bytes, at, scan.next) else {
            scan.tail = flaw.or(Some(Flaw::Layout));
            break;
        };
        scan.gaps.push(Gap { offset: scan.next, position: at as u64, flaw, resume: head.offset });
        scan.index.note_after_gap(head.offset, position as u64);
        scan.next = head.offset;
        at = position;
    }
    scan
}
