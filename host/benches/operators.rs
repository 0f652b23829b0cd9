//! What a join of streams and LAG cost an event, from decoded batches, on one core: `cargo bench -p tamis --bench operators`.
//! The cost should not depend on how many events there are.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::sync::Arc;

use tamis::batch::{Batch, Column, Origin};
use tamis::fault::Fault;
use tamis::query::{
    Analytic, AnalyticFunction, AnalyticSpec, Argument, Called, Context, Expression, Functions, Join, JoinKind, JoinSpec, Operate,
};
use tamis::time::{TICKS_PER_SECOND, Timestamp};

const BATCH: usize = 4096;
/// As many cards as there are, each with an event every 100 seconds at 100 events a second.
const CARDS: usize = 10_000;

#[derive(Debug)]
struct NoFunctions;

impl Functions for NoFunctions {
    fn call(&mut self, name: &str, _arguments: &[Argument<'_>], _rows: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function '{name}'")))
    }
}

/// Events `first..first + BATCH`: a card, an amount and the time, 100 a second.
fn events(input: usize, first: usize) -> Batch {
    let numbers = first..first + BATCH;
    // Each input has the cards in another order.
    let cards: Vec<String> = numbers.clone().map(|number| format!("C-{:06}", number * (7 + 4 * input) % CARDS)).collect();
    Batch {
        names: ["card", "amount"].map(Arc::from).into(),
        columns: vec![
            Column::Text(cards.iter().map(|card| Some(card.as_str())).collect()),
            Column::Float(numbers.clone().map(|number| number as f64 / 7.0).collect::<Vec<_>>().into()),
        ],
        times: numbers.clone().map(|number| Timestamp(number as i64 * TICKS_PER_SECOND / 100)).collect(),
        origin: Origin::Events { input, partition: 0, offsets: numbers.map(|number| number as u64).collect() },
    }
}

fn column(name: &str) -> Expression {
    Expression::Column(name.into(), Vec::new())
}

fn join() -> Box<dyn Operate> {
    let spec = JoinSpec {
        kind: JoinKind::Inner,
        left: Some("p".into()),
        right: "c".into(),
        keys: vec![(column("p.card"), column("c.card"))],
        anchor: None,
        anchor_lag: 0,
        within: (0, 30 * TICKS_PER_SECOND),
        unmatched_after: 30 * TICKS_PER_SECOND,
        condition: None,
    };
    Box::new(Join::new(spec))
}

fn left_join() -> Box<dyn Operate> {
    let spec = JoinSpec {
        kind: JoinKind::Left,
        left: Some("p".into()),
        right: "c".into(),
        keys: vec![(column("p.card"), column("c.card"))],
        anchor: None,
        anchor_lag: 0,
        within: (0, 30 * TICKS_PER_SECOND),
        unmatched_after: 30 * TICKS_PER_SECOND,
        condition: None,
    };
    Box::new(Join::new(spec))
}

fn lag() -> Box<dyn Operate> {
    let spec = AnalyticSpec {
        name: "#analytic0".into(),
        function: AnalyticFunction::Lag { value: column("amount"), offset: 1, default: None },
        partition_by: vec![column("card")],
        duration: 3600 * TICKS_PER_SECOND,
        when: None,
    };
    Box::new(Analytic::new(vec![spec]).unwrap())
}

/// Nanoseconds that this thread was running: other programs on the machine do not count. Where Linux does not tell, the time passed.
fn running() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    told.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() * 1e9)
}

/// Seconds an event, and rows out.
fn run(make: fn() -> Box<dyn Operate>, ports: usize, events_in: usize) -> (f64, usize) {
    let batches: Vec<Vec<Batch>> =
        (0..events_in.div_ceil(BATCH * ports)).map(|number| (0..ports).map(|port| events(port, number * BATCH)).collect()).collect();
    let mut operator = make();
    let (mut functions, mut rejected, mut rows) = (NoFunctions, Vec::new(), 0);
    let start = running();
    for round in &batches {
        let mut context = Context { functions: &mut functions, rejected: &mut rejected };
        for (port, batch) in round.iter().enumerate() {
            operator.push(port, batch, &mut context).unwrap();
        }
        let watermark = *round[0].times.last().unwrap();
        rows += black_box(operator.advance(watermark, &mut context).unwrap()).iter().map(Batch::rows).sum::<usize>();
    }
    ((running() - start) / 1e9 / (batches.len() * ports * BATCH) as f64, rows)
}

fn main() {
    for (name, make, ports) in [
        ("stream-stream join, inner", join as fn() -> Box<dyn Operate>, 2),
        ("stream-stream join, left", left_join, 2),
        ("LAG per card", lag, 1),
    ] {
        for events_in in [100_000, 1_000_000, 4_000_000] {
            let (mut best, mut rows) = (f64::INFINITY, 0);
            for _ in 0..3 {
                let (cost, made) = run(make, ports, events_in);
                best = best.min(cost);
                rows = made;
            }
            println!("{name:<28} {events_in:>9} events {:>12.0} events/s {:>8.0} ns an event {rows:>10} rows out", 1.0 / best, best * 1e9);
        }
    }
}
