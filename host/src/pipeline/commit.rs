//! The second half of the running job: rows out to the sinks, then one transaction with the documents, the dead
//! letters, the live page's figures and the checkpoint. What is behind a checkpoint is in every output.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ExponentialBuilder};
use tokio::sync::watch;

use crate::batch::{Batch, DocumentKeys, write_row};
use crate::fault::{Fault, Retry};
use crate::sink::Refused;
use crate::sink::feed::{Around, Feed, JobState, ModelState, RateMeter, Rates};
use crate::source::kafka::Progress;
use crate::store::{DeadLetter, Scored, Store};
use crate::time::{Clock, TICKS_PER_SECOND, Timestamp};
use crate::udf::Function;

use super::Status;
use super::compute::{Save, Unit};
use super::engine::Rows;
use super::measure as names;
use super::outputs::{Output, Target, mark_key};
use super::shadow::Shadow;

/// The page is told at most so often.
const PUBLISH: Duration = Duration::from_millis(250);
/// Units that wait are written together, up to so many rows.
const MAX_ROWS: usize = 65_536;
/// The first wait before a refused write is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// The state's key for the live page's figures.
pub(super) const PAGE_STATE: &str = "page";

/// The state's key for the running query.
pub(super) const ENGINE_STATE: &str = "engine";

/// Writes what [`super::compute`] made.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) store: Store,
    pub(super) outputs: Vec<Output>,
    /// A unit that was received and not yet written.
    pub(super) ahead: Option<Unit>,
    pub(super) feed: Feed,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) job: JobState,
    pub(super) model: Option<ModelState>,
    /// The function that the page shows.
    pub(super) shown: watch::Sender<Option<Function>>,
    pub(super) rate: RateMeter,
    pub(super) rates: Rates,
    /// The last one that was committed.
    pub(super) watermark: Timestamp,
    pub(super) status: watch::Sender<Status>,
    pub(super) stop: Arc<AtomicBool>,
    /// Told after each checkpoint; topics pass it on to their consumer groups.
    pub(super) reached: watch::Sender<Arc<[Progress]>>,
}

