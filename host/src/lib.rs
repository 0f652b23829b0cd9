//! Plays Azure Stream Analytics on one machine: pulls events, runs the job's SQL, calls the job's
//! WebAssembly function once a batch or window, writes documents and a live page.
//!
//! # Layout, in the order an event meets it
//!
//! - [`job`]: reads an Azure Stream Analytics project folder
//! - [`source`]: the durable log with its Event Hubs door, files; decodes events into batches
//! - [`query`]: the job's script, compiled into steps that run over batches
//! - [`window`]: assigns rows to windows and releases each when the watermark passes its end
//! - [`udf`]: the sandbox that the function runs in
//! - [`models`]: the versions of the functions: champion, challenger, and the way back
//! - [`sink`]: where each `INTO` goes: store, Cosmos DB, live feed, JSON lines
//! - [`store`]: the embedded store: documents, dead letters and the checkpoint, in one transaction
//! - [`serve`]: the HTTP doors: ingest, live page, metrics, health
//! - [`pipeline`]: the only place that knows all rooms; it moves batches from one to the next
//! - [`generate`]: simulates card transactions
//! - [`export`]: a module in the forms that other places take
//! - [`cli`]: the commands
//!
//! The rooms share [`batch`], [`time`] and [`fault`], and do not import each other.

pub mod batch;
pub mod cli;
pub mod embedded;
pub mod export;
pub mod fault;
pub mod generate;
pub mod job;
pub mod models;
pub mod pipeline;
pub mod query;
pub mod serve;
pub mod sink;
pub mod source;
pub mod store;
pub mod time;
pub mod udf;
pub mod window;
