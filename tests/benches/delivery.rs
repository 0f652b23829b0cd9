//! What delivery costs, as one table: into the log, out to each sink, how long an event is on its way, how long a start
//! takes after a kill, how much memory. `./scripts/bench delivery` runs it; NAME... after it runs only those parts:
//! ingest, sinks, latency, recovery, overload.
//!
//! Senders, readers and servers run on the same machine and are part of every figure.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tamis::job::{Folder, Project};
use tamis::pipeline::{Job, Settings};
use tamis::source::{HubSettings, Log, NewEvent, Place};
use tamis::store::Reader;
use tamis::time::SystemClock;
use tamis_tests::cosmos::{Cosmos, KEY, Project as Fraud};
use tamis_tests::host::{HUB, Host, SCORED, tamis};
use tamis_tests::outputs::Outputs;
use tamis_tests::push::{Mode, PushServer};

const EVENTS: usize = 200_000;
const BACKLOG: u64 = 1_000_000;

fn line(what: &str, figure: &str, beside: &str) {
    println!("{what:<44} {figure:>18}   {beside}");
}

fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Events as `tamis generate` writes them, one a line.
fn generated(count: usize) -> Bytes {
    Bytes::from(tamis(&["generate", "--count", &count.to_string(), "--seed", "1", "--quiet"]).stdout)
}

fn lines(text: &Bytes) -> Vec<Bytes> {
    let mut start = 0;
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    ends.map(|end| {
        let line = text.slice(start..end);
        start = end + 1;
        line
    })
    .collect()
}

/// Events as the body of one batch.
fn batch(events: &[Bytes]) -> String {
    let item = |event: &Bytes| json!({ "Body": String::from_utf8_lossy(event) });
    Value::Array(events.iter().map(item).collect()).to_string()
}

async fn post(client: &reqwest::Client, address: &str, body: Bytes) {
    let request = client.post(address).header("content-type", "application/vnd.microsoft.servicebus.json").bearer_auth("any");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

/// Into the log: what is answered is on disk. The job reads beside it.
async fn ingest() {
    const EACH: usize = 1000;
    let events = lines(&generated(EVENTS));
    let bodies: Vec<Bytes> = events.chunks(EACH).map(|events| Bytes::from(batch(events))).collect();
    let bytes: usize = bodies.iter().map(Bytes::len).sum();
    for senders in [1, 4] {
        let data = tempfile::tempdir().unwrap();
        let project = Outputs::new("Retry", &[("kept", json!({ "DataSourceType": "Embedded Store" }))]);
        let host = Host::start_project(data.path(), Some(&project.path()));
        let bodies = Arc::new(Mutex::new(VecDeque::from(bodies.clone())));
        let address = format!("{}/{}/messages", host.url(), tamis_tests::outputs::HUB);
        let start = Instant::now();
        let tasks = (0..senders).map(|_| {
            let (bodies, address) = (Arc::clone(&bodies), address.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    let Some(body) = bodies.lock().pop_front() else { return };
                    post(&client, &address, body).await;
                }
            })
        });
        futures::future::join_all(tasks).await.into_iter().for_each(Result::unwrap);
        let time = start.elapsed();
        let beside = format!("batches of {EACH}, {:.0} MB/s, the job runs beside it", bytes as f64 / 1e6 / time.as_secs_f64());
        line(&format!("REST batches into the log, {senders} sender(s)"), &format!("{:.0} events/s", rate(EVENTS, time)), &beside);
    }
}

/// From a file with events through `SELECT *` to the end of delivery, in this process.
async fn sink(what: &str, count: usize, file: &Path, local: Value, beside: &str) {
    let project = Outputs::with_query("Retry", &[("out", local)], |out| format!("SELECT * INTO {out} FROM input\n"));
    let mock = json!({ "Name": "input", "Type": "Data Stream", "DataSourceType": "Local Input", "FilePath": file, "Serialization": { "Type": "Json" } });
    std::fs::write(project.path().join("Inputs/Local_input.json"), mock.to_string()).unwrap();
    let start = Instant::now();
    let mut job = Job::start(Project::read(Folder::on_disk(project.path())).unwrap(), Settings::new(project.data())).unwrap();
    job.ended().await.unwrap();
    line(what, &format!("{:.0} rows/s", rate(count, start.elapsed())), beside);
}

