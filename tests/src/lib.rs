//! What the tests that cross a room or a process share: the golden vectors, the real program as a
//! process, and the servers that it talks to.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests")]

pub mod cosmos;
pub mod events;
pub mod golden;
pub mod host;
