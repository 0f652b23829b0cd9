//! What a query costs on one core: events a second through the engine, from JSON bytes and from decoded batches.
//!
//! Machines are noisy: each figure is the best of several rounds, and what counts are the ratios within one run.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::time::Instant;

use bytes::Bytes;
use tamis::batch::Batch;
use tamis::fault::Fault;
use tamis::pipeline::engine::{Engine, EngineSettings, TimeMode};
use tamis::query::{Argument, Called, Catalog, Columns, Functions, Script, compile};
use tamis::source::{Decoder, Event, Format, Run, Wanted};
use tamis::time::Timestamp;

const EVENTS: usize = 400_000;
const RUN: usize = 8192;
const ROUNDS: usize = 3;

/// There are no functions.
struct Nothing;

impl Functions for Nothing {
    fn call(&mut self, name: &str, _: &[Argument<'_>], _: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function {name}")))
    }
}

/// Payments of 1,000 cards, one a millisecond, in runs.
fn events() -> Vec<Run> {
    let event = |number: usize| {
        let body = format!(
            r#"{{"id":{number},"card":"C-{}","merchant":"shop {}","amount":{}.25,"at":"{}"}}"#,
            number % 1000,
            number % 77,
            number % 500,
            Timestamp::from_millis(1_700_000_000_000 + number as i64)
        );
        let enqueued = Timestamp::from_millis(1_700_000_000_000 + number as i64);
        Event { offset: number as u64, enqueued, body: Bytes::from(body), key: None, properties: Vec::new() }
    };
    let all: Vec<Event> = (0..EVENTS).map(event).collect();
    all.chunks(RUN).map(|events| Run { partition: 0, first_offset: events[0].offset, events: events.to_vec() }).collect()
}

fn engine(script: &str) -> Engine {
    let plan = compile(Script { file: "bench.asaql", text: script }, &Catalog::default()).unwrap();
    Engine::new(plan, Box::new(Nothing), &[], EngineSettings::new(TimeMode::arriving(5, 0, false))).unwrap()
}

fn measure(what: &str, script: &str, runs: &[Run]) {
    let columns = match &engine(script).plan().inputs[0].columns {
        Columns::All => Wanted::All,
        Columns::Named(names) => Wanted::Columns(names.clone()),
    };
    let (mut bytes, mut decoded) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let mut decoder = Decoder::new(columns.clone(), Format::Json, 0);
        let mut running = engine(script);
        let start = Instant::now();
        let mut batches: Vec<Batch> = Vec::new();
        let mut rows = 0;
        for run in runs {
            let batch = decoder.decode(run).batch;
            batches.push(batch.clone());
            let results = running.push(0, 0, batch, run.events[0].enqueued).unwrap();
            rows += results.rows.iter().map(|rows| rows.batch.rows()).sum::<usize>();
        }
        rows += running.finish().unwrap().rows.iter().map(|rows| rows.batch.rows()).sum::<usize>();
        bytes = bytes.max(EVENTS as f64 / start.elapsed().as_secs_f64());
        assert!(rows > 0);
        let mut running = engine(script);
        let start = Instant::now();
        for batch in batches {
            let now = batch.times[0];
            running.push(0, 0, batch, now).unwrap();
        }
        running.finish().unwrap();
        decoded = decoded.max(EVENTS as f64 / start.elapsed().as_secs_f64());
    }
    println!("{what:<34} {bytes:>12.0} {decoded:>14.0}");
}

fn main() {
    let runs = events();
    println!("{:<34} {:>12} {:>14}   events a second", "query", "from bytes", "from batches");
    let queries = [
        ("pass-through", "SELECT * FROM payments"),
        ("filter and projection", "SELECT card, amount * 2 AS double FROM payments WHERE amount > 100 AND merchant LIKE 'shop 1%'"),
        ("CASE", "SELECT card, CASE WHEN amount > 250 THEN 'high' ELSE 'low' END AS level FROM payments"),
        ("tumbling count by key", "SELECT card, COUNT(*) AS n FROM payments GROUP BY card, TumblingWindow(second, 10)"),
        (
            "tumbling count, TIMESTAMP BY",
            "SELECT card, COUNT(*) AS n FROM payments TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 10)",
        ),
        ("hopping sum", "SELECT card, SUM(amount) AS s FROM payments GROUP BY card, HoppingWindow(second, 60, 10)"),
        ("LAG by key", "SELECT card, LAG(amount) OVER (PARTITION BY card LIMIT DURATION(minute, 1)) AS before FROM payments"),
        ("CROSS APPLY", "SELECT p.PropertyName FROM payments CROSS APPLY GetRecordProperties(payments) AS p"),
    ];
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    queries.iter().filter(|(what, _)| what.contains(&only)).for_each(|(what, script)| measure(what, script, &runs));
}
