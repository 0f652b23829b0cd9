//! What `tamis run` and `tamis serve` share: how their address is guarded, and secrets that are in files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::Fault;
use crate::serve::{Listening, Tls};
use crate::source::AccessKey;

/// How the address is guarded.
#[derive(Debug, clap::Args)]
pub(super) struct Guarding {
    /// The certificate (PEM, the whole chain): with it HTTPS is spoken.
    #[arg(long, env = "TAMIS_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, env = "TAMIS_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speaks HTTP also to other machines, where everybody on the way can read the tokens; for when something in front of
    /// this host speaks TLS.
    #[arg(long, env = "TAMIS_INSECURE_HTTP")]
    insecure_http: bool,
    /// Connections at a time; more are closed at once.
    #[arg(long, default_value_t = 1024, env = "TAMIS_MAX_CONNECTIONS", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_connections: u32,
    /// How long the head of a request, and then its body, may take to come.
    #[arg(long, default_value_t = 30.0, env = "TAMIS_REQUEST_PATIENCE", value_name = "SECONDS", value_parser = super::serve::seconds)]
    request_patience: f64,
}

impl Guarding {
    /// The same for the server.
    pub(super) fn listening(self, address: SocketAddr) -> Listening {
        let tls = self.tls_cert.zip(self.tls_key).map(|(certificate, key)| Tls { certificate, key });
        Listening {
            address,
            tls,
            insecure_http: self.insecure_http,
            max_connections: self.max_connections as usize,
            patience: Duration::from_secs_f64(self.request_patience),
        }
    }
}

/// A text that is not printed, also when it cannot be used: the library that reads arguments repeats what it refuses.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Keys that tokens are signed with: `NAME=KEY`, several with commas between. As they were given, else from the file that
/// `TAMIS_ACCESS_KEYS_FILE` names.
pub(super) fn access_keys(given: &[Secret]) -> Result<Vec<AccessKey>, Fault> {
    let read = |text: &str| text.split(',').map(|key| access_key(key.trim())).collect::<Result<Vec<_>, _>>();
    let given = given.iter().map(|Secret(text)| text.as_str()).collect::<Vec<_>>().join(",");
    let given = (!given.is_empty()).then_some(Secret(given));
    Ok(from_file(given, "TAMIS_ACCESS_KEYS", read)?.unwrap_or_default())
}

fn access_key(text: &str) -> Result<AccessKey, String> {
    match text.split_once('=') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => Ok(AccessKey { name: name.to_owned(), key: key.to_owned() }),
        _ => Err("NAME=KEY is expected".to_owned()),
    }
}

/// A secret: as it was given, else from the variable, else from the file that the variable with `_FILE` names.
pub(super) fn from_file<T>(
    given: Option<Secret>,
    variable: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Fault> {
    let given = given.map(|Secret(text)| text).or_else(|| std::env::var(variable).ok());
    if let Some(text) = given.filter(|text| !text.is_empty()) {
        return read(&text).map(Some).map_err(|why| Fault::job(why).at(variable));
    }
    let variable = format!("{variable}_FILE");
    let Some(path) = std::env::var_os(&variable).filter(|path| !path.is_empty()).map(PathBuf::from) else { return Ok(None) };
    let at = format!("{variable}: {}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| Fault::job(format!("the file cannot be read: {error}")).at(&at))?;
    #[cfg(unix)]
    if std::fs::metadata(&path).is_ok_and(|known| std::os::unix::fs::PermissionsExt::mode(&known.permissions()) & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "Others can read this file with a secret; chmod 600 it.");
    }
    read(text.trim()).map(Some).map_err(|why| Fault::job(why).at(at))
}
