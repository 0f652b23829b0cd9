//! `tamis inspect`: what a `.wasm` says of itself.

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::udf::{Function, Limits, Sandbox};

/// Arguments of `tamis inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The module; the built-in one when none is named.
    wasm: Option<PathBuf>,
    /// Print the signature's JSON and nothing else.
    #[arg(long)]
    json: bool,
}

/// Loads a module from disk, or the built-in one.
pub(super) fn load(sandbox: &Sandbox, wasm: Option<&Path>) -> Result<Function, Fault> {
    match wasm {
        Some(path) => {
            let shown = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|error| Fault::job(format!("the module cannot be read: {error}")).at(shown.as_str()))?;
            sandbox.load(&bytes, &shown).map_err(Fault::from)
        }
        None => crate::pipeline::built_in_function(sandbox),
    }
}

pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let sandbox = Sandbox::new(Limits::default())?;
    let function = load(&sandbox, args.wasm.as_deref())?;
    let signature = function.signature();
    if args.json {
        println!("{}", signature.to_json());
        return Ok(());
    }
    println!("model      {} {}", signature.model.name, signature.model.version);
    println!("onnx       sha256 {}", signature.model.sha256);
    println!("module     sha256 {}", function.sha256());
    println!("size       {} bytes", function.bytes().len());
    println!("contract   version {}", signature.abi);
    println!("threshold  {}", signature.threshold);
    println!("functions");
    for function in &signature.functions {
        println!("  {:<10} -> {:<14} {}", function.name, function.returns.name(), function.about);
    }
    println!("columns");
    for column in &signature.columns {
        let categories = if column.categories.is_empty() { String::new() } else { format!("  one of {}", column.categories.join(", ")) };
        println!("  {:<20} {:<14}{categories}", column.name, column.ty.name());
    }
    Ok(())
}
