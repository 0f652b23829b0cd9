//! Shared access signatures: the tokens that Event Hubs' senders show.
//!
//! `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={key name}`, where the signature is the HMAC-SHA256
//! of the escaped resource, a line feed and the expiry, under the text of the key. Senders escape the resource each in
//! their own way, so it is checked as it was received and never escaped again.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::time::{TICKS_PER_SECOND, Timestamp};

const SCHEME: &str = "SharedAccessSignature";
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A named key. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The policy's name.
    pub name: String,
    /// The key, as text.
    pub key: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("name", &self.name).field("key", &"***").finish()
    }
}

impl AccessKey {
    /// A token for everything under `resource` (an address), good until `expiry` (seconds since 1970).
    pub fn token(&self, resource: &str, expiry: i64) -> String {
        let resource = utf8_percent_encode(resource, ESCAPED).to_string();
        let signature = STANDARD.encode(self.signed(&resource, &expiry.to_string()).finalize().into_bytes());
        let signature = utf8_percent_encode(&signature, ESCAPED);
        let name = utf8_percent_encode(&self.name, ESCAPED);
        format!("{SCHEME} sr={resource}&sig={signature}&se={expiry}&skn={name}")
    }

    fn signed(&self, resource: &str, expiry: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(resource.as_bytes());
        mac.update(b"\n");
        mac.update(expiry.as_bytes());
        mac
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// Nothing was shown, or something else.
    #[error("a token is expected: Authorization: SharedAccessSignature sr=…&sig=…&se=…&skn=…")]
    Missing,
    /// It lacks a part, or a part cannot be read.
    #[error("the token's '{0}' is missing or cannot be read")]
    Malformed(&'static str),
    /// Not signed with a key that is known. Which of the two is wrong is not told.
    #[error("the token's signature does not match its key")]
    Signature,
    /// Too old.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    /// For something else.
    #[error("the token is for '{given}', not for '{wanted}'")]
    Scope {
        /// What it is for.
        given: String,
        /// What was asked for.
        wanted: String,
    },
}

/// Checks the `Authorization` header of a request for `path`.
///
/// # Errors
/// [`SasError`], the reason.
pub fn check(authorization: Option<&str>, keys: &[AccessKey], path: &str, now: Timestamp) -> Result<(), SasError> {
    let (scheme, token) = authorization.and_then(|text| text.trim().split_once(' ')).ok_or(SasError::Missing)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(SasError::Missing);
    }
    let part = |wanted: &'static str| {
        let parts = token.trim().split('&').filter_map(|part| part.split_once('='));
        parts.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value).ok_or(SasError::Malformed(wanted))
    };
    let (resource, expiry) = (part("sr")?, part("se")?);
    let decoded = |wanted| percent_decode_str(part(wanted)?).decode_utf8().map_err(|_| SasError::Malformed(wanted));
    let signature = STANDARD.decode(decoded("sig")?.as_bytes()).map_err(|_| SasError::Malformed("sig"))?;
    let name = decoded("skn")?;
    let seconds: i64 = expiry.parse().map_err(|_| SasError::Malformed("se"))?;

    // Every key of that name is tried, and the comparison takes the same time wherever the texts differ.
    let signed = |key: &AccessKey| key.name == *name && key.signed(resource, expiry).verify_slice(&signature).is_ok();
    if !keys.iter().any(signed) {
        return Err(SasError::Signature);
    }
    let expiry = Timestamp(seconds.saturating_mul(TICKS_PER_SECOND));
    if expiry <= now {
        return Err(SasError::Expired(expiry));
    }
    let resource = decoded("sr")?;
    if !covers(&resource, path) {
        return Err(SasError::Scope { given: resource.into_owned(), wanted: path.to_owned() });
    }
    Ok(())
}

