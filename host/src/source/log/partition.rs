//! One partition: its segments, what of them is durable, and how a run of events is read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;

use super::record::{self, Flaw};
use super::segment::{self, Gap, Header, Index};
use super::{Cut, Damage, Event, LogError, Opened, Run};
use crate::time::Timestamp;

/// Read beside the bytes asked for: the way from the place that the index knows.
const SLACK: u64 = 64 << 10;

/// A segment that no longer grows.
#[derive(Debug)]
struct Sealed {
    base: u64,
    path: PathBuf,
    /// Made when it is first read from.
    index: OnceLock<Index>,
}

/// The segment that grows.
#[derive(Debug)]
struct Active {
    base: u64,
    path: PathBuf,
    file: Arc<File>,
    index: Index,
    /// How much of the file is durable.
    end: u64,
}

#[derive(Debug)]
struct View {
    sealed: Vec<Arc<Sealed>>,
    active: Active,
    /// The next offset: all below are durable.
    next: u64,
}

/// A partition, as its readers see it.
#[derive(Debug)]
pub(super) struct Partition {
    hub: String,
    number: u32,
    dir: PathBuf,
    view: RwLock<View>,
}

/// What the writer needs to go on where the log ended.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    pub(super) position: u64,
    pub(super) next: u64,
    pub(super) last: Timestamp,
}

/// Where records were written that are durable now: one of every so many.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) places: Vec<(u64, u64)>,
    pub(super) next: u64,
    pub(super) end: u64,
}

impl Partition {
    /// Opens the partition in `dir`; cuts a torn tail and looks for damage in the last segment. Goes on at `floor` when less
    /// than that is left.
    pub(super) fn open(hub: &str, number: u32, dir: &Path, floor: u64, opened: &mut Opened) -> Result<(Self, Tail), LogError> {
        std::fs::create_dir_all(dir).map_err(LogError::io("create", dir))?;
        let mut bases = segment::list(dir)?;
        let base = bases.pop().unwrap_or(0);
        let path = segment::path(dir, base);
        let bytes = if path.exists() { std::fs::read(&path).map_err(LogError::io("read", &path))? } else { Vec::new() };
        let scan = segment::scan(&bytes, base);
        let before = match segment::header(&path, &bytes, base)? {
            Header::Good(before) => Some(before),
            Header::Broken => None,
        };
        let damage = |gap: &Gap| Damage {
            hub: hub.to_owned(),
            partition: number,
            offset: gap.offset,
            path: path.clone(),
            position: gap.position,
            reason: reason(gap.flaw),
            resume: gap.resume,
        };
        opened.damage.extend(scan.gaps.iter().map(damage));
        let torn = bytes.len().saturating_sub(scan.end) as u64;
        let position = (scan.end as u64).max(segment::HEADER);
        let file = if before.is_none() && scan.last.is_none() {
            // New, or a crash came between making the file and its first event.
            segment::create(dir, base, last_time(dir, &bases)?)?
        } else {
            OpenOptions::new().read(true).write(true).open(&path).map_err(LogError::io("open", &path))?
        };
        if before.is_none() && scan.last.is_some() {
            let reason = "the file's header is damaged; its events are not".to_owned();
            let (hub, path) = (hub.to_owned(), path.clone());
            opened.damage.push(Damage { hub, partition: number, offset: base, path, position: 0, reason, resume: base });
        }
        if torn > 0 {
            file.set_len(position).and_then(|()| file.sync_all()).map_err(LogError::io("cut the torn end of", &path))?;
            opened.cuts.push(Cut { hub: hub.to_owned(), partition: number, path: path.clone(), position, bytes: torn });
        }
        let last = match scan.last.or(before) {
            Some(last) => last,
            None => last_time(dir, &bases)?,
        };
        let file = Arc::new(file);
        let sealed = bases.into_iter().map(|base| Sealed { base, path: segment::path(dir, base), index: OnceLock::new() });
        let view = View {
            sealed: sealed.map(Arc::new).collect(),
            active: Active { base, path: path.clone(), file: Arc::clone(&file), index: scan.index, end: position },
            next: scan.next,
        };
        let partition = Self { hub: hub.to_owned(), number, dir: dir.to_owned(), view: RwLock::new(view) };
        if scan.next < floor {
            let (hub, reason) = (hub.to_owned(), "the log ends here, and events behind it were processed before".to_owned());
            opened.damage.push(Damage { hub, partition: number, offset: scan.next, path, position, reason, resume: floor });
            partition.view.write().next = floor;
            let tail = partition.roll(last)?;
            return Ok((partition, tail));
        }
        Ok((partition, Tail { file, path, position, next: scan.next, last }))
    }

