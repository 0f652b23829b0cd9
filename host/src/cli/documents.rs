//! `tamis documents`: what was written, as JSON lines: from the store, or from Cosmos DB when the project says that the output is there.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use crate::fault::Fault;
use crate::job::{Folder, Project};
use crate::pipeline::cosmos_settings;
use crate::sink::cosmos;
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
    /// The folder of the job's project: with it, --output is read from where its settings say that it is.
    #[arg(long, requires = "output")]
    project: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Result<(), Fault> {
    let mut out = BufWriter::new(io::stdout().lock());
    if let (Some(project), Some(name)) = (&args.project, &args.output) {
        let project = Project::read(Folder::on_disk(project))?;
        let known = || project.outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>().join(", ");
        let output = project.output(name).ok_or_else(|| Fault::job(format!("the project has no output '{name}'; it has {}", known())))?;
        if let Some(settings) = cosmos_settings(&project, output)? {
            let printed = cosmos::print_documents(&settings, &mut out).await;
            return finish(printed.map(drop), &mut out);
        }
    }
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
