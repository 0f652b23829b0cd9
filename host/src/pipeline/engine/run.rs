//! Batches from step to step, and what happens to a row that fails.

use std::sync::Arc;

use crate::batch::{Batch, Value, write_value};
use crate::fault::{Domain, Fault, Rejected};
use crate::query::{Context, Failure, Functions, Operator, Output, Plan, Source, Step};
use crate::time::Timestamp;

use super::node::{Node, Running};
use super::{Engine, EngineSettings, OnError, Results, Rows};

/// What a step needs to run.
pub(super) struct Runner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a EngineSettings,
    pub(super) functions: &'a mut dyn Functions,
    pub(super) nodes: Nodes<'a>,
    pub(super) of_steps: &'a [Vec<(usize, usize)>],
    pub(super) results: &'a mut Results,
}

/// The steps that keep something.
pub(super) enum Nodes<'a> {
    /// They run.
    Here(&'a mut [Node]),
    /// They run later, in one thread: what they are to take, as (step, port, rows).
    Later(&'a mut Vec<(usize, usize, Batch)>),
}

impl Engine {
    pub(super) fn runner<'a>(&'a mut self, results: &'a mut Results) -> Runner<'a> {
        Runner {
            plan: &self.plan,
            settings: &self.settings,
            functions: &mut *self.functions,
            nodes: Nodes::Here(&mut self.nodes),
            of_steps: &self.of_steps,
            results,
        }
    }

    /// Rows of a feed, with their times.
    pub(super) fn feed(&mut self, feed: usize, batch: &Batch, results: &mut Results) -> Result<(), Fault> {
        let readers = self.of_feeds[feed].clone();
        let mut runner = self.runner(results);
        readers.into_iter().try_for_each(|(step, port)| runner.take(step, port, batch))
    }

    /// Tells every stateful step how far time has come, in the plan's order, and passes on what comes out.
    pub(super) fn flow(&mut self, results: &mut Results) -> Result<(), Fault> {
        let feeds: Vec<Timestamp> = self.entrances.iter().map(super::Entrance::watermark).collect();
        let plan = Arc::clone(&self.plan);
        let mut runner = self.runner(results);
        for (number, step) in plan.steps.iter().enumerate() {
            let reached = step.sources.iter().map(|source| match source {
                Source::Feed(feed) => feeds[*feed],
                Source::Step(before) => runner.settled(*before),
            });
            let watermark = reached.min().unwrap_or(Timestamp::MAX);
            runner.advance(number, watermark)?;
        }
        Ok(())
    }
}

impl Runner<'_> {
    /// Runs a batch through a step, and what it makes through those that read it.
    pub(super) fn take(&mut self, number: usize, port: usize, batch: &Batch) -> Result<(), Fault> {
        let plan = self.plan;
        let step = &plan.steps[number];
        match &step.operator {
            Operator::Union(names) => {
                let mut batch = batch.clone();
                if let Some(names) = names
                    && names.len() == batch.columns.len()
                {
                    batch.names = Arc::from(names.as_slice());
                }
                self.pass_on(number, batch)
            }
            Operator::Project(project) => {
                let made = self.guarded(step, batch, &mut |part, functions| project.run(part, functions))?;
                made.into_iter().try_for_each(|batch| self.pass_on(number, batch))
            }
            Operator::Apply(apply) => {
                let made = self.guarded(step, batch, &mut |part, functions| apply.run(part, functions))?;
                made.into_iter().try_for_each(|batch| self.pass_on(number, batch))
            }
            _ => {
                let node = match &mut self.nodes {
                    Nodes::Here(nodes) => &mut nodes[number],
                    Nodes::Later(later) => {
                        later.push((number, port, batch.clone()));
                        return Ok(());
                    }
                };
                let mut running = std::mem::replace(&mut node.running, Running::Stateless);
                let taken = self.keep(step, port, batch, &mut running);
                if let Nodes::Here(nodes) = &mut self.nodes {
                    nodes[number].running = running;
                }
                taken?.into_iter().try_for_each(|batch| self.pass_on(number, batch))
            }
        }
    }

    /// Hands a batch to a step that keeps something; a lookup answers at once.
    fn keep(&mut self, step: &Step, port: usize, batch: &Batch, running: &mut Running) -> Result<Vec<Batch>, Fault> {
        let output = |batch| Output { batch, rejected: Vec::new(), failed: Vec::new() };
        match running {
            Running::Lookup(lookup) => self.guarded(step, batch, &mut |part, _| lookup.run(part).map(output)),
            Running::Stateful(operator) => self.guarded(step, batch, &mut |part, functions| {
                let mut rejected = Vec::new();
                operator.push(port, part, &mut Context { functions, rejected: &mut rejected })?;
                Ok(Output { rejected, ..output(part.slice(0, 0)) })
            }),
            Running::Stateless => Ok(Vec::new()),
        }
    }

    fn settled(&self, number: usize) -> Timestamp {
        match &self.nodes {
            Nodes::Here(nodes) => nodes[number].settled,
            Nodes::Later(_) => Timestamp::MIN,
        }
    }

    /// Time has come so far for a step.
    fn advance(&mut self, number: usize, watermark: Timestamp) -> Result<(), Fault> {
        let Nodes::Here(nodes) = &mut self.nodes else { return Ok(()) };
        let node = &mut nodes[number];
        let Running::Stateful(operator) = &mut node.running else {
            (node.watermark, node.settled) = (watermark, watermark);
            return Ok(());
        };
        if watermark <= node.watermark {
            return Ok(());
        }
        let mut context = Context { functions: self.functions, rejected: &mut self.results.rejected };
        let made = operator.advance(watermark, &mut context);
        node.watermark = watermark;
        node.settled = operator.settled(watermark);
        let step = &self.plan.steps[number];
        let made = made.map_err(|fault| located(fault, self.plan, step))?;
        let made: Vec<Batch> = made.into_iter().filter(|batch| batch.rows() > 0).collect();
        // Rows of one time are numbered in their documents' keys: they stay in one batch.
        if let Some(batch) = Batch::union(&made) {
            self.pass_on(number, batch)?;
        }
        Ok(())
    }

    /// Rows that a step has made: to its output, and to the steps that read it.
    fn pass_on(&mut self, number: usize, batch: Batch) -> Result<(), Fault> {
        if batch.rows() == 0 {
            return Ok(());
        }
        if let Some(output) = self.plan.steps[number].into {
            let branch = u16::try_from(number).unwrap_or(u16::MAX);
            self.results.rows.push(Rows { output, branch, batch: batch.visible() });
        }
        let readers = &self.of_steps[number];
        readers.iter().try_for_each(|(reader, port)| self.take(*reader, *port, &batch))
    }

    /// Runs a step over a batch. Where it fails, the row at fault is looked for: it stops the job, or is rejected and the
    /// others go on.
    fn guarded(
        &mut self,
        step: &Step,
        batch: &Batch,
        run: &mut dyn FnMut(&Batch, &mut dyn Functions) -> Result<Output, Fault>,
    ) -> Result<Vec<Batch>, Fault> {
        match run(batch, self.functions) {
            Ok(Output { batch, rejected, failed }) => {
                self.results.rejected.extend(rejected);
                if let (OnError::Stop, Some(Failure { row, fault, .. })) = (self.settings.on_error, failed.first()) {
                    return Err(with_row(located(fault.clone(), self.plan, step), row));
                }
                self.results.rejected.extend(failed.into_iter().map(|failure| failure.rejected));
                Ok(vec![batch])
            }
            Err(fault) if batch.rows() <= 1 || fault.domain == Domain::Internal => {
                let located = located(fault, self.plan, step);
                if self.settings.on_error == OnError::Stop || located.domain == Domain::Internal {
                    return Err(if batch.rows() == 1 { with_row(located, &batch.record(0)) } else { located });
                }
                let rejected = (0..batch.rows()).map(|row| Rejected::row(batch, row, &step.name, located.message.clone()));
                self.results.rejected.extend(rejected);
                Ok(Vec::new())
            }
            Err(_) => {
                let half = batch.rows() / 2;
                let mut parts = self.guarded(step, &batch.slice(0, half), run)?;
                parts.extend(self.guarded(step, &batch.slice(half, batch.rows() - half), run)?);
                Ok(Batch::joined(parts).into_iter().collect())
            }
        }
    }
}

/// The fault with its place in the script.
fn located(fault: Fault, plan: &Plan, step: &Step) -> Fault {
    if step.position.line == 0 {
        return fault;
    }
    let own = if fault.place.is_empty() { String::new() } else { format!(", {}", fault.place) };
    let place = format!("{}:{}:{}, in '{}'{own}", plan.file, step.position.line, step.position.column, step.name);
    fault.at(place)
}

/// The fault with the row that it is about.
fn with_row(fault: Fault, row: &Value) -> Fault {
    const MAX: usize = 2000;
    let mut text = Vec::new();
    write_value(row, &mut text);
    let text = String::from_utf8_lossy(&text);
    let shown: String = text.chars().take(MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Fault { message: format!("{}\n  row: {shown}{more}", fault.message), ..fault }
}
