//! ONNX to [`Scorer`]: tract-onnx reads the file, the graph is walked back from its tree ensemble to its inputs.
//!
//! What compiles today: one input per column (float, double or int64 numbers, texts), each on its way through
//! `Cast`, `LabelEncoder` and `Identity` to one `Concat`, then one binary `TreeEnsembleClassifier` with the
//! post-transform LOGISTIC. Anything else is an error that names the node and its operator.

mod attributes;
mod ensemble;
mod graph;
#[cfg(test)]
mod tests;

use tract_onnx::pb;
use tract_onnx::prelude::Framework;

use crate::Scorer;

/// Why an ONNX file does not become a scorer.
#[derive(Debug, thiserror::Error)]
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
    /// An input that cannot be a column.
    #[error("input '{input}': {what}")]
    Input {
        /// The input's name.
        input: String,
        /// What is wrong, and what can be compiled instead.
        what: String,
    },
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
}

/// One input of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The texts that it knows.
    pub categories: Vec<String>,
}

/// A compiled model and what its file says of it.
#[derive(Debug)]
pub struct Compiled {
    /// The scorer; its columns are in the order of `inputs`.
    pub scorer: Scorer,
    /// The columns.
    pub inputs: Vec<Input>,
    /// The file's `metadata_props`.
    pub metadata: Vec<(String, String)>,
}

impl Compiled {
    /// The value of one of the file's `metadata_props`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Compiles the bytes of an ONNX file.
///
/// # Errors
/// [`OnnxError`], which names the node and its operator, or the input, that cannot be compiled.
pub fn compile(bytes: &[u8]) -> Result<Compiled, OnnxError> {
    let mut reader = bytes;
    let proto = tract_onnx::onnx().proto_model_for_read(&mut reader).map_err(|error| OnnxError::Read(error.to_string()))?;
    compile_proto(&proto)
}

fn compile_proto(proto: &pb::ModelProto) -> Result<Compiled, OnnxError> {
    let graph = proto.graph.as_ref().ok_or_else(|| OnnxError::Graph("no graph".to_owned()))?;
    let walked = graph::walk(graph)?;
    let (base, trees) = ensemble::read(walked.ensemble, &walked.features)?;
    let scorer = Scorer::new(walked.encoders, base, trees).map_err(|error| fault(walked.ensemble, error.to_string()))?;
    let metadata = proto.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    Ok(Compiled { scorer, inputs: walked.inputs, metadata })
}

fn fault(node: &pb::NodeProto, what: impl Into<String>) -> OnnxError {
    let name = if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() };
    OnnxError::Node { node: name, operator: node.op_type.clone(), what: what.into() }
}
