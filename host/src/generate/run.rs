//! The command `tamis generate`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::GenerateError;
use super::facts::Facts;
use super::http::{Connection, MAX_EVENTS, Secret, Sender, Shape};
use super::simulate::Simulator;
use super::target::Target;

const HUB: &str = "realtimefdhub";
const LABELLED_HUB: &str = "eventhubspark";

/// What to simulate, and where it goes: JSON lines on standard output when nothing is said.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many transactions; without it, until Ctrl-C
    #[arg(long, short = 'n', value_name = "N")]
    pub count: Option<u64>,

    /// How many transactions a second; 0 is as fast as it goes
    #[arg(long, short = 'r', value_name = "N", default_value_t = 0.0, value_parser = parse_rate)]
    pub rate: f64,

    /// The same seed gives the same transactions; without it, others each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Add the label isFraud, as in the history that models are trained on
    #[arg(long)]
    pub labelled: bool,

    /// The first transaction's id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub first_id: Option<i64>,

    /// Write JSON lines to this file
    #[arg(long, short = 'o', value_name = "FILE", conflicts_with = "to")]
    pub output: Option<PathBuf>,

    /// Send to Event Hubs' REST at this address, such as http://127.0.0.1:8400
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,

    /// Send to Event Hubs with this connection string: Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…
    #[arg(long, value_name = "TEXT", env = "TAMIS_CONNECTION_STRING", hide_env_values = true)]
    pub connection_string: Option<Secret>,

    /// The hub to send to [default: realtimefdhub, or eventhubspark when labelled]
    #[arg(long, value_name = "NAME")]
    pub hub: Option<String>,

    /// Send one event a request, not batches
    #[arg(long)]
    pub single: bool,

    /// Write events as Python dicts, and send them one a request: the way the original generator does
    #[arg(long)]
    pub python: bool,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        _ => Err("a number of at least 0 is expected".to_owned()),
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many transactions arrived.
    pub sent: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Generates until the count is reached, Ctrl-C is pressed, or nobody reads any more.
///
/// # Errors
/// When the target cannot be opened, refuses, or is away for too long.
pub async fn run(args: Args) -> Result<Summary, GenerateError> {
    let bar = progress(&args);
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without signals there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    };
    let result = generate(&args, stop, |sent| bar.set_position(sent)).await;
    bar.finish_and_clear();
    result
}

