//! The compiler from ONNX to [`Program`]. A graph is walked once, from its inputs on; each column of each tensor is an
//! expression over the model's columns (`value`), and what the scores need of them becomes steps (`lower`).
//!
//! # Layout
//!
//! - `graph`: inputs, the walk over the nodes, what every operator shares; `outputs`: which output holds the scores
//! - `plain`: arithmetic, shapes, joins; `encode`: encoders, scalers, imputers; `linear` and `trees`: the models;
//!   `post`: what makes scores of sums
//! - `foreign`: what is left to another engine, as a graph of its own
//! - `proto`, `attributes`, `tensor`: how the file says it
//!
//! What cannot be compiled is an error that names the node and its operator, if the scores depend on it; what leads only
//! to the label does not matter, because labels follow from scores.

mod attributes;
mod encode;
mod ensemble;
mod foreign;
mod graph;
mod linear;
mod lower;
mod outputs;
mod plain;
mod post;
mod proto;
mod shapes;
mod tensor;
#[cfg(test)]
mod tests;
mod trees;
mod value;

use prost::Message;

use crate::Program;

/// Why an ONNX file does not become a program.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// Not ONNX at all.
    #[error("not an ONNX model: {0}")]
    Read(String),
    /// The file has no graph, or lacks a part that a graph must have.
    #[error("the ONNX model has {0}")]
    Graph(String),
    /// A node that cannot be compiled.
    #[error("node '{node}' (operator {operator}): {what}")]
    Node {
        /// The node's name, or its first output's when it has none.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong, and what can be compiled instead.
        what: String,
    },
    /// An input that cannot be columns.
    #[error("input '{input}': {what}")]
    Input {
        /// The input's name.
        input: String,
        /// What is wrong, and what can be compiled instead.
        what: String,
    },
    /// The compiled parts do not fit together.
    #[error(transparent)]
    Model(#[from] crate::ModelError),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit floats.
    Float,
    /// 64-bit integers.
    BigInt,
    /// Texts.
    Text,
    /// True or false.
    Bit,
}

/// One column that the model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The texts that it knows.
    pub categories: Vec<String>,
    /// Whether the model has a meaning for a missing value.
    pub missing: bool,
    /// Whether the model has a meaning for a text that is not among its categories.
    pub unknown: bool,
}

/// A class's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// A number.
    BigInt(i64),
    /// A text.
    Text(String),
}

/// A compiled model and what its file says of it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// What it computes.
    pub program: Program,
    /// The columns, as the program reads them.
    pub inputs: Vec<Input>,
    /// The classes; none for a regression. Of two, the program's one score is the second one's; of more, it has one score each.
    pub classes: Vec<Class>,
    /// Whether the file tells how many training rows each node of its trees saw.
    pub covers: bool,
    /// The graph's name.
    pub name: String,
    /// The file's `metadata_props`.
    pub metadata: Vec<(String, String)>,
}

impl Compiled {
    /// The value of one of the file's `metadata_props`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Compiles the bytes of an ONNX file. `names` are the columns' names where an input has several; without them (and without
/// the `metadata_props` entry `columns`, names with commas between) they are `f0`, `f1` …
///
/// # Errors
/// [`OnnxError`], which names the node and its operator, or the input, that cannot be compiled.
pub fn compile(bytes: &[u8], names: Option<&[String]>) -> Result<Compiled, OnnxError> {
    compile_but(bytes, names, Left::Nothing)
}

/// The same, with a part of the graph left to the general guest's engine: the compiler makes the columns that this part reads
/// (encoders, scalers, whatever it can), and the part itself becomes one step.
///
/// # Errors
/// As [`compile`]; whether the engine can run the part is found out when the program is baked into its guest.
pub fn compile_but(bytes: &[u8], names: Option<&[String]>, left: Left) -> Result<Compiled, OnnxError> {
    let model = proto::ModelProto::decode(bytes).map_err(|error| OnnxError::Read(error.to_string()))?;
    graph::compile(&model, names, left)
}

/// What is left to the general guest's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing: the compiler takes it all, or refuses.
    Nothing,
    /// What the compiler does not take, and all that is made from it.
    Unknown,
    /// Besides, weighted sums (MatMul, Gemm) and all that is made from them, which the compiler would take.
    Sums,
}

fn fault(node: &proto::NodeProto, what: impl Into<String>) -> OnnxError {
    let name = if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() };
    OnnxError::Node { node: name, operator: node.op_type.clone(), what: what.into() }
}
