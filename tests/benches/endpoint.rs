//! Rows a second through HTTP: `tamis serve` beside azureml-inference-server-http with the same model in onnxruntime. One
//! client that waits for each answer, in turns, so that both meet the same noise.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::time::Instant;

use bytes::Bytes;
use reqwest::Client;
use serde_json::{Map, Value, json};
use tamis_tests::golden::Golden;
use tamis_tests::host::tamis;
use tamis_tests::server::{Server, inference_server, serve};

/// Rows of one request, and how many are sent in a round.
const REQUESTS: [(usize, usize); 3] = [(1, 50), (1_000, 10), (10_000, 2)];
const ROUNDS: usize = 8;

fn body(golden: &Golden, rows: usize) -> Bytes {
    let columns = golden.json();
    let row = |row: usize| columns.as_object().unwrap().iter().map(|(name, values)| (name.clone(), values[row].clone())).collect();
    let rows: Vec<Map<String, Value>> = (0..rows).map(row).collect();
    json!({ "data": rows }).to_string().into()
}

/// Seconds for so many requests, one after the other.
async fn seconds(client: &Client, server: &Server, body: &Bytes, count: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        let request = client.post(format!("{}/score", server.url())).header("content-type", "application/json").body(body.clone());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
    start.elapsed().as_secs_f64()
}

async fn measure() {
    let golden = Golden::read();
    let signature = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(signature.path(), tamis(&["inspect", "--json"]).stdout).unwrap();
    let (ours, theirs) = (serve(&[]), inference_server("data.py", signature.path()));
    let client = Client::new();
    for (rows, count) in REQUESTS {
        let body = body(&golden, rows);
        let (mut here, mut there) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            here = here.min(seconds(&client, &ours, &body, count).await);
            there = there.min(seconds(&client, &theirs, &body, count).await);
        }
        let rate = |seconds: f64| (rows * count) as f64 / seconds;
        println!(
            "{:<44} {:>12.0} rows/s   inference server {:.0} rows/s: {:.1} x",
            format!("POST /score, {rows} rows a request"),
            rate(here),
            rate(there),
            there / here
        );
    }
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}
