//! Who may do what: on this machine everybody while there are no tokens, elsewhere who shows the right one. And nobody
//! through another site's page.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use subtle::ConstantTimeEq;

use super::rate::Rate;
use crate::source::LetIn;

/// What somebody must show. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The shortest token that is taken.
    const SHORTEST: usize = 16;

    /// Takes a text as token.
    ///
    /// # Errors
    /// When it is too short, or has characters that a header cannot carry.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < Self::SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b'"') {
            return Err(format!("a token has at least {} letters, digits or signs", Self::SHORTEST));
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes the same time wherever the difference is.
    pub(super) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// See the live page, its feed and the documents.
    Page,
    /// Also see what was rejected and the metrics, and send what was rejected again.
    Admin,
}

/// Who may do what. Each is one right; without any, everybody on this machine may read and send.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Sends events, and nothing else; beside the keys that senders sign their tokens with.
    pub ingest: Option<Token>,
    /// Sees the page.
    pub page: Option<Token>,
    /// Sees and does everything but send.
    pub admin: Option<Token>,
}

impl Tokens {
    /// Whether readers must show one.
    pub(super) fn guard_reading(&self) -> bool {
        self.page.is_some() || self.admin.is_some()
    }

    /// The most that this text is good for. All tokens are compared, whichever fits.
    fn right(&self, given: &str) -> Option<Right> {
        let is = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.is(given));
        match (is(&self.admin), is(&self.page)) {
            (true, _) => Some(Right::Admin),
            (false, true) => Some(Right::Page),
            (false, false) => None,
        }
    }

    pub(super) fn may_send(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        given.zip(self.ingest.as_ref()).is_some_and(|(given, token)| token.is(given))
    }
}

/// What [`check`] needs to know.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) tokens: Tokens,
    pub(super) needs: Right,
    /// Whether the cookie is for HTTPS only.
    pub(super) secure: bool,
    /// What wrong tokens cost: after some at once an address has to wait.
    pub(super) wrong: Rate,
}

const COOKIE: &str = "tamis_token";

/// Lets a request with the right pass. A browser shows its token once, as `/?token=…`, and gets a cookie.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Guard { tokens, needs, secure, wrong } = guard;
    if !tokens.guard_reading() {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    if peer.is_some_and(|peer| !wrong.has(peer)) {
        let message = "too many wrong tokens came from this address; wait a moment";
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "10")], super::operate::error("TooManyRequests", message))
            .into_response();
    }
    let asked = in_query(request.uri());
    if let Some(given) = &asked
        && tokens.right(given).is_some()
    {
        let only = if secure { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict{only}");
        let mut response = Redirect::to(request.uri().path()).into_response();
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return response;
    }
    let shown: Vec<&str> = in_headers(request.headers()).collect();
    let right = shown.iter().filter_map(|given| tokens.right(given)).max_by_key(|right| *right == Right::Admin);
    match right {
        Some(right) if right == Right::Admin || right == needs => return next.run(request).await,
        Some(_) => {
            let message = "this token is for the page only; this needs the one in TAMIS_TOKEN_ADMIN";
            return (StatusCode::FORBIDDEN, super::operate::error("Forbidden", message)).into_response();
        }
        None => {}
    }
    if let Some(peer) = peer.filter(|_| asked.is_some() || !shown.is_empty()) {
        wrong.take(peer);
    }
    let message = "a token is needed: open /?token=… once, or send the header 'Authorization: Bearer …'";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], super::operate::error("Unauthorized", message)).into_response()
}

/// Marks the requests of senders that show the token for sending; the door itself knows the keys.
pub(super) async fn senders(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    if tokens.may_send(request.headers()) {
        request.extensions_mut().insert(LetIn);
    }
    next.run(request).await
}

/// Holds every address to so many requests.
pub(super) async fn limit(State(rate): State<Option<Rate>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    if let (Some(rate), Some(peer)) = (rate, peer)
        && !rate.take(peer)
    {
        let message = "this address sends too many requests; send fewer, with more events in each";
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], super::operate::error("TooManyRequests", message))
            .into_response();
    }
    next.run(request).await
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn in_query(uri: &Uri) -> Option<String> {
    let given = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    Some(percent_encoding::percent_decode_str(given).decode_utf8_lossy().into_owned())
}

fn in_headers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let cookies = text(header::COOKIE).split(';').filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    bearer(text(header::AUTHORIZATION)).into_iter().chain(cookies)
}

/// Refuses what another site's page sends through a browser on this machine: requests that carry a foreign `Origin`,
/// and, while listening on this machine only, requests for a foreign host name (DNS rebinding).
pub(super) async fn same_origin(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    if is_foreign(request.headers(), request.uri(), loopback) {
        let message = "requests from other sites' pages are refused";
        return (StatusCode::FORBIDDEN, super::operate::error("Forbidden", message)).into_response();
    }
    next.run(request).await
}

/// Whether a request comes from a page of another site.
pub(super) fn is_foreign(headers: &HeaderMap, uri: &Uri, loopback: bool) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = host.or_else(|| uri.authority().map(ToString::to_string)).unwrap_or_default();
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let foreign_origin = origin.is_some_and(|origin| origin.split_once("://").is_none_or(|(_, of)| !of.eq_ignore_ascii_case(&host)));
    foreign_origin || (loopback && !is_this_machine(&host))
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What every answer carries: nothing is loaded from elsewhere, nothing is framed, nothing is guessed.
pub(super) async fn headers(mut response: Response) -> Response {
    const ALL: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in ALL {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