impl Commit {
    /// Runs until the other half is done.
    ///
    /// # Errors
    /// What stops the job.
    pub(super) fn run(mut self, units: &Receiver<Unit>) -> Result<(), Fault> {
        self.publish();
        let mut published = Instant::now();
        loop {
            let next = match self.ahead.take() {
                Some(next) => Ok(next),
                None => units.recv_timeout(PUBLISH.saturating_sub(published.elapsed())),
            };
            match next {
                Ok(first) => {
                    self.take(first, units)?;
                    if published.elapsed() < PUBLISH {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.publish();
                    return Ok(());
                }
            }
            self.publish();
            published = Instant::now();
        }
    }

    /// Writes a unit and those that wait behind it.
    fn take(&mut self, first: Unit, units: &Receiver<Unit>) -> Result<(), Fault> {
        let (mut save, mut watermark, mut backlog, mut events, mut shown) =
            (first.save, first.watermark, first.backlog, first.events, first.shown);
        let mut work = Work::default();
        self.sort(first.rows, first.dead_letters, &first.models, first.shadow, &mut work);
        // A checkpoint stands for all rows before it and none after it: what is written together ends with it, unless the
        // next unit has one, too.
        while work.rows < MAX_ROWS
            && (self.ahead.is_some() || self.look(units))
            && let Some(next) = self.ahead.take_if(|next| save.is_none() || next.save.is_some())
        {
            (save, watermark, backlog) = (next.save, next.watermark, next.backlog);
            events += next.events;
            shown = next.shown.or(shown);
            self.sort(next.rows, next.dead_letters, &next.models, next.shadow, &mut work);
        }
        self.write_sinks(&mut work)?;
        for (output, batch) in &work.feed {
            self.feed.add(output, batch);
        }
        let (documents, dead_letters) = self.retried(|this| this.transaction(&work, save.as_ref()))?;
        if let Some(Save { checkpoint, .. }) = &save {
            self.reached.send_replace(super::kafka::progress(checkpoint));
        }
        metrics::counter!(names::OUTPUT_EVENTS).increment(work.rows as u64);
        metrics::counter!(names::ERRORS).increment(dead_letters);
        metrics::gauge!(names::BACKLOG).set(backlog as f64);
        self.job.documents += documents;
        self.job.dead_letters += dead_letters;
        self.rates.backlog = backlog;
        self.rate.add(self.clock.now(), events);
        self.watermark = watermark;
        if let (Some(module), Some(model)) = (shown, &mut self.model) {
            *model = model_state(&module, &model.function);
            self.shown.send_replace(Some(module));
        }
        Ok(())
    }

    /// Takes the next unit when there is one.
    fn look(&mut self, units: &Receiver<Unit>) -> bool {
        self.ahead = units.try_recv().ok();
        self.ahead.is_some()
    }

    fn sort(&self, rows: Vec<Rows>, dead_letters: Vec<DeadLetter>, models: &[Option<Arc<str>>], shadow: Shadow, work: &mut Work) {
        work.dead_letters.extend(dead_letters);
        let shadow = Arc::new(shadow);
        for Rows { output, branch, batch } in rows {
            let keys = DocumentKeys::of(&batch, branch);
            work.rows += batch.rows();
            match &self.outputs[output].target {
                Target::Store => {
                    let model = models.get(usize::from(branch)).cloned().flatten();
                    work.documents.push(Documents { output, keys, batch, model, shadow: Arc::clone(&shadow) });
                }
                Target::Feed => work.feed.push((self.outputs[output].name.clone(), batch)),
                Target::Sink(_) => work.sinks.push((output, keys, batch)),
            }
        }
    }

    /// Sinks acknowledge before the checkpoint passes. A row that a sink can never take is a dead letter.
    fn write_sinks(&mut self, work: &mut Work) -> Result<(), Fault> {
        let now = self.clock.now();
        for (output, keys, batch) in &work.sinks {
            let refused = self.retried(|this| match &mut this.outputs[*output].target {
                Target::Sink(sink) => sink.write(batch, keys),
                Target::Store | Target::Feed => Ok(Vec::new()),
            })?;
            let name = &self.outputs[*output].name;
            work.dead_letters.extend(refused.into_iter().map(|refused| unwritten(name, refused, batch, now)));
        }
        for output in 0..self.outputs.len() {
            self.retried(|this| match &mut this.outputs[output].target {
                Target::Sink(sink) => sink.flush(),
                Target::Store | Target::Feed => Ok(()),
            })?;
        }
        Ok(())
    }

    /// One transaction. Answers how many documents and dead letters are new.
    fn transaction(&mut self, work: &Work, save: Option<&Save>) -> Result<(u64, u64), Fault> {
        let mut unit = self.store.begin()?;
        let mut documents = 0;
        for Documents { output, keys, batch, model, shadow } in &work.documents {
            let challenger = |row: usize| shadow.json(&batch.origin, row);
            let scored = match model {
                Some(model) if shadow.is_empty() => Scored { model: Some(model), challenger: None },
                Some(model) => Scored { model: Some(model), challenger: Some(&challenger) },
                None => Scored::default(),
            };
            documents += unit.put_scored_documents(&self.outputs[*output].name, keys, batch, scored)?;
        }
        let dead_letters = unit.put_dead_letters(&work.dead_letters)?;
        if let Some(Save { checkpoint, state }) = save {
            unit.set_checkpoint(checkpoint)?;
            unit.set_state(ENGINE_STATE, state)?;
            unit.set_state(PAGE_STATE, &self.feed.save())?;
            for output in &self.outputs {
                if let Target::Sink(sink) = &output.target
                    && let Some(mark) = sink.mark()
                {
                    unit.set_state(&mark_key(&output.name), &mark)?;
                }
            }
        }
        unit.commit()?;
        Ok((documents, dead_letters))
    }

    /// Tries until it works, as long as the fault is one that may pass and nobody asks to stop.
    fn retried<T>(&mut self, mut action: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (stop, status) = (Arc::clone(&self.stop), self.status.clone());
        let this = std::cell::RefCell::new(self);
        let done = (|| action(*this.borrow_mut()))
            .retry(ExponentialBuilder::default().with_min_delay(RETRY.0).with_max_delay(RETRY.1).with_jitter().without_max_times())
            .when(|fault: &Fault| fault.retry == Retry::Backoff && !stop.load(Ordering::Relaxed))
            .notify(|fault, wait| {
                tracing::error!(%fault, ?wait, "Output refuses; trying again.");
                status.send_replace(Status::Waiting(fault.to_string()));
            })
            .call();
        if matches!(*status.borrow(), Status::Waiting(_)) && done.is_ok() {
            status.send_replace(Status::Running);
        }
        done
    }

    /// Tells the page and the metrics.
    fn publish(&mut self) {
        let now = self.clock.now();
        // Before the first event there is no watermark.
        if self.watermark.0 > 0 {
            self.rates.watermark_delay_seconds = (now.0 - self.watermark.0).max(0) as f64 / TICKS_PER_SECOND as f64;
            metrics::gauge!(names::WATERMARK_DELAY).set(self.rates.watermark_delay_seconds);
        }
        self.rates.events_per_second = self.rate.rate(now);
        let around = Around { time: now, job: self.job.clone(), model: self.model.clone(), rates: self.rates };
        self.feed.publish(&around);
    }
}

/// Documents of one output, with who scored them.
#[derive(Debug)]
struct Documents {
    output: usize,
    keys: DocumentKeys,
    batch: Batch,
    model: Option<Arc<str>>,
    shadow: Arc<Shadow>,
}

/// What is written together.
#[derive(Debug, Default)]
struct Work {
    rows: usize,
    documents: Vec<Documents>,
    feed: Vec<(String, Batch)>,
    sinks: Vec<(usize, DocumentKeys, Batch)>,
    dead_letters: Vec<DeadLetter>,
}

/// The dead letter of a row that an output can never take: the row as JSON.
fn unwritten(output: &str, Refused { row, reason }: Refused, batch: &Batch, now: Timestamp) -> DeadLetter {
    let mut body = Vec::new();
    write_row(batch, row, &mut body);
    DeadLetter {
        input: String::new(),
        origin: batch.row_id(row),
        time: batch.times[row],
        recorded: now,
        step: format!("output {output}"),
        reason,
        model: String::new(),
        body,
    }
}

/// What the page says of a module.
pub(super) fn model_state(module: &Function, function: &str) -> ModelState {
    let signature = module.signature();
    ModelState {
        name: signature.model.name.clone(),
        version: signature.model.version.clone(),
        sha256: module.sha256().to_owned(),
        bytes: module.bytes().len() as u64,
        function: function.to_owned(),
    }
}
