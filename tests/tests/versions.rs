//! Versions of a function while the host runs: a challenger beside the champion, a new champion, the way back; no event
//! is lost or scored twice, and each document names who scored it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tamis_tests::golden::{root, target};
use tamis_tests::host::{Host, PATIENCE, SCORED, program};

/// The default model packed as another version, with another threshold: the same scores, other predictions.
fn other(dir: &Path, version: &str, threshold: &str) -> String {
    let path = dir.join(format!("fraud-{version}.wasm"));
    let model = root().join("model/fraud/fraud.onnx");
    let mut command = Command::new(program());
    command.arg("pack").arg(model).arg("-o").arg(&path).args(["--version", version, "--threshold", threshold]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path.to_str().unwrap().to_owned()
}

/// `tamis models …` on a data directory; answers standard output, or the error.
fn models(data: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program()).arg("models").args(arguments).arg("--data-dir").arg(data).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

struct Sender(Child);

impl Drop for Sender {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn send(host: &Host, count: usize, rate: usize) -> Sender {
    let mut command = Command::new(program());
    command.args(["generate", "--quiet", "--seed", "5", "--count", &count.to_string(), "--rate", &rate.to_string(), "--to", &host.url()]);
    Sender(command.stdout(Stdio::null()).spawn().unwrap())
}

/// Waits until a document says this of its model and of a challenger.
fn until(host: &Host, what: &str, holds: impl Fn(&Value) -> bool) {
    let start = Instant::now();
    while !host.documents(SCORED).iter().any(&holds) {
        assert!(start.elapsed() < PATIENCE, "no document with {what}:\n{}", host.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

const EVENTS: usize = 6000;

#[test]
fn versions_change_under_load_without_losing_an_event() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path());
    let mut sender = send(&host, EVENTS, 600);
    let second = other(data.path(), "1.2.0", "0.9");
    let model = |document: &Value, version: &str| document["_model"].as_str().is_some_and(|model| model.contains(version));

    until(&host, "the first version", |document| model(document, "1.1.0"));
    let told = models(data.path(), &["add", &second, "--challenge"]).unwrap();
    assert!(told.contains("taken over") && told.contains("challenger"), "{told}");
    until(&host, "a challenger", |document| !document["_challenger"].is_null());
    let told = models(data.path(), &["promote", "fraud@1.2.0"]).unwrap();
    assert!(told.contains("taken over"), "{told}");
    until(&host, "the second version", |document| model(document, "1.2.0"));
    models(data.path(), &["rollback"]).unwrap();
    assert!(sender.0.wait().unwrap().success());
    let documents = host.wait_for_documents(SCORED, EVENTS);
    assert!(host.interrupt(), "{}", host.log());

    assert_eq!(documents.len(), EVENTS);
    assert_eq!(documents.iter().map(|document| document["id"].as_u64().unwrap()).collect::<BTreeSet<_>>().len(), EVENTS);
    let (mut challenged, mut by_second) = (0, 0);
    for document in &documents {
        let score = document["score"].as_f64().unwrap();
        let threshold = if model(document, "1.2.0") { 0.9 } else { 0.5 };
        by_second += usize::from(threshold > 0.5);
        assert_eq!(document["prediction"], i64::from(score >= threshold), "{document}");
        if let Value::Object(challenger) = &document["_challenger"] {
            challenged += 1;
            assert!(challenger["model"].as_str().unwrap().starts_with("fraud 1.2.0 "), "{document}");
            assert_eq!(challenger["score"].as_f64(), Some(score));
            assert_eq!(challenger["prediction"], i64::from(score >= 0.9));
        }
    }
    assert!(challenged > 0 && by_second > 0 && by_second < EVENTS, "{challenged} {by_second}");
    assert!(model(documents.last().unwrap(), "1.1.0"), "after the way back the first one decides again");

    // What was wished holds for the next start, too.
    let told = models(data.path(), &["promote", "1.2.0"]).unwrap();
    assert!(told.contains("no job runs here"), "{told}");
    host.start_again();
    drop(send(&host, 10, 0).0.wait());
    let documents = host.wait_for_documents(SCORED, EVENTS + 10);
    assert!(model(documents.last().unwrap(), "1.2.0"));
}

#[test]
fn a_version_that_does_not_fit_is_refused_with_the_reason_and_the_job_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let foreign = data.path().join("foreign.wasm");
    std::fs::write(&foreign, wat::parse_str("(module (func (export \"run\")))").unwrap()).unwrap();
    let error = models(data.path(), &["add", foreign.to_str().unwrap(), "--promote"]).unwrap_err();
    assert!(error.contains("export"), "{error}");

    // A module of the contract whose signature asks for a column that the query's step does not have.
    let mut wasm = std::fs::read(target().join("udf/tamis_udf.wasm")).unwrap();
    let (from, to) = (br#""name":"old_balance""#, br#""name":"new_balance""#);
    for at in 0..wasm.len() - from.len() {
        if &wasm[at..at + from.len()] == from {
            wasm[at..at + from.len()].copy_from_slice(to);
        }
    }
    let lacking = data.path().join("lacking.wasm");
    std::fs::write(&lacking, wasm).unwrap();
    let error = models(data.path(), &["add", lacking.to_str().unwrap(), "--promote"]).unwrap_err();
    assert!(error.contains("did not take it over") && error.contains("new_balance"), "{error}");

    let listed = models(data.path(), &["list"]).unwrap();
    let champions: Vec<&str> = listed.lines().filter(|line| line.contains("champion")).collect();
    assert!(champions.len() == 1 && champions[0].contains("udf.prediction, udf.score"), "{listed}");
    assert!(models(data.path(), &["promote", "9.9.9"]).unwrap_err().contains("there is no version '9.9.9'"));
    assert!(models(data.path(), &["rollback"]).unwrap_err().contains("nothing to go back to"));
    drop(send(&host, 20, 0).0.wait());
    assert_eq!(host.wait_for_documents(SCORED, 20).len(), 20);
}
