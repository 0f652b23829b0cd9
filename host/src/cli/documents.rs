//! `tamis documents`: the store's documents as JSON lines.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use crate::fault::Fault;
use crate::store;

/// Arguments of `tamis documents`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the host keeps its data.
    #[arg(long, default_value = super::run::DATA_DIR, env = "TAMIS_DATA_DIR")]
    data_dir: PathBuf,
    /// Only the documents of this output.
    #[arg(long)]
    output: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = store::print_documents(&args.data_dir, args.output.as_deref(), &mut out);
    finish(printed.map(drop).map_err(Fault::from), &mut out)
}

/// A reader that has seen enough (`| head`) is no failure.
pub(super) fn finish(done: Result<(), Fault>, out: &mut impl Write) -> Result<(), Fault> {
    match (done, out.flush()) {
        (_, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Ok(()), Err(error)) => Err(Fault::outside(format!("standard output cannot be written: {error}")).never()),
        (done, _) => done,
    }
}