    /// The oldest offset that is kept. Retention will move it by dropping whole sealed segments.
    pub(super) fn start(&self) -> u64 {
        let view = self.view.read();
        view.sealed.first().map_or(view.active.base, |sealed| sealed.base)
    }

    /// The next offset; all below are durable.
    pub(super) fn end(&self) -> u64 {
        self.view.read().next
    }

    /// The writer has made these records durable.
    pub(super) fn grown(&self, written: &Written) {
        let mut view = self.view.write();
        for (offset, position) in &written.places {
            view.active.index.note(*offset, *position);
        }
        view.active.end = written.end;
        view.next = written.next;
    }

    /// The writer goes on in a new segment.
    pub(super) fn roll(&self, last: Timestamp) -> Result<Tail, LogError> {
        let base = self.end();
        let file = Arc::new(segment::create(&self.dir, base, last)?);
        let path = segment::path(&self.dir, base);
        let tail = Tail { file: Arc::clone(&file), path: path.clone(), position: segment::HEADER, next: base, last };
        let mut view = self.view.write();
        let fresh = Active { base, path, file, index: Index::default(), end: segment::HEADER };
        let full = std::mem::replace(&mut view.active, fresh);
        view.sealed.push(Arc::new(Sealed { base: full.base, path: full.path, index: OnceLock::from(full.index) }));
        Ok(tail)
    }

    /// Reads events from `from` on: at least one if there is one, all of one segment.
    pub(super) fn read(&self, from: u64, max_events: usize, max_bytes: usize) -> Result<Run, LogError> {
        let place = {
            let view = self.view.read();
            let start = view.sealed.first().map_or(view.active.base, |sealed| sealed.base);
            if from > view.next {
                return Err(LogError::Ahead { hub: self.hub.clone(), partition: self.number, from, end: view.next });
            }
            if from < start {
                return Err(LogError::Gone { hub: self.hub.clone(), partition: self.number, from, start });
            }
            if from == view.next || max_events == 0 {
                return Ok(Run { partition: self.number, first_offset: from, events: Vec::new() });
            }
            Reading::at(&view, from)
        };
        let place = match place {
            Reading::Active(place) => place,
            Reading::Sealed { sealed, after } => self.open_sealed(&sealed, after, from)?,
        };
        self.read_at(&place, from, max_events, max_bytes.max(1) as u64)
    }

    fn open_sealed(&self, sealed: &Sealed, after: u64, from: u64) -> Result<Place, LogError> {
        let path = sealed.path.clone();
        let file = File::open(&path).map_err(LogError::io("open", &path))?;
        let index = match sealed.index.get() {
            Some(index) => index,
            None => {
                let bytes = std::fs::read(&path).map_err(LogError::io("read", &path))?;
                sealed.index.get_or_init(|| segment::scan(&bytes, sealed.base).index)
            }
        };
        let end = file.metadata().map_err(LogError::io("read", &path))?.len();
        Ok(Place { file: Arc::new(file), path, position: index.position(from), end, after })
    }

    fn read_at(&self, place: &Place, from: u64, max_events: usize, max_bytes: u64) -> Result<Run, LogError> {
        let mut position = place.position;
        let mut window = max_bytes.saturating_add(SLACK);
        loop {
            let length = window.min(place.end.saturating_sub(position));
            let mut buffer = vec![0; length as usize];
            place.file.read_exact_at(&mut buffer, position).map_err(LogError::io("read", &place.path))?;
            let buffer = Bytes::from(buffer);
            let mut walk = Walk { from, max_events, max_bytes, at: 0, taken: 0, events: Vec::new() };
            let flaw = walk.over(&buffer);
            if !walk.events.is_empty() {
                return Ok(Run { partition: self.number, first_offset: from, events: walk.events });
            }
            match flaw {
                // The window ends within a record or before the first wanted one.
                Some(Flaw::Short { needed }) if position + length < place.end && needed <= record::MAX_RECORD => {
                    position += walk.at as u64;
                    window = window.max(needed as u64 + SLACK);
                }
                None if position + length < place.end && walk.at == buffer.len() => position += length,
                flaw => match self.examine(place, from, flaw)? {
                    Examined::Damaged(damage) => return Err(damage.into()),
                    // The damage lies before the wanted event.
                    Examined::Readable(at) if at > position => position = at,
                    Examined::Readable(_) => {
                        let reason = "cannot be read although a check finds no fault".to_owned();
                        return Err(self.damaged(place, from, position, reason, place.after).into());
                    }
                },
            }
        }
    }

