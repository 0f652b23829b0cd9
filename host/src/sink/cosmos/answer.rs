//! What the server's answer to a write means for the rows in it.

use std::time::Duration;

use azure_data_cosmos::CosmosError;

/// The longest part of a server's message that is passed on.
const MESSAGE: usize = 400;
/// The sub-status of a 404 that only says that a replica is behind.
const SESSION_NOT_AVAILABLE: u16 = 1002;

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The same write may work later.
    Again {
        /// What happened.
        why: String,
        /// When the server wants to see it again.
        after: Option<Duration>,
    },
    /// The document is too large, now and always.
    TooLarge,
    /// This document is refused; others may be taken.
    Document(String),
    /// Nothing can be written until somebody changes something.
    Stop(String),
}

impl Answer {
    pub(super) fn of(error: &CosmosError) -> Self {
        let status = error.status();
        let after = error.response().and_then(|response| response.headers().retry_after_ms).map(Duration::from_millis);
        let answer = Self::of_status(u16::from(status.status_code()), status.sub_status().map(|sub| sub.value()), after, said(error));
        match answer {
            // No server said so: a token could not be had, or a name not be resolved. That may pass.
            Self::Stop(why) if !error.is_from_wire() => Self::Again { why, after: None },
            answer => answer,
        }
    }

    pub(super) fn of_status(status: u16, sub_status: Option<u16>, after: Option<Duration>, why: String) -> Self {
        match status {
            413 => Self::TooLarge,
            400 | 409 | 412 => Self::Document(why),
            404 if sub_status == Some(SESSION_NOT_AVAILABLE) => Self::Again { why, after },
            401 | 403 | 404 => Self::Stop(why),
            _ => Self::Again { why, after },
        }
    }
}

/// A server's message in one line.
pub(super) fn said(error: &CosmosError) -> String {
    let text = error.to_string();
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(MESSAGE) {
        words.truncate(end);
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_means_what_stream_analytics_makes_of_it() {
        let answer = |status, sub| Answer::of_status(status, sub, None, "why".to_owned());
        for transient in [408, 410, 424, 429, 449, 500, 502, 503, 504, 599] {
            assert!(matches!(answer(transient, None), Answer::Again { .. }), "{transient}");
        }
        for stops in [401, 403, 404] {
            assert_eq!(answer(stops, None), Answer::Stop("why".to_owned()), "{stops}");
        }
        for document in [400, 409, 412] {
            assert_eq!(answer(document, None), Answer::Document("why".to_owned()), "{document}");
        }
        assert_eq!(answer(413, None), Answer::TooLarge);
        assert!(matches!(answer(404, Some(1002)), Answer::Again { .. }), "a replica that is behind");
    }

    #[test]
    fn a_throttled_write_keeps_the_servers_delay() {
        let after = Some(Duration::from_millis(250));
        assert_eq!(Answer::of_status(429, None, after, "busy".to_owned()), Answer::Again { why: "busy".to_owned(), after });
    }
}
