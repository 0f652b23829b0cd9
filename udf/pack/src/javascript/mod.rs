//! A packed module as a JavaScript function of Stream Analytics: the program's steps as one plain ES2015 function, without
//! WebAssembly and without anything that an old engine lacks. The same scores, bit for bit: sums in the same order, 32-bit
//! floats by `Math.fround`, libm's own `exp`.
//!
//! - `write`: the whole file
//! - `steps`: the program's steps as statements
//! - `literal`: numbers and texts as JavaScript spells them
//! - `parts/*.js`: what steps call; a file carries only what its model needs

mod literal;
mod steps;
#[cfg(test)]
mod tests;
mod write;

use serde_json::json;
use tamis_frame::{Signature, Type};
use tamis_model::Program;

/// What the function is called for and how it treats a bad row.
#[derive(Debug, Clone)]
pub struct Options {
    /// The function's name in the project: `X` gives `udf.X(…)`.
    pub name: String,
    /// Which of the module's functions it is: `run` or `score`.
    pub function: String,
    /// Whether a row that does not fit is thrown as an Error, which ends the job; otherwise it gives null.
    pub strict: bool,
    /// SHA-256 of the module, for the file's head.
    pub sha256: String,
}

/// The files of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `X.js`: the script.
    pub script: String,
    /// `X.js.json`: what the project's tools say of it.
    pub description: String,
}

/// Why a module cannot be written as JavaScript.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JavaScriptError {
    /// There is no function of that name that can be written.
    #[error("there is no function '{asked}' that can be written as JavaScript; there are {known}")]
    Function {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// A step whose result would not have the same bits.
    #[error("the model computes {0}, whose bits differ from one JavaScript engine to the next; serve it with `tamis serve` instead")]
    Step(String),
    /// A part that the general guest's engine runs.
    #[error("a part of the model runs in the general guest, which cannot be written as JavaScript; serve it with `tamis serve` instead")]
    Graph,
    /// A name that is none.
    #[error("'{0}' cannot be a function's name: letters, digits and '_', not a digit first, at most 64")]
    Name(String),
    /// The program and the signature do not belong together.
    #[error("the module's program and signature differ: {0}; pack it again")]
    Differ(&'static str),
}

/// Writes a program as a function of a project.
///
/// # Errors
/// [`JavaScriptError`], which says what cannot be written and what to do.
pub fn write(program: &Program, signature: &Signature, options: &Options) -> Result<Written, JavaScriptError> {
    let letters = options.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !letters || options.name.len() > 64 || !options.name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return Err(JavaScriptError::Name(options.name.clone()));
    }
    let Some((_, function)) =
        signature.function(&options.function).filter(|(_, function)| ["run", "score"].contains(&function.name.as_str()))
    else {
        let known = signature.functions.iter().map(|function| function.name.as_str()).filter(|name| ["run", "score"].contains(name));
        return Err(JavaScriptError::Function { asked: options.function.clone(), known: known.collect::<Vec<_>>().join(", ") });
    };
    let script = write::script(program, signature, function, options)?;
    let returns = match function.returns {
        Type::Float => "float",
        Type::BigInt => "bigint",
        Type::Text => "nvarchar(max)",
        Type::Bit => "bit",
    };
    let description = json!({
        "Name": options.name,
        "Type": "Scalar",
        "ScriptType": "JSFunction",
        "FunctionInputs": [{ "DataType": "record", "IsConfigurationParameter": null }],
        "OutputType": returns,
    });
    Ok(Written { script, description: format!("{description:#}\n") })
}
