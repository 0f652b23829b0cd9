//! Runs batches through the compiled query: each step in order, each windowed step when its window closes.
//! A step that fails over a batch is run again over its parts, until the row at fault is alone: it is rejected, and
//! the others go on.

use std::sync::Arc;

use crate::batch::{Batch, Origin};
use crate::fault::{Domain, Fault, Rejected};
use crate::query::{Operator, Output, Plan, Project, Source, Step, WindowStep};
use crate::time::Timestamp;
use crate::window::{Closed, Window, WindowOperator};

use super::functions::Calls;

/// Rows that a step sends to an output.
#[derive(Debug)]
pub(super) struct Rows {
    /// The output's place in [`Graph::outputs`].
    pub(super) output: usize,
    /// The step; part of the documents' keys, because two steps may feed one output from the same event.
    pub(super) branch: u16,
    /// The models that scored the rows, when the step or one before it calls a function.
    pub(super) model: Option<Arc<str>>,
    pub(super) batch: Batch,
}

/// What a batch or a closed window came to.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) rows: Vec<Rows>,
    /// Rows that go no further.
    pub(super) rejected: Vec<Rejected>,
}

/// The running query: the plan, the open windows, the functions.
#[derive(Debug)]
pub(super) struct Graph {
    plan: Plan,
    windows: Vec<Option<WindowOperator>>,
    calls: Calls,
    /// For each step, the functions that it or a step before it calls.
    called: Vec<Vec<String>>,
    /// The outputs that the query names, each once.
    pub(super) outputs: Vec<String>,
    /// For each step, the place of its output.
    into: Vec<Option<usize>>,
}

impl Graph {
    pub(super) fn new(plan: Plan, calls: Calls) -> Self {
        let mut outputs: Vec<String> = Vec::new();
        let mut place = |name: &String| {
            let known = outputs.iter().position(|output| output.eq_ignore_ascii_case(name));
            known.unwrap_or_else(|| {
                outputs.push(name.clone());
                outputs.len() - 1
            })
        };
        let into = plan.steps.iter().map(|step| step.into.as_ref().map(&mut place)).collect();
        let windows = plan.steps.iter().map(|step| window(step).map(WindowOperator::new)).collect();
        let called = (0..plan.steps.len()).map(|step| plan.functions(step)).collect();
        Self { plan, windows, calls, called, outputs, into }
    }

    /// The functions, to be asked for what challengers answered, or given another version.
    pub(super) fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs one decoded batch of an input through every step that it reaches.
    pub(super) fn push(&mut self, input: usize, batch: &Batch, results: &mut Results) {
        let mut made = self.nothing_made();
        self.run(Source::Input(input), batch, 0, &mut made, results);
        self.follow(made, results);
    }

    /// Releases every window that ends at or before the watermark.
    pub(super) fn advance(&mut self, watermark: Timestamp, results: &mut Results) {
        for index in 0..self.plan.steps.len() {
            let Some(window) = &mut self.windows[index] else { continue };
            for closed in window.advance(watermark) {
                let Operator::Window(step) = &self.plan.steps[index].operator else { continue };
                let batch = aggregate(step, closed, &mut self.calls, &mut results.rejected);
                let Some(batch) = batch.filter(|batch| batch.rows() > 0) else { continue };
                let mut made = self.nothing_made();
                self.emit(index, &batch, results);
                made[index] = Some(batch);
                self.follow(made, results);
            }
        }
    }

    /// The oldest offset of a partition that an open window still holds.
    pub(super) fn oldest_needed(&self, input: usize, partition: u32) -> Option<u64> {
        self.windows.iter().flatten().filter_map(|window| window.oldest_needed(input, partition)).min()
    }

    fn nothing_made(&self) -> Vec<Option<Batch>> {
        vec![None; self.plan.steps.len()]
    }

    /// Runs the steps after those in `made`, in the plan's order.
    fn follow(&mut self, mut made: Vec<Option<Batch>>, results: &mut Results) {
        for index in 0..made.len() {
            if let Some(batch) = made[index].take() {
                self.run(Source::Step(index), &batch, index + 1, &mut made, results);
            }
        }
    }

    fn run(&mut self, source: Source, batch: &Batch, first: usize, made: &mut [Option<Batch>], results: &mut Results) {
        for (index, step) in self.plan.steps.iter().enumerate().skip(first) {
            if step.source != source {
                continue;
            }
            let place = place(step);
            match &step.operator {
                Operator::Project(project) => {
                    let batch = project_all(project, batch, &place, &mut self.calls, &mut results.rejected);
                    if batch.rows() > 0 {
                        self.emit(index, &batch, results);
                        made[index] = Some(batch);
                    }
                }
                Operator::Window(window) => {
                    let kept = each(batch, &place, &mut results.rejected, &mut |part| window.filter(part, &mut self.calls));
                    if let Some(operator) = &mut self.windows[index] {
                        kept.into_iter().filter(|part| part.rows() > 0).for_each(|part| operator.push(part));
                    }
                }
            }
        }
    }

