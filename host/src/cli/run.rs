//! `tamis run`: runs a job and opens its doors, until Ctrl-C.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::fault::Fault;
use crate::job::{Folder, Level, Project};
use crate::pipeline::engine::OnError;
use crate::pipeline::{Job, Settings};
use crate::serve::{self, Server, Token, Tokens};

use super::listening::{Secret, access_keys, from_file};

/// Where the host keeps its data when nothing else is said.
pub(super) const DATA_DIR: &str = "tamis-data";

/// Arguments of `tamis run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, with its asaproj.json; the fraud job that comes with tamis when none is named.
    project: Option<PathBuf>,
    /// The address of the live page and of the door for events.
    #[arg(long, default_value = "127.0.0.1:8400", env = "TAMIS_LISTEN")]
    listen: SocketAddr,
    #[command(flatten)]
    guarding: super::listening::Guarding,
    /// Where events, documents and the checkpoint are kept.
    #[arg(long, default_value = DATA_DIR, env = "TAMIS_DATA_DIR")]
    data_dir: PathBuf,
    /// What those must show who see and do everything but send; this or --token-page is needed to listen on other addresses
    /// than this machine's own. Each of the tokens and keys can also be in a file that its variable with _FILE names.
    #[arg(long, visible_alias = "token-admin", env = "TAMIS_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// What those must show who only see the live page.
    #[arg(long, env = "TAMIS_TOKEN_PAGE", hide_env_values = true)]
    token_page: Option<Secret>,
    /// What senders may show instead of a signed token; it is good for nothing else.
    #[arg(long, env = "TAMIS_TOKEN_INGEST", hide_env_values = true)]
    token_ingest: Option<Secret>,
    /// A key that senders sign their tokens with, as NAME=KEY; several are separated by commas.
    #[arg(long, env = "TAMIS_ACCESS_KEYS", hide_env_values = true, value_delimiter = ',')]
    access_keys: Vec<Secret>,
    /// Requests a second that one address may send; without it, as many as it can.
    #[arg(long, env = "TAMIS_REQUESTS_PER_SECOND", value_name = "NUMBER")]
    requests_per_second: Option<u32>,
    /// What happens to a row that stops a job in Stream Analytics (a CAST that fails, a script that throws).
    #[arg(long, default_value = "stop", value_enum, env = "TAMIS_ON_ERROR")]
    on_error: Policy,
    /// How many bytes may wait in the data directory for outputs that are behind; then reading waits, too.
    #[arg(long, default_value_t = 1 << 30, value_name = "BYTES", env = "TAMIS_OUTBOX_BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    outbox_bytes: u64,
}

/// What happens to a row that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Policy {
    /// The job stops and shows the row.
    Stop,
    /// The row goes to the dead letter.
    DeadLetter,
}

impl From<Policy> for OnError {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Stop => Self::Stop,
            Policy::DeadLetter => Self::DeadLetter,
        }
    }
}

pub(super) async fn run(args: Args) -> Result<(), Fault> {
    let tokens = Tokens {
        ingest: from_file(args.token_ingest, "TAMIS_TOKEN_INGEST", Token::new)?,
        page: from_file(args.token_page, "TAMIS_TOKEN_PAGE", Token::new)?,
        admin: from_file(args.token, "TAMIS_TOKEN", Token::new)?.or(from_file(None, "TAMIS_TOKEN_ADMIN", Token::new)?),
    };
    let keys = access_keys(&args.access_keys)?;
    let folder = args.project.map_or_else(Folder::default_job, Folder::on_disk);
    let project = Project::read(folder)?;
    let metrics =
        PrometheusBuilder::new().install_recorder().map_err(|error| Fault::internal(format!("the metrics cannot be kept: {error}")))?;
    for note in &project.notes {
        match note.level {
            Level::Cloud => tracing::debug!(%note, "Kept for the cloud."),
            Level::Note | Level::Error => tracing::info!(%note, "Something is different here."),
        }
    }
    let mut job =
        Job::start(project, Settings { on_error: args.on_error.into(), outbox_bytes: args.outbox_bytes, ..Settings::new(args.data_dir) })?;
    let settings = serve::Settings {
        listening: args.guarding.listening(args.listen),
        tokens,
        keys,
        requests_per_second: args.requests_per_second,
        metrics,
    };
    let server = Server::open(&job, settings).await?;
    note_address(job.data_dir(), &server.url());
    let hubs: Vec<&str> = job.log().hubs().iter().map(|hub| hub.name()).collect();
    tracing::info!(
        job = job.name(),
        page = server.url(),
        hubs = hubs.join(", "),
        data = %job.data_dir().display(),
        "Job runs. Ctrl-C stops it."
    );
    let stopped = tokio::select! {
        ended = job.ended() => Some(ended),
        () = asked_to_stop() => None,
    };
    let result = match stopped {
        Some(ended) => {
            server.close().await;
            ended
        }
        None => {
            tracing::info!("Stopping: what was taken is written first.");
            // No more events are taken, then those that were read are written.
            server.close().await;
            job.stop();
            job.ended().await
        }
    };
    let page = job.page().borrow().clone();
    tracing::info!(documents = page.job.documents, dead_letters = page.job.dead_letters, "Job ended.");
    result
}

/// Where the address of the running job is noted, for commands that talk to it.
const ADDRESS: &str = "address";

fn note_address(data_dir: &Path, url: &str) {
    if let Err(error) = std::fs::write(data_dir.join(ADDRESS), url) {
        tracing::warn!(%error, "The address cannot be noted in the data directory; `tamis dead-letters replay` needs --to.");
    }
}

/// The address of the job that runs, or last ran, in a data directory.
pub(super) fn address(data_dir: &Path) -> reqwest::Url {
    let noted = std::fs::read_to_string(data_dir.join(ADDRESS)).ok();
    let fallback = "http://127.0.0.1:8400/";
    noted.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| reqwest::Url::parse(fallback).expect("the fallback is an address"))
}

/// Ctrl-C, or what `kill` and service managers send.
pub(super) async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        };
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