/// Whether the path is at or below the resource. Its scheme and host are not compared: a host has many names.
fn covers(resource: &str, path: &str) -> bool {
    let after_scheme = resource.split_once("://").map_or(resource, |(_, rest)| rest);
    let scope = after_scheme.split_once('/').map_or("", |(_, path)| path);
    let mut path = path.split('/').filter(|segment| !segment.is_empty());
    scope.split('/').filter(|segment| !segment.is_empty()).all(|wanted| path.next().is_some_and(|given| given.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AccessKey {
        AccessKey { name: "send".to_owned(), key: "dGVzdC1rZXktZm9yLWRvY3M=".to_owned() }
    }

    fn checked(token: &str, path: &str, seconds: i64) -> Result<(), SasError> {
        check(Some(token), &[key()], path, Timestamp(seconds * TICKS_PER_SECOND))
    }

    #[test]
    fn the_signature_has_the_documented_value() {
        let token = key().token("https://contoso.servicebus.windows.net/eh1", 1_438_205_742);
        assert_eq!(
            token,
            "SharedAccessSignature sr=https%3A%2F%2Fcontoso.servicebus.windows.net%2Feh1\
             &sig=XBEnlAbI3tc2BFbliWhyJV0LwEQnJA4VGS5uXysmgus%3D&se=1438205742&skn=send"
        );
        assert_eq!(checked(&token, "/eh1/messages", 1_438_205_741), Ok(()));
    }

    #[test]
    fn the_resource_is_checked_as_it_was_escaped() {
        // As .NET escapes: small letters.
        let resource = "sb%3a%2f%2fcontoso.servicebus.windows.net%2fEH1%2f";
        let signature = STANDARD.encode(key().signed(resource, "2000000000").finalize().into_bytes());
        let signature = utf8_percent_encode(&signature, ESCAPED);
        let token = format!("sharedaccesssignature se=2000000000&skn=send&sr={resource}&sig={signature}");
        assert_eq!(checked(&token, "/eh1/partitions/0/messages", 0), Ok(()));
    }

    #[test]
    fn scopes_are_prefixes_of_whole_segments() {
        for (resource, path, good) in [
            ("http://127.0.0.1:8400", "/hub/messages", true),
            ("http://127.0.0.1:8400/", "/hub/messages", true),
            ("127.0.0.1/hub", "/hub/messages", true),
            ("http://h/hub/publishers/me", "/hub/publishers/me/messages", true),
            ("http://h/hub/publishers/me", "/hub/publishers/you/messages", false),
            ("http://h/hu", "/hub/messages", false),
            ("http://h/hub2", "/hub/messages", false),
            ("http://h/hub/messages/deeper", "/hub/messages", false),
        ] {
            let result = checked(&key().token(resource, 2_000_000_000), path, 0);
            assert_eq!(result.is_ok(), good, "{resource} {path} {result:?}");
        }
    }

    #[test]
    fn forged_old_and_broken_tokens_are_refused() {
        let good = key().token("http://h/hub", 1000);
        assert_eq!(checked(&good, "/hub/messages", 1000), Err(SasError::Expired(Timestamp(1000 * TICKS_PER_SECOND))));
        let other = AccessKey { key: "other".to_owned(), ..key() };
        assert_eq!(checked(&other.token("http://h/hub", 1000), "/hub/messages", 0), Err(SasError::Signature));
        let unknown = AccessKey { name: "other".to_owned(), ..key() };
        assert_eq!(checked(&unknown.token("http://h/hub", 1000), "/hub/messages", 0), Err(SasError::Signature));
        assert_eq!(checked(&good.replace("se=1000", "se=9000"), "/hub/messages", 0), Err(SasError::Signature));
        assert_eq!(checked(&good.replace("hub", "hob"), "/hob/messages", 0), Err(SasError::Signature));
        assert_eq!(checked(&good.replace("se=1000", "se=soon"), "/hub/messages", 0), Err(SasError::Malformed("se")));
        assert_eq!(checked(&good.replace("&skn=send", ""), "/hub/messages", 0), Err(SasError::Malformed("skn")));
        assert_eq!(checked(&good.replace("sig=", "sig=%%%"), "/hub/messages", 0), Err(SasError::Malformed("sig")));
        for wrong in ["", "SharedAccessSignature", "Bearer abc", "Basic x"] {
            assert_eq!(checked(wrong, "/hub/messages", 0), Err(SasError::Missing), "{wrong}");
        }
        assert_eq!(check(None, &[key()], "/hub/messages", Timestamp(0)), Err(SasError::Missing));
        assert!(!format!("{:?}", key()).contains("dGVzd"));
    }
}
