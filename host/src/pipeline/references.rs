//! The rows of reference data: the file that a reference input's local file names. It is read whole when the job starts, and
//! again when it changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::batch::Batch;
use crate::fault::Fault;
use crate::job::{InputSource, Project};
use crate::query::{Columns, Plan};
use crate::source::{Decoder, FileFormat, FileSource, Run};
use crate::time::Clock;

use super::start::{file_format, wanted};

/// Rows that are decoded together.
const RUN: usize = 8192;

/// The file of a reference input of the plan.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    columns: Columns,
    path: PathBuf,
    format: FileFormat,
    /// When the file that was last looked at was written.
    written: Option<SystemTime>,
}

/// The files of the plan's reference inputs, in its order.
///
/// # Errors
/// When an input has no file here.
pub(super) fn tables(project: &Project, plan: &Plan) -> Result<Vec<Table>, Fault> {
    let table = |(name, columns): &(String, Columns)| {
        let input = project.input(name).ok_or_else(|| Fault::internal(format!("reference input '{name}' has no settings")))?;
        let path = match &input.source {
            InputSource::File { path } => project.folder.path(path),
            InputSource::Log { .. } | InputSource::Kafka(_) | InputSource::Nothing => None,
        };
        let path = path.ok_or_else(|| {
            let message =
                format!("the query reads the reference data '{name}', which has no file here; FilePath in a Local_ file names it");
            Fault::job(message).at(project.folder.shown(&input.file))
        })?;
        Ok(Table { name: name.clone(), columns: columns.clone(), path, format: file_format(input.format), written: None })
    };
    plan.references.iter().map(table).collect()
}

impl Table {
    /// The rows of the file.
    ///
    /// # Errors
    /// When it cannot be read. A row that cannot be read is an error, too: a join that silently finds nothing is worse than a job
    /// that does not start.
    pub(super) fn read(&mut self, clock: &Arc<dyn Clock>) -> Result<Batch, Fault> {
        self.written = self.changed();
        let mut source = FileSource::open(&self.path, self.format, clock.as_ref())?;
        let mut decoder = Decoder::new(wanted(&self.columns), source.format().clone(), 0).with_clock(Arc::clone(clock));
        let mut batches = Vec::new();
        while let Some(run) = source.next(RUN)? {
            let decoded = decoder.decode(&run);
            if let Some(rejected) = decoded.rejected.first() {
                let row = rejected.origin.map_or(0, |origin| origin.offset) + 1;
                let message = format!("row {row} of the reference data '{}': {}", self.name, rejected.reason);
                return Err(Fault::job(message).at(self.path.display().to_string()));
            }
            batches.push(decoded.batch);
        }
        let empty = || decoder.decode(&Run { partition: 0, first_offset: 0, events: Vec::new() }).batch;
        Ok(Batch::union(&batches).unwrap_or_else(empty))
    }

    /// The rows of the file if it has changed since it was read. A file that cannot be read now is told, and the rows stay as they
    /// are.
    pub(super) fn refreshed(&mut self, clock: &Arc<dyn Clock>) -> Option<Batch> {
        if self.changed() == self.written {
            return None;
        }
        match self.read(clock) {
            Ok(rows) => {
                tracing::info!(reference = self.name, rows = rows.rows(), "Reference data was read again.");
                Some(rows)
            }
            Err(fault) => {
                tracing::warn!(reference = self.name, %fault, "Reference data cannot be read again; the rows stay as they are.");
                None
            }
        }
    }

    fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path).and_then(|file| file.modified()).ok()
    }
}
