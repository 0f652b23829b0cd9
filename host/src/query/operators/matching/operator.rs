//! `MATCH_RECOGNIZE` as an operator: rows in, one row a match out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::keys::{KeyIndex, group_key};
use super::super::ordered::Ordered;
use super::super::{holds, read, write};
use super::attempt::{Attempt, Found, Telling, Way};
use super::program::{Step, compile};
use super::{MatchFunction, MatchSpec, MatchVariable};
use crate::batch::{Batch, Column, Origin, Value};
use crate::fault::Fault;
use crate::query::Expression;
use crate::query::operator::{Context, Operate};
use crate::time::Timestamp;

/// So many ways of one attempt are followed at once.
const MOST_WAYS: usize = 10_000;

/// A running `MATCH_RECOGNIZE`.
#[derive(Debug)]
pub struct Matching {
    spec: MatchSpec,
    program: Vec<Step>,
    /// How each variable is tested.
    tests: Vec<Test>,
    telling: Telling,
    names: Vec<Arc<str>>,
    state: State,
    /// The times of the matches that attempts have, with their numbers: no result is earlier.
    tentative: BTreeSet<(Timestamp, u64)>,
}

/// How a variable is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    /// Any row fits.
    Always,
    /// By the row alone: in this column of the waiting rows.
    Row(usize),
    /// By the rows before it too.
    Ways,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The key, the aggregates' values and the tests of each row.
    waiting: Ordered,
    keys: KeyIndex,
    partitions: Vec<Vec<Attempt>>,
    /// Where the attempts began, oldest first.
    starts: VecDeque<(Timestamp, u32)>,
    /// The number of the next attempt.
    next: u64,
    /// Matches whose turn has not come.
    results: BTreeMap<(Timestamp, u64), Found>,
    settled: Timestamp,
}

impl Matching {
    /// No rows yet.
    pub fn new(spec: MatchSpec) -> Self {
        let names = (0..spec.aggregates.len()).map(|number| Arc::from(format!("#match{number}"))).collect();
        let mut front = spec.partition_by.len() + spec.aggregates.len();
        let own = |number: usize, variable: &MatchVariable| {
            let is_own = |read: &usize| {
                spec.aggregates.get(*read).is_some_and(|known| known.function == MatchFunction::Last && known.variable == Some(number))
            };
            variable.reads.iter().all(is_own)
        };
        let mut test = |(number, variable): (usize, &MatchVariable)| match &variable.condition {
            None => Test::Always,
            Some(_) if own(number, variable) => {
                front += 1;
                Test::Row(front - 1)
            }
            Some(_) => Test::Ways,
        };
        let tests: Vec<Test> = spec.variables.iter().enumerate().map(&mut test).collect();
        let mut reads: Vec<usize> = spec
            .variables
            .iter()
            .zip(&tests)
            .filter(|(_, test)| **test == Test::Ways)
            .flat_map(|(variable, _)| variable.reads.clone())
            .collect();
        reads.sort_unstable();
        reads.dedup();
        let state = State { settled: Timestamp::MIN, ..State::default() };
        Self { program: compile(&spec.pattern), tests, telling: Telling { reads }, names, state, tentative: BTreeSet::new(), spec }
    }

