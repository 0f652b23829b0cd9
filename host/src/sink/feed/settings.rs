//! What the page shows: the `Page` block of a feed output's `Local_*.json`.
//!
//! ```json
//! "Page": {
//!   "Title": "Card transactions",
//!   "Words": { "Flagged": "Predicted frauds", "Share": "Share of fraud", "Mark": "fraud" },
//!   "Predictions": { "Output": "outputPowerBI", "Flag": "prediction", "Score": "score" },
//!   "Histogram": { "From": 0, "To": 1, "Bins": 20 },
//!   "Breakdowns": [
//!     { "Title": "Predicted frauds by day of week", "Column": "day_of_week", "Labels": ["monday", "tuesday"] },
//!     { "Title": "Predicted frauds by amount", "Column": "amount", "Edges": [0, 25, 50, 100] },
//!     { "Title": "Predicted frauds by month", "Column": "month", "Labels": [1, 2, 3] }
//!   ],
//!   "Latest": { "Rows": 20, "Columns": ["id", "amount", "score", "prediction"] },
//!   "Series": [
//!     { "Output": "outputFraudsByCategory", "Title": "Predicted frauds by category, per 10 s",
//!       "Time": "window_end", "Key": "category_recipient", "Value": "frauds", "Windows": 60 }
//!   ]
//! }
//! ```

use serde::{Deserialize, Serialize};

/// What the page shows. Everything but `Predictions` may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PageSettings {
    /// The page's title; the job's name when it is not given.
    #[serde(default)]
    pub title: Option<String>,
    /// The job's own words for what is counted.
    #[serde(default)]
    pub words: Words,
    /// The rows that are counted.
    pub predictions: PredictionSettings,
    /// Into how many bins the score is sorted.
    #[serde(default)]
    pub histogram: HistogramSettings,
    /// Counts by the values of a column.
    #[serde(default)]
    pub breakdowns: Vec<BreakdownSettings>,
    /// The table of the latest rows.
    #[serde(default)]
    pub latest: LatestSettings,
    /// Figures per window.
    #[serde(default)]
    pub series: Vec<SeriesSettings>,
}

/// The job's own words for what is counted. The page has a plain word for each that is not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "lowercase", deserialize = "PascalCase"), deny_unknown_fields, default)]
pub struct Words {
    /// What the flagged rows are together: "Predicted frauds".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flagged: Option<String>,
    /// Their share: "Share of fraud".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The mark on one of them: "fraud".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// What stands above the latest rows: "Latest transactions".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<String>,
    /// One row: "transaction".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
}

/// The rows that are counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PredictionSettings {
    /// The output whose rows are counted.
    pub output: String,
    /// The column that marks a row: a bit, or a number that is not zero.
    pub flag: String,
    /// The column with the score, for the histogram.
    #[serde(default)]
    pub score: Option<String>,
}

/// Bins of equal width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct HistogramSettings {
    /// The lowest score.
    pub from: f64,
    /// The highest score.
    pub to: f64,
    /// How many bins.
    pub bins: usize,
}

impl Default for HistogramSettings {
    fn default() -> Self {
        Self { from: 0.0, to: 1.0, bins: 20 }
    }
}

/// Counts by the values of one column: either `Labels` or `Edges`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct BreakdownSettings {
    /// What stands above it.
    pub title: String,
    /// The column.
    pub column: String,
    /// The values in their order: texts, whole numbers or bits. Any other value is counted as `other`, which is shown once it occurs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<serde_json::Value>,
    /// The edges of numeric bins, ascending; a bin holds its lower edge. What falls outside is counted as `under …` and
    /// `… and more`, which are shown once they occur.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
}

/// The table of the latest rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct LatestSettings {
    /// How many rows.
    pub rows: usize,
    /// Which columns, in this order; all when none is given.
    pub columns: Vec<String>,
}

impl Default for LatestSettings {
    fn default() -> Self {
        Self { rows: 20, columns: Vec::new() }
    }
}

/// One figure per window and key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SeriesSettings {
    /// The output of the windowed query.
    pub output: String,
    /// What stands above it.
    pub title: String,
    /// The column with the window's time; the rows' own time when it is not given.
    #[serde(default)]
    pub time: Option<String>,
    /// The column that tells the lines apart.
    pub key: String,
    /// The column with the figure.
    pub value: String,
    /// Keys that come first, in this order; others follow as they occur.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How many windows are kept.
    #[serde(default = "sixty")]
    pub windows: usize,
}

fn sixty() -> usize {
    60
}
