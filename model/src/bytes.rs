//! The compact form of a program: `TPRG`, a version, then the program as postcard writes it.

use crate::program::Program;
use crate::scorer::{ModelError, Scorer};

const MAGIC: [u8; 4] = *b"TPRG";
const VERSION: u8 = 1;

/// Why bytes are not a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// They do not start as a program does.
    #[error("not a model of version {VERSION}")]
    Magic,
    /// They cannot be read.
    #[error("the model's bytes are corrupt")]
    Corrupt,
    /// They can, and what they say does not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Program {
    /// The compact form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let start: Vec<u8> = MAGIC.into_iter().chain([VERSION]).collect();
        // Writing to memory a structure without maps of unknown length cannot fail.
        postcard::to_extend(self, start).unwrap_or_default()
    }

    /// Reads the compact form; [`Scorer::new`] checks that its parts fit together.
    ///
    /// # Errors
    /// [`BytesError`] for anything that [`Program::to_bytes`] did not write.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BytesError> {
        let body = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.strip_prefix(&[VERSION])).ok_or(BytesError::Magic)?;
        postcard::from_bytes(body).map_err(|_| BytesError::Corrupt)
    }
}

impl Scorer {
    /// Reads and checks the compact form.
    ///
    /// # Errors
    /// [`BytesError`] when it is corrupt, or its parts do not fit together.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BytesError> {
        Ok(Self::new(Program::from_bytes(bytes)?)?)
    }
}
