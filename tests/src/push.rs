//! A server that rows are pushed to, and that does what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::Value;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Mode {
    /// It takes the rows.
    Take,
    /// It answers with this status, and asks for so many seconds.
    Refuse(u16, Option<u64>),
    /// It takes the rows, after so long.
    Slow(Duration),
    /// It refuses requests that have a row with this field set to true.
    Picky(&'static str),
}

/// A request that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When it came.
    pub at: Instant,
    /// The path and query.
    pub uri: String,
    /// Its login.
    pub authorization: Option<String>,
    /// How many rows it had.
    pub rows: usize,
    /// Whether they were taken.
    pub taken: bool,
}

/// A running server; it ends with the runtime.
#[derive(Debug, Clone)]
pub struct PushServer {
    /// Its address.
    pub url: String,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    mode: Mutex<Mode>,
    rows: Mutex<Vec<Value>>,
    seen: Mutex<Vec<Seen>>,
    taken: AtomicU64,
    /// Whether rows are kept, or only counted.
    keeps: bool,
}

impl PushServer {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_with(true).await
    }

    /// The same; `keeps`: rows are kept and not only counted.
    pub async fn start_with(keeps: bool) -> Self {
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Take),
            rows: Mutex::default(),
            seen: Mutex::default(),
            taken: AtomicU64::new(0),
            keeps,
        });
        let of_app = Arc::clone(&state);
        let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let state = Arc::clone(&of_app);
            async move { state.answer(&uri, &headers, &body).await }
        };
        let app = Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::max(64 << 20));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, state }
    }

    /// From now on it does this.
    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock() = mode;
    }

    /// The rows that it took.
    pub fn rows(&self) -> Vec<Value> {
        self.state.rows.lock().clone()
    }

    /// How many rows it took.
    pub fn taken(&self) -> u64 {
        self.state.taken.load(Ordering::SeqCst)
    }

    /// The requests that it saw.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().clone()
    }
}

impl State {
    async fn answer(&self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
        let mode = self.mode.lock().clone();
        let body: Value = serde_json::from_slice(body).unwrap();
        let rows = match &body {
            Value::Array(rows) => rows,
            body => body["rows"].as_array().unwrap(),
        };
        let is_refused = |field: &str| rows.iter().any(|row| row[field] == true);
        let (status, wait) = match mode {
            Mode::Take => (200, None),
            Mode::Refuse(status, wait) => (status, wait),
            Mode::Slow(pause) => {
                tokio::time::sleep(pause).await;
                (200, None)
            }
            Mode::Picky(field) => (if is_refused(field) { 400 } else { 200 }, None),
        };
        let taken = status == 200;
        self.seen.lock().push(Seen {
            at: Instant::now(),
            uri: uri.to_string(),
            authorization: headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()),
            rows: rows.len(),
            taken,
        });
        if taken {
            if self.keeps {
                self.rows.lock().extend(rows.iter().cloned());
            }
            self.taken.fetch_add(rows.len() as u64, Ordering::SeqCst);
        }
        let mut answer = (StatusCode::from_u16(status).unwrap(), "so says the server").into_response();
        if let Some(seconds) = wait {
            answer.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
        }
        answer
    }
}
