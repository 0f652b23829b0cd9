//! One attempt to match the pattern from one row on.

use serde::{Deserialize, Serialize};

use super::path::Path;
use super::program::Step;
use super::values::Values;
use crate::time::Timestamp;

/// An attempt that may still come to a match, or to one that is preferred.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Its number, in the order of first rows.
    pub(super) number: u64,
    /// The time of its first row.
    pub(super) start: Timestamp,
    /// The ways that go on, the preferred first. Each waits at a [`Step::Row`].
    pub(super) ways: Vec<Way>,
    /// The match that it has.
    pub(super) best: Option<Found>,
}

/// A way through the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Way {
    /// Where it waits.
    pub(super) at: usize,
    pub(super) values: Values,
    path: Path,
}

/// A match.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    /// The time of its last row.
    pub(super) time: Timestamp,
    pub(super) values: Values,
    pub(super) path: Path,
}

/// What of the aggregates tells two ways at the same place apart.
#[derive(Debug)]
pub(super) struct Telling {
    /// The aggregates that a condition reads of earlier rows.
    pub(super) reads: Vec<usize>,
}

impl Attempt {
    /// Before its first row.
    pub(super) fn new(number: u64, start: Timestamp, program: &[Step], aggregates: usize, telling: &Telling) -> Self {
        let mut ways = Ways::new(program, telling);
        // What is complete without a row is no match, and what comes after it may still be one.
        let way = Way { at: 0, values: Values::new(aggregates), path: Path::default() };
        ways.add(&way, &mut |_| false);
        Self { number, start, ways: ways.ways, best: None }
    }

    /// Takes a row. `fits` is asked for each way in order whether the row fits; `values` gives a way's values with the row.
    pub(super) fn take(
        &mut self,
        time: Timestamp,
        program: &[Step],
        telling: &Telling,
        fits: impl FnMut(&Way) -> bool,
        values: impl Fn(&Way) -> Values,
    ) {
        let fitting: Vec<bool> = self.ways.iter().map(fits).collect();
        let mut next = Ways::new(program, telling);
        for (way, _) in self.ways.iter().zip(fitting).filter(|(_, fits)| *fits) {
            let Step::Row(variable) = program[way.at] else { continue };
            let way = Way { at: way.at + 1, values: values(way), path: way.path.then(variable) };
            let mut complete = false;
            next.add(&way, &mut |way| {
                self.best = Some(Found { time, values: way.values.clone(), path: way.path.clone() });
                complete = true;
                true
            });
            // All that is less preferred than a match is given up.
            if complete {
                break;
            }
        }
        self.ways = next.ways;
    }
}

/// The next ways of an attempt.
struct Ways<'a> {
    program: &'a [Step],
    telling: &'a Telling,
    ways: Vec<Way>,
}

impl<'a> Ways<'a> {
    fn new(program: &'a [Step], telling: &'a Telling) -> Self {
        Self { program, telling, ways: Vec::new() }
    }

    /// Follows a way to the rows that it may take next, the preferred first. `complete` hears of a match and says whether to stop.
    fn add(&mut self, way: &Way, complete: &mut dyn FnMut(&Way) -> bool) {
        let mut seen = vec![false; self.program.len()];
        let mut places = vec![way.at];
        while let Some(at) = places.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match self.program[at] {
                Step::Row(_) => self.wait(Way { at, ..way.clone() }),
                Step::Jump(place) => places.push(place),
                Step::Either(first, second) => places.extend([second, first]),
                Step::Match => {
                    if complete(way) {
                        return;
                    }
                }
            }
        }
    }

    /// A way that can only do what a preferred one does is given up.
    fn wait(&mut self, way: Way) {
        let same =
            |known: &Way| known.at == way.at && self.telling.reads.iter().all(|read| known.values.get(*read) == way.values.get(*read));
        if !self.ways.iter().any(same) {
            self.ways.push(way);
        }
    }
}
