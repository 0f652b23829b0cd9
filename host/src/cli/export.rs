//! `tamis export`: a module in the forms that other places take.

use std::path::PathBuf;

use clap::Subcommand;
use tamis_pack::javascript;

use crate::export::{folder, npm};
use crate::fault::Fault;
use crate::udf::{Limits, Sandbox};

/// Arguments of `tamis export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum Form {
    /// A JavaScript function of a Stream Analytics project, without WebAssembly: NAME.js and NAME.js.json.
    AsaJavascript(AsaJavascript),
    /// An npm package with types, for browsers and Node.
    Npm(Npm),
}

#[derive(Debug, clap::Args)]
struct AsaJavascript {
    /// The module; the built-in one when none is named.
    wasm: Option<PathBuf>,
    /// The folder that the two files are written to: a project's Functions folder.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The function of the module: run for predictions, score for probabilities.
    #[arg(long, default_value = "run")]
    function: String,
    /// The function's name in the project, as in udf.NAME(step); that of the module's function when none is given.
    #[arg(long)]
    name: Option<String>,
    /// Throws an Error for a row that does not fit, which ends a job of Stream Analytics; otherwise its value is null.
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, clap::Args)]
struct Npm {
    /// The module; the built-in one when none is named.
    wasm: Option<PathBuf>,
    /// The folder that the package is written to.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The package's name; made from the model's when none is given.
    #[arg(long)]
    name: Option<String>,
    /// The package's version; the model's when npm takes it.
    #[arg(long)]
    package_version: Option<String>,
    /// The package's licence.
    #[arg(long)]
    license: Option<String>,
}

pub(super) fn run(args: Args) -> Result<(), Fault> {
    match args.form {
        Form::AsaJavascript(args) => to_asa_javascript(args),
        Form::Npm(args) => to_npm(args),
    }
}

fn to_asa_javascript(args: AsaJavascript) -> Result<(), Fault> {
    let sandbox = Sandbox::new(Limits::default())?;
    let function = super::inspect::load(&sandbox, args.wasm.as_deref())?;
    let shown = args.wasm.as_deref().map_or_else(|| crate::embedded::FUNCTION_NAME.to_owned(), |path| path.display().to_string());
    let at = |error: String| Fault::function(error).at(shown.as_str());
    let sections = tamis_pack::read(function.bytes()).map_err(|error| at(format!("{error}; pack it again")))?;
    let name = args.name.unwrap_or_else(|| args.function.clone());
    let options = javascript::Options { name, function: args.function, strict: args.strict, sha256: function.sha256().to_owned() };
    let written = javascript::write(&sections.program, &sections.signature, &options).map_err(|error| at(error.to_string()))?;
    let names = [format!("{}.js", options.name), format!("{}.js.json", options.name)];
    folder::write(&args.output, &[(&names[0], written.script.as_bytes()), (&names[1], written.description.as_bytes())])?;
    println!("{} ({} bytes) and {} in {}", names[0], written.script.len(), names[1], args.output.display());
    Ok(())
}

fn to_npm(args: Npm) -> Result<(), Fault> {
    let sandbox = Sandbox::new(Limits::default())?;
    let function = super::inspect::load(&sandbox, args.wasm.as_deref())?;
    let scripts = crate::embedded::scripts().ok_or_else(|| {
        Fault::job("this tamis was built without the scripts that load a function in JavaScript; ./scripts/build puts them in")
    })?;
    let options = npm::Options { name: args.name, version: args.package_version, license: args.license };
    let package = npm::package(&function, &scripts, options)?;
    let files: Vec<(&str, &[u8])> = package.files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    folder::write(&args.output, &files)?;
    println!("{} {} in {}; `npm pack` there makes the tarball", package.name, package.version, args.output.display());
    Ok(())
}
