//! What can be wrong with a function.

use tamis_frame::{ABI_VERSION, FrameError};

use crate::fault::{Domain, Fault};

/// Why a module cannot be loaded, or a call failed.
#[derive(Debug, thiserror::Error)]
pub enum UdfError {
    /// The engine does not start.
    #[error("the sandbox does not start: {0}")]
    Engine(String),
    /// The bytes are no module.
    #[error("{name}: not a WebAssembly module ({what}); was the file cut off, or is it another format?")]
    NotAModule {
        /// The module.
        name: String,
        /// What the compiler says.
        what: String,
    },
    /// A module that is larger than the host compiles.
    #[error("{name}: the module has {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The module.
        name: String,
        /// Its size.
        bytes: usize,
        /// The largest one.
        limit: usize,
    },
    /// It asks for something that the host gives nobody.
    #[error("{name}: it imports {import}; a module gets nothing from outside but functions that trap")]
    Import {
        /// The module.
        name: String,
        /// What it imports: kind and name.
        import: String,
    },
    /// It cannot be made ready: its start function or one of the contract's fails.
    #[error("{name}: it does not start: {cause}")]
    Start {
        /// The module.
        name: String,
        /// Why.
        cause: Box<Self>,
    },
    /// An export of the contract is absent or has another type.
    #[error("{name}: the export '{export}' is missing or has another type; the module must be built with Tamis' contract")]
    Export {
        /// The module.
        name: String,
        /// The export.
        export: &'static str,
    },
    /// A module of another version of the contract.
    #[error("{name}: it speaks contract version {theirs}, this host speaks {ABI_VERSION}; {}", advice(*theirs))]
    Version {
        /// The module.
        name: String,
        /// Its version.
        theirs: u32,
    },
    /// The signature cannot be read.
    #[error("{name}: {what}")]
    Signature {
        /// The module.
        name: String,
        /// Why.
        what: String,
    },
    /// No function of that name.
    #[error("there is no function '{asked}'; the module has {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// The module trapped.
    #[error("the function trapped: {0}")]
    Trap(String),
    /// The call took too long.
    #[error("the function took longer than its deadline of {0:?}")]
    Deadline(std::time::Duration),
    /// No memory for the frame, or for the function's own work.
    #[error("the function ran out of its memory of {0} bytes")]
    Memory(usize),
    /// The reply is not what the contract says.
    #[error("the function's reply is wrong: {0}")]
    Reply(String),
    /// The function says that the call failed.
    #[error("the function failed: {0}")]
    Failed(String),
}

/// A text that a module made, short enough for a log and a dead letter, on one line.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 1000;
    let clean = |text: &str| text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect::<String>();
    if text.len() <= MOST {
        return clean(text);
    }
    format!("{}… ({} bytes)", clean(&text[..text.floor_char_boundary(MOST)]), text.len())
}

fn advice(theirs: u32) -> &'static str {
    if theirs > ABI_VERSION { "update tamis" } else { "build the module again with this version" }
}

impl From<FrameError> for UdfError {
    fn from(error: FrameError) -> Self {
        Self::Reply(error.to_string())
    }
}

impl From<UdfError> for Fault {
    fn from(error: UdfError) -> Self {
        let domain = if matches!(error, UdfError::Engine(_)) { Domain::Internal } else { Domain::Function };
        Self::new(domain, error.to_string())
    }
}
