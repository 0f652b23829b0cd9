//! `tamis export`: a module in the forms that other places take.

use std::path::PathBuf;

use clap::Subcommand;

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
    /// An npm package with types, for browsers and Node.
    Npm(Npm),
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
        Form::Npm(args) => to_npm(args),
    }
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
