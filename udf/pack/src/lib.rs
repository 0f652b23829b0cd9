//! ONNX to one `.wasm`: the graph is compiled to a program, the program is baked into the generic guest, and the result
//! is held to golden rows in the sandbox before it is given out.
//!
//! ```text
//! pack(guest, onnx, options) -> Packed { wasm, signature, sha256 }
//! read(wasm)                 -> Sections { signature, program }        what a packed module carries, without running it
//! ```
//!
//! # Layout
//!
//! - `describe`: the signature of a compiled model; `golden`: golden rows, read and asked
//! - `bake`: the module itself; `reach`: which of its functions are still needed; `read`: what a packed module carries
//! - [`javascript`]: a packed module as a function in plain JavaScript
//!
//! # Golden rows
//!
//! A CSV file with a header: the model's columns by name (an empty cell is a missing value), and the expected scores that the
//! trainer got from onnxruntime. Two classes or a regression: one column `score`. Several classes: one column `score:CLASS` a
//! class.

#![forbid(unsafe_code)]

mod bake;
mod describe;
mod golden;
pub mod javascript;
mod reach;
mod read;

pub use golden::{Golden, Values};
pub use read::{Sections, read};
pub use tamis_model::onnx::OnnxError;

use sha2::{Digest, Sha256};
use tamis_frame::Signature;
use tamis_frame::signature::{Background, Parity, Policy, SignatureError};
use tamis_model::onnx::Left;
use tamis_model::{Scorer, with_background};

use bake::Oven;

/// The greatest difference from a golden score that is still packed.
pub const TOLERANCE: f64 = 1e-5;

/// The generic guests that models are baked into.
#[derive(Debug, Clone, Copy)]
pub struct Guests<'a> {
    /// The small one, for encoders, trees and weighted sums.
    pub trees: &'a [u8],
    /// The large one, whose engine (tract) runs what the compiler does not take.
    pub general: Option<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for Guests<'a> {
    fn from(trees: &'a [u8]) -> Self {
        Self { trees, general: None }
    }
}

impl<'a> From<&'a Vec<u8>> for Guests<'a> {
    fn from(trees: &'a Vec<u8>) -> Self {
        Self { trees, general: None }
    }
}

/// What the packer is told beside the model.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The model's name; without it, the ONNX file's `metadata_props` entry `name`, else the graph's name.
    pub name: Option<String>,
    /// The model's version; without it, the ONNX file's `metadata_props` entry `version`, else `0`.
    pub version: Option<String>,
    /// Scores at or above it are positive; without it, the ONNX file's `metadata_props` entry `threshold`, else 0.5.
    pub threshold: Option<f64>,
    /// What becomes of a row without a value in a column for which the model has a path; without it, the ONNX file's
    /// `metadata_props` entry `missing` (`reject` or `accept`), else it has a score.
    pub missing: Option<Policy>,
    /// The names of the columns, where one input of the model has several; without them, the `metadata_props` entry `columns`
    /// (names with commas between), else the card's columns, else the golden file's, else `f0`, `f1` …
    pub columns: Option<Vec<String>>,
    /// The model card.
    pub card: Option<serde_json::Value>,
    /// The bytes of the golden file.
    pub golden: Option<Vec<u8>>,
    /// Whether weighted sums (MatMul, Gemm) and all that is made from them go to the general guest, even where the compiler takes
    /// them.
    pub general: bool,
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

/// Why a model cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The ONNX file cannot be compiled.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// What the packer was told beside the model does not fit.
    #[error("{0}")]
    Options(String),
    /// The signature would not be valid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The golden file cannot be read, or does not fit the model.
    #[error("golden rows: {0}")]
    Golden(String),
    /// The module gives another score than the golden file.
    #[error(
        "golden rows: row {row}: {expected} is expected, the module gives {given} (at most {TOLERANCE} apart is allowed); its columns are {columns}"
    )]
    Mismatch {
        /// The row, the first one behind the header being 1.
        row: usize,
        /// What the file says.
        expected: f64,
        /// What the module says.
        given: String,
        /// The row's columns and values.
        columns: String,
    },
    /// The guest is not one that a model can be baked into.
    #[error("the guest cannot be used: {0}")]
    Guest(String),
    /// The guest refused the model.
    #[error("the guest refuses the model: {0}")]
    Model(String),
    /// Neither guest can run the model.
    #[error("{trees}; and the general guest cannot run that part of the model either: {general}")]
    General {
        /// What the compiler says.
        trees: OnnxError,
        /// What the general guest says.
        general: String,
    },
    /// The bytes are no packed module.
    #[error("not a packed module: {0}")]
    Module(String),
}

