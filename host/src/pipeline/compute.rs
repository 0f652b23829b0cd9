//! The first half of the running job: events in, rows out. It reads the partitions in turn, runs the query and
//! hands each unit of work to [`super::commit`], which is the second half. A bounded queue joins them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::watch;

use crate::batch::{Batch, Origin};
use crate::fault::{Fault, Rejected};
use crate::job::{EventsPolicy, JobConfig};
use crate::source::Run;
use crate::store::{Checkpoint, DeadLetter};
use crate::time::{Clock, TICKS_PER_SECOND, Timestamp};
use crate::udf::Function;
use crate::window::Watermarks;

use super::functions::label;
use super::graph::{Graph, Results, Rows};
use super::measure as names;
use super::reader::{Place, Read, Reader};
use super::shadow::Shadow;
use super::stamp;
use super::versions::Versions;

/// One unit of work: it is written as a whole, or, after a crash, read again as a whole.
#[derive(Debug)]
pub(super) struct Unit {
    /// Rows for each output.
    pub(super) rows: Vec<Rows>,
    /// Events that go no further.
    pub(super) dead_letters: Vec<DeadLetter>,
    /// Where reading goes on after this unit.
    pub(super) checkpoint: Checkpoint,
    /// How many events were read for the first time.
    pub(super) events: u64,
    /// Events that wait to be read.
    pub(super) backlog: u64,
    /// What challengers answered to its rows.
    pub(super) shadow: Shadow,
    /// The function that the page shows, when another version took over before this unit.
    pub(super) shown: Option<Function>,
}

/// How long to wait for new events before the clock is looked at again.
const IDLE: Duration = Duration::from_millis(100);
/// While nothing happens, every so many looks at the clock a unit carries the watermark on.
const QUIET_LOOKS: u32 = 10;

/// The running query over all partitions.
#[derive(Debug)]
pub(super) struct Compute {
    pub(super) graph: Graph,
    pub(super) readers: Vec<Reader>,
    pub(super) config: JobConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watermarks: Watermarks,
    /// Windows that end at or before it reached the outputs before this start.
    pub(super) released: Timestamp,
    /// The end of the last window that had rows.
    pub(super) last_window: Timestamp,
    /// Wakes the loop when events arrive.
    pub(super) arrivals: Vec<watch::Receiver<u64>>,
    /// New versions of functions, to be taken over between two units.
    pub(super) versions: Versions,
    /// The name of the function that the page shows.
    pub(super) first: Option<String>,
}

impl Compute {
    /// Runs until `stop` is set, or every input is a file that was read to its end.
    ///
    /// # Errors
    /// What stops the job.
    pub(super) fn run(mut self, units: &SyncSender<Unit>, stop: &AtomicBool, runtime: &tokio::runtime::Handle) -> Result<(), Fault> {
        let mut quiet = 0;
        while !stop.load(Ordering::Relaxed) {
            for arrivals in &mut self.arrivals {
                arrivals.mark_unchanged();
            }
            let (unit, read_any) = self.step()?;
            let something = read_any || !unit.rows.is_empty() || !unit.dead_letters.is_empty() || unit.shown.is_some();
            quiet = if something { 0 } else { quiet + 1 };
            if (something || quiet % QUIET_LOOKS == 1) && units.send(unit).is_err() {
                return Ok(());
            }
            if self.readers.iter().all(Reader::is_finished) {
                let _closed = units.send(self.finish());
                return Ok(());
            }
            if !read_any {
                runtime.block_on(wait(&mut self.arrivals));
            }
        }
        Ok(())
    }

