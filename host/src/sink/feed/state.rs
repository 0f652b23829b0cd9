//! What the page gets: exactly the JSON of the feed's `state` event.

use serde::Serialize;

/// The page's state.
#[derive(Debug, Clone, Serialize)]
pub struct PageState {
    /// Rows counted so far over all feed outputs; ascends.
    pub seq: u64,
    /// When this was made.
    pub time: String,
    /// The page's title.
    pub title: Option<String>,
    /// The job's own words.
    pub words: super::Words,
    /// The job.
    pub job: JobState,
    /// The function; `null` when the job has none.
    pub model: Option<ModelState>,
    /// Sums since the first event.
    pub totals: Totals,
    /// How fast, how far behind.
    pub rates: Rates,
    /// The outputs that are neither the store nor the page.
    pub outputs: Vec<OutputState>,
    /// Counts by the values of columns.
    pub breakdowns: Vec<BreakdownState>,
    /// Counts by score; `null` when no score column is set.
    pub histogram: Option<HistogramState>,
    /// Figures per window.
    pub series: Vec<SeriesState>,
    /// The latest rows, newest first.
    pub latest: Vec<Box<serde_json::value::RawValue>>,
}

/// What the pipeline knows besides the rows.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Now.
    pub time: crate::time::Timestamp,
    /// The job.
    pub job: JobState,
    /// The function.
    pub model: Option<ModelState>,
    /// How fast, how far behind.
    pub rates: Rates,
    /// The outputs that are neither the store nor the page.
    pub outputs: Vec<OutputState>,
}

/// How an output is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OutputState {
    /// Its name in the query.
    pub name: String,
    /// Rows that wait for it in the outbox.
    pub behind: u64,
    /// Why it does not take rows, while it does not.
    pub refuses: Option<String>,
}

/// The job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobState {
    /// Its name.
    pub name: String,
    /// When the host started.
    pub started: String,
    /// Documents in the store.
    pub documents: u64,
    /// Dead letters in the store.
    pub dead_letters: u64,
}

/// The function that scores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ModelState {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the wasm file.
    pub sha256: String,
    /// The size of the wasm file.
    pub bytes: u64,
    /// The function's name in the query.
    pub function: String,
}

/// Sums since the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Rows with a prediction.
    pub predictions: u64,
    /// Rows whose flag is set.
    pub flagged: u64,
    /// `flagged / predictions`; 0 before the first.
    pub share: f64,
}

/// How fast, how far behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Events processed a second, lately.
    pub events_per_second: f64,
    /// How far the watermark is behind the clock.
    pub watermark_delay_seconds: f64,
    /// Events in the log that are not processed yet.
    pub backlog: u64,
}

/// Counts by the values of one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakdownState {
    /// What stands above it.
    pub title: String,
    /// The column.
    pub column: String,
    /// The values or bins.
    pub labels: Vec<String>,
    /// Rows of each.
    pub all: Vec<u64>,
    /// Flagged rows of each.
    pub flagged: Vec<u64>,
}

/// Counts by score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistogramState {
    /// The column.
    pub column: String,
    /// The bins' edges, one more than bins.
    pub edges: Vec<f64>,
    /// Rows of each bin.
    pub counts: Vec<u64>,
}

/// Figures per window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesState {
    /// The output of the windowed query.
    pub output: String,
    /// What stands above it.
    pub title: String,
    /// The column with the time.
    pub time: String,
    /// The column that tells the lines apart.
    pub key: String,
    /// The column with the figure.
    pub value: String,
    /// All keys.
    pub keys: Vec<String>,
    /// The windows, oldest first.
    pub points: Vec<Point>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its time.
    pub time: String,
    /// The figure of each key that occurs.
    pub values: serde_json::Map<String, serde_json::Value>,
}
