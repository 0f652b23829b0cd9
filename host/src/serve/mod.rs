//! The HTTP doors of a running job: events in, the live page and its feed, documents, metrics, health.
//!
//! | path | what |
//! | --- | --- |
//! | `POST /{hub}/messages` … | events, as Event Hubs' REST takes them ([`crate::source::door`]) |
//! | `GET /` | the live page |
//! | `GET /feed` | what the page shows, as Server-Sent Events |
//! | `GET /function.wasm`, `/function/tamis_udf.js` | the job's function, for the page's "try it" |
//! | `GET /api/documents`, `/api/dead-letters` | the newest documents and dead letters |
//! | `POST /api/dead-letters/{id}/replay` | sends the event of a dead letter again |
//! | `GET /metrics`, `/health` | for machines |
//!
//! - `listen`: the address: TLS, connections, slow senders
//! - `access`: who may do what; `rate`: how often
//! - `site`: the page's files
//! - `feed`: the stream of states and rows
//! - `data`: documents and dead letters
//! - `operate`: metrics and health
//! - [`score`]: another server, without a job: one function as the endpoint that Stream Analytics calls

mod access;
mod data;
mod feed;
mod listen;
mod operate;
mod rate;
pub mod score;
mod site;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::fault::Fault;
use crate::pipeline::{Job, Status};
use crate::sink::feed::{PageState, Rows};
use crate::source::{AccessKey, DoorSettings, Log, router as door};
use access::Right;
use listen::Opened;
use rate::Rate;

pub use access::{Token, Tokens};
pub use listen::{Listening, Tls};

/// How the doors are opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on, and how.
    pub listening: Listening,
    /// Who may do what.
    pub tokens: Tokens,
    /// The keys that senders' tokens are signed with.
    pub keys: Vec<AccessKey>,
    /// Requests a second that one address may send; `None`: as many as it can.
    pub requests_per_second: Option<u32>,
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
    log: Log,
    metrics: PrometheusHandle,
    /// Turns true when the server stops: long answers end.
    ending: watch::Receiver<bool>,
}

/// Open doors.
#[derive(Debug)]
pub struct Server {
    opened: Opened,
    ending: watch::Sender<bool>,
}

impl Server {
    /// Opens the doors of a job.
    ///
    /// # Errors
    /// When the address cannot be had, or needs a token or TLS that is not given.
    pub async fn open(job: &Job, settings: Settings) -> Result<Self, Fault> {
        let (ending, ends) = watch::channel(false);
        let shown = Shown {
            page: job.page(),
            rows: job.rows(),
            status: job.status(),
            function: job.shown(),
            data_dir: job.data_dir().to_owned(),
            log: job.log().clone(),
            metrics: settings.metrics.clone(),
            ending: ends,
        };
        let app = routes(job, shown, &settings);
        let opened = Opened::new(&settings.listening, app, settings.tokens.guard_reading(), "a token is needed: set TAMIS_TOKEN").await?;
        Ok(Self { opened, ending })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.opened.address()
    }

    /// Where it is reached from this machine.
    pub fn url(&self) -> String {
        self.opened.url()
    }

    /// Takes no more requests and waits a little for those at hand.
    pub async fn close(self) {
        self.ending.send_replace(true);
        self.opened.close().await;
    }
}

/// Wrong tokens that an address may show at once, and how many a second after that.
const WRONG_TOKENS: (f64, f64) = (20.0, 0.5);

fn routes(job: &Job, shown: Shown, settings: &Settings) -> Router {
    let wrong = Rate::new(WRONG_TOKENS.0, WRONG_TOKENS.1);
    let guard =
        |needs| access::Guard { tokens: settings.tokens.clone(), needs, secure: settings.listening.tls.is_some(), wrong: wrong.clone() };
    let read = Router::new()
        .route("/feed", get(feed::feed))
        .route("/function.wasm", get(site::function))
        .route("/function/tamis_udf.js", get(site::function_script))
        .route("/api/documents", get(data::documents))
        .fallback(site::file)
        .layer(axum::middleware::from_fn_with_state(guard(Right::Page), access::check));
    let administer = Router::new()
        .route("/api/dead-letters", get(data::dead_letters))
        .route("/api/dead-letters/{id}/replay", post(data::replay))
        .route("/metrics", get(operate::metrics))
        .layer(axum::middleware::from_fn_with_state(guard(Right::Admin), access::check));
    let read = read
        .merge(administer)
        // The feed is small pieces that must arrive at once.
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(1024).and(NotForContentType::SSE).and(NotForContentType::IMAGES)));
    let door_settings = DoorSettings {
        keys: settings.keys.clone(),
        closed: settings.tokens.ingest.is_some(),
        patience: settings.listening.patience,
        ..DoorSettings::default()
    };
    let door = door(job.log().clone(), door_settings);
    let door = door.layer(axum::middleware::from_fn_with_state(settings.tokens.clone(), access::senders));
    let rate = settings.requests_per_second.map(|most| Rate::new(f64::from(most).max(1.0), f64::from(most)));
    Router::new()
        .route("/health", get(operate::health))
        .merge(read)
        .with_state(shown)
        .merge(door)
        .layer(axum::middleware::from_fn_with_state(settings.listening.is_loopback(), access::same_origin))
        .layer(axum::middleware::from_fn_with_state(rate, access::limit))
        .layer(axum::middleware::map_response(access::headers))
}
