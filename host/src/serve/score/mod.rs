//! A function as the HTTP endpoint that a real Stream Analytics job calls: the contract of Azure's inference server
//! (`azureml-inference-server-http`), with the sandbox behind it.
//!
//! | path | what |
//! | --- | --- |
//! | `POST /score` | `{"data": [rows]}` gives an array, `{"Inputs": {"WebServiceInput0": [rows]}}` gives `{"Results": array}` |
//! | `GET /score?data=…` | the same, each value of the query being JSON |
//! | `GET /swagger.json?version=2\|3\|3.1` | what the rows look like, from the function's signature |
//! | `GET /` | `Healthy` |
//!
//! - `request`: the body or query, taken apart
//! - `rows`: JSON rows, read straight into columns
//! - `run`: one request through the function
//! - `answer`: answers and refusals with their headers
//! - `ids`: the ids of a request
//! - `swagger`: the documents

mod answer;
mod ids;
mod request;
mod rows;
mod run;
mod swagger;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::Semaphore;

use super::access::{self, Token};
use super::listen::{Listening, Opened};
use crate::fault::Fault;
use crate::udf::Function;
use answer::Refusal;
use swagger::Documents;

/// Which form of request the documents describe; both are always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `{"data": […]}`, as a scoring script with one input has it.
    Data,
    /// `{"Inputs": {"WebServiceInput0": […]}, "GlobalParameters": {}}`, as the designer has it.
    Inputs,
}

/// Which form of row the documents describe; both are always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// An object, columns by name: a data frame.
    Records,
    /// An array, columns by place: a matrix.
    Arrays,
}

/// How the endpoint is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on, and how.
    pub listening: Listening,
    /// What callers must show as `Authorization: Bearer …`; needed when the address is not this machine's own.
    pub key: Option<Token>,
    /// Whether `/swagger.json` is shown to those without the key.
    pub open_swagger: bool,
    /// The function of the module that is called.
    pub function: String,
    /// Whether one bad row fails the whole request.
    pub strict: bool,
    /// Whether a text that is a number counts as one, in a column of numbers.
    pub text_numbers: bool,
    /// What the documents describe.
    pub envelope: Envelope,
    /// What the documents describe.
    pub rows: RowForm,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// The time of one request: of its body to come, of its turn, of its scores.
    pub time_limit: Duration,
}

#[derive(Debug)]
struct Shared {
    function: Function,
    settings: Settings,
    documents: Documents,
    /// As many requests are scored at a time as there are processors; the others wait for their turn.
    turns: Arc<Semaphore>,
}

/// An open endpoint.
#[derive(Debug)]
pub struct Endpoint {
    opened: Opened,
}

impl Endpoint {
    /// Opens the endpoint of a function.
    ///
    /// # Errors
    /// When there is no such function, the address cannot be had, or it needs a key that is not given.
    pub async fn open(function: Function, settings: Settings) -> Result<Self, Fault> {
        let (listening, guarded) = (settings.listening.clone(), settings.key.is_some());
        let opened = Opened::new(&listening, router(function, settings)?, guarded, "a key is needed: set TAMIS_KEY").await?;
        Ok(Self { opened })
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
        self.opened.close().await;
    }
}

fn router(function: Function, settings: Settings) -> Result<Router, Fault> {
    let signature = function.signature();
    let Some((_, called)) = signature.function(&settings.function) else {
        let known: Vec<&str> = signature.functions.iter().map(|function| function.name.as_str()).collect();
        return Err(Fault::job(format!("there is no function '{}'; the module has {}", settings.function, known.join(", "))));
    };
    let documents = Documents::new(signature, called, settings.envelope, settings.rows);
    let turns = std::thread::available_parallelism().map_or(1, usize::from);
    let loopback = settings.listening.is_loopback();
    let shared = Arc::new(Shared { function, settings, documents, turns: Arc::new(Semaphore::new(turns)) });
    let own = Router::new()
        .route("/", any(health))
        .route("/swagger.json", any(documents_of))
        .route("/score", any(run::score))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), check_key))
        .layer(axum::middleware::from_fn(ids::carry))
        // Other methods are refused before there are ids, as there.
        .layer(axum::middleware::from_fn(known_methods));
    let not_found =
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.";
    Ok(own
        .fallback(move || async move { Refusal::new(StatusCode::NOT_FOUND, not_found) })
        .with_state(shared)
        .layer(axum::middleware::from_fn_with_state(loopback, same_origin)))
}

/// The methods of each path; what is known but wrong for scoring is refused by [`run::score`].
async fn known_methods(request: Request, next: Next) -> Response {
    let scores = request.uri().path() == "/score";
    let read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if read || (scores && request.method() == Method::POST) {
        return next.run(request).await;
    }
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed for the requested URL.").into_response()
}

/// Lets a request with the key pass. Health is shown to everybody.
async fn check_key(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let open = match request.uri().path() {
        "/" => true,
        "/swagger.json" => shared.settings.open_swagger,
        _ => false,
    };
    let Some(key) = shared.settings.key.as_ref().filter(|_| !open) else { return next.run(request).await };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let shown = given.split_once(' ').is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && key.is(given.trim()));
    if shown {
        return next.run(request).await;
    }
    let message = "The key is missing or wrong. Send the header 'Authorization: Bearer <key>'.";
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

/// Another site's page does not score through a browser on this machine.
async fn same_origin(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    if access::is_foreign(request.headers(), request.uri(), loopback) {
        return Refusal::new(StatusCode::FORBIDDEN, "Requests from other sites' pages are refused.").into_response();
    }
    next.run(request).await
}

async fn health(request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return answer::allowed();
    }
    axum::response::Html("Healthy").into_response()
}

async fn documents_of(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return answer::allowed();
    }
    let version = request::query(request.uri()).into_iter().find(|(name, _)| name == "version").map(|(_, version)| version);
    match shared.documents.version(version.as_deref().unwrap_or("2")) {
        Ok(document) => answer::json(StatusCode::OK, document.clone()),
        Err(message) => Refusal::new(StatusCode::NOT_FOUND, message).into_response(),
    }
}
