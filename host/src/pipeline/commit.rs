//! The second half of the running job: rows out to the sinks, and one transaction with the documents, the dead letters, the
//! live page's figures, what sinks did not take ([`super::delivery`]) and the checkpoint. What is behind a checkpoint is in
//! every output, or in the outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ExponentialBuilder};
use tokio::sync::watch;

use crate::batch::{Batch, DocumentKeys};
use crate::fault::{Fault, Retry};
use crate::sink::feed::{Around, Feed, JobState, ModelState, RateMeter, Rates};
use crate::source::kafka::Progress;
use crate::store::{DeadLetter, Scored, Store, Waiting};
use crate::time::{Clock, TICKS_PER_SECOND, Timestamp};
use crate::udf::Function;

use super::Status;
use super::compute::{Save, Unit};
use super::delivery::{Changes, Delivery, Handed};
use super::engine::Rows;
use super::measure as names;
use super::outputs::{Route, Routed};
use super::shadow::Shadow;

/// While nothing comes, the page is told so often, so that rates fall.
const PUBLISH: Duration = Duration::from_millis(250);
/// When something comes, it is told at once, but not more often than this.
const PUBLISH_GAP: Duration = Duration::from_millis(50);
/// Telling the page takes at most one part in so many of the time, down to [`PUBLISH`].
const PUBLISH_SHARE: u32 = 10;
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
    pub(super) outputs: Vec<Routed>,
    pub(super) delivery: Delivery,
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
        let mut told = Told::now(self.publish());
        loop {
            let next = match self.ahead.take() {
                Some(next) => Ok(next),
                None => units.recv_timeout(told.due()),
            };
            match next {
                Ok(first) => {
                    told.news = true;
                    if !self.take(first, units)? {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.acknowledge(Duration::ZERO)?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if told.due().is_zero() {
                told = Told::now(self.publish());
            }
        }
        // At the end of all files, outputs that are behind still get their rows.
        while !self.delivery.is_done() && !self.stop.load(Ordering::Relaxed) {
            self.acknowledge(PUBLISH)?;
            self.publish();
        }
        self.delivery.close()?;
        self.acknowledge(Duration::ZERO)?;
        self.publish();
        Ok(())
    }

    /// Writes a unit and those that wait behind it; `false` when the job is to stop before that.
    fn take(&mut self, first: Unit, units: &Receiver<Unit>) -> Result<bool, Fault> {
        if !self.room()? {
            return Ok(false);
        }
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
        work.handed = self.delivery.hand_over(std::mem::take(&mut work.sinks));
        for (output, batch) in &work.feed {
            self.feed.add(output, batch);
        }
        let documents = self.written(&work, save.as_ref(), None)?;
        if let Some(Save { checkpoint, .. }) = &save {
            self.reached.send_replace(super::kafka::progress(checkpoint));
        }
        metrics::counter!(names::OUTPUT_EVENTS).increment(work.rows as u64);
        metrics::gauge!(names::BACKLOG).set(backlog as f64);
        self.job.documents += documents;
        self.rates.backlog = backlog;
        self.rate.add(self.clock.now(), events);
        self.watermark = watermark;
        if let (Some(module), Some(model)) = (shown, &mut self.model) {
            *model = model_state(&module, &model.function);
            self.shown.send_replace(Some(module));
        }
        Ok(true)
    }

    /// Waits until the outbox has room; `false` when the job is to stop before that.
    fn room(&mut self) -> Result<bool, Fault> {
        let mut waited = false;
        while !self.delivery.has_room() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if !waited {
                tracing::warn!("{}", self.delivery.full());
            }
            waited = true;
            self.status.send_replace(Status::Waiting(self.delivery.full()));
            self.acknowledge(PUBLISH)?;
            self.publish();
        }
        if waited {
            self.status.send_replace(Status::Running);
        }
        Ok(true)
    }

    /// Writes down what outputs have acknowledged between two units.
    fn acknowledge(&mut self, wait: Duration) -> Result<(), Fault> {
        let changes = self.delivery.acknowledged(wait)?;
        if !changes.is_empty() {
            self.written(&Work::default(), None, Some(changes))?;
        }
        Ok(())
    }

    /// One transaction, tried until it works. Answers how many documents are new.
    fn written(&mut self, work: &Work, save: Option<&Save>, mut changes: Option<Changes>) -> Result<u64, Fault> {
        let Stored { documents, dead_letters, removed } = self.retried(|this| this.transaction(work, save, &mut changes))?;
        self.delivery.committed(changes.unwrap_or_default(), &removed);
        metrics::counter!(names::ERRORS).increment(dead_letters);
        self.job.dead_letters += dead_letters;
        Ok(documents)
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
            match &self.outputs[output].route {
                Route::Store => {
                    let model = models.get(usize::from(branch)).cloned().flatten();
                    work.documents.push(Documents { output, keys, batch, model, shadow: Arc::clone(&shadow) });
                }
                Route::Feed => work.feed.push((self.outputs[output].name.clone(), batch)),
                Route::Sink(lane) => work.sinks.push((*lane, keys, batch)),
            }
        }
    }

    /// One transaction. While the documents are put into it, sinks write the same unit's rows; `changes` is what came of
    /// that, once it is known.
    fn transaction(&mut self, work: &Work, save: Option<&Save>, changes: &mut Option<Changes>) -> Result<Stored, Fault> {
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
        let changes = match changes {
            Some(changes) => changes,
            None => changes.insert(self.delivery.settle(&work.handed, save.is_some())?),
        };
        let mut dead_letters = unit.put_dead_letters(&work.dead_letters)?;
        dead_letters += unit.put_dead_letters(&changes.letters)?;
        let removed = self.delivery.write(changes, &mut unit)?;
        if let Some(Save { checkpoint, state }) = save {
            unit.set_checkpoint(checkpoint)?;
            unit.set_state(ENGINE_STATE, state)?;
            unit.set_state(PAGE_STATE, &self.feed.save())?;
        }
        unit.commit()?;
        Ok(Stored { documents, dead_letters, removed })
    }

    /// Tries until it works, as long as the fault is one that may pass and nobody asks to stop.
    fn retried<T>(&mut self, mut action: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (stop, status) = (Arc::clone(&self.stop), self.status.clone());
        let (this, waited) = (std::cell::RefCell::new(self), std::cell::Cell::new(false));
        let done = (|| action(*this.borrow_mut()))
            .retry(ExponentialBuilder::default().with_min_delay(RETRY.0).with_max_delay(RETRY.1).with_jitter().without_max_times())
            .when(|fault: &Fault| fault.retry == Retry::Backoff && !stop.load(Ordering::Relaxed))
            .notify(|fault, wait| {
                tracing::error!(%fault, ?wait, "The store refuses; trying again.");
                status.send_replace(Status::Waiting(fault.to_string()));
                waited.set(true);
            })
            .call();
        if waited.get() && done.is_ok() {
            status.send_replace(Status::Running);
        }
        done
    }

    /// Tells the page and the metrics. Answers how long that took.
    fn publish(&mut self) -> Duration {
        let start = Instant::now();
        let now = self.clock.now();
        // Before the first event there is no watermark.
        if self.watermark.0 > 0 {
            self.rates.watermark_delay_seconds = (now.0 - self.watermark.0).max(0) as f64 / TICKS_PER_SECOND as f64;
            metrics::gauge!(names::WATERMARK_DELAY).set(self.rates.watermark_delay_seconds);
        }
        self.rates.events_per_second = self.rate.rate(now);
        // Also those that another process has sent again meanwhile.
        if let Ok(open) = self.store.dead_letters() {
            self.job.dead_letters = open;
            metrics::gauge!(names::OPEN_DEAD_LETTERS).set(open as f64);
        }
        let outputs = self.delivery.states();
        for output in &outputs {
            metrics::gauge!(names::OUTPUT_BEHIND, "output" => output.name.clone()).set(output.behind as f64);
        }
        let around = Around { time: now, job: self.job.clone(), model: self.model.clone(), rates: self.rates, outputs };
        self.feed.publish(&around);
        start.elapsed()
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
    /// By the place of the sink.
    sinks: Vec<(usize, DocumentKeys, Batch)>,
    handed: Handed,
    dead_letters: Vec<DeadLetter>,
}

/// What a transaction has stored.
#[derive(Debug)]
struct Stored {
    /// New documents and dead letters.
    documents: u64,
    dead_letters: u64,
    /// What left the outbox.
    removed: Vec<Waiting>,
}

/// When the page was told last.
struct Told {
    at: Instant,
    cost: Duration,
    /// Whether something was written since.
    news: bool,
}

impl Told {
    fn now(cost: Duration) -> Self {
        Self { at: Instant::now(), cost, news: false }
    }

    /// In how long it is to be told again.
    fn due(&self) -> Duration {
        let gap = if self.news { (self.cost * PUBLISH_SHARE).clamp(PUBLISH_GAP, PUBLISH) } else { PUBLISH };
        gap.saturating_sub(self.at.elapsed())
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
