//! The other outputs: rows pushed by HTTP, files in folders. One that is down holds up no other, and nothing is lost.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tamis_tests::host::{Host, PATIENCE, program};
use tamis_tests::outputs::{HUB, Outputs, batch, event, read_files, send};
use tamis_tests::push::{Mode, PushServer};

fn pushed(url: &str) -> Value {
    json!({ "DataSourceType": "HTTP Push", "Url": format!("{url}/rows?key=never-print-this-key"), "KeyColumn": "_key" })
}

fn stored() -> Value {
    json!({ "DataSourceType": "Embedded Store" })
}

fn folder(more: &Value) -> Value {
    let mut local = json!({ "DataSourceType": "Folder", "FolderPath": "files" });
    local.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    local
}

/// Sends events with these ids, in batches, to both partitions in turn.
async fn send_all(host: &Host, ids: std::ops::Range<u64>, size: u64) {
    let client = reqwest::Client::new();
    let mut first = ids.start;
    while first < ids.end {
        let end = (first + size).min(ids.end);
        let partition = u32::try_from(first / size % 2).unwrap();
        assert_eq!(send(&client, &host.url(), partition, batch(first..end)).await, Some(201));
        first = end;
    }
}

/// Waits for a condition.
async fn until(what: &str, host: &Host, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn health(host: &Host) -> Value {
    host.json(&reqwest::Client::new(), "/health").await
}

/// The ids, with how often each is there.
fn ids<'a>(rows: impl IntoIterator<Item = &'a Value>) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for row in rows {
        let id = row["id"].as_u64().or_else(|| row["id"].as_str()?.parse().ok()).unwrap();
        *found.entry(id).or_insert(0) += 1;
    }
    found
}

