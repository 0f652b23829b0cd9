//! Partitions beside each other: the steps that keep nothing run on all cores; what they make then goes, in the order of the
//! batches, to the steps that keep something. So the results are those of one thread.

use crate::batch::Batch;
use crate::fault::Fault;
use crate::query::{Functions, Plan};

use super::run::{Nodes, Runner};
use super::{Engine, EngineSettings, Results};

/// Rows of a feed: the number of the batch they came in, the feed, the rows.
type Entered = (usize, usize, Batch);

/// What a thread made of its share.
struct Made {
    /// By the number of the batch.
    results: Vec<(usize, Results)>,
    /// What steps that keep something are to take: batch number, step, port, rows.
    later: Vec<(usize, usize, usize, Batch)>,
}

impl Engine {
    /// Runs rows of feeds through the query. `answers` has one place for each batch number.
    pub(super) fn feed_all(&mut self, entered: Vec<Entered>, answers: &mut [Results]) -> Result<(), Fault> {
        let threads = rayon::current_num_threads().min(entered.len());
        while self.forks.len() + 1 < threads
            && let Some(fork) = self.functions.fork()
        {
            self.forks.push(fork);
        }
        let threads = threads.min(self.forks.len() + 1);
        if threads <= 1 {
            return entered.iter().try_for_each(|(number, feed, batch)| self.feed(*feed, batch, &mut answers[*number]));
        }
        let share = entered.len().div_ceil(threads);
        let (plan, settings) = (&*self.plan, &self.settings);
        let (of_feeds, of_steps) = (&self.of_feeds, &self.of_steps);
        let functions = std::iter::once(&mut self.functions).chain(&mut self.forks);
        let lanes: Vec<(&[Entered], &mut Box<dyn Functions>)> = entered.chunks(share).zip(functions).collect();
        let mut made: Vec<Result<Made, Fault>> = Vec::new();
        made.resize_with(lanes.len(), || Err(Fault::internal("a lane did not run")));
        rayon::scope(|scope| {
            for ((rows, functions), place) in lanes.into_iter().zip(&mut made) {
                scope.spawn(move |_| *place = run(plan, settings, of_feeds, of_steps, &mut **functions, rows));
            }
        });
        // In the order of the batches, whatever the threads did first.
        for made in made {
            let Made { results, later } = made?;
            for (number, more) in results {
                let answer = &mut answers[number];
                answer.rows.extend(more.rows);
                answer.rejected.extend(more.rejected);
            }
            for (number, step, port, batch) in later {
                self.runner(&mut answers[number]).take(step, port, &batch)?;
            }
        }
        Ok(())
    }
}

fn run(
    plan: &Plan,
    settings: &EngineSettings,
    of_feeds: &[Vec<(usize, usize)>],
    of_steps: &[Vec<(usize, usize)>],
    functions: &mut dyn Functions,
    rows: &[Entered],
) -> Result<Made, Fault> {
    let mut made = Made { results: Vec::new(), later: Vec::new() };
    for (number, feed, batch) in rows {
        let mut results = Results::default();
        let mut later = Vec::new();
        let mut runner =
            Runner { plan, settings, functions: &mut *functions, nodes: Nodes::Later(&mut later), of_steps, results: &mut results };
        of_feeds[*feed].iter().try_for_each(|(step, port)| runner.take(*step, *port, batch))?;
        made.results.push((*number, results));
        made.later.extend(later.into_iter().map(|(step, port, batch)| (*number, step, port, batch)));
    }
    Ok(made)
}