    /// Reads one run of each partition and runs it through the query. Also answers whether there was any.
    fn step(&mut self) -> Result<(Unit, bool), Fault> {
        let mut work = Work::default();
        let mut read_any = false;
        for takeover in self.versions.take() {
            tracing::info!(functions = takeover.function, model = label(&takeover.champion), "Another version takes over.");
            if self.first.as_deref() == Some(takeover.function.as_str()) {
                work.shown = Some(takeover.champion.clone());
            }
            self.graph.calls().take_over(takeover);
        }
        // Taken before reading: an event that is not seen below arrived after it.
        let now = self.clock.now();
        for index in 0..self.readers.len() {
            match self.readers[index].read()? {
                Some(read) => {
                    read_any = true;
                    self.take(index, read, &mut work);
                }
                None => self.rest(index, now),
            }
        }
        self.close_windows(self.watermarks.current(), &mut work);
        let watermark = self.watermarks.current();
        Ok((self.unit(work, watermark), read_any))
    }

    /// The end of bounded input: every window is closed.
    fn finish(&mut self) -> Unit {
        let mut work = Work::default();
        self.close_windows(Timestamp::MAX, &mut work);
        self.unit(work, Timestamp::MAX)
    }

    fn take(&mut self, index: usize, read: Read, work: &mut Work) {
        let Read { run, decoded, lost } = read;
        let reader = &self.readers[index];
        let (input, committed) = (reader.input, reader.committed);
        let events = run.events.iter().filter(|event| event.offset >= committed).count() as u64;
        let bytes: usize = run.events.iter().map(|event| event.body.len()).sum();
        work.events += events;
        metrics::counter!(names::INPUT_EVENTS).increment(events);
        metrics::counter!(names::INPUT_EVENT_BYTES).increment(bytes as u64);
        metrics::counter!(names::DESERIALIZATION_ERRORS).increment(decoded.rejected.len() as u64);
        let mut results = Results { rows: Vec::new(), rejected: decoded.rejected };
        results.rejected.extend(lost);
        let batch = self.stamp(index, decoded.batch, &mut results.rejected);
        if batch.rows() > 0 {
            self.graph.push(input, &batch, &mut results);
        }
        self.collect(results, Some((index, &run)), work);
    }

    /// Gives each row its time and moves the partition's watermark: `TIMESTAMP BY`, or arrival.
    fn stamp(&mut self, index: usize, batch: Batch, rejected: &mut Vec<Rejected>) -> Batch {
        let floor = self.watermarks.of(index);
        let Some(expression) = &self.graph.plan().inputs[self.readers[index].input].timestamp_by else {
            let batch = stamp::by_arrival(batch, floor);
            if let Some(newest) = batch.times.iter().max() {
                self.watermarks.observe(index, before(*newest, 0));
            }
            return batch;
        };
        let stamped = stamp::by_application(expression, batch, rejected);
        let (batch, changed) = stamp::in_order(stamped, floor, self.config.events_out_of_order_policy);
        metrics::counter!(names::DROPPED_OR_ADJUSTED).increment(changed.len() as u64);
        if self.config.events_out_of_order_policy == EventsPolicy::Drop {
            rejected.extend(changed);
        }
        if let Some(newest) = batch.times.iter().max() {
            self.watermarks.observe(index, before(*newest, self.config.events_out_of_order_max_delay_in_seconds));
        }
        batch
    }

    /// A partition without events: nothing older than the late tolerance is waited for.
    fn rest(&mut self, index: usize, now: Timestamp) {
        let late = match self.config.events_late_arrival_max_delay_in_seconds {
            -1 => JobConfig::default().events_late_arrival_max_delay_in_seconds,
            seconds => seconds,
        };
        match self.readers[index].place {
            Place::File { finished: true, .. } => self.watermarks.observe(index, Timestamp::MAX),
            Place::File { .. } => {}
            Place::Log { .. } => self.watermarks.observe(index, Timestamp(now.0.saturating_sub(late * TICKS_PER_SECOND))),
        }
    }

    fn close_windows(&mut self, watermark: Timestamp, work: &mut Work) {
        let mut results = Results::default();
        self.graph.advance(watermark, &mut results);
        self.collect(results, None, work);
    }

