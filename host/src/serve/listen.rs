//! Opens an address: who may listen where, TLS, how many connections there may be, and how slow a sender may be.

use std::future::Ready;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::AddExtension;
use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsConfig, from_tcp_rustls};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer;

use crate::fault::Fault;

/// How an address is opened.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The address.
    pub address: SocketAddr,
    /// With it, HTTPS is spoken.
    pub tls: Option<Tls>,
    /// Whether others than this machine may be spoken to without TLS: something in front of this server has it.
    pub insecure_http: bool,
    /// Connections at a time; more are closed at once.
    pub max_connections: usize,
    /// How long the head of a request may take to come, and the pause before the next one.
    pub patience: Duration,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, with those that vouch for it behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Listening {
    /// An address with the usual limits.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, tls: None, insecure_http: false, max_connections: 1024, patience: Duration::from_secs(30) }
    }

    /// Whether only this machine can reach it.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Others than this machine are let in with a token only, and spoken to over TLS unless that is said to be elsewhere.
    fn check(&self, guarded: bool, needed: &str) -> Result<(), Fault> {
        if self.is_loopback() {
            return Ok(());
        }
        let at = |message: String| Fault::job(message).at(format!("--listen {}", self.address));
        if !guarded {
            return Err(at(format!("others than this machine can reach this address, so {needed}, or listen on 127.0.0.1")));
        }
        if self.tls.is_none() && !self.insecure_http {
            return Err(at(
                "others can reach this address, and without TLS they can read what is sent: give --tls-cert and --tls-key, or --insecure-http \
                 when something in front of it speaks TLS"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// Longest heads of requests: a token, and properties of an event.
const HEAD: usize = 128 << 10;

/// An open address.
#[derive(Debug)]
pub(super) struct Opened {
    address: SocketAddr,
    secure: bool,
    handle: Handle<SocketAddr>,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Opened {
    /// Opens it. `guarded`: whether there is a token; `needed`: what to do when there is none.
    ///
    /// # Errors
    /// When the address cannot be had or needs more than is given, or the certificate cannot be used.
    pub(super) async fn new(listening: &Listening, app: Router, guarded: bool, needed: &str) -> Result<Self, Fault> {
        listening.check(guarded, needed)?;
        let taken = |error: io::Error| {
            Fault::outside(format!("cannot listen: {error}; is another tamis running? --listen chooses another address"))
                .never()
                .at(listening.address.to_string())
        };
        let listener = TcpListener::bind(listening.address).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let handle = Handle::new();
        let cap = Cap { free: Arc::new(Semaphore::new(listening.max_connections)) };
        let patience = listening.patience;
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        // The two servers have different types and the same settings.
        macro_rules! start {
            ($server:expr) => {{
                let mut server = $server;
                server.http_builder().http1().header_read_timeout(patience).max_buf_size(HEAD);
                let mut http2 = server.http_builder().http2();
                http2.max_header_list_size(HEAD as u32).keep_alive_interval(patience).keep_alive_timeout(patience);
                tokio::spawn(server.first_request_timeout(patience).handle(handle.clone()).serve(app))
            }};
        }
        let task = match &listening.tls {
            Some(tls) => {
                let config = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await.map_err(|error| {
                    let files = format!("{}, {}", tls.certificate.display(), tls.key.display());
                    Fault::job(format!("the certificate and its key cannot be used: {error}")).at(files)
                })?;
                let server = from_tcp_rustls(listener, config).map_err(taken)?;
                start!(server.map(|rustls| rustls.acceptor(cap)))
            }
            None => start!(axum_server::from_tcp(listener).map_err(taken)?.acceptor(cap)),
        };
        Ok(Self { address, secure: listening.tls.is_some(), handle, task })
    }

    /// The address that it listens on.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached from this machine.
    pub(super) fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        format!("{}://{address}/", if self.secure { "https" } else { "http" })
    }

    /// Takes no more requests and waits a little for those at hand.
    pub(super) async fn close(self) {
        const PATIENCE: Duration = Duration::from_secs(3);
        self.handle.graceful_shutdown(Some(PATIENCE));
        if tokio::time::timeout(PATIENCE * 2, self.task).await.is_err() {
            tracing::warn!("Some requests did not end in time.");
        }
    }
}

/// Takes a connection while there is room; what it holds goes with the connection.
#[derive(Debug, Clone)]
struct Cap {
    free: Arc<Semaphore>,
}

impl<S> Accept<TcpStream, S> for Cap {
    type Stream = TcpStream;
    type Service = AddExtension<S, Arc<OwnedSemaphorePermit>>;
    type Future = Ready<io::Result<(TcpStream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => stream.set_nodelay(true).map(|()| (stream, Extension(Arc::new(permit)).layer(service))),
            Err(_) => Err(io::Error::other("there are too many connections")),
        })
    }
}
