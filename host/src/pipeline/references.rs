//! The rows of reference data: the file that a reference input's local file names, read whole when the job starts.

use std::sync::Arc;

use crate::batch::Batch;
use crate::fault::Fault;
use crate::job::{InputSource, Project};
use crate::query::Plan;
use crate::source::{Decoder, FileSource, Run};
use crate::time::Clock;

use super::start::{file_format, wanted};

/// Rows that are decoded together.
const RUN: usize = 8192;

/// The rows of each reference input of the plan, in its order.
///
/// # Errors
/// When an input has no file here, or its file cannot be read. A row that cannot be read is an error, too: a join that silently
/// finds nothing is worse than a job that does not start.
pub(super) fn read(project: &Project, plan: &Plan, clock: &Arc<dyn Clock>) -> Result<Vec<Batch>, Fault> {
    let mut references = Vec::new();
    for (name, columns) in &plan.references {
        let input = project.input(name).ok_or_else(|| Fault::internal(format!("reference input '{name}' has no settings")))?;
        let path = match &input.source {
            InputSource::File { path } => project.folder.path(path),
            InputSource::Log { .. } | InputSource::Nothing => None,
        };
        let missing = || {
            let message =
                format!("the query reads the reference data '{name}', which has no file here; FilePath in a Local_ file names it");
            Fault::job(message).at(project.folder.shown(&input.file))
        };
        let mut source = FileSource::open(&path.ok_or_else(missing)?, file_format(input.format), clock.as_ref())?;
        let mut decoder = Decoder::new(wanted(columns), source.format().clone(), 0).with_clock(Arc::clone(clock));
        let mut batches = Vec::new();
        while let Some(run) = source.next(RUN)? {
            let decoded = decoder.decode(&run);
            if let Some(rejected) = decoded.rejected.first() {
                let row = rejected.origin.map_or(0, |origin| origin.offset) + 1;
                return Err(Fault::job(format!("row {row} of the reference data '{name}': {}", rejected.reason)));
            }
            batches.push(decoded.batch);
        }
        let empty = || decoder.decode(&Run { partition: 0, first_offset: 0, events: Vec::new() }).batch;
        references.push(Batch::union(&batches).unwrap_or_else(empty));
    }
    Ok(references)
}
