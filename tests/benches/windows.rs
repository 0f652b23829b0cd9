//! What windows cost, as one table: events a second on one core from decoded batches, memory at a million open rows, and how
//! the cost grows with the number of events. `cargo bench -p tamis-tests --bench windows` runs it.
//!
//! Machines are noisy, so what counts are the ratios within one run. Each figure is the best of several rounds.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tamis::batch::{Batch, Column, Origin};
use tamis::fault::Fault;
use tamis::pipeline::operators::{RowFaults, Windowed};
use tamis::query::{
    AggregateFunction, AggregateSpec, Argument, Called, Context, Expression, Functions, Operate, OrderKey, WindowForm, WindowedStep,
};
use tamis::time::{TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Timestamp};

const BATCH: usize = 8192;

#[derive(Debug)]
struct NoFunctions;

impl Functions for NoFunctions {
    fn call(&mut self, name: &str, _arguments: &[Argument<'_>], _rows: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function {name}")))
    }
}

fn column(name: &str) -> Expression {
    Expression::Column(name.into(), Vec::new())
}

fn aggregate(function: AggregateFunction, argument: Option<&str>) -> AggregateSpec {
    AggregateSpec { function, distinct: false, argument: argument.map(column), order_by: Vec::new() }
}

fn count() -> Vec<AggregateSpec> {
    vec![aggregate(AggregateFunction::Count, None)]
}

/// Events of a stream: `apart` ticks between two, keys in turn.
struct Stream {
    names: Arc<[Arc<str>]>,
    /// One batch for each offset of the keys.
    columns: Vec<Vec<Column>>,
    apart: i64,
}

impl Stream {
    fn new(keys: usize, apart: i64) -> Self {
        let rounds = (keys / BATCH).clamp(1, 256);
        let columns = (0..rounds).map(|round| {
            // Scattered, as keys are.
            let key = |row: usize| (round * BATCH + row).wrapping_mul(7919) % keys;
            vec![
                Column::Text((0..BATCH).map(|row| Some(format!("card-{:08}", key(row)))).collect()),
                Column::Float((0..BATCH).map(|row| Some((key(row) % 1000) as f64 / 100.0)).collect()),
            ]
        });
        Self { names: ["card", "amount"].map(Arc::from).into(), columns: columns.collect(), apart }
    }