    fn collect(&self, results: Results, read: Option<(usize, &Run)>, work: &mut Work) {
        for rows in results.rows {
            if let Some(batch) = self.only_new(rows.batch) {
                work.rows.push(Rows { batch, ..rows });
            }
        }
        if results.rejected.is_empty() {
            return;
        }
        let now = self.clock.now();
        metrics::counter!(names::CONVERSION_ERRORS)
            .increment(results.rejected.iter().filter(|rejected| rejected.step != "decode").count() as u64);
        // A dead letter that is written again, after a replay, is the same dead letter; nothing needs to be left out.
        for rejected in results.rejected {
            let Some(id) = rejected.origin else {
                work.dead_letters.push(derived(rejected, now));
                continue;
            };
            let (reader, run) = match read {
                Some((index, run)) => (Some(&self.readers[index]), Some(run)),
                None => (self.readers.iter().find(|reader| reader.partition == id.partition), None),
            };
            if let Some(reader) = reader {
                work.dead_letters.push(reader.dead_letter(rejected, id, run, now));
            }
        }
    }

    /// Leaves out the rows that reached the outputs before this start: events below the checkpoint, and windows up to
    /// its watermark.
    fn only_new(&self, batch: Batch) -> Option<Batch> {
        let is_new = |row: usize| match &batch.origin {
            Origin::Events { input, partition, offsets } => {
                let reader = self.readers.iter().find(|reader| reader.input == *input && reader.partition == *partition);
                offsets[row] >= reader.map_or(0, |reader| reader.committed)
            }
            Origin::Derived => batch.times[row] > self.released,
        };
        // Offsets and times ascend: when the first row is new, all are.
        if batch.rows() == 0 || is_new(0) {
            return (batch.rows() > 0).then_some(batch);
        }
        let keep: Vec<u32> = (0..batch.rows()).filter(|row| is_new(*row)).map(|row| row as u32).collect();
        (!keep.is_empty()).then(|| batch.take(&keep))
    }

    fn unit(&mut self, work: Work, watermark: Timestamp) -> Unit {
        let partitions =
            self.readers.iter().map(|reader| reader.checkpoint(self.graph.oldest_needed(reader.input, reader.partition))).collect();
        // At the end of all files time has no end; the checkpoint then has the end of the last window.
        let of_windows =
            work.rows.iter().filter(|rows| rows.batch.origin == Origin::Derived).flat_map(|rows| rows.batch.times.iter().copied());
        self.last_window = of_windows.fold(self.last_window, Timestamp::max);
        let watermark = if watermark == Timestamp::MAX { self.last_window } else { watermark.max(self.released) };
        Unit {
            rows: work.rows,
            dead_letters: work.dead_letters,
            checkpoint: Checkpoint { partitions, watermark },
            events: work.events,
            backlog: self.readers.iter().map(Reader::backlog).sum(),
            shadow: Shadow::new(self.graph.calls().answered()),
            shown: work.shown,
        }
    }
}

/// The watermark after an event of that time: more events of the same time may follow, so it stays just below.
fn before(newest: Timestamp, tolerance_seconds: i64) -> Timestamp {
    Timestamp(newest.0.saturating_sub(tolerance_seconds.saturating_mul(TICKS_PER_SECOND)).saturating_sub(1))
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
    DeadLetter {
        input: String::new(),
        origin: None,
        time: now,
        recorded: now,
        step: rejected.step,
        reason: rejected.reason,
        model: String::new(),
        body: Vec::new(),
    }
}

async fn wait(arrivals: &mut [watch::Receiver<u64>]) {
    if arrivals.is_empty() {
        tokio::time::sleep(IDLE).await;
        return;
    }
    let changes = arrivals.iter_mut().map(|arrivals| Box::pin(arrivals.changed()));
    let _first_or_time = tokio::time::timeout(IDLE, futures::future::select_all(changes)).await;
}
