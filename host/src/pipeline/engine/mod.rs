//! The running query: batches of inputs in, rows of outputs out. The job, `tamis query`, `tamis test` and the conformance
//! tests run the same engine.
//!
//! Stateless steps run at once, batch by batch; stateful ones take rows and give results when the watermark says that all
//! rows up to it have come. The whole state can be saved between two calls, and a new engine goes on exactly from there.
//!
//! - `enter`: an input's rows: `CREATE TABLE`, `TIMESTAMP BY`, policies, watermark
//! - `node`: a step of the plan as it runs
//! - `run`: batches from step to step; what happens to a row that fails
//! - `lanes`: partitions beside each other
//! - `state`: save and restore

mod enter;
mod lanes;
mod node;
mod run;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::batch::Batch;
use crate::fault::{Fault, Rejected};
use crate::query::{Functions, Plan, Source};
use crate::time::Timestamp;
use crate::window::time::{Explained, OnViolation, Policies};

use enter::Entrance;
use node::Node;

/// What happens to a row that stops a job in Stream Analytics: a CAST that fails, a function that throws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The job stops with the row in the message.
    #[default]
    Stop,
    /// The row goes to the dead letter; the job goes on.
    DeadLetter,
}

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeMode {
    /// Rows arrive: early, late and out-of-order policies apply, the watermark moves with the rows.
    Arriving(Policies),
    /// Rows are a finished set: they are taken in the order of their times once all are there, and no policy applies.
    Sorted,
}

impl TimeMode {
    /// Arriving rows with these tolerances; a negative late tolerance waits for ever.
    pub fn arriving(late_seconds: i64, out_of_order_seconds: i64, drop: bool) -> Self {
        let violation = if drop { OnViolation::Drop } else { OnViolation::Adjust };
        Self::Arriving(Policies::new(late_seconds, out_of_order_seconds, violation))
    }
}

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How time passes.
    pub time: TimeMode,
    /// What happens to a row that fails.
    pub on_error: OnError,
    /// For each input of the plan, by its place: how many partitions it has. Missing: 1.
    pub partitions: Vec<usize>,
    /// For each input of the plan: whether it is a finished file, of which no event is early or late. Missing: it is not.
    pub finished: Vec<bool>,
    /// For each input of the plan: whether its values are all text (CSV), so that `CREATE TABLE` converts them.
    pub text: Vec<bool>,
    /// What the clock says at the start.
    pub now: Timestamp,
    /// Whether to tell what happened to each event's time.
    pub explain: bool,
}

impl EngineSettings {
    /// One partition an input, JSON values, the given sense of time.
    pub fn new(time: TimeMode) -> Self {
        Self {
            time,
            on_error: OnError::default(),
            partitions: Vec::new(),
            finished: Vec::new(),
            text: Vec::new(),
            now: Timestamp::default(),
            explain: false,
        }
    }
}

/// Rows for an output.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The output's place in the plan.
    pub output: usize,
    /// The step; part of the documents' keys, because two steps may feed one output from the same event.
    pub branch: u16,
    /// The rows.
    pub batch: Batch,
}

/// What a call of the engine came to.
#[derive(Debug, Default)]
pub struct Results {
    /// Rows of outputs, in the order in which they were made.
    pub rows: Vec<Rows>,
    /// Rows and events that go no further.
    pub rejected: Vec<Rejected>,
    /// How many events were early, late or out of order.
    pub adjusted: u64,
    /// What happened to each event's time, by feed of the plan, when that is asked for.
    pub explained: Vec<(usize, Explained)>,
}

/// The running query.
#[derive(Debug)]
pub struct Engine {
    plan: Arc<Plan>,
    settings: EngineSettings,
    functions: Box<dyn Functions>,
    entrances: Vec<Entrance>,
    nodes: Vec<Node>,
    /// The steps that read each feed, and each step, with the port.
    of_feeds: Vec<Vec<(usize, usize)>>,
    of_steps: Vec<Vec<(usize, usize)>>,
    /// The functions for other threads.
    forks: Vec<Box<dyn Functions>>,
    /// Rows that wait for the end, when they are taken sorted: feed and batch.
    held: Vec<(usize, Batch)>,
}