    fn batch(&self, number: usize) -> Batch {
        let first = (number * BATCH) as u64;
        Batch {
            names: Arc::clone(&self.names),
            columns: self.columns[number % self.columns.len()].clone(),
            times: (first..first + BATCH as u64).map(|row| Timestamp(row as i64 * self.apart)).collect(),
            origin: Origin::Events { input: 0, partition: 0, offsets: (first..first + BATCH as u64).collect() },
        }
    }
}

/// Pushes events and moves the watermark after each batch. Answers the time in the operator for each batch, and the rows that
/// came out.
fn run(operator: &mut Windowed, stream: &Stream, events: usize, advance: bool) -> (Vec<Duration>, usize) {
    let mut spent = Vec::new();
    let mut rows = 0;
    let mut rejected = Vec::new();
    for number in 0..events.div_ceil(BATCH) {
        let mut batch = stream.batch(number);
        if (number + 1) * BATCH > events {
            batch = batch.take(&(0..(events - number * BATCH) as u32).collect::<Vec<_>>());
        }
        let last = batch.times[batch.rows() - 1];
        let mut context = Context { functions: &mut NoFunctions, rejected: &mut rejected };
        let start = Instant::now();
        operator.push(0, &batch, &mut context).unwrap();
        if advance {
            rows += operator.advance(Timestamp(last.0 - 1), &mut context).unwrap().iter().map(Batch::rows).sum::<usize>();
        }
        spent.push(start.elapsed());
    }
    (spent, rows)
}

fn windowed(window: WindowForm, aggregates: Vec<AggregateSpec>) -> Windowed {
    Windowed::new(WindowedStep::new(window, vec![column("card")], aggregates), "bench", RowFaults::Stop)
}

fn hopping(size: i64, hop: i64) -> WindowForm {
    WindowForm::Hopping { size: size * TICKS_PER_SECOND, hop: hop * TICKS_PER_SECOND, offset: 0 }
}

/// Nanoseconds an event, and rows out per event. Of each batch its best round counts, so that other work on the machine, which
/// disturbs some batches of every round, does not.
fn best(rounds: usize, events: usize, stream: &Stream, new: impl Fn() -> Windowed) -> (f64, f64) {
    let (mut best, rows) = run(&mut new(), stream, events, true);
    for _ in 1..rounds {
        let (spent, _) = run(&mut new(), stream, events, true);
        best.iter_mut().zip(spent).for_each(|(best, spent)| *best = spent.min(*best));
    }
    let whole: Duration = best.into_iter().sum();
    (whole.as_secs_f64() * 1e9 / events as f64, rows as f64 / events as f64)
}

fn line(what: &str, figure: &str, beside: &str) {
    println!("{what:<58} {figure:>16}   {beside}");
}

/// Memory of this process in bytes.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<f64>().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}

fn memory(what: &str, window: WindowForm, aggregates: Vec<AggregateSpec>, stream: &Stream) {
    const OPEN: usize = 1 << 20;
    let before = resident();
    let mut operator = windowed(window, aggregates);
    run(&mut operator, stream, OPEN, false);
    // The watermark comes, but no window ends: rows are sorted into their windows.
    let mut rejected = Vec::new();
    let mut context = Context { functions: &mut NoFunctions, rejected: &mut rejected };
    operator.advance(Timestamp((OPEN as i64 / 2) * stream.apart), &mut context).unwrap();
    let each = (resident() - before) / OPEN as f64;
    line(what, &format!("{each:.0} bytes a row"), &format!("{} partial results", operator.kept()));
}

fn main() {
    let everything = || {
        vec![
            aggregate(AggregateFunction::Count, None),
            aggregate(AggregateFunction::Sum, Some("amount")),
            aggregate(AggregateFunction::Avg, Some("amount")),
            aggregate(AggregateFunction::Max { text: false }, Some("amount")),
            aggregate(AggregateFunction::Stdev, Some("amount")),
        ]
    };
    let top = || {
        let order_by = vec![OrderKey { expression: column("amount"), descending: true }];
        vec![AggregateSpec { order_by, ..aggregate(AggregateFunction::TopOne, Some("amount")) }]
    };
    let millisecond = TICKS_PER_MILLISECOND;
    let few = Stream::new(100, millisecond);
    let cards = Stream::new(10_000, millisecond / 10);
    let sliding = WindowForm::Sliding { size: 10 * TICKS_PER_SECOND };
    let session =
        WindowForm::Session { timeout: 20 * millisecond, max_duration: 60 * TICKS_PER_SECOND, partition_by: vec![column("card")] };
    println!("One core, from decoded batches of {BATCH} rows, the watermark moved after each:");
    type Case<'a> = (&'a str, &'a Stream, WindowForm, Vec<AggregateSpec>, usize);
    let cases: [Case<'_>; 9] = [
        ("tumbling 10 s, COUNT by 10,000 keys", &cards, hopping(10, 10), count(), 4_000_000),
        ("tumbling 10 s, five aggregates by 10,000 keys", &cards, hopping(10, 10), everything(), 2_000_000),
        ("hopping 60 s by 5 s, COUNT by 100 keys", &few, hopping(60, 5), count(), 4_000_000),
        (
            "hopping 60 s by 5 s, MAX by 100 keys",
            &few,
            hopping(60, 5),
            vec![aggregate(AggregateFunction::Max { text: false }, Some("amount"))],
            2_000_000,
        ),
        ("sliding 10 s, COUNT by 100 keys", &few, sliding.clone(), count(), 500_000),
        ("sliding 10 s, five aggregates by 100 keys", &few, sliding.clone(), everything(), 500_000),
        ("sliding 10 s, TopOne by 100 keys", &few, sliding, top(), 500_000),
        ("sessions by key, COUNT, 10,000 keys", &cards, session, count(), 2_000_000),
        ("snapshot, COUNT by key", &few, WindowForm::Snapshot, count(), 1_000_000),
    ];
    for (what, stream, window, aggregates, events) in cases {
        let (each, out) = best(5, events, stream, || windowed(window.clone(), aggregates.clone()));
        line(what, &format!("{:.0} events/s", 1e9 / each), &format!("{each:.0} ns an event, {out:.2} rows out"));
    }
    println!("\nMemory at 1,048,576 open rows:");
    let many = Stream::new(1 << 20, 10);
    let week = 7 * 24 * 3600;
    memory("tumbling, COUNT, every row a group of its own", hopping(week, week), count(), &many);
    memory("sliding, COUNT, 100 keys", WindowForm::Sliding { size: week * TICKS_PER_SECOND }, count(), &few);
    memory("sliding, five aggregates, 100 keys", WindowForm::Sliding { size: week * TICKS_PER_SECOND }, everything(), &few);
    println!("\nHow the cost of an event grows with their number (1.00: as in the first column):");
    // Windows of at most a thousand rows, so that the first column is of many windows too.
    let short = [
        ("tumbling 1 s", WindowForm::Hopping { size: TICKS_PER_SECOND, hop: TICKS_PER_SECOND, offset: 0 }),
        ("hopping 1 s by 0.1 s", WindowForm::Hopping { size: TICKS_PER_SECOND, hop: TICKS_PER_SECOND / 10, offset: 0 }),
        ("sliding 1 s", WindowForm::Sliding { size: TICKS_PER_SECOND }),
    ];
    for (what, window) in short {
        let sizes = [10_000, 100_000, 1_000_000, 10_000_000];
        let costs = sizes.map(|events| best((2_000_000 / events).clamp(3, 50), events, &few, || windowed(window.clone(), count())).0);
        let ratios: Vec<String> = costs.iter().map(|cost| format!("{:.2}", cost / costs[0])).collect();
        line(what, &ratios.join("  "), &format!("10^4 to 10^7 events; {:.0} ns each at 10^7", costs[3]));
    }
    // Windows that are open at once: a hop of a second, sizes from 10 s to 1000 s.
    println!("\nHow the cost of an event grows with the windows that are open at once:");
    let costs = [10, 100, 1000].map(|size| best(5, 2_000_000, &few, || windowed(hopping(size, 1), count())));
    for (size, (each, out)) in [10, 100, 1000].into_iter().zip(costs) {
        line(
            &format!("hopping {size} s by 1 s"),
            &format!("{each:.0} ns an event"),
            &format!("{:.2} of 10 s, {out:.2} rows out", each / costs[0].0),
        );
    }
}