    /// What stands in the way of reading `from`.
    fn examine(&self, place: &Place, from: u64, flaw: Option<Flaw>) -> Result<Examined, LogError> {
        let bytes = std::fs::read(&place.path).map_err(LogError::io("read", &place.path))?;
        let bytes = &bytes[..bytes.len().min(place.end as usize)];
        let base = place.path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).unwrap_or(from);
        let scan = segment::scan(bytes, base);
        if let Some(gap) = scan.gaps.iter().find(|gap| (gap.offset..gap.resume).contains(&from)) {
            return Ok(Examined::Damaged(self.damaged(place, from, gap.position, reason(gap.flaw), gap.resume)));
        }
        if from < scan.next {
            return Ok(Examined::Readable(scan.index.position(from)));
        }
        Ok(Examined::Damaged(self.damaged(place, from, scan.end as u64, reason(scan.tail.or(flaw)), place.after)))
    }

    fn damaged(&self, place: &Place, offset: u64, position: u64, reason: String, resume: u64) -> Damage {
        let (hub, path) = (self.hub.clone(), place.path.clone());
        Damage { hub, partition: self.number, offset, path, position, reason, resume: resume.max(offset + 1) }
    }

    /// Reads and checks every segment; what is damaged is told.
    pub(super) fn verify(&self) -> Result<Vec<Damage>, LogError> {
        let (mut from, end) = (self.start(), self.end());
        let mut damage = Vec::new();
        while from < end {
            match self.read(from, usize::MAX, 16 << 20) {
                Ok(run) => from += run.events.len() as u64,
                Err(LogError::Damaged(found)) => {
                    from = found.resume;
                    damage.push(found);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(damage)
    }
}

/// Where a read starts and what bounds it.
struct Place {
    file: Arc<File>,
    path: PathBuf,
    position: u64,
    end: u64,
    /// The first offset after this file.
    after: u64,
}

enum Examined {
    Damaged(Damage),
    /// A place before the event, with nothing wrong between.
    Readable(u64),
}

/// A walk over the records of a buffer that keeps the wanted ones.
struct Walk {
    from: u64,
    max_events: usize,
    max_bytes: u64,
    at: usize,
    taken: u64,
    events: Vec<Event>,
}

impl Walk {
    /// Ends at the first flaw, with enough, or at the end.
    fn over(&mut self, buffer: &Bytes) -> Option<Flaw> {
        while self.at < buffer.len() {
            let head = match record::check(&buffer[self.at..]) {
                Ok(head) => head,
                Err(flaw) => return Some(flaw),
            };
            if head.offset >= self.from {
                let size = head.size as u64;
                let enough = self.events.len() == self.max_events || (self.taken > 0 && self.taken + size > self.max_bytes);
                if enough || head.offset != self.from + self.events.len() as u64 {
                    return None;
                }
                match record::event(buffer, self.at, head) {
                    Ok(event) => self.events.push(event),
                    Err(flaw) => return Some(flaw),
                }
                self.taken += size;
            }
            self.at += head.size;
        }
        None
    }
}

enum Reading {
    Active(Place),
    Sealed { sealed: Arc<Sealed>, after: u64 },
}

impl Reading {
    fn at(view: &View, from: u64) -> Self {
        let active = &view.active;
        if from >= active.base {
            return Self::Active(Place {
                file: Arc::clone(&active.file),
                path: active.path.clone(),
                position: active.index.position(from),
                end: active.end,
                after: view.next,
            });
        }
        let after = view.sealed.partition_point(|sealed| sealed.base <= from);
        let sealed = Arc::clone(&view.sealed[after.saturating_sub(1)]);
        let after = view.sealed.get(after).map_or(active.base, |next| next.base);
        Self::Sealed { sealed, after }
    }
}

fn reason(flaw: Option<Flaw>) -> String {
    flaw.map_or_else(|| "a record is missing".to_owned(), |flaw| flaw.to_string())
}

/// The enqueued time of the last event in the newest of these segments, so that time never goes back.
fn last_time(dir: &Path, bases: &[u64]) -> Result<Timestamp, LogError> {
    let Some(base) = bases.last() else { return Ok(Timestamp::MIN) };
    let path = segment::path(dir, *base);
    let bytes = std::fs::read(&path).map_err(LogError::io("read", &path))?;
    Ok(segment::scan(&bytes, *base).last.unwrap_or(Timestamp::MIN))
}
