//! The first half of the running job: events in, rows out. It reads the partitions beside each other, runs the query and
//! hands each unit of work to [`super::commit`], which is the second half. A bounded queue joins them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tokio::sync::watch;

use crate::fault::{Fault, Rejected};
use crate::source::Run;
use crate::store::{Checkpoint, DeadLetter};
use crate::time::{Clock, Timestamp};
use crate::udf::Function;

use super::engine::{Engine, Results, Rows};
use super::functions::{Modules, label};
use super::kafka::Topic;
use super::measure as names;
use super::reader::{Place, Read, Reader};
use super::references::Table;
use super::shadow::Shadow;
use super::versions::Versions;

/// One unit of work: it is written as a whole, or, after a crash, computed again as a whole.
#[derive(Debug)]
pub(super) struct Unit {
    /// Rows for each output.
    pub(super) rows: Vec<Rows>,
    /// Events that go no further.
    pub(super) dead_letters: Vec<DeadLetter>,
    /// Where reading goes on after this unit, and the query's state there. `None`: the state is large and was saved a
    /// moment ago; after a crash the units since then are computed again.
    pub(super) save: Option<Save>,
    /// Up to which time all results are out.
    pub(super) watermark: Timestamp,
    /// How many events were read for the first time.
    pub(super) events: u64,
    /// Events that wait to be read.
    pub(super) backlog: u64,
    /// For each step of the plan, the models that scored its rows, when it or a step before it calls a function.
    pub(super) models: Vec<Option<Arc<str>>>,
    /// What challengers answered to its rows.
    pub(super) shadow: Shadow,
    /// The function that the page shows, when another version took over before this unit.
    pub(super) shown: Option<Function>,
}

/// What recovery needs.
#[derive(Debug)]
pub(super) struct Save {
    pub(super) checkpoint: Checkpoint,
    /// The engine's state.
    pub(super) state: Vec<u8>,
}

/// How long to wait for new events before the clock is looked at again.
const IDLE: Duration = Duration::from_millis(100);
/// How often files of reference data are looked at.
const REFRESH: Duration = Duration::from_secs(1);
/// While nothing happens, every so many looks at the clock a unit carries the watermark on.
const QUIET_LOOKS: u32 = 10;
/// Saving the state may take one part in so many of the time.
const SAVE_SHARE: u32 = 20;
/// How fast a state is expected to be written, in bytes a second.
const WRITE_SPEED: f64 = 50e6;
/// Between two saves never passes more time than this.
const SAVE_AT_LEAST: Duration = Duration::from_secs(30);

/// The running query over all partitions.
#[derive(Debug)]
pub(super) struct Compute {
    pub(super) engine: Engine,
    pub(super) readers: Vec<Reader>,
    /// The topics that inputs are; their partitions become readers as they are found.
    pub(super) topics: Vec<Topic>,
    /// The files of reference data, and when they were last looked at.
    pub(super) tables: Vec<Table>,
    pub(super) looked: Instant,
    pub(super) clock: Arc<dyn Clock>,
    /// Wakes the loop when events arrive.
    pub(super) arrivals: Vec<watch::Receiver<u64>>,
    /// When the state is due to be saved again.
    pub(super) save_at: Instant,
    /// The watermark of the checkpoint that this start began from.
    pub(super) watermark: Timestamp,
    /// The modules behind the functions.
    pub(super) modules: Modules,
    /// For each step of the plan, the functions that it or a step before it calls.
    pub(super) called: Vec<Vec<String>>,
    /// New versions of functions, to be taken over between two units.
    pub(super) versions: Versions,
    /// The functions of the module that the page shows.
    pub(super) first: Option<Arc<str>>,
}