impl Engine {
    /// The query without rows. `references`: the rows of each reference input of the plan, by its place.
    ///
    /// # Errors
    /// A [`Fault`] of the job: a key of reference data that cannot be computed.
    pub fn new(plan: Plan, functions: Box<dyn Functions>, references: &[Batch], settings: EngineSettings) -> Result<Self, Fault> {
        let plan = Arc::new(plan);
        let entrances = (0..plan.feeds.len()).map(|feed| Entrance::new(&plan, feed, &settings)).collect();
        let nodes = plan.steps.iter().map(|step| Node::new(step, references, &settings)).collect::<Result<Vec<_>, _>>()?;
        let mut of_feeds = vec![Vec::new(); plan.feeds.len()];
        let mut of_steps = vec![Vec::new(); plan.steps.len()];
        for (number, step) in plan.steps.iter().enumerate() {
            for (port, source) in step.sources.iter().enumerate() {
                match source {
                    Source::Feed(feed) => of_feeds[*feed].push((number, port)),
                    Source::Step(before) => of_steps[*before].push((number, port)),
                }
            }
        }
        Ok(Self { plan, settings, functions, entrances, nodes, of_feeds, of_steps, forks: Vec::new(), held: Vec::new() })
    }

    /// What it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes rows of one partition of an input of the plan, in the order of their arrival; their times are their arrival
    /// times. `now` is what the clock says. Results up to the new watermark come out.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job. The engine is not used any more then.
    pub fn push(&mut self, input: usize, partition: usize, batch: Batch, now: Timestamp) -> Result<Results, Fault> {
        let mut results = self.take(input, partition, batch, now)?;
        if self.settings.time != TimeMode::Sorted {
            self.flow(&mut results)?;
        }
        Ok(results)
    }

    /// As [`Engine::push`], but results of stateful steps wait for the next [`Engine::advance`].
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn take(&mut self, input: usize, partition: usize, batch: Batch, now: Timestamp) -> Result<Results, Fault> {
        let mut results = Results::default();
        for (feed, batch) in self.enter(input, partition, batch, now, &mut results)? {
            self.feed(feed, &batch, &mut results)?;
        }
        Ok(results)
    }

    /// As [`Engine::take`], for batches of several partitions: `(input, partition, rows)`. The steps that keep nothing run on
    /// all cores, one partition beside the other; the answer is the same, one for each batch, in their order.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn take_all(&mut self, batches: Vec<(usize, usize, Batch)>, now: Timestamp) -> Result<Vec<Results>, Fault> {
        let mut answers = Vec::with_capacity(batches.len());
        let mut entered = Vec::new();
        for (number, (input, partition, batch)) in batches.into_iter().enumerate() {
            let mut results = Results::default();
            let feeds = self.enter(input, partition, batch, now, &mut results)?;
            entered.extend(feeds.into_iter().map(|(feed, batch)| (number, feed, batch)));
            answers.push(results);
        }
        self.feed_all(entered, &mut answers)?;
        Ok(answers)
    }

    /// A partition has no new events at the time `now`: it is not waited for longer than events may be late.
    pub fn idle(&mut self, input: usize, partition: usize, now: Timestamp) {
        for entrance in self.entrances.iter_mut().filter(|entrance| entrance.input() == input) {
            entrance.idle(partition, now);
        }
    }

    /// An input has so many partitions now; it never has fewer.
    pub fn widen(&mut self, input: usize, partitions: usize, now: Timestamp) {
        for entrance in self.entrances.iter_mut().filter(|entrance| entrance.input() == input) {
            entrance.widen(partitions, now);
        }
    }

    /// A partition has ended.
    pub fn end(&mut self, input: usize, partition: usize) {
        for entrance in self.entrances.iter_mut().filter(|entrance| entrance.input() == input) {
            entrance.end(partition);
        }
    }

    /// Gives what is determined by now, after [`Engine::idle`] or [`Engine::end`].
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn advance(&mut self) -> Result<Results, Fault> {
        let mut results = Results::default();
        if self.settings.time != TimeMode::Sorted {
            self.flow(&mut results)?;
        }
        Ok(results)
    }

    /// The end of all input: every window is closed.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn finish(&mut self) -> Result<Results, Fault> {
        let mut results = Results::default();
        self.release(&mut results)?;
        self.entrances.iter_mut().for_each(Entrance::end_all);
        self.flow(&mut results)?;
        Ok(results)
    }

    /// Up to which time all results are out: the least watermark of the feeds.
    pub fn watermark(&self) -> Timestamp {
        self.entrances.iter().map(Entrance::watermark).min().unwrap_or(Timestamp::MAX)
    }

    /// Takes other reference data from now on.
    ///
    /// # Errors
    /// A [`Fault`] of the job; the old data then stays.
    pub fn replace_reference(&mut self, reference: usize, rows: &Batch) -> Result<(), Fault> {
        for (node, step) in self.nodes.iter_mut().zip(&self.plan.steps) {
            node.replace_reference(step, reference, rows)?;
        }
        Ok(())
    }
}
