//! What a function says of itself: its columns, its functions and the model it carries. JSON, read without running the model.

use serde::{Deserialize, Serialize};

use crate::limits;

/// The type of a column's values; the names are Stream Analytics' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Type {
    /// 64-bit float.
    #[serde(rename = "float")]
    Float,
    /// 64-bit integer.
    #[serde(rename = "bigint")]
    BigInt,
    /// UTF-8 text.
    #[serde(rename = "nvarchar(max)")]
    Text,
    /// True or false.
    #[serde(rename = "bit")]
    Bit,
}

impl Type {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Float => 1,
            Self::BigInt => 2,
            Self::Text => 3,
            Self::Bit => 4,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Self::Float, Self::BigInt, Self::Text, Self::Bit].into_iter().find(|ty| ty.code() == code)
    }

    /// Its name in the query language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::BigInt => "bigint",
            Self::Text => "nvarchar(max)",
            Self::Bit => "bit",
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens to a row whose value is odd in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The row is rejected with a reason; the other rows get their results.
    Reject,
    /// The model has a meaning for it and gives a result.
    Accept,
}

/// One column that the function reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; matched without regard to case.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub ty: Type,
    /// The values that the model learned from, for text columns that hold categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// What a missing or null value comes to.
    pub missing: Policy,
    /// What a text that is not among `categories` comes to.
    pub unknown: Policy,
}

/// One function that can be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name: `run`, `score`, `probabilities`, `explain`.
    pub name: String,
    /// The type of its one result a row.
    pub returns: Type,
    /// What the result means, in a sentence.
    pub about: String,
    /// Whether its text is JSON. A host may hand it on as the record or array that it spells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub json: bool,
}

/// What the model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of two classes: the score is the second one's probability.
    #[default]
    Binary,
    /// One of several classes: the score is the likeliest one's probability.
    Multiclass,
    /// A number: the score is that number.
    Regression,
}

/// A class's name, as the model was trained on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Class {
    /// A number.
    BigInt(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BigInt(class) => class.fmt(f),
            Self::Text(class) => class.fmt(f),
        }
    }
}

/// What the contributions that `explain` gives add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// The log-odds of the score.
    #[serde(rename = "log-odds")]
    LogOdds,
    /// The score itself.
    #[serde(rename = "score")]
    Score,
}

/// What contributions are measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// The training rows that each node of the trees saw, written in the ONNX file (`nodes_hitrates`).
    Training,
    /// The golden rows that were given when the model was packed.
    Golden,
    /// Neither: every leaf below a node counts the same.
    Leaves,
}

/// How `explain` comes to its contributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// What `base` and the contributions add up to.
    pub unit: Unit,
    /// The value before any column is looked at: the mean over the background.
    pub base: f64,
    /// What the contributions are measured from.
    pub background: Background,
}

/// The stamp of the golden rows that the module was held to when it was packed, in the sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// How many golden rows there were.
    pub rows: u64,
    /// SHA-256 of the golden file, in hexadecimal.
    pub sha256: String,
    /// The greatest difference from the expected scores.
    pub max_difference: f64,
}

/// Which model is inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the ONNX file it was made from, in hexadecimal.
    pub sha256: String,
}

/// What a function says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Version of the contract, [`crate::ABI_VERSION`].
    pub abi: u32,
    /// The model inside.
    pub model: Model,
    /// A score at or above it is a positive prediction.
    pub threshold: f64,
    /// The columns that are read, in the order of the model.
    pub columns: Vec<Column>,
    /// What can be called; a function's number is its place here.
    pub functions: Vec<Function>,
    /// What the model answers.
    #[serde(default)]
    pub task: Task,
    /// The classes, in the order of the probabilities; none for a regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// How `explain` comes to its contributions; absent when the module has no such function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explained>,
    /// The golden rows that the module was held to; absent when none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    /// The model card, as it was given when the module was packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<serde_json::Value>,
}

/// Why a text is not a signature.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not JSON, or not of this form.
    #[error("signature cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Above a limit of [`crate::limits`], or empty where something must be.
    #[error("signature has {have} {what}, between 1 and {limit} are allowed")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A name that would not be one line of a log or of a terminal.
    #[error("signature has the name {0:?}; control characters are not allowed in names")]
    Control(String),
    /// Two columns or functions of one name.
    #[error("signature names '{0}' twice")]
    Twice(String),
}

impl Signature {
    /// Reads and checks a signature's JSON. Never trust one that did not come through here.
    pub fn from_json(text: &[u8]) -> Result<Self, SignatureError> {
        within("bytes", text.len(), limits::MAX_SIGNATURE)?;
        let signature: Self = serde_json::from_slice(text)?;
        within("columns", signature.columns.len(), limits::MAX_COLUMNS)?;
        within("functions", signature.functions.len(), limits::MAX_FUNCTIONS)?;
        for text in [&signature.model.name, &signature.model.version, &signature.model.sha256] {
            named(text)?;
        }
        unique(signature.columns.iter().map(|column| column.name.as_str()))?;
        unique(signature.functions.iter().map(|function| function.name.as_str()))?;
        Ok(signature)
    }

    /// Its JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The number of the function of that name, without regard to case.
    pub fn function(&self, name: &str) -> Option<(u32, &Function)> {
        let found = self.functions.iter().position(|function| function.name.eq_ignore_ascii_case(name))?;
        Some((found as u32, &self.functions[found]))
    }
}

fn within(what: &'static str, have: usize, limit: usize) -> Result<(), SignatureError> {
    if (1..=limit).contains(&have) { Ok(()) } else { Err(SignatureError::Limit { what, have, limit }) }
}

/// Names are shown in logs, tables and documents.
fn named(name: &str) -> Result<(), SignatureError> {
    within("bytes in a name", name.len(), limits::MAX_NAME)?;
    if name.chars().any(char::is_control) { Err(SignatureError::Control(name.to_owned())) } else { Ok(()) }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SignatureError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        named(name)?;
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(SignatureError::Twice(name.to_owned()));
        }
    }
    Ok(())
}
