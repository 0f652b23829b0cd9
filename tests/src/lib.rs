//! What the tests that cross a room or a process share: the golden vectors, small guests, the real program and
//! other servers as processes.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests")]

pub mod cosmos;
pub mod crash;
pub mod events;
pub mod golden;
pub mod guests;
pub mod host;
pub mod hostile;
pub mod kafka;
pub mod models;
pub mod outputs;
pub mod push;
pub mod server;
pub mod small;