    fn emit(&self, step: usize, batch: &Batch, results: &mut Results) {
        if let Some(output) = self.into[step] {
            let (branch, model) = (u16::try_from(step).unwrap_or(u16::MAX), self.calls.label(&self.called[step]));
            results.rows.push(Rows { output, branch, model, batch: batch.clone() });
        }
    }
}

fn window(step: &Step) -> Option<Window> {
    match &step.operator {
        Operator::Window(window) => {
            let spec = window.window();
            Some(Window { size: spec.size, hop: spec.hop, offset: spec.offset })
        }
        Operator::Project(_) => None,
    }
}

/// What a dead letter calls the step: its name, or the output that it feeds.
fn place(step: &Step) -> String {
    step.name.clone().or_else(|| step.into.clone()).unwrap_or_else(|| "query".to_owned())
}

fn project_all(project: &Project, batch: &Batch, place: &str, calls: &mut Calls, rejected: &mut Vec<Rejected>) -> Batch {
    let parts = each(batch, place, rejected, &mut |part| project.run(part, calls));
    joined(parts).unwrap_or_else(|| batch.take(&[]))
}

/// The parts of one batch, one after the other again. Their rows keep their origin.
fn joined(mut parts: Vec<Batch>) -> Option<Batch> {
    parts.retain(|part| part.rows() > 0);
    if parts.len() <= 1 {
        return parts.pop();
    }
    let origin = match &parts[0].origin {
        Origin::Events { input, partition, .. } => {
            let offsets = parts.iter().flat_map(|part| match &part.origin {
                Origin::Events { offsets, .. } => offsets.to_vec(),
                Origin::Derived => Vec::new(),
            });
            Origin::Events { input: *input, partition: *partition, offsets: offsets.collect() }
        }
        Origin::Derived => Origin::Derived,
    };
    Some(Batch { origin, ..Batch::concat(&parts)? })
}

/// Runs `step` over the batch, and where it fails over its halves; a row on which it still fails is rejected.
fn each(batch: &Batch, place: &str, rejected: &mut Vec<Rejected>, step: &mut dyn FnMut(&Batch) -> Result<Output, Fault>) -> Vec<Batch> {
    match step(batch) {
        Ok(output) => {
            rejected.extend(output.rejected);
            vec![output.batch]
        }
        Err(fault) if batch.rows() <= 1 || fault.domain == Domain::Internal => {
            let reason = fault.to_string();
            rejected.extend((0..batch.rows()).map(|row| Rejected {
                origin: batch.row_id(row),
                step: place.to_owned(),
                reason: reason.clone(),
            }));
            Vec::new()
        }
        Err(_) => {
            let rows: Vec<u32> = (0..batch.rows() as u32).collect();
            let (left, right) = rows.split_at(rows.len() / 2);
            let mut parts = each(&batch.take(left), place, rejected, step);
            parts.extend(each(&batch.take(right), place, rejected, step));
            parts
        }
    }
}

/// The rows of a closed window. When a row cannot be aggregated (a text where `SUM` wants a number) it is rejected
/// and the window is computed from the others; when no row is at fault by itself, the window has no result.
fn aggregate(step: &WindowStep, closed: Closed, calls: &mut Calls, rejected: &mut Vec<Rejected>) -> Option<Batch> {
    let Closed { end, rows, .. } = closed;
    let first = match step.aggregate(&rows, end, calls) {
        Ok(output) => {
            rejected.extend(output.rejected);
            return Some(output.batch);
        }
        Err(fault) => fault,
    };
    let mut keep = Vec::new();
    for row in 0..rows.rows() as u32 {
        match step.aggregate(&rows.take(&[row]), end, calls) {
            Ok(_) => keep.push(row),
            Err(fault) => rejected.push(windowed(&fault, end)),
        }
    }
    if keep.len() < rows.rows() {
        match step.aggregate(&rows.take(&keep), end, calls) {
            Ok(output) => {
                rejected.extend(output.rejected);
                return Some(output.batch);
            }
            Err(fault) => rejected.push(windowed(&fault, end)),
        }
    } else {
        rejected.push(windowed(&first, end));
    }
    None
}

fn windowed(fault: &Fault, end: Timestamp) -> Rejected {
    Rejected { origin: None, step: "window".to_owned(), reason: format!("in the window that ends at {end}: {fault}") }
}
