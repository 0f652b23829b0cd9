//! `tamis inspect`: what a `.wasm` says of itself.

use std::path::{Path, PathBuf};

use tamis_frame::signature::{Background, Policy, Task, Unit};

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
            let bytes =
                std::fs::read(path).map_err(|error| Fault::job(format!("the module cannot be read: {error}")).at(shown.as_str()))?;
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
    let classes: Vec<String> = signature.classes.iter().map(ToString::to_string).collect();
    match signature.task {
        Task::Binary => {
            println!("task       two classes: {}; the second one from a score of {} on", classes.join(", "), signature.threshold);
        }
        Task::Multiclass => println!("task       {} classes: {}", classes.len(), classes.join(", ")),
        Task::Regression => println!("task       regression"),
    }
    if let Some(explain) = &signature.explain {
        let unit = if explain.unit == Unit::LogOdds { "log-odds" } else { "score" };
        let from = match explain.background {
            Background::Training => "the mean over the training rows",
            Background::Golden => "the mean over the golden rows",
            Background::Leaves => "the mean over all leaves",
        };
        println!("reasons    of the {unit}, from {from}: {:.4}", explain.base);
    }
    match &signature.parity {
        Some(parity) => {
            println!(
                "parity     {} golden rows, at most {:.1e} from what is expected, sha256 {}",
                parity.rows, parity.max_difference, parity.sha256
            );
        }
        None => println!("parity     not held to golden rows"),
    }
    println!("functions");
    for function in &signature.functions {
        let returns = if function.json { "record" } else { function.returns.name() };
        println!("  {:<13} -> {returns:<14} {}", function.name, function.about);
    }
    println!("columns");
    for column in &signature.columns {
        let missing = if column.missing == Policy::Accept { "  may be missing" } else { "" };
        let categories = if column.categories.is_empty() { String::new() } else { format!("  one of {}", column.categories.join(", ")) };
        println!("  {:<20} {:<14}{missing}{categories}", column.name, column.ty.name());
    }
    if let Some(card) = &signature.card {
        println!("card");
        for line in serde_json::to_string_pretty(card).unwrap_or_default().lines() {
            println!("  {line}");
        }
    }
    Ok(())
}