async fn sinks() {
    let dir = tempfile::tempdir().unwrap();
    let write = |count: usize| {
        let path = dir.path().join(format!("events-{count}.json"));
        std::fs::write(&path, generated(count)).unwrap();
        path
    };
    let many = write(EVENTS);
    let folder =
        |kind: &str, pattern: &str| json!({ "DataSourceType": "Folder", "PathPattern": pattern, "Serialization": { "Type": kind } });
    sink(
        "out to the embedded store",
        EVENTS,
        &many,
        json!({ "DataSourceType": "Embedded Store" }),
        "16 columns; reading and decoding included",
    )
    .await;
    sink("out to JSON lines", EVENTS, &many, json!({ "DataSourceType": "JSON Lines" }), "").await;
    sink("out to a folder, JSON", EVENTS, &many, folder("Json", "{day_of_week}/{date}"), "by day of the week").await;
    sink("out to a folder, CSV", EVENTS, &many, folder("Csv", "{date}/{time}"), "").await;
    sink("out to a folder, Parquet", EVENTS, &many, folder("Parquet", "{date}/{time}"), "a file for 10,000 rows").await;
    let server = PushServer::start_with(false).await;
    let push = json!({ "DataSourceType": "HTTP Push", "Url": server.url });
    sink("out by HTTP push", EVENTS, &many, push, "requests of 1,000 rows; the server reads them as JSON").await;
    assert_eq!(server.taken(), EVENTS as u64);
    let cosmos = Cosmos::start();
    cosmos.make("bench", "/day_of_week", None);
    let count = 10_000;
    let properties = json!({ "Database": "fraud", "ContainerName": "bench", "PartitionKey": "day_of_week", "AccountKey": KEY });
    let local = json!({ "DataSourceType": "Cosmos DB", "Endpoint": cosmos.server, "DocumentDbProperties": properties });
    sink("out to Cosmos DB", count, &write(count), local, "the npm server on the same machine, in batches of 100").await;
}

/// The fraud project without its windowed statement, so that the page counts one row an event.
fn fraud() -> Fraud {
    let text = std::fs::read_to_string(tamis_tests::golden::root().join("host/jobs/fraud/fraud.asaql")).unwrap();
    let windowed = &text[text.find("SELECT\n    System.Timestamp()").unwrap()..];
    Fraud::with_output(&json!({ "DataSourceType": "Embedded Store" })).replace("fraud.asaql", windowed, "")
}

/// When a count was first seen to be reached.
#[derive(Debug, Default)]
struct Reached(Mutex<Vec<(u64, Instant)>>);

impl Reached {
    fn add(&self, count: u64) {
        let mut known = self.0.lock();
        if known.last().is_none_or(|(last, _)| *last < count) {
            known.push((count, Instant::now()));
        }
    }

