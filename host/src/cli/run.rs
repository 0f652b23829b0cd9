//! `tamis run`: runs a job and opens its doors, until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::fault::Fault;
use crate::job::{Folder, Level, Project};
use crate::pipeline::engine::OnError;
use crate::pipeline::{Job, Settings};
use crate::serve::{self, Server, Token};
use crate::source::AccessKey;

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
    /// Where events, documents and the checkpoint are kept.
    #[arg(long, default_value = DATA_DIR, env = "TAMIS_DATA_DIR")]
    data_dir: PathBuf,
    /// What readers must show; needed to listen on other addresses than this machine's own.
    #[arg(long, env = "TAMIS_TOKEN", hide_env_values = true, value_parser = Token::new)]
    token: Option<Token>,
    /// A key that senders sign their tokens with, as NAME=KEY; several are separated by commas.
    #[arg(long, env = "TAMIS_ACCESS_KEYS", hide_env_values = true, value_delimiter = ',', value_parser = access_key)]
    access_keys: Vec<AccessKey>,
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

fn access_key(text: &str) -> Result<AccessKey, String> {
    match text.split_once('=') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => Ok(AccessKey { name: name.to_owned(), key: key.to_owned() }),
        _ => Err("NAME=KEY is expected".to_owned()),
    }
}

pub(super) async fn run(args: Args) -> Result<(), Fault> {
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
    let settings = serve::Settings { listen: args.listen, token: args.token, keys: args.access_keys, metrics };
    let server = Server::open(&job, settings).await?;
    let hubs: Vec<&str> = job.log().hubs().iter().map(|hub| hub.name()).collect();
    tracing::info!(
        job = job.name(),
        page = format!("http://{}/", server.address()),
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
