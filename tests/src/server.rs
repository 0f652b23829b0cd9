//! A server as a process, of ours or of others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::host::PATIENCE;

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running server. It is killed when it is dropped, with all processes that it started.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a command and waits until `GET /` on the port answers 200.
    pub fn start(mut command: Command, port: u16) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let mut server = Self { process, port, log: Arc::default() };
        let log = Arc::clone(&server.log);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                log.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let start = Instant::now();
        while get(port, "/").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", server.log());
            assert!(start.elapsed() < 2 * PATIENCE, "the server does not answer:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The whole group of this process, by its id.
        let _ended = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.process.id())]).status();
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A small GET without a client, so that it can be used anywhere.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// `tamis serve` with these arguments, on a free port.
pub fn serve(arguments: &[&str]) -> Server {
    let port = free_port();
    let mut command = Command::new(crate::host::program());
    command.arg("serve").args(["--listen", &format!("127.0.0.1:{port}")]).args(arguments).env("RUST_LOG", "warn,tamis=info");
    Server::start(command, port)
}

/// Azure's inference server with a scoring script of `tests/peers/inference`, whose sample comes from this signature.
/// What it needs is installed first, by uv.
pub fn inference_server(script: &str, signature: &std::path::Path) -> Server {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let mut command = Command::new(crate::golden::root().join("tests/peers/inference/serve"));
    INSTALLED.get_or_init(|| assert!(Command::new(command.get_program()).status().unwrap().success(), "uv installs the server"));
    let port = free_port();
    command.args([script, &port.to_string()]).env("TAMIS_SIGNATURE", signature);
    // The service is named as the model is.
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(signature).unwrap()).unwrap();
    for (setting, value) in [("SERVICE_NAME", &said["model"]["name"]), ("SERVICE_VERSION", &said["model"]["version"])] {
        command.env(setting, value.as_str().unwrap());
    }
    Server::start(command, port)
}
