//! The real program `tamis` as a process, with a data directory of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::golden::target;
use crate::server::get;

/// The hub that the scoring job reads.
pub const HUB: &str = "realtimefdhub";
/// The output with the scored documents.
pub const SCORED: &str = "outputCosmosDB";
/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program that `scripts/build` makes.
pub fn program() -> PathBuf {
    let path = target().join("release/tamis");
    assert!(path.is_file(), "{}: not there; run ./scripts/build", path.display());
    path
}

/// Runs a command of the program to its end.
pub fn tamis(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).env("RUST_LOG", "warn").output().unwrap()
}

/// A running host. It is killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    process: Child,
    port: u16,
    data: PathBuf,
    project: Option<PathBuf>,
    environment: Vec<(String, String)>,
    log: Arc<Mutex<String>>,
}

impl Host {
    /// Starts the default job on a free port.
    pub fn start(data: &Path) -> Self {
        Self::start_project(data, None)
    }

    /// Starts a project's job on a free port and waits until it is healthy.
    pub fn start_project(data: &Path, project: Option<&Path>) -> Self {
        Self::start_with(data, project, &[])
    }

    /// The same, with variables of the environment.
    pub fn start_with(data: &Path, project: Option<&Path>, environment: &[(&str, &str)]) -> Self {
        let mut host = Self::spawned(data, project, environment);
        host.ready();
        host
    }

    /// The same, and waits only until it answers: it may have to wait itself, for what is outside.
    pub fn start_unready(data: &Path, project: Option<&Path>, environment: &[(&str, &str)]) -> Self {
        let mut host = Self::spawned(data, project, environment);
        host.answers("HTTP/1.1");
        host
    }

    fn spawned(data: &Path, project: Option<&Path>, environment: &[(&str, &str)]) -> Self {
        let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self {
            process: spawn(data, project, &environment, port),
            port,
            data: data.to_owned(),
            project: project.map(Path::to_owned),
            environment,
            log: Arc::default(),
        }
    }

    fn ready(&mut self) {
        self.answers("HTTP/1.1 200");
    }

    /// Waits until `/health` answers with this beginning.
    fn answers(&mut self, beginning: &str) {
        let errors = BufReader::new(self.process.stderr.take().unwrap());
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let start = Instant::now();
        while get(self.port, "/health").is_none_or(|answer| !answer.starts_with(beginning)) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the host ended with {ended:?}:\n{}", self.log());
            assert!(start.elapsed() < PATIENCE, "the host is not healthy:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A line of `/proc/PID/status` in MiB: `VmRSS`, or `VmHWM` for the most that it ever was.
    pub fn mebibytes(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        found.unwrap().trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
    }

    /// SIGKILL: no time to finish anything.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGKILL, and the same host again: same port, same data.
    pub fn kill_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// The same host again: same port, same data.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.data, self.project.as_deref(), &self.environment, self.port);
        self.ready();
    }

    /// Waits until it ends of itself; answers what it wrote to its log.
    pub fn ended(&mut self) -> String {
        let start = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "the host still runs:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        // The thread that reads the log may be a little behind.
        std::thread::sleep(Duration::from_millis(200));
        self.log()
    }

    /// The code that it ended with, once it has.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.try_wait().unwrap().and_then(|status| status.code())
    }

    /// Ctrl-C; answers whether it ended well.
    pub fn interrupt(&mut self) -> bool {
        let status = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.process.wait().unwrap().success()
    }

    /// Its documents of one output, by `tamis documents`.
    pub fn documents(&self, output: &str) -> Vec<Value> {
        documents(&self.data, output)
    }

    /// Waits until an output has so many documents, and answers them.
    pub fn wait_for_documents(&self, output: &str, count: usize) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let documents = self.documents(output);
            if documents.len() >= count {
                return documents;
            }
            assert!(start.elapsed() < PATIENCE, "{} of {count} documents came:\n{}", documents.len(), self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a body the way the original generator does; answers status and body.
    pub async fn send(&self, client: &reqwest::Client, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let answer = client
            .post(format!("{}{path}", self.url()))
            .header("content-type", "application/atom+xml;type=entry;charset=utf-8")
            .bearer_auth("any token")
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A JSON document from one of its pages.
    pub async fn json(&self, client: &reqwest::Client, path: &str) -> Value {
        client.get(format!("{}{path}", self.url())).send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The documents of one output in a data directory; none while the output has not been written to.
pub fn documents(data: &Path, output: &str) -> Vec<Value> {
    let out = tamis(&["documents", "--data-dir", data.to_str().unwrap(), "--output", output]);
    if !out.status.success() {
        return Vec::new();
    }
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn spawn(data: &Path, project: Option<&Path>, environment: &[(String, String)], port: u16) -> Child {
    let mut command = Command::new(program());
    command.arg("run").args(project).arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--data-dir").arg(data);
    command.env("RUST_LOG", "warn,tamis=info").envs(environment.iter().map(|(name, value)| (name, value)));
    command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}