impl Compute {
    /// Runs until `stop` is set, or every input is a file that was read to its end.
    ///
    /// # Errors
    /// What stops the job.
    pub(super) fn run(mut self, units: &SyncSender<Unit>, stop: &AtomicBool, runtime: &tokio::runtime::Handle) -> Result<(), Fault> {
        let mut quiet = 0;
        // Whether units were sent since the state was last saved.
        let mut unsaved = false;
        while !stop.load(Ordering::Relaxed) {
            for arrivals in &mut self.arrivals {
                arrivals.mark_unchanged();
            }
            self.refresh()?;
            self.find_partitions();
            let (work, read_any) = self.step()?;
            let something = read_any || !work.rows.is_empty() || !work.dead_letters.is_empty() || work.shown.is_some();
            quiet = if something { 0 } else { quiet + 1 };
            if something || unsaved || quiet % QUIET_LOOKS == 1 {
                let unit = self.unit(work, false)?;
                unsaved = unit.save.is_none();
                if units.send(unit).is_err() {
                    return Ok(());
                }
            }
            if self.topics.is_empty() && self.readers.iter().all(Reader::is_finished) {
                let results = self.engine.finish()?;
                let mut work = Work::default();
                self.collect(results, None, &mut work);
                let unit = self.unit(work, true)?;
                let _closed = units.send(unit);
                return Ok(());
            }
            if !read_any {
                runtime.block_on(wait(&mut self.arrivals));
            }
        }
        if unsaved {
            let unit = self.unit(Work::default(), true)?;
            let _closed = units.send(unit);
        }
        Ok(())
    }

    /// Takes up partitions of topics that were found.
    fn find_partitions(&mut self) {
        for topic in &mut self.topics {
            for reader in topic.found() {
                self.engine.widen(reader.input, reader.partition as usize + 1, self.clock.now());
                self.readers.push(reader);
            }
        }
    }

    /// Takes reference data that has changed.
    fn refresh(&mut self) -> Result<(), Fault> {
        if self.tables.is_empty() || self.looked.elapsed() < REFRESH {
            return Ok(());
        }
        self.looked = Instant::now();
        for (place, table) in self.tables.iter_mut().enumerate() {
            if let Some(rows) = table.refreshed(&self.clock) {
                self.engine.replace_reference(place, &rows)?;
            }
        }
        Ok(())
    }

    /// Reads one run of each partition and runs it through the query. Also answers whether there was any.
    fn step(&mut self) -> Result<(Work, bool), Fault> {
        let mut work = Work::default();
        let mut read_any = false;
        for takeover in self.versions.take() {
            tracing::info!(functions = takeover.function, model = label(&takeover.champion), "Another version takes over.");
            if self.first.as_deref() == Some(takeover.function.as_str()) {
                work.shown = Some(takeover.champion.clone());
            }
            self.modules.take_over(&takeover);
        }
        // Taken before reading: an event that is not seen below arrived after it.
        let now = self.clock.now();
        let reads: Vec<Result<Option<Read>, Fault>> = self.readers.par_iter_mut().map(Reader::read).collect();
        let mut found: Vec<(usize, Run, Vec<Rejected>)> = Vec::new();
        let mut batches = Vec::new();
        for (index, read) in reads.into_iter().enumerate() {
            let reader = &self.readers[index];
            let (input, partition) = (reader.input, reader.partition as usize);
            match read? {
                Some(Read { run, decoded, lost }) => {
                    read_any = true;
                    self.count(index, &run, decoded.rejected.len(), &mut work);
                    batches.push((input, partition, decoded.batch));
                    found.push((index, run, decoded.rejected.into_iter().chain(lost).collect()));
                }
                None if matches!(reader.place, Place::File { finished: true, .. }) => self.engine.end(input, partition),
                None if reader.is_quiet() => self.engine.idle(input, partition, now),
                None => {}
            }
        }
        for ((index, run, rejected), mut results) in found.into_iter().zip(self.engine.take_all(batches, now)?) {
            results.rejected.extend(rejected);
            metrics::counter!(names::DROPPED_OR_ADJUSTED).increment(results.adjusted);
            self.collect(results, Some((index, &run)), &mut work);
        }
        let results = self.engine.advance()?;
        self.collect(results, None, &mut work);
        Ok((work, read_any))
    }

    fn count(&self, index: usize, run: &Run, rejected: usize, work: &mut Work) {
        let committed = self.readers[index].committed;
        let events = run.events.iter().filter(|event| event.offset >= committed).count() as u64;
        let bytes: usize = run.events.iter().map(|event| event.body.len()).sum();
        work.events += events;
        metrics::counter!(names::INPUT_EVENTS).increment(events);
        metrics::counter!(names::INPUT_EVENT_BYTES).increment(bytes as u64);
        metrics::counter!(names::DESERIALIZATION_ERRORS).increment(rejected as u64);
    }