/// A bar on a terminal; nothing elsewhere, and nothing between the lines on a terminal.
fn progress(args: &Args) -> ProgressBar {
    let to_terminal = args.output.is_none() && args.to.is_none() && args.connection_string.is_none() && io::stdout().is_terminal();
    if to_terminal || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match args.count {
        Some(count) => {
            (ProgressBar::new(count), "{elapsed_precise} {wide_bar} {human_pos}/{human_len} transactions, {per_sec}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{elapsed_precise} {spinner} {human_pos} transactions, {per_sec}"),
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn open(args: &Args) -> Result<Target, GenerateError> {
    if let Some(path) = &args.output {
        return Target::file(path, args.python);
    }
    let mut connection = match (&args.to, &args.connection_string) {
        (None, None) => return Ok(Target::stdout(args.python)),
        (Some(address), _) => Connection::from_address(address)?,
        (None, Some(secret)) => Connection::from_secret(secret)?,
    };
    if let (Some(_), Some(secret)) = (&args.to, &args.connection_string) {
        // The address says where, the connection string has the key.
        connection.key = Connection::from_secret(secret)?.key;
    }
    let default = if args.labelled { LABELLED_HUB } else { HUB };
    let hub = args.hub.clone().or_else(|| connection.hub.take()).unwrap_or_else(|| default.to_owned());
    let shape = match (args.python, args.single) {
        (true, _) => Shape::Python,
        (false, true) => Shape::Single,
        (false, false) => Shape::Batch,
    };
    Ok(Target::http(Sender::new(connection, &hub, shape)?))
}

async fn generate(args: &Args, stop: impl Future<Output = ()>, mut progress: impl FnMut(u64)) -> Result<Summary, GenerateError> {
    let facts = Facts::read()?;
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut simulator = Simulator::new(&facts, seed, args.labelled, args.first_id.unwrap_or(facts.first_id));
    let mut target = open(args)?;
    let start = Instant::now();
    let mut sent = 0;
    let work = async {
        let mut made = 0;
        let mut transactions = Vec::with_capacity(MAX_EVENTS);
        while args.count.is_none_or(|count| made < count) {
            let left = args.count.map_or(u64::MAX, |count| count - made);
            let due = due(args.rate, start, made).await.min(left).min(MAX_EVENTS as u64);
            let date = jiff::ZonedDateTime::now().strftime(facts.date_format()).to_string();
            transactions.clear();
            transactions.extend((0..due).map(|_| simulator.next(&date)));
            sent += target.send(&transactions).await?;
            progress(sent);
            made += due;
            // Files and standard output never wait; Ctrl-C must get its turn.
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let result = tokio::select! {
        result = work => result,
        () = stop => Ok(()),
    };
    // What is under way arrives, also after Ctrl-C; nobody left to read is success.
    let result = match result {
        Ok(()) => target.finish().await.map(|arrived| sent += arrived),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if !error.is_broken_pipe() => Err(error),
        _ => Ok(Summary { sent, elapsed: start.elapsed() }),
    }
}

/// How many transactions are due at this rate; waits for the next one when none is.
async fn due(rate: f64, start: Instant, made: u64) -> u64 {
    if rate == 0.0 {
        return u64::MAX;
    }
    loop {
        // The first is due at once.
        let due = (start.elapsed().as_secs_f64() * rate) as u64 + 1;
        if due > made {
            return due - made;
        }
        let next = Duration::from_secs_f64((made as f64 / rate - start.elapsed().as_secs_f64()).clamp(0.01, 3600.0));
        tokio::time::sleep(next).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;

    use super::*;
    use crate::source::{AccessKey, DoorSettings, Event, HubSettings, Log, router};
    use crate::time::SystemClock;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Command::try_parse_from([&["generate"], words].concat()).map(|command| command.args).unwrap()
    }

    async fn generated(words: &[&str]) -> Result<Summary, GenerateError> {
        generate(&args(words), std::future::pending(), |_| {}).await
    }

    /// Our own door on a free port.
    async fn door(settings: DoorSettings) -> (tempfile::TempDir, Log, String) {
        let dir = tempfile::tempdir().unwrap();
        let hubs = [HUB, LABELLED_HUB].map(|name| HubSettings { name: name.to_owned(), partitions: 2 });
        let log = Log::open(dir.path(), &hubs, Arc::new(SystemClock)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = router(log.clone(), settings);
        tokio::spawn(async move { axum::serve(listener, router).await });
        (dir, log, address)
    }

    fn events(log: &Log, hub: &str) -> Vec<Event> {
        (0..2).flat_map(|partition| log.read(hub, partition, 0, 100_000, 1 << 30).unwrap().events).collect()
    }

    #[tokio::test]
    async fn a_file_gets_one_transaction_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let words = ["-n", "1200", "--seed", "1", "--first-id", "-5", "-o", path.to_str().unwrap()];
        assert_eq!(generated(&words).await.unwrap().sent, 1200);
        let text = std::fs::read_to_string(&path).unwrap();
        let ids = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_i64().unwrap());
        assert!(ids.eq(-5..1195));
        let error = generated(&["-n", "1", "-o", dir.path().to_str().unwrap()]).await.unwrap_err();
        assert!(matches!(error, GenerateError::File { .. }), "{error}");
    }

    #[tokio::test]
    async fn hubs_get_batches_single_events_and_python_dicts() {
        let (_dir, log, address) = door(DoorSettings::default()).await;
        assert_eq!(generated(&["-n", "1700", "--to", &address]).await.unwrap().sent, 1700);
        assert_eq!(generated(&["-n", "30", "--to", &address, "--single", "--labelled"]).await.unwrap().sent, 30);
        assert_eq!(generated(&["-n", "20", "--to", &address, "--python", "--hub", LABELLED_HUB]).await.unwrap().sent, 20);
        let plain = events(&log, HUB);
        let mut ids: Vec<i64> =
            plain.iter().map(|event| serde_json::from_slice::<serde_json::Value>(&event.body).unwrap()["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(1_001_000..1_002_700));
        let labelled = events(&log, LABELLED_HUB);
        assert_eq!(labelled.iter().filter(|event| event.body.starts_with(b"{\"id\":") && event.body.ends_with(b"}")).count(), 30);
        assert_eq!(labelled.iter().filter(|event| event.body.starts_with(b"{'id': ")).count(), 20);
        let error = generated(&["-n", "1", "--to", &address, "--hub", "other"]).await.unwrap_err();
        assert!(error.to_string().ends_with("status 404: no hub is named 'other'; the hubs are realtimefdhub, eventhubspark"), "{error}");
    }

    #[tokio::test]
    async fn a_connection_string_brings_tokens() {
        let key = AccessKey { name: "send".to_owned(), key: "s3cret+/=".to_owned() };
        let (_dir, log, address) = door(DoorSettings { keys: vec![key], ..DoorSettings::default() }).await;
        let connection = format!("Endpoint={address}/;SharedAccessKeyName=send;SharedAccessKey=s3cret+/=;EntityPath={LABELLED_HUB}");
        assert_eq!(generated(&["-n", "5", "--connection-string", &connection]).await.unwrap().sent, 5);
        assert_eq!(events(&log, LABELLED_HUB).len(), 5);
        assert_eq!(generated(&["-n", "5", "--to", &address, "--connection-string", &connection]).await.unwrap().sent, 5);
        assert_eq!(events(&log, HUB).len(), 5);
        let wrong = connection.replace("s3cret", "s4cret");
        let error = generated(&["-n", "5", "--connection-string", &wrong]).await.unwrap_err();
        assert!(matches!(error, GenerateError::Refused { status: 401, .. }));
        assert!(!format!("{error} {error:?} {:?}", args(&["--connection-string", &wrong])).contains("s4cret"));
    }

    #[test]
    fn addresses_and_connection_strings_are_checked() {
        let endpoint = |text: &str| Connection::from_secret(&text.parse().unwrap()).map(|connection| connection.endpoint.to_string());
        let full = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a=b==";
        assert_eq!(endpoint(full).unwrap(), "https://ns.servicebus.windows.net/");
        let key = Connection::from_secret(&full.parse().unwrap()).unwrap().key.unwrap();
        assert_eq!((&*key.name, &*key.key), ("send", "a=b=="));
        for (text, part) in [
            ("secret", "Endpoint"),
            ("Endpoint=;SharedAccessKey=secret", "Endpoint"),
            ("Endpoint=sb://ns/;SharedAccessKey=secret", "SharedAccessKeyName"),
            ("Endpoint=sb://ns/;SharedAccessKeyName=secret", "SharedAccessKey"),
        ] {
            let error = endpoint(text).unwrap_err().to_string();
            assert!(error.contains(&format!("'{part}'")) && !error.contains("secret"), "{error}");
        }
        for address in ["127.0.0.1:8400", "ftp://x", "http://", "http://127.0.0.1:8400/hub", "file:///tmp/x", ""] {
            assert!(Connection::from_address(address).is_err(), "{address}");
        }
        assert!(Command::try_parse_from(["generate", "--rate", "-1"]).is_err());
        assert!(Command::try_parse_from(["generate", "--to", "x", "--output", "y"]).is_err());
    }

    #[tokio::test]
    async fn a_busy_server_is_tried_again_and_a_stop_is_clean() {
        use axum::http::StatusCode;
        let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let answer = {
            let calls = Arc::clone(&calls);
            move || {
                let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                std::future::ready(
                    [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].get(call).copied().unwrap_or(StatusCode::CREATED),
                )
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        assert_eq!(generated(&["-n", "1", "--to", &address]).await.unwrap().sent, 1);
        assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 3);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let args = args(&["--rate", "200", "-o", path.to_str().unwrap()]);
        let summary = generate(&args, tokio::time::sleep(Duration::from_millis(100)), |_| {}).await.unwrap();
        assert!((1..=200).contains(&summary.sent));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count() as u64, summary.sent);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_yet_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            axum::serve(listener, axum::Router::new().fallback(|| async { axum::http::StatusCode::CREATED })).await
        });
        assert_eq!(generated(&["-n", "3", "--to", &format!("http://{address}")]).await.unwrap().sent, 3);
    }
}
