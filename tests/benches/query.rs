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
use tamis::query::{Argument, Called, Catalog, Columns, FunctionInfo, Functions, Script, compile};
use tamis::source::{Decoder, Event, Format, Run, Wanted};
use tamis::time::Timestamp;
use tamis::udf::javascript::{Kind, Scalar, Script as JavaScript, ScriptLimits};
use tamis::udf::{Function, Input, Limits, Sandbox};

const EVENTS: usize = 400_000;
const RUN: usize = 8192;
const ROUNDS: usize = 3;

/// `udf.prediction`: the default fraud model in the sandbox. `udf.double`: JavaScript.
struct Both {
    prediction: Function,
    double: Scalar,
}

impl Both {
    fn new() -> Self {
        let prediction = tamis::pipeline::built_in_function(&Sandbox::new(Limits::default()).unwrap()).unwrap();
        let limits = ScriptLimits::default();
        let script = JavaScript::new("double", "double.js", "function main(amount) { return amount * 2; }", None);
        Self { prediction, double: Scalar::new(script.check(Kind::Scalar, &limits).unwrap(), limits) }
    }

    fn infos(&self) -> Vec<FunctionInfo> {
        let (_, function) = self.prediction.signature().function("score").unwrap();
        let columns = Some(self.prediction.signature().columns.clone());
        vec![
            FunctionInfo { name: "prediction".to_owned(), columns, returns: Some(function.returns) },
            FunctionInfo { name: "double".to_owned(), columns: None, returns: None },
        ]
    }
}

impl Functions for Both {
    fn call(&mut self, name: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        match (name, arguments) {
            ("prediction", [Argument::Record(batch)]) => {
                let called = self.prediction.call("score", batch)?;
                assert!(called.rejected.is_empty(), "{:?}", called.rejected.first());
                Ok(Called { column: called.column, rejected: Vec::new(), failed: Vec::new() })
            }
            ("double", [Argument::Value(column)]) => {
                let answers = self.double.call(&[Input::Value(column)], rows)?;
                Ok(Called { column: answers.column, rejected: Vec::new(), failed: Vec::new() })
            }
            _ => Err(Fault::job(format!("there is no function {name} of these arguments"))),
        }
    }
}

fn runs(body: impl Fn(usize, Timestamp) -> String) -> Vec<Run> {
    let event = |number: usize| {
        let enqueued = Timestamp::from_millis(1_700_000_000_000 + number as i64);
        Event { offset: number as u64, enqueued, body: Bytes::from(body(number, enqueued)), key: None, properties: Vec::new() }
    };
    let all: Vec<Event> = (0..EVENTS).map(event).collect();
    all.chunks(RUN).map(|events| Run { partition: 0, first_offset: events[0].offset, events: events.to_vec() }).collect()
}

/// Payments of 1,000 cards, one a millisecond.
fn payments() -> Vec<Run> {
    runs(|number, at| {
        let (card, shop, amount) = (number % 1000, number % 77, number % 500);
        format!(r#"{{"id":{number},"card":"C-{card}","merchant":"shop {shop}","amount":{amount}.25,"at":"{at}"}}"#)
    })
}

/// Transactions that the default model can score.
fn transactions() -> Vec<Run> {
    let methods = ["internet_payement", "phone", "card_with_contact"];
    runs(|number, _| {
        let (amount, method) = (number % 500, methods[number % 3]);
        format!(
            r#"{{"id":{number},"amount":{amount}.28,"old_balance":{}.5,"income":625.6,"credit":1,"marital_status":0,"children":2,"month":11,"day_of_week":"sunday","category_recipient":"tech_store","transaction_type":"online","transaction_method":"{method}","foreign_transaction":1}}"#,
            number % 90_000
        )
    })
}

fn engine(script: &str) -> Engine {
    let functions = Both::new();
    let catalog = Catalog { functions: functions.infos(), ..Catalog::default() };
    let plan = compile(Script { file: "bench.asaql", text: script }, &catalog).unwrap();
    Engine::new(plan, Box::new(functions), &[], EngineSettings::new(TimeMode::arriving(5, 0, false))).unwrap()
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
    let (payments, transactions) = (payments(), transactions());
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
        ("sliding count by key", "SELECT card, COUNT(*) AS n FROM payments GROUP BY card, SlidingWindow(second, 5)"),
        ("session count by key", "SELECT card, COUNT(*) AS n FROM payments GROUP BY card, SessionWindow(millisecond, 1500, 10000)"),
        (
            "stream-stream join by key",
            "SELECT a.id, b.amount FROM payments a JOIN payments b ON a.card = b.card AND DATEDIFF(millisecond, a, b) BETWEEN 1 AND 1000",
        ),
        ("LAG by key", "SELECT card, LAG(amount) OVER (PARTITION BY card LIMIT DURATION(minute, 1)) AS before FROM payments"),
        ("CROSS APPLY", "SELECT p.PropertyName FROM payments CROSS APPLY GetRecordProperties(payments) AS p"),
        ("WebAssembly function", "SELECT id, udf.prediction(transactions) AS score FROM transactions"),
        ("JavaScript function", "SELECT id, udf.double(amount) AS twice FROM payments"),
    ];
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    queries.iter().filter(|(what, _)| what.contains(&only)).for_each(|(what, script)| {
        let runs = if script.contains("transactions") { &transactions } else { &payments };
        measure(what, script, runs);
    });
}
