//! ONNX to one `.wasm`: the graph is compiled to a scorer, the scorer is baked into the generic guest, and the result
//! is held to golden rows in the sandbox before it is given out.
//!
//! ```text
//! pack(guest, onnx, options) -> Packed { wasm, signature, sha256 }
//! read(wasm)                 -> Sections { signature, program }        what a packed module carries, without running it
//! ```
//!
//! # Golden rows
//!
//! A CSV file with a header: the model's columns by name (an empty cell is a missing value), and the expected scores that the
//! trainer got from onnxruntime. Two classes or a regression: one column `score`. Several classes: one column `score:CLASS` a
//! class.

#![forbid(unsafe_code)]

use tamis_frame::Signature;

/// What the packer is told beside the model.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The model's name; without it, the ONNX file's `metadata_props` entry `name`, else the graph's name.
    pub name: Option<String>,
    /// The model's version; without it, the ONNX file's `metadata_props` entry `version`, else `0`.
    pub version: Option<String>,
    /// Scores at or above it are positive; without it, the ONNX file's `metadata_props` entry `threshold`, else 0.5.
    pub threshold: Option<f64>,
    /// The model card.
    pub card: Option<serde_json::Value>,
    /// The bytes of the golden file.
    pub golden: Option<Vec<u8>>,
}

/// A packed module.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The module.
    pub wasm: Vec<u8>,
    /// What it says of itself.
    pub signature: Signature,
    /// SHA-256 of `wasm`, in hexadecimal.
    pub sha256: String,
}
