//! A step of the plan as it runs.

use crate::batch::Batch;
use crate::fault::Fault;
use crate::query::{Analytic, Join, Lookup, Matching, Operate, Operator, Step};
use crate::time::Timestamp;

use super::{EngineSettings, OnError};
use crate::pipeline::operators::{RowFaults, Windowed};

/// What runs for a step.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) running: Running,
    /// Up to which time it was told that all rows have come.
    pub(super) watermark: Timestamp,
    /// Up to which time all its results are out.
    pub(super) settled: Timestamp,
}

#[derive(Debug)]
pub(super) enum Running {
    /// Works batch by batch; the plan's step says how.
    Stateless,
    Lookup(Box<Lookup>),
    Stateful(Box<dyn Operate>),
}

impl Node {
    pub(super) fn new(step: &Step, references: &[Batch], settings: &EngineSettings) -> Result<Self, Fault> {
        let running = match &step.operator {
            Operator::Project(_) | Operator::Apply(_) | Operator::Union(_) => Running::Stateless,
            Operator::Lookup(spec, reference) => {
                let rows = references.get(*reference).ok_or_else(|| Fault::internal(format!("reference data {reference} is missing")))?;
                Running::Lookup(Box::new(Lookup::new(spec.clone(), rows)?))
            }
            Operator::Join(spec) => Running::Stateful(Box::new(Join::new(spec.clone()))),
            Operator::Analytic(specs) => Running::Stateful(Box::new(Analytic::new(specs.clone())?)),
            Operator::Match(spec) => Running::Stateful(Box::new(Matching::new(spec.clone()))),
            Operator::Window(spec) => {
                let faults = if settings.on_error == OnError::Stop { RowFaults::Stop } else { RowFaults::Reject };
                Running::Stateful(Box::new(Windowed::new(spec.clone(), &*step.name, faults)))
            }
        };
        Ok(Self { running, watermark: Timestamp::MIN, settled: Timestamp::MIN })
    }

    pub(super) fn replace_reference(&mut self, step: &Step, reference: usize, rows: &Batch) -> Result<(), Fault> {
        match (&mut self.running, &step.operator) {
            (Running::Lookup(lookup), Operator::Lookup(_, place)) if *place == reference => lookup.replace(rows),
            _ => Ok(()),
        }
    }
}
