//! The HTTP doors of a running job: events in, the live page and its feed, documents, metrics, health.
//!
//! | path | what |
//! | --- | --- |
//! | `POST /{hub}/messages` … | events, as Event Hubs' REST takes them ([`crate::source::door`]) |
//! | `GET /` | the live page |
//! | `GET /feed` | what the page shows, as Server-Sent Events |
//! | `GET /function.wasm`, `/function/tamis_udf.js` | the job's function, for the page's "try it" |
//! | `GET /api/documents`, `/api/dead-letters` | the newest documents and dead letters |
//! | `GET /metrics`, `/health` | for machines |
//!
//! - `access`: who may read
//! - `site`: the page's files
//! - `feed`: the stream of states and rows
//! - `data`: documents and dead letters
//! - `operate`: metrics and health
//! - [`score`]: another server, without a job: one function as the endpoint that Stream Analytics calls

mod access;
mod data;
mod feed;
mod operate;
pub mod score;
mod site;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::fault::Fault;
use crate::pipeline::{Job, Status};
use crate::sink::feed::{PageState, Rows};
use crate::source::{AccessKey, DoorSettings, router as door};

pub use access::Token;

/// How the doors are opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// What readers must show; needed when the address is not this machine's own.
    pub token: Option<Token>,
    /// The keys that senders' tokens are signed with.
    pub keys: Vec<AccessKey>,
    /// Where the metrics come from.
    pub metrics: PrometheusHandle,
}

/// What the doors show; shared by all requests.
#[derive(Debug, Clone)]
struct Shown {
    page: watch::Receiver<Arc<PageState>>,
    rows: Rows,
    status: watch::Receiver<Status>,
    function: crate::pipeline::Shown,
    data_dir: PathBuf,
    metrics: PrometheusHandle,
    /// Turns true when the server stops: long answers end.
    ending: watch::Receiver<bool>,
}

/// Open doors.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ending: watch::Sender<bool>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Opens the doors of a job.
    ///
    /// # Errors
    /// When the address cannot be had, or needs a token that is not given.
    pub async fn open(job: &Job, settings: Settings) -> Result<Self, Fault> {
        let listen = settings.listen;
        if !listen.ip().is_loopback() && settings.token.is_none() {
            let message = "others than this machine can reach this address, so a token is needed: set TAMIS_TOKEN, or listen on 127.0.0.1";
            return Err(Fault::job(message).at(format!("--listen {listen}")));
        }
        let taken = |error: std::io::Error| {
            Fault::outside(format!("cannot listen: {error}; is another tamis running? --listen chooses another address"))
                .never()
                .at(listen.to_string())
        };
        let listener = TcpListener::bind(listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (ending, ends) = watch::channel(false);
        let shown = Shown {
            page: job.page(),
            rows: job.rows(),
            status: job.status(),
            function: job.shown(),
            data_dir: job.data_dir().to_owned(),
            metrics: settings.metrics.clone(),
            ending: ends.clone(),
        };
        let app = routes(job, shown, &settings).into_make_service_with_connect_info::<SocketAddr>();
        let mut until = ends;
        let serve = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ended = until.wait_for(|ending| *ending).await;
        });
        Ok(Self { address, ending, task: tokio::spawn(async move { serve.await }) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests and waits a little for those at hand.
    pub async fn close(self) {
        self.ending.send_replace(true);
        if tokio::time::timeout(std::time::Duration::from_secs(3), self.task).await.is_err() {
            tracing::warn!("Some requests did not end in time.");
        }
    }
}

fn routes(job: &Job, shown: Shown, settings: &Settings) -> Router {
    let read = Router::new()
        .route("/feed", get(feed::feed))
        .route("/function.wasm", get(site::function))
        .route("/function/tamis_udf.js", get(site::function_script))
        .route("/api/documents", get(data::documents))
        .route("/api/dead-letters", get(data::dead_letters))
        .route("/metrics", get(operate::metrics))
        .fallback(site::file)
        .layer(axum::middleware::from_fn_with_state(settings.token.clone(), access::check))
        // The feed is small pieces that must arrive at once.
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(1024).and(NotForContentType::SSE).and(NotForContentType::IMAGES)));
    let keys = settings.keys.clone();
    Router::new()
        .route("/health", get(operate::health))
        .merge(read)
        .with_state(shown)
        .merge(door(job.log().clone(), DoorSettings { keys, ..DoorSettings::default() }))
        .layer(axum::middleware::from_fn_with_state(settings.listen.ip().is_loopback(), access::same_origin))
        .layer(axum::middleware::map_response(access::headers))
}