    fn values<'a>(&self, batch: &'a Batch) -> &'a [Column] {
        &batch.columns[self.spec.partition_by.len()..]
    }

    fn run(&mut self, batch: &Batch) -> Result<(), Fault> {
        let keys = &batch.columns[..self.spec.partition_by.len()];
        let row_tests: Vec<Vec<bool>> = self
            .tests
            .iter()
            .map(|test| match test {
                Test::Row(column) => holds(&batch.columns[*column]),
                Test::Always | Test::Ways => Vec::new(),
            })
            .collect();
        let mut key = Vec::new();
        let duration = self.spec.duration;
        for (row, time) in batch.times.iter().enumerate() {
            group_key(keys, row, &mut key);
            let slot = self.state.keys.number(&key);
            if slot >= self.state.partitions.len() {
                self.state.partitions.resize_with(slot + 1, Vec::new);
            }
            self.end(slot, |start| start.0.saturating_add(duration) <= time.0);
            let mut attempts = std::mem::take(&mut self.state.partitions[slot]);
            attempts.push(Attempt::new(self.state.next, *time, &self.program, self.spec.aggregates.len(), &self.telling));
            self.state.next += 1;
            let outcome = self.step(&mut attempts, batch, row, &row_tests);
            self.finish(&mut attempts);
            // The newest attempt is the one that this row began.
            if attempts.last().is_some_and(|last| last.number + 1 == self.state.next) {
                self.state.starts.push_back((*time, slot as u32));
            }
            self.state.partitions[slot] = attempts;
            outcome?;
        }
        Ok(())
    }

    /// Every attempt of a partition takes a row.
    fn step(&mut self, attempts: &mut [Attempt], batch: &Batch, row: usize, row_tests: &[Vec<bool>]) -> Result<(), Fault> {
        let time = batch.times[row];
        let mut verdicts = self.verdicts(attempts, batch, row)?;
        let (program, tests, spec) = (&self.program, &self.tests, &self.spec);
        let values = self.values(batch);
        for attempt in attempts {
            let before = attempt.best.as_ref().map(|found| found.time);
            let fits = |way: &Way| match program[way.at] {
                Step::Row(Some(variable)) => match tests[variable] {
                    Test::Always => true,
                    Test::Row(_) => row_tests[variable][row],
                    Test::Ways => verdicts[variable].pop_front().unwrap_or(false),
                },
                Step::Row(None) => true,
                _ => false,
            };
            let with = |way: &Way| match program[way.at] {
                Step::Row(variable) => way.values.with(&spec.aggregates, variable, values, row),
                _ => way.values.clone(),
            };
            attempt.take(time, program, &self.telling, fits, with);
            if attempt.ways.len() > MOST_WAYS {
                return Err(Fault::job(format!(
                    "MATCH_RECOGNIZE: more than {MOST_WAYS} ways to match the pattern from one row. Make the conditions in DEFINE exclude each other."
                )));
            }
            let after = attempt.best.as_ref().map(|found| found.time);
            if let (true, Some(time)) = (before != after, after) {
                before.iter().for_each(|time| {
                    self.tentative.remove(&(*time, attempt.number));
                });
                self.tentative.insert((time, attempt.number));
            }
        }
        Ok(())
    }

    /// For each variable that is tested by earlier rows too: whether the row fits, for each way that waits for it, in order.
    fn verdicts(&self, attempts: &[Attempt], batch: &Batch, row: usize) -> Result<Vec<VecDeque<bool>>, Fault> {
        let mut verdicts = vec![VecDeque::new(); self.tests.len()];
        for (number, variable) in self.spec.variables.iter().enumerate() {
            let (Test::Ways, Some(condition)) = (self.tests[number], &variable.condition) else { continue };
            let waits = |at: usize| self.program[at] == Step::Row(Some(number));
            let ways: Vec<_> = attempts.iter().flat_map(|attempt| &attempt.ways).filter(|way| waits(way.at)).collect();
            if ways.is_empty() {
                continue;
            }
            let values = self.values(batch);
            let column = |read: &usize| {
                let aggregate = &self.spec.aggregates[*read];
                Column::from_values(ways.iter().map(|way| way.values.get_with(*read, aggregate, Some(number), &values[*read], row)))
            };
            let over = Batch {
                names: variable.reads.iter().map(|read| Arc::clone(&self.names[*read])).collect(),
                columns: variable.reads.iter().map(column).collect(),
                times: vec![batch.times[row]; ways.len()].into(),
                origin: Origin::Derived,
            };
            verdicts[number] = holds(&condition.evaluate(&over)?).into();
        }
        Ok(verdicts)
    }

    /// Attempts without a way left are over.
    fn finish(&mut self, attempts: &mut Vec<Attempt>) {
        for mut attempt in attempts.extract_if(.., |attempt| attempt.ways.is_empty()) {
            if let Some(found) = attempt.best.take() {
                self.tentative.remove(&(found.time, attempt.number));
                self.state.results.insert((found.time, attempt.number), found);
            }
        }
    }

    /// Attempts of a partition whose time is over.
    fn end(&mut self, slot: usize, is_over: impl Fn(Timestamp) -> bool) {
        let mut attempts = std::mem::take(&mut self.state.partitions[slot]);
        attempts.iter_mut().filter(|attempt| is_over(attempt.start)).for_each(|attempt| attempt.ways.clear());
        self.finish(&mut attempts);
        self.state.partitions[slot] = attempts;
    }

    /// The rows of the matches whose turn has come.
    fn results(&mut self) -> Result<Option<Batch>, Fault> {
        let later = self.state.results.split_off(&(Timestamp(self.state.settled.0.saturating_add(1)), 0));
        let found = if self.state.settled == Timestamp::MAX {
            std::mem::take(&mut self.state.results).into_iter().chain(later).collect()
        } else {
            std::mem::replace(&mut self.state.results, later)
        };
        if found.is_empty() {
            return Ok(None);
        }
        let classifier =
            |found: &Found| Value::Array(found.path.variables().into_iter().map(|variable| Value::Text(self.name(variable))).collect());
        let column = |number: usize| Column::from_values(found.values().map(|found| found.values.get(number)));
        let over = Batch {
            names: self.names.iter().cloned().chain([Arc::from("#classifier")]).collect(),
            columns: (0..self.names.len()).map(column).chain([Column::from_values(found.values().map(classifier))]).collect(),
            times: found.keys().map(|(time, _)| *time).collect(),
            origin: Origin::Derived,
        };
        let columns = self.spec.measures.iter().map(|(_, measure)| measure.evaluate(&over)).collect::<Result<_, _>>()?;
        let names = self.spec.measures.iter().map(|(name, _)| Arc::clone(name)).collect();
        Ok(Some(Batch { names, columns, times: over.times, origin: Origin::Derived }))
    }

    fn name(&self, variable: Option<usize>) -> Arc<str> {
        variable.map_or_else(|| ".".into(), |variable| Arc::clone(&self.spec.variables[variable].name))
    }
}

