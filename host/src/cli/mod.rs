//! The commands. Each one is a small file that turns arguments into a call of the library.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

mod bind;
mod check;
mod dead_letters;
mod documents;
mod export;
mod inspect;
mod listening;
mod models;
mod new;
mod pack;
mod query;
mod run;
mod score;
mod serve;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::fault::Fault;

/// Runs Stream Analytics jobs with WebAssembly functions, on one machine.
#[derive(Debug, Parser)]
#[command(name = "tamis", version, about, arg_required_else_help = true)]
struct Arguments {
    /// How to write the log.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "TAMIS_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a job: takes events, scores them, writes documents, shows the live page.
    Run(run::Args),
    /// Simulates card transactions.
    Generate(crate::generate::Args),
    /// Prints the documents of the store, or of a project's Cosmos DB output, as JSON lines; also while the host runs.
    Documents(documents::Args),
    /// Lists and shows what was rejected and why, and sends it again after a fix; also while the host runs.
    DeadLetters(dead_letters::Args),
    /// Prints what a .wasm says of itself: model, columns, functions, hash.
    Inspect(inspect::Args),
    /// Packs an ONNX model into one .wasm.
    Pack(pack::Args),
    /// Lists a job's functions' versions, and changes which one decides, also while the host runs.
    Models(models::Args),
    /// Scores the rows of a file (JSON lines, a JSON array or CSV).
    Score(score::Args),
    /// Writes a .wasm in the forms that other places take.
    Export(export::Args),
    /// Opens a .wasm as the HTTP endpoint that a Stream Analytics job's ML function calls.
    Serve(serve::Args),
    /// Runs a query over files and prints its rows.
    Query(Box<query::Args>),
    /// Runs a project's tests.
    Test(test::Args),
    /// Says everything that is wrong with a project, and what is different here.
    Check(check::Args),
    /// Writes a new project, with a function and tests.
    New(new::Args),
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Fault::internal(format!("the async runtime does not start: {error}"))),
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Run(args) => run::run(args).await,
            Command::Generate(args) => generate(args).await,
            Command::Documents(args) => documents::run(&args).await,
            Command::DeadLetters(args) => dead_letters::run(args).await,
            Command::Inspect(args) => inspect::run(&args),
            Command::Pack(args) => pack::run(args),
            Command::Models(args) => models::run(&args),
            Command::Score(args) => score::run(&args),
            Command::Export(args) => export::run(args),
            Command::Serve(args) => serve::run(args).await,
            Command::Query(args) => query::run(&args),
            Command::Test(args) => return Err(Ended::With(test::run(&args))),
            Command::Check(args) => return Err(Ended::With(check::run(&args))),
            Command::New(args) => new::run(&args),
        }
        .map_err(Ended::Failed)
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Failed(fault)) => failed(&fault),
        Err(Ended::With(code)) => code,
    }
}

/// How a command ended that did not just go well.
enum Ended {
    Failed(Fault),
    /// With an exit code of its own.
    With(ExitCode),
}

/// The folder of a project that is named by its asaproj.json.
fn project_folder(path: &Path) -> PathBuf {
    match path.file_name() {
        Some(name) if path.is_file() && name.to_string_lossy().to_lowercase().ends_with("proj.json") => {
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
        }
        _ => path.to_owned(),
    }
}

async fn generate(args: crate::generate::Args) -> Result<(), Fault> {
    let quiet = args.quiet;
    let summary = crate::generate::run(args).await?;
    if quiet {
        return Ok(());
    }
    let seconds = summary.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { summary.sent as f64 / seconds } else { 0.0 };
    eprintln!("{} transactions in {seconds:.1} s ({rate:.0} a second)", summary.sent);
    Ok(())
}

fn failed(fault: &Fault) -> ExitCode {
    eprintln!("error: {fault}");
    ExitCode::FAILURE
}

/// `RUST_LOG` chooses what is logged; by default what an operator needs to see.
fn start_log(format: LogFormat) {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,tamis=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
