//! `tamis pack`: an ONNX model to one `.wasm`.

use std::path::{Path, PathBuf};

use tamis_frame::signature::Policy;
use tamis_pack::{Guests, Options, PackError};

use crate::fault::Fault;

/// Arguments of `tamis pack`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The ONNX file.
    model: PathBuf,
    /// Where the module is written to.
    #[arg(short, long)]
    output: PathBuf,
    /// The model card, a JSON file; it becomes part of the signature.
    #[arg(long)]
    card: Option<PathBuf>,
    /// Golden rows, a CSV file: the model's columns and the scores that the trainer got. The module is held to them.
    #[arg(long)]
    golden: Option<PathBuf>,
    /// The model's name, instead of the one in the file.
    #[arg(long)]
    name: Option<String>,
    /// The model's version, instead of the one in the file.
    #[arg(long)]
    version: Option<String>,
    /// Scores at or above it are positive; 0.5 when the file says nothing else.
    #[arg(long)]
    threshold: Option<f64>,
    /// What becomes of a row without a value where the model has a path for it; by default what the model's maker says in its
    /// metadata (`missing`), else it has a score.
    #[arg(long, value_enum)]
    missing: Option<Missing>,
    /// The names of the columns, where the model reads one table of numbers.
    #[arg(long, value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Let the general guest run weighted sums (MatMul, Gemm) and all behind them, though the small one could: for large nets.
    #[arg(long)]
    general: bool,
}

/// What becomes of a row without a value.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Missing {
    /// It is rejected with its reason.
    Reject,
    /// It has a score.
    Accept,
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|error| Fault::job(format!("the file cannot be read: {error}")).at(path.display().to_string()))
}

pub(super) fn run(args: Args) -> Result<(), Fault> {
    let guest =
        crate::embedded::guest().ok_or_else(|| Fault::job("this program was built without the guest; build it with ./scripts/build"))?;
    let card = args.card.as_deref().map(|path| {
        let text = read(path)?;
        serde_json::from_slice(&text).map_err(|error| Fault::job(format!("not JSON: {error}")).at(path.display().to_string()))
    });
    let options = Options {
        name: args.name,
        version: args.version,
        threshold: args.threshold,
        missing: args.missing.map(|missing| match missing {
            Missing::Reject => Policy::Reject,
            Missing::Accept => Policy::Accept,
        }),
        columns: args.columns,
        card: card.transpose()?,
        golden: args.golden.as_deref().map(read).transpose()?,
        general: args.general,
    };
    let general = crate::embedded::general_guest();
    let guests = Guests { trees: guest, general: general.as_deref() };
    let packed = tamis_pack::pack(guests, &read(&args.model)?, &options).map_err(|error| {
        let file = match (&error, &args.golden) {
            (PackError::Golden(_) | PackError::Mismatch { .. }, Some(golden)) => golden,
            _ => &args.model,
        };
        Fault::job(error.to_string()).at(file.display().to_string())
    })?;
    std::fs::write(&args.output, &packed.wasm)
        .map_err(|error| Fault::job(format!("the module cannot be written: {error}")).at(args.output.display().to_string()))?;
    println!("{}  {} bytes, sha256 {}", args.output.display(), packed.wasm.len(), packed.sha256);
    match &packed.signature.parity {
        Some(parity) => println!("{} golden rows, at most {:.1e} from what is expected", parity.rows, parity.max_difference),
        None => println!("not held to golden rows; --golden FILE does that"),
    }
    Ok(())
}