impl Operate for Matching {
    fn push(&mut self, _port: usize, batch: &Batch, _context: &mut Context<'_>) -> Result<(), Fault> {
        let evaluate = |expression: &Expression| expression.evaluate(batch);
        let mut columns = self.spec.partition_by.iter().map(evaluate).collect::<Result<Vec<_>, _>>()?;
        let values = self.spec.aggregates.iter().map(|aggregate| evaluate(&aggregate.value)).collect::<Result<Vec<_>, _>>()?;
        let rows = Batch { names: self.names.clone().into(), columns: values.clone(), ..batch.clone() };
        columns.extend(values);
        for (variable, test) in self.spec.variables.iter().zip(&self.tests) {
            if let (Test::Row(_), Some(condition)) = (test, &variable.condition) {
                columns.push(condition.evaluate(&rows)?);
            }
        }
        let names = (0..columns.len()).map(|number| Arc::from(format!("#{number}"))).collect();
        self.state.waiting.push(Batch { names, columns, times: Arc::clone(&batch.times), origin: batch.origin.clone() });
        Ok(())
    }

    fn advance(&mut self, watermark: Timestamp, _context: &mut Context<'_>) -> Result<Vec<Batch>, Fault> {
        if let Some(batch) = self.state.waiting.release(watermark) {
            self.run(&batch)?;
        }
        let duration = self.spec.duration;
        let is_over = |start: Timestamp| start.0.saturating_add(duration) <= watermark.0.saturating_add(1);
        while let Some((_, slot)) = self.state.starts.pop_front_if(|(start, _)| is_over(*start)) {
            self.end(slot as usize, is_over);
        }
        let partitions = &self.state.partitions;
        self.state.keys.sweep(|slot| partitions.get(slot).is_some_and(|attempts| !attempts.is_empty()));
        let next = self.tentative.first().map_or(Timestamp::MAX, |(time, _)| Timestamp(time.0.saturating_sub(1)));
        self.state.settled = self.state.settled.max(watermark.min(next));
        Ok(self.results()?.into_iter().collect())
    }

    fn settled(&self, _watermark: Timestamp) -> Timestamp {
        self.state.settled
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        write("pattern", &self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        self.state = read("pattern", saved)?;
        let attempts = || self.state.partitions.iter().flatten();
        if attempts().flat_map(|attempt| &attempt.ways).any(|way| way.at >= self.program.len()) {
            return Err(Fault::internal("the saved pattern is another than the query's"));
        }
        self.tentative = attempts().filter_map(|attempt| Some((attempt.best.as_ref()?.time, attempt.number))).collect();
        Ok(())
    }
}