    fn collect(&self, results: Results, read: Option<(usize, &Run)>, work: &mut Work) {
        work.rows.extend(results.rows);
        if results.rejected.is_empty() {
            return;
        }
        let now = self.clock.now();
        metrics::counter!(names::CONVERSION_ERRORS)
            .increment(results.rejected.iter().filter(|rejected| rejected.step != "decode").count() as u64);
        // A dead letter that is written again, after a replay, is the same dead letter; nothing needs to be left out.
        for rejected in results.rejected {
            let function = rejected.step.strip_prefix("udf.").map(str::to_owned);
            let mut letter = match rejected.origin {
                None => derived(rejected, now),
                Some(id) => {
                    let (reader, run) = match read {
                        Some((index, run)) => (&self.readers[index], Some(run)),
                        None => {
                            let of = |reader: &&Reader| rejected.input.is_none_or(|input| input == reader.input);
                            let reader = self.readers.iter().filter(of).find(|reader| reader.partition == id.partition);
                            let Some(reader) = reader else { continue };
                            (reader, None)
                        }
                    };
                    reader.dead_letter(rejected, id, run, now)
                }
            };
            let label = function.and_then(|function| self.modules.label(&[function]));
            letter.model = label.map_or_else(String::new, |label| label.to_string());
            work.dead_letters.push(letter);
        }
    }

    fn unit(&mut self, work: Work, last: bool) -> Result<Unit, Fault> {
        // At the end of all files time has no end; what is shown then is the last window.
        let newest = work.rows.iter().flat_map(|rows| rows.batch.times.iter().copied()).max();
        let reached = match self.engine.watermark() {
            Timestamp::MAX => newest.unwrap_or(self.watermark),
            watermark => watermark,
        };
        self.watermark = self.watermark.max(reached);
        let save = if last || Instant::now() >= self.save_at { Some(self.save()?) } else { None };
        Ok(Unit {
            rows: work.rows,
            dead_letters: work.dead_letters,
            save,
            watermark: self.watermark,
            events: work.events,
            backlog: self.readers.iter().map(Reader::backlog).sum(),
            models: self.called.iter().map(|functions| self.modules.label(functions)).collect(),
            shadow: Shadow::new(self.modules.answered()),
            shown: work.shown,
        })
    }

    /// A small state is saved with every unit; a large one as often as its cost allows.
    fn save(&mut self) -> Result<Save, Fault> {
        let start = Instant::now();
        let state = self.engine.save()?;
        let cost = start.elapsed() + Duration::from_secs_f64(state.len() as f64 / WRITE_SPEED);
        let pause = (cost * SAVE_SHARE).min(SAVE_AT_LEAST);
        // A few kilobytes cost nothing.
        self.save_at = Instant::now() + if state.len() < 64 << 10 { Duration::ZERO } else { pause };
        let waiting = self.topics.iter().flat_map(|topic| topic.waiting());
        let partitions = self.readers.iter().filter_map(Reader::checkpoint).chain(waiting).collect();
        Ok(Save { checkpoint: Checkpoint { partitions, watermark: self.watermark }, state })
    }
}

#[derive(Debug, Default)]
struct Work {
    rows: Vec<Rows>,
    dead_letters: Vec<DeadLetter>,
    events: u64,
    shown: Option<Function>,
}

/// The dead letter of a row that no single event made.
fn derived(rejected: Rejected, now: Timestamp) -> DeadLetter {
    let (time, body) = rejected.made.map_or_else(|| (now, Vec::new()), |made| (made.time, made.row.into_bytes()));
    DeadLetter { time, recorded: now, step: rejected.step, reason: rejected.reason, body, ..DeadLetter::default() }
}

async fn wait(arrivals: &mut [watch::Receiver<u64>]) {
    if arrivals.is_empty() {
        tokio::time::sleep(IDLE).await;
        return;
    }
    let changes = arrivals.iter_mut().map(|arrivals| Box::pin(arrivals.changed()));
    let _first_or_time = tokio::time::timeout(IDLE, futures::future::select_all(changes)).await;
}
