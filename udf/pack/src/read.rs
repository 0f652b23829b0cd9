//! What a packed module carries for tools: its signature and its program, without running it.

use tamis_frame::{PROGRAM_SECTION, SIGNATURE_SECTION, Signature};
use tamis_model::Program;
use wasmparser::{Parser, Payload};

use crate::PackError;

/// The two sections.
#[derive(Debug, Clone)]
pub struct Sections {
    /// What the module says of itself.
    pub signature: Signature,
    /// The signature's JSON, byte for byte.
    pub json: String,
    /// What it computes.
    pub program: Program,
    /// The program's bytes.
    pub bytes: Vec<u8>,
}

/// Reads the sections of a packed module.
///
/// # Errors
/// [`PackError::Module`] when the bytes are no module, or one that `tamis pack` did not make.
pub fn read(wasm: &[u8]) -> Result<Sections, PackError> {
    let wrong = |what: String| PackError::Module(what);
    let (mut json, mut bytes) = (None, None);
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CustomSection(section) = payload.map_err(|error| wrong(error.to_string()))? {
            match section.name() {
                SIGNATURE_SECTION => json = Some(section.data().to_vec()),
                PROGRAM_SECTION => bytes = Some(section.data().to_vec()),
                _ => {}
            }
        }
    }
    let (Some(json), Some(bytes)) = (json, bytes) else {
        return Err(wrong(format!("it has no section '{SIGNATURE_SECTION}' or '{PROGRAM_SECTION}'; `tamis pack` writes both")));
    };
    let json = String::from_utf8(json).map_err(|_| wrong("its signature is not UTF-8".to_owned()))?;
    let signature = Signature::from_json(json.as_bytes())?;
    let program = Program::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(Sections { signature, json, program, bytes })
}