fn assert_once<'a>(what: &str, rows: impl IntoIterator<Item = &'a Value>, count: u64) {
    let found = ids(rows);
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{what}: more than once: {twice:?}");
    let lost: Vec<_> = (0..count).filter(|id| !found.contains_key(id)).collect();
    assert!(lost.is_empty() && found.len() as u64 == count, "{what}: lost {lost:?} of {count}, {} are there", found.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_is_down_delays_only_its_own_part() {
    const EVENTS: u64 = 3000;
    let server = PushServer::start().await;
    let project = Outputs::new("Retry", &[("pushed", pushed(&server.url)), ("files", folder(&json!({}))), ("kept", stored())]);
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    send_all(&host, 0..100, 100).await;
    until("rows while all is well", &host, async || server.taken() == 100).await;
    server.set(Mode::Refuse(503, None));
    send_all(&host, 100..EVENTS, 100).await;
    // The others have everything; it has nothing.
    host.wait_for_documents("kept", usize::try_from(EVENTS).unwrap());
    let files = project.data().join("files");
    until("all rows in files", &host, async || read_lines(&files).len() as u64 == EVENTS).await;
    assert_eq!(server.taken(), 100);
    until("the rows behind", &host, async || {
        health(&host).await["outputs"][1]["behind"] == 0 && behind(&host, "pushed").await == EVENTS - 100
    })
    .await;
    let client = reqwest::Client::new();
    let answer = client.get(format!("{}/health", host.url())).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the job goes on");
    let health_now: Value = answer.json().await.unwrap();
    assert_eq!(health_now["status"], "behind");
    let reason = health_now["reason"].as_str().unwrap();
    assert!(reason.contains("'pushed' is 2900 rows behind") && reason.contains("503") && reason.contains(&server.url), "{reason}");
    let metrics = client.get(format!("{}/metrics", host.url())).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("OutputEventsBehind{output=\"pushed\"} 2900"), "{metrics}");
    assert!(metrics.contains("OutputEventsBehind{output=\"files\"} 0"), "{metrics}");
    let page = page_state(&host).await;
    assert!(page.contains("\"outputs\":[{\"name\":\"pushed\",\"behind\":2900"), "{page}");

    server.set(Mode::Take);
    until("all rows", &host, async || server.taken() == EVENTS).await;
    until("the end of waiting", &host, async || health(&host).await["status"] == "running").await;
    let rows = server.rows();
    assert_once("pushed", &rows, EVENTS);
    // In order: those of one partition as they came.
    for partition in 0..2 {
        let of_partition = rows.iter().map(|row| row["id"].as_u64().unwrap()).filter(|id| id / 100 % 2 == partition);
        assert!(of_partition.is_sorted());
    }
    // Straight again.
    send_all(&host, EVENTS..EVENTS + 100, 100).await;
    until("rows after it", &host, async || server.taken() == EVENTS + 100).await;
    assert!(host.interrupt(), "{}", host.log());
    assert_hidden(&host.log());
    assert_hidden(&format!("{health_now}{metrics}{page}"));
}

fn assert_hidden(text: &str) {
    assert!(!text.contains("never-print-this"), "{text}");
}

async fn behind(host: &Host, output: &str) -> u64 {
    let health = health(host).await;
    let found = health["outputs"].as_array().unwrap().iter().find(|state| state["name"] == output).unwrap().clone();
    found["behind"].as_u64().unwrap()
}

/// The page's first state.
async fn page_state(host: &Host) -> String {
    use futures::StreamExt;
    let answer = reqwest::get(format!("{}/feed", host.url())).await.unwrap();
    let (mut text, mut chunks) = (String::new(), answer.bytes_stream());
    while !text.contains("\n\n") {
        text.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    text
}

/// The rows of all JSON lines below a folder.
fn read_lines(folder: &Path) -> Vec<Value> {
    let mut rows = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return rows };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rows.extend(read_lines(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            // The last line may be on its way.
            rows.extend(
                text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| serde_json::from_str::<Value>(line).unwrap()),
            );
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_in_the_outbox_survive_kills_and_arrive_once() {
    const EVENTS: u64 = 4000;
    let server = PushServer::start().await;
    let project = Outputs::new("Retry", &[("pushed", pushed(&server.url)), ("files", folder(&json!({}))), ("kept", stored())]);
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    // Killed while it takes rows, while it is down, and while it gets what it missed.
    send_all(&host, 0..1000, 50).await;
    host.kill_and_start();
    server.set(Mode::Refuse(500, None));
    for first in [1000, 2000] {
        send_all(&host, first..first + 1000, 50).await;
        until("rows behind", &host, async || behind(&host, "pushed").await > 0).await;
        host.kill_and_start();
    }
    send_all(&host, 3000..EVENTS, 50).await;
    server.set(Mode::Slow(Duration::from_millis(20)));
    until("some rows", &host, async || server.taken() > 1500).await;
    host.kill_and_start();
    server.set(Mode::Take);
    host.wait_for_documents("kept", usize::try_from(EVENTS).unwrap());
    until("the end of waiting", &host, async || health(&host).await["status"] == "running").await;
    let distinct = || server.rows().iter().map(|row| row["_key"].to_string()).collect::<HashSet<_>>().len() as u64;
    until("all rows", &host, async || distinct() == EVENTS).await;
    assert!(host.interrupt(), "{}", host.log());
    // By key, each row is one; a row that comes again has the same key and the same values.
    let mut by_key: HashMap<String, Value> = HashMap::new();
    for row in server.rows() {
        let known = by_key.entry(row["_key"].as_str().unwrap().to_owned()).or_insert_with(|| row.clone());
        assert_eq!(*known, row);
    }
    assert_once("pushed, by key", by_key.values(), EVENTS);
    assert_once("kept", &host.documents("kept"), EVENTS);
    assert_once("files", &read_lines(&project.data().join("files")), EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_an_output_refuses_are_dead_letters_that_name_it() {
    let server = PushServer::start().await;
    server.set(Mode::Picky("bad"));
    let nowhere = folder(&json!({ "PathPattern": "{place}" }));
    let project = Outputs::new("Drop", &[("pushed", pushed(&server.url)), ("files", nowhere), ("kept", stored())]);
    let host = Host::start_project(&project.data(), Some(&project.path()));
    send_all(&host, 0..200, 200).await;
    host.wait_for_documents("kept", 200);
    until("the good rows", &host, async || server.taken() == 180).await;
    let client = reqwest::Client::new();
    let letters = async || host.json(&client, "/api/dead-letters?limit=1000").await.as_array().unwrap().clone();
    until("the dead letters", &host, async || page_state(&host).await.contains("\"dead_letters\":220")).await;
    let letters = letters().await;
    let of = |output: &str| letters.iter().filter(|letter| letter["step"] == format!("output {output}")).collect::<Vec<_>>();
    let refused = of("pushed");
    assert!(!refused.is_empty(), "{letters:?}");
    for letter in refused {
        assert!(letter["reason"].as_str().unwrap().contains("400 Bad Request: so says the server"), "{letter}");
        let body: Value = serde_json::from_str(letter["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["id"].as_u64().unwrap() % 10, 7, "the row itself is kept: {body}");
    }
    assert!(of("files").iter().all(|letter| letter["reason"].as_str().unwrap().contains("cast it to nvarchar(max)")), "{letters:?}");
    assert!(server.rows().iter().all(|row| row["bad"] == false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_bi_gets_rows_with_the_login_within_its_limits_and_its_wait_is_kept() {
    let server = PushServer::start().await;
    let local = json!({ "DataSourceType": "Power BI", "RequestsPerMinute": 600 });
    let project = Outputs::new("Retry", &[("power-bi", local), ("kept", stored())]);
    let url = format!("{}/v1.0/myorg/datasets/d/tables/t/rows?key=never-print-this-key", server.url);
    let environment = [("TAMIS_PUSH_URL_POWER_BI", url.as_str()), ("TAMIS_PUSH_TOKEN_POWER_BI", "never-print-this-token")];
    server.set(Mode::Refuse(429, Some(3)));
    let mut host = Host::start_with(&project.data(), Some(&project.path()), &environment);
    send_all(&host, 0..10, 10).await;
    until("the first request", &host, async || !server.seen().is_empty()).await;
    server.set(Mode::Take);
    for first in (10..500).step_by(10) {
        send_all(&host, first..first + 10, 10).await;
    }
    until("all rows", &host, async || server.taken() == 500).await;
    let seen = server.seen();
    let waited = seen[1].at - seen[0].at;
    assert!(waited > Duration::from_millis(2900), "it asked for 3 s and got {waited:?}");
    for pair in seen[1..].windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart > Duration::from_millis(50), "600 requests a minute are one in 100 ms: {apart:?}");
    }
    assert!(seen.iter().all(|seen| seen.uri == "/v1.0/myorg/datasets/d/tables/t/rows?key=never-print-this-key"), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.authorization.as_deref() == Some("Bearer never-print-this-token")));
    let rows = server.rows();
    assert_once("Power BI", &rows, 500);
    let expected = json!({ "id": 7, "part": 2, "kind": "kind 1", "bad": true, "place": "IRecord" });
    assert_eq!(rows.iter().find(|row| row["id"] == 7), Some(&expected));
    assert!(host.interrupt(), "{}", host.log());
    assert_hidden(&host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_format_follow_the_path_pattern_and_hold_each_row_once_after_kills() {
    const EVENTS: u64 = 3000;
    let formats = [
        ("lines", json!({ "Type": "Json", "Format": "LineSeparated" })),
        ("array", json!({ "Type": "Json", "Format": "Array" })),
        ("csv", json!({ "Type": "Csv", "FieldDelimiter": "," })),
        ("parquet", json!({ "Type": "Parquet" })),
    ];
    let outputs: Vec<(&str, Value)> = formats
        .iter()
        .map(|(name, format)| {
            let pattern = "in/{kind}/{datetime:yyyy}-{datetime:MM}/p{partition}";
            let more = json!({ "FolderPath": format!("out/{name}"), "PathPattern": pattern, "Serialization": format, "FileRows": 400, "FileSeconds": 5 });
            (*name, folder(&more))
        })
        .collect();
    let project = Outputs::new("Retry", &outputs);
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    for part in 0..5 {
        send_all(&host, part * 600..(part + 1) * 600, 30).await;
        if part < 4 {
            host.kill_and_start();
        }
    }
    let out = project.data().join("out");
    until("all lines", &host, async || read_lines(&out.join("lines")).len() as u64 == EVENTS).await;
    assert!(host.interrupt(), "{}", host.log());
    for (name, _) in formats {
        let rows = read_files(&out.join(name));
        assert_once(name, rows.iter().map(|(_, row)| row), EVENTS);
        for (file, row) in &rows {
            let id = row["id"].as_u64().or_else(|| row["id"].as_str()?.parse().ok()).unwrap();
            let (kind, partition) = (format!("kind {}", id % 3), id / 30 % 2);
            assert!(file.starts_with(&format!("in/{kind}/20")) && file.contains(&format!("/p{partition}/")), "{id} is in {file}");
            match name {
                "csv" => {
                    let expected = json!({ "id": id.to_string(), "part": (id % 5).to_string(), "kind": kind, "bad": (id % 10 == 7).to_string(), "place": event(id)["place"].to_string() });
                    assert_eq!(*row, expected);
                }
                "parquet" => {
                    let mut expected = event(id);
                    expected["place"] = event(id)["place"].to_string().into();
                    assert_eq!(*row, expected);
                }
                _ => assert_eq!(*row, event(id)),
            }
        }
    }
    let hidden = std::fs::read_dir(out.join("parquet")).unwrap().map(|entry| entry.unwrap().path());
    for folder in hidden.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('.')) {
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing is left in the spool");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_what_an_output_takes_needs_no_more_memory_and_arrives() {
    const EVENTS: u64 = 100_000;
    let server = PushServer::start_with(false).await;
    // 100 rows in 100 ms: 1,000 a second.
    server.set(Mode::Slow(Duration::from_millis(100)));
    let mut local = pushed(&server.url);
    local["MaxRows"] = json!(100);
    let project = Outputs::new("Retry", &[("pushed", local), ("kept", stored())]);
    let environment = [("TAMIS_OUTBOX_BYTES", "2000000")];
    let mut host = Host::start_with(&project.data(), Some(&project.path()), &environment);
    send_all(&host, 0..2000, 1000).await;
    until("the first rows", &host, async || server.taken() >= 1000).await;
    let steady = host.mebibytes("VmRSS");
    let start = Instant::now();
    send_all(&host, 2000..EVENTS, 1000).await;
    let rate = (EVENTS - 2000) as f64 / start.elapsed().as_secs_f64();
    assert!(rate > 10_000.0, "events came at {rate} a second");
    // The outbox is full: reading waits, and says for whom.
    until("back-pressure", &host, async || health(&host).await["status"] == "waiting").await;
    let told = health(&host).await;
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("outbox is full") && reason.contains("'pushed'"), "{told}");
    assert_hidden(&told.to_string());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let most = host.mebibytes("VmHWM");
    println!("memory: {steady} MiB at first, {most} MiB at most; {rate:.0} events/s came, {} of {EVENTS} rows went", server.taken());
    assert!(most < steady + 128, "{steady} MiB became {most} MiB");
    let store = std::fs::metadata(project.data().join("documents.db")).unwrap().len();
    server.set(Mode::Take);
    host.wait_for_documents("kept", usize::try_from(EVENTS).unwrap());
    until("all rows", &host, async || server.taken() == EVENTS).await;
    assert!(host.mebibytes("VmHWM") < steady + 128);
    assert!(store < 200 << 20, "the store has {store} bytes");
    assert_once("kept", &host.documents("kept"), EVENTS);
    assert!(host.interrupt(), "{}", host.log());
}

/// A file system of a few MiB; it goes with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn mount(mebibytes: u32) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).then_some(disk)
    }

    fn grow(&self, mebibytes: u32) {
        assert!(self.run("mount", &["-o", &format!("remount,size={mebibytes}m")]));
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        Command::new(program).args(arguments).arg(self.0.path()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.run("umount", &["--lazy"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_job_in_order_and_a_start_with_room_goes_on() {
    let Some(disk) = SmallDisk::mount(24) else {
        eprintln!("SKIPPED: a_full_disk_stops_the_job_in_order_and_a_start_with_room_goes_on: this needs the right to mount a tmpfs");
        return;
    };
    let data = disk.0.path().join("data");
    let project = Outputs::new("Retry", &[("kept", stored()), ("files", folder(&json!({})))]);
    let mut host = Host::start_project(&data, Some(&project.path()));
    let client = reqwest::Client::new();
    // Until the host is gone. What was not answered with 201 was not accepted.
    let (mut accepted, mut next) = (Vec::new(), 0);
    let start = Instant::now();
    loop {
        match send(&client, &host.url(), (next / 500 % 2) as u32, batch(next..next + 500)).await {
            Some(201) => accepted.push(next..next + 500),
            Some(status) => assert!(status >= 500, "{status}"),
            None => break,
        }
        next += 500;
        assert!(start.elapsed() < PATIENCE, "the host still takes events:\n{}", host.log());
    }
    let log = host.ended();
    assert_ne!(host.exit_code(), Some(0), "{log}");
    assert!(log.contains("the disk of the data directory is full") && log.contains("start again"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert!(accepted.len() > 5, "only {} batches were accepted", accepted.len());
    disk.grow(400);
    host.start_again();
    let count: u64 = accepted.iter().map(|ids| ids.end - ids.start).sum();
    let expected: HashSet<u64> = accepted.into_iter().flatten().collect();
    let all = |found: &BTreeMap<u64, usize>| expected.iter().all(|id| found.contains_key(id));
    until("all documents", &host, async || all(&ids(&host.documents("kept")))).await;
    until("all rows", &host, async || all(&ids(&read_lines(&data.join("files"))))).await;
    send_all(&host, 10_000_000..10_000_100, 100).await;
    until("new rows", &host, async || ids(&host.documents("kept")).contains_key(&10_000_099)).await;
    assert!(host.interrupt(), "{}", host.log());
    for (what, rows) in [("kept", host.documents("kept")), ("files", read_lines(&data.join("files")))] {
        let found = ids(&rows);
        assert!(found.values().all(|count| *count == 1), "{what}: a row is there twice");
        assert!(all(&found), "{what}: accepted events are lost");
    }
    println!("disk full after {count} events; all are there after the next start (hub {HUB})");
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_start_with_their_file() {
    let push = |key: &str, value: Value| json!({ "DataSourceType": "HTTP Push", "Url": "http://127.0.0.1:1/never-print-this", key: value });
    for (local, expected) in [
        (json!({ "DataSourceType": "HTTP Push" }), "set Url in the file, or TAMIS_PUSH_URL_OUT_1"),
        (push("Url", json!("mailto:never-print-this@host")), "must begin with https:// or http://"),
        (push("Body", json!("Xml")), "'Rows', 'Array' or 'Lines' is expected"),
        (push("MaxRows", json!(0)), "MaxRows 0: at least 1"),
        (push("Headers", json!({ "no name": "never-print-this" })), "'no name' is no name of a header"),
        (folder(&json!({ "PathPattern": "a/{date" })), "without '}'"),
        (folder(&json!({ "PathPattern": "../{date}" })), "leads out of the folder"),
        (folder(&json!({ "Serialization": { "Type": "Avro" } })), "Json (LineSeparated or Array), Csv or Parquet"),
        (folder(&json!({ "Serialization": { "Type": "Csv", "FieldDelimiter": "ab" } })), "FieldDelimiter 'ab'"),
        (json!({ "DataSourceType": "Fax" }), "'Folder', 'HTTP Push', 'Power BI'"),
    ] {
        let project = Outputs::new("Retry", &[("out-1", local)]);
        let arguments = ["run", "--listen", "127.0.0.1:0", "--data-dir"];
        let output = Command::new(program()).args(arguments).args([project.data(), project.path()]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("Local_out-1.json") && text.contains(expected), "'{expected}' is not in: {text}");
        assert_hidden(&text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_takes_over_what_the_cloud_says_of_the_blobs() {
    let project = Outputs::new("Retry", &[("blobs", json!({ "DataSourceType": "Folder" }))]);
    let cloud = json!({
        "Name": "blobs",
        "DataSourceType": "Blob Storage",
        "BlobStorageProperties": { "Container": "c", "PathPattern": "logs/{date}/{part}", "DateFormat": "yyyy-MM-dd", "TimeFormat": "HH" },
        "Serialization": { "Type": "Csv", "Encoding": "UTF8", "FieldDelimiter": "," },
        "ScriptType": "Output"
    });
    std::fs::write(project.path().join("Outputs/blobs.json"), cloud.to_string()).unwrap();
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    send_all(&host, 0..50, 50).await;
    let folder = project.data().join("outputs/blobs/logs");
    until("the folder", &host, async || folder.is_dir()).await;
    assert!(host.interrupt(), "{}", host.log());
    let rows = read_files(&folder);
    assert_once("blobs", rows.iter().map(|(_, row)| row), 50);
    for (file, row) in &rows {
        let parts: Vec<&str> = file.split('/').collect();
        assert!(parts.len() == 3 && parts[0].len() == 10 && parts[0].starts_with("20"), "{file}");
        assert!(parts[1] == row["part"] && parts[2].ends_with(".csv"), "{file}");
    }
}
