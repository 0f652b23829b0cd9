//! What the tests that cross a room or a process share: the golden vectors, and the real program as a process.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests")]

pub mod golden;
pub mod host;