    /// Milliseconds from each acceptance until it was counted, ascending.
    fn after(&self, accepted: &[(u64, Instant)]) -> Vec<f64> {
        let known = self.0.lock();
        let mut waits: Vec<f64> = accepted
            .iter()
            .map(|(count, at)| {
                let place = known.partition_point(|(reached, _)| reached < count);
                known[place].1.saturating_duration_since(*at).as_secs_f64() * 1e3
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        waits
    }
}

fn percentiles(waits: &[f64]) -> String {
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    format!("{:.0} / {:.0} ms", at(0.5), at(0.99))
}

/// From an accepted POST to the document that another process reads, and to the page's state, at a steady rate.
async fn latency(per_second: u64) {
    const TICK: Duration = Duration::from_millis(10);
    let seconds = 20;
    let each = per_second / 100;
    let events = lines(&generated(20_000));
    let bodies: Vec<Bytes> = events.chunks(usize::try_from(each).unwrap()).map(|events| Bytes::from(batch(events))).collect();
    let project = fraud();
    let host = Host::start_project(&project.data(), Some(&project.path()));
    let client = reqwest::Client::new();
    let address = format!("{}/{HUB}/messages", host.url());
    let (on_page, in_store) = (Arc::new(Reached::default()), Arc::new(Reached::default()));
    let page = tokio::spawn({
        let (on_page, url) = (Arc::clone(&on_page), format!("{}/feed", host.url()));
        async move {
            let mut chunks = reqwest::get(url).await.unwrap().bytes_stream();
            let mut text = String::new();
            while let Some(Ok(chunk)) = chunks.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some(end) = text.find("\n\n") {
                    let seq = text[..end].split("data: {\"seq\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
                    seq.into_iter().for_each(|seq| on_page.add(seq));
                    text.drain(..end + 2);
                }
            }
        }
    });
    let done = Arc::new(AtomicU64::new(u64::MAX));
    let store = std::thread::spawn({
        let (in_store, data, done) = (Arc::clone(&in_store), project.data(), Arc::clone(&done));
        move || {
            let reader = Reader::open(&data).unwrap();
            loop {
                let counts = reader.counts().unwrap();
                let count = counts.iter().find(|(name, _)| name == SCORED).map_or(0, |(_, count)| *count);
                in_store.add(count);
                if count >= done.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let (mut accepted, mut sent) = (Vec::new(), 0);
    let start = Instant::now();
    for tick in 0..seconds * 100 {
        tokio::time::sleep_until((start + TICK * tick).into()).await;
        let body = &bodies[usize::try_from(tick).unwrap() % (bodies.len() - 1)];
        post(&client, &address, body.clone()).await;
        sent += each;
        accepted.push((sent, Instant::now()));
    }
    let real = rate(usize::try_from(sent).unwrap(), start.elapsed());
    done.store(sent, Ordering::SeqCst);
    store.join().unwrap();
    while on_page.0.lock().last().is_none_or(|(seq, _)| *seq < sent) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    page.abort();
    let beside = format!("p50 / p99; {real:.0} events/s in fact, scored, batches of {each}");
    line(&format!("POST to document at {per_second}/s"), &percentiles(&in_store.after(&accepted)), &beside);
    line(&format!("POST to page at {per_second}/s"), &percentiles(&on_page.after(&accepted)), "p50 / p99");
    line(
        &format!("memory at {per_second}/s"),
        &format!("{} MiB", host.mebibytes("VmRSS")),
        &format!("{} MiB at most", host.mebibytes("VmHWM")),
    );
}

/// A start on a long backlog, after a kill in the middle of it.
async fn recovery() {
    let project = fraud();
    let hubs = [HUB, "eventhubspark"].map(|name| HubSettings { name: name.to_owned(), partitions: 4 });
    let log = Log::open(&project.data().join("log"), &hubs, Arc::new(SystemClock)).unwrap();
    let events: Vec<NewEvent> = lines(&generated(EVENTS)).into_iter().map(NewEvent::new).collect();
    for _ in 0..BACKLOG / EVENTS as u64 {
        for chunk in events.chunks(5000) {
            log.append(HUB, Place::Any, chunk.to_vec()).await.unwrap();
        }
    }
    drop(log);
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    let reader = Reader::open(&project.data()).unwrap();
    let documents = || reader.counts().unwrap().iter().find(|(name, _)| name == SCORED).map_or(0, |(_, count)| *count);
    let until = async |count: u64| {
        while documents() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until(BACKLOG / 10).await;
    host.kill();
    let before = documents();
    let start = Instant::now();
    host.start_again();
    let healthy = start.elapsed();
    until(before + 1).await;
    let first = start.elapsed();
    until(BACKLOG).await;
    let all = start.elapsed();
    let left = BACKLOG - before;
    let beside = format!("{left} events wait; healthy after {:.0} ms", healthy.as_secs_f64() * 1e3);
    line("kill to the next document", &format!("{:.0} ms", first.as_secs_f64() * 1e3), &beside);
    let beside = format!("{:.0} events/s; {} MiB at most", rate(usize::try_from(left).unwrap(), all), host.mebibytes("VmHWM"));
    line("kill to the last document", &format!("{:.1} s", all.as_secs_f64()), &beside);
    assert_eq!(documents(), BACKLOG);
}

/// Ten times as much as an output takes.
async fn overload() {
    let server = PushServer::start_with(false).await;
    server.set(Mode::Slow(Duration::from_millis(100)));
    let push = json!({ "DataSourceType": "HTTP Push", "Url": server.url, "MaxRows": 100 });
    let project = Outputs::new("Retry", &[("pushed", push), ("kept", json!({ "DataSourceType": "Embedded Store" }))]);
    let host = Host::start_with(&project.data(), Some(&project.path()), &[("TAMIS_OUTBOX_BYTES", "4000000")]);
    let client = reqwest::Client::new();
    let address = format!("{}/{}/messages", host.url(), tamis_tests::outputs::HUB);
    let start = Instant::now();
    let (mut steady, mut sent) = (0, 0);
    while start.elapsed() < Duration::from_secs(20) {
        post(&client, &address, Bytes::from(tamis_tests::outputs::batch(sent..sent + 1000))).await;
        sent += 1000;
        if steady == 0 && start.elapsed() > Duration::from_secs(2) {
            steady = host.mebibytes("VmRSS");
        }
        tokio::time::sleep_until((start + Duration::from_millis(sent / 10)).into()).await;
    }
    let beside = format!("{steady} MiB after 2 s; {sent} events came in 20 s, {} rows went", server.taken());
    line("memory at ten times what an output takes", &format!("{} MiB at most", host.mebibytes("VmHWM")), &beside);
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|asked| asked == part);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if wanted("ingest") {
            ingest().await;
        }
        if wanted("sinks") {
            sinks().await;
        }
        if wanted("latency") {
            for per_second in [1000, 10_000] {
                latency(per_second).await;
            }
        }
        if wanted("recovery") {
            recovery().await;
        }
        if wanted("overload") {
            overload().await;
        }
    });
}
