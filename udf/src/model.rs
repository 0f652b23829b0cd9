//! The model inside: made from the ONNX file by the build step, read once.

use std::sync::OnceLock;

use tamis_frame::Signature;
use tamis_model::Scorer;

static SCORER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scorer.bin"));
static SIGNATURE: &str = include_str!(concat!(env!("OUT_DIR"), "/signature.json"));
static MODEL: OnceLock<Result<Model, String>> = OnceLock::new();

/// What the function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The prediction, 0 or 1.
    Run,
    /// The score.
    Score,
}

impl Task {
    /// The task of the signature's function number `function`.
    pub fn of(function: u32) -> Option<Self> {
        [Self::Run, Self::Score].get(function as usize).copied()
    }
}

/// A scorer with its signature.
#[derive(Debug)]
pub struct Model {
    /// What it says of itself.
    pub signature: Signature,
    /// How it scores.
    pub scorer: Scorer,
}

impl Model {
    fn read(scorer: &[u8], signature: &str) -> Result<Self, String> {
        let signature = Signature::from_json(signature.as_bytes()).map_err(|error| error.to_string())?;
        let scorer = Scorer::from_bytes(scorer).map_err(|error| error.to_string())?;
        if scorer.encoders().len() != signature.columns.len() {
            return Err("the signature and the model have different numbers of columns".to_owned());
        }
        Ok(Self { signature, scorer })
    }
}

/// The model. Read at the first call; later calls cost nothing.
///
/// # Errors
/// When the bytes that were baked in are not a model.
pub fn model() -> Result<&'static Model, &'static str> {
    MODEL.get_or_init(|| Model::read(SCORER, SIGNATURE)).as_ref().map_err(String::as_str)
}

/// The signature's JSON, as it was baked in.
pub fn signature_json() -> &'static str {
    SIGNATURE
}