/// A SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Packs an ONNX model into a generic guest: the small one if it can run the model, else the general one.
///
/// # Errors
/// [`PackError`], which names the node, input, option, row or column at fault.
pub fn pack<'a>(guests: impl Into<Guests<'a>>, onnx: &[u8], options: &Options) -> Result<Packed, PackError> {
    let guests = guests.into();
    let general = || guests.general.ok_or_else(|| PackError::Guest("there is no general guest here".to_owned()));
    if options.general {
        return pack_with(general()?, onnx, options, Left::Sums);
    }
    match pack_with(guests.trees, onnx, options, Left::Nothing) {
        Err(PackError::Onnx(trees @ OnnxError::Node { .. })) if guests.general.is_some() => {
            pack_with(general()?, onnx, options, Left::Unknown).map_err(|error| match error {
                PackError::Model(general) => PackError::General { trees, general },
                error => error,
            })
        }
        packed => packed,
    }
}

fn pack_with(guest: &[u8], onnx: &[u8], options: &Options, left: Left) -> Result<Packed, PackError> {
    let header = options.golden.as_deref().map(golden::header).transpose()?;
    let names = describe::names(options, header.as_deref());
    let compile = |names: Option<&[String]>| tamis_model::onnx::compile_but(onnx, names, left);
    let compiled = match compile(options.columns.as_deref()) {
        // Names that were only found beside the model count when the model itself has none.
        Ok(compiled) if options.columns.is_none() && compiled.metadata("columns").is_none() && unnamed(&compiled) => match &names {
            Some(names) if names.len() == compiled.inputs.len() => compile(Some(names))?,
            _ => compiled,
        },
        Err(error @ OnnxError::Input { .. }) => match &names {
            Some(names) => compile(Some(names))?,
            None => return Err(error.into()),
        },
        other => other?,
    };
    let mut compiled = compiled;
    let mut signature = describe::signature(&compiled, &sha256(onnx), options)?;
    let golden = options.golden.as_deref().map(|bytes| Golden::read(bytes, &mut signature)).transpose()?;
    if compiled.program.head.is_some() {
        let mut background = if compiled.covers { Background::Training } else { Background::Leaves };
        if let (Some(golden), false) = (&golden, compiled.covers) {
            let rows = golden.rows();
            compiled.program =
                with_background(compiled.program, &golden.cells(), rows).map_err(|error| PackError::Golden(error.to_string()))?;
            background = Background::Golden;
        }
        let scorer = Scorer::new(compiled.program.clone()).map_err(OnnxError::from)?;
        describe::explained(&mut signature, &scorer, background);
    }
    let program = compiled.program.to_bytes();
    let oven = Oven::new(guest)?;
    if let (Some(golden), Some(bytes)) = (&golden, &options.golden) {
        let baked = oven.bake(&signature, &program)?;
        let max_difference = golden.check(baked, &signature, compiled.program.scores.len())?;
        signature.parity = Some(Parity { rows: golden.rows() as u64, sha256: sha256(bytes), max_difference });
    }
    let signature = Signature::from_json(signature.to_json().as_bytes())?;
    let wasm = oven.bake(&signature, &program)?.wasm;
    let sha256 = sha256(&wasm);
    Ok(Packed { wasm, signature, sha256 })
}

/// Whether the columns' names are made up.
fn unnamed(compiled: &tamis_model::onnx::Compiled) -> bool {
    compiled.inputs.len() > 1 && compiled.inputs.iter().enumerate().all(|(place, input)| input.name == format!("f{place}"))
}
