//! What it costs, as one table: the function's call beside the native build and onnxruntime in the same run, the
//! module's size, the whole path's events a second, the time to the first scored event. `./scripts/bench` runs it.
//!
//! Machines are noisy, so what counts are the ratios within one run. Each figure is the best of several rounds.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tamis::job::{Folder, Project};
use tamis::pipeline::{Job, Settings};
use tamis::source::{HubSettings, Log, NewEvent, Place};
use tamis::time::SystemClock;
use tamis_tests::golden::{Golden, Guest, built, call, root};
use tamis_tests::host::{HUB, Host, SCORED, tamis};
use wasmtime::{Engine, Module};

const SCORE: u32 = 1;
const EVENTS: usize = 400_000;
const ROWS: [usize; 2] = [1, 10_000];

/// Nanoseconds of the best of the rounds.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e9
    });
    times.fold(f64::INFINITY, f64::min)
}

fn line(what: &str, figure: &str, beside: &str) {
    println!("{what:<44} {figure:>16}   {beside}");
}

/// Nanoseconds a row of onnxruntime on the same golden rows, for each of `ROWS`; `None` where uv is not there.
fn onnxruntime() -> Option<Vec<f64>> {
    let script = root().join("tests/benches/oracle.py");
    let output =
        Command::new(root().join("model/train/train")).arg("--python").arg(script).args(ROWS.map(|rows| rows.to_string())).output().ok()?;
    if !output.status.success() {
        println!("onnxruntime was not measured: {}", String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    String::from_utf8(output.stdout).ok()?.split_whitespace().map(|number| number.parse().ok()).collect()
}

fn function(golden: &Golden) {
    let module = Module::new(&Engine::default(), built("tamis_udf.wasm")).unwrap();
    let mut guest = Guest::of(&module);
    let theirs = onnxruntime();
    for (place, rows) in ROWS.into_iter().enumerate() {
        let frame = golden.frame(rows);
        let calls = (20_000 / rows).max(1);
        let per_row = |nanoseconds: f64| nanoseconds / (calls * rows) as f64;
        let (mut native, mut wasm) = (f64::INFINITY, f64::INFINITY);
        // In turns, so that both meet the same noise.
        for _ in 0..40 {
            native = native.min(per_row(best(1, || {
                for _ in 0..calls {
                    black_box(call(SCORE, black_box(frame.bytes())));
                }
            })));
            wasm = wasm.min(per_row(best(1, || {
                for _ in 0..calls {
                    black_box(guest.run(SCORE, black_box(frame.bytes())));
                }
            })));
        }
        let shown = if rows == 1 { "one row".to_owned() } else { format!("{rows} rows, each") };
        line(&format!("call of {shown}: native"), &format!("{native:.1} ns"), "");
        line(&format!("call of {shown}: wasmtime"), &format!("{wasm:.1} ns"), &format!("{:.2} x native", wasm / native));
        if let Some(theirs) = theirs.as_ref().and_then(|theirs| theirs.get(place)) {
            let beside = format!("wasm is {:.0} x faster", theirs / wasm);
            line(&format!("call of {shown}: onnxruntime"), &format!("{theirs:.1} ns"), &beside);
        }
    }
    let one = golden.frame(1);
    let instantiate = best(50, || drop(black_box(Guest::of(&module))));
    let first = best(50, || {
        black_box(Guest::of(&module).run(SCORE, one.bytes()));
    });
    line("instantiate", &format!("{:.1} us", instantiate / 1e3), "");
    line("instantiate and first score", &format!("{:.1} us", first / 1e3), "");
}

fn size() {
    let bytes = built("tamis_udf.wasm");
    let gzip = Command::new("gzip").args(["-9", "-c"]).arg(root().join("target/udf/tamis_udf.wasm")).output();
    let packed = gzip.map_or_else(|_| String::new(), |output| format!("{} bytes compressed", output.stdout.len()));
    line("module", &format!("{} bytes", bytes.len()), &packed);
}

/// Events as `tamis generate` writes them.
fn events() -> Vec<NewEvent> {
    let output = tamis(&["generate", "--count", &EVENTS.to_string(), "--seed", "1", "--quiet"]);
    let text = Bytes::from(output.stdout);
    let mut start = 0;
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect::<Vec<_>>();
    ends.into_iter()
        .map(|end| {
            let event = NewEvent::new(text.slice(start..end));
            start = end + 1;
            event
        })
        .collect()
}

/// From a filled log to the last document in the store: the default job, both threads, nothing else running.
async fn whole_path() {
    let data = tempfile::tempdir().unwrap();
    let hubs = [HUB, "eventhubspark"].map(|name| HubSettings { name: name.to_owned(), partitions: 4 });
    let log = Log::open(&data.path().join("log"), &hubs, Arc::new(SystemClock)).unwrap();
    let events = events();
    assert_eq!(events.len(), EVENTS);
    for chunk in events.chunks(1000) {
        log.append(HUB, Place::Any, chunk.to_vec()).await.unwrap();
    }
    drop(log);
    let project = Project::read(Folder::default_job()).unwrap();
    let start = Instant::now();
    let mut job = Job::start(project, Settings::new(data.path())).unwrap();
    let mut page = job.page();
    page.wait_for(|page| page.job.documents >= EVENTS as u64).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    job.stop();
    job.ended().await.unwrap();
    let beside = format!("{EVENTS} events in {seconds:.2} s, start included");
    line("whole path, log to store", &format!("{:.0} events/s", EVENTS as f64 / seconds), &beside);
}

/// From `tamis run` on an empty directory to the first document that another process can read.
async fn first_score() {
    let mut least = Duration::MAX;
    for _ in 0..3 {
        let data = tempfile::tempdir().unwrap();
        let output = tamis(&["generate", "--count", "1", "--seed", "1", "--quiet"]);
        let client = reqwest::Client::new();
        let start = Instant::now();
        let host = Host::start(data.path());
        let (status, _) = host.send(&client, &format!("/{HUB}/messages"), output.stdout).await;
        assert_eq!(status, 201);
        host.wait_for_documents(SCORED, 1);
        least = least.min(start.elapsed());
    }
    line(
        "host start to first scored event",
        &format!("{:.0} ms", least.as_secs_f64() * 1e3),
        "module compiled, store made, one event sent",
    );
}

fn main() {
    let golden = Golden::read();
    function(&golden);
    size();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(whole_path());
    runtime.block_on(first_score());
}
