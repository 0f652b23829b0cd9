//! Who may read: on this machine everybody, elsewhere who shows the token. And nobody through another site's page.

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use subtle::ConstantTimeEq;

/// What readers must show. Never printed.
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

const COOKIE: &str = "tamis_token";

/// Lets a request with the token pass. A browser shows it once, as `/?token=…`, and gets a cookie.
pub(super) async fn check(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    let Some(token) = token else { return next.run(request).await };
    if let Some(given) = in_query(request.uri())
        && token.is(&given)
    {
        let cookie = format!("{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict");
        let mut response = Redirect::to(request.uri().path()).into_response();
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return response;
    }
    if in_headers(request.headers()).any(|given| token.is(given)) {
        return next.run(request).await;
    }
    let message = "a token is needed: open /?token=… once, or send the header 'Authorization: Bearer …'";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], super::operate::error("Unauthorized", message)).into_response()
}

fn in_query(uri: &Uri) -> Option<String> {
    let given = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    Some(percent_encoding::percent_decode_str(given).decode_utf8_lossy().into_owned())
}

fn in_headers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = text(header::AUTHORIZATION).strip_prefix("Bearer ");
    let cookies = text(header::COOKIE).split(';').filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    bearer.into_iter().chain(cookies)
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
