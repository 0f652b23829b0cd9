//! Many files in a folder, by the path pattern of a Blob Storage or ADLS output: JSON (lines or an array), CSV, Parquet.
//!
//! Files are named as in the cloud: `{path}/{hash of the columns}_{id}_{number}.{extension}`. The id is the output's own, so
//! that several outputs and jobs can share a folder; numbers ascend, and no number is given twice.
//!
//! **Each row is there once, also after a kill.** The output's mark says which numbers were given and how long each file
//! was that may still grow. When the output is opened again, files with later numbers are removed and the others are cut
//! back to that length: the rows that were taken away come again. A file that is no longer in the mark never changes.
//!
//! **Parquet** files cannot grow. Their rows are kept in a spool (in the hidden folder `.tamis-{id}`), which is cut back in
//! the same way. Once it has its rows or its age, and a checkpoint covers it, it is written as a Parquet file under another
//! name, made durable, renamed and removed. So a Parquet file is whole or not there, and a kill at any point loses nothing
//! and doubles nothing. At an orderly end the last spools become files, too.
//!
//! - `pattern`: which folder a row goes to
//! - `file`: one file that grows, by its format
//! - `spool`: rows until they are a Parquet file; `table`: that file
//! - `start`: what is there is brought back to the mark

mod file;
mod pattern;
mod spool;
mod start;
mod table;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorPolicy, Refused, Sink};
use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;
use file::Growing;
pub use pattern::PathPattern;
use spool::Spool;

/// So many files may still grow; the one that was not written to for the longest time is let go.
const FILES: usize = 256;
/// Rows are written out when so many bytes are together.
const BUFFER: usize = 1 << 20;

/// Where files are written, and how.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// The output's name in the query.
    pub output: String,
    /// The folder.
    pub folder: PathBuf,
    /// The folders below it.
    pub pattern: PathPattern,
    /// What the files are.
    pub format: FileFormat,
    /// A Parquet file is written when it has so many rows,
    pub max_rows: usize,
    /// or when its first row is so old.
    pub max_age: Duration,
    /// What happens to a row that has no folder.
    pub policy: ErrorPolicy,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// One JSON object a line.
    JsonLines,
    /// One JSON array; it is whole after each write.
    JsonArray,
    /// CSV with a header, this between two values. Rows of other columns go to another file.
    Csv(u8),
    /// Parquet.
    Parquet,
}

impl FileFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::JsonLines | Self::JsonArray => "json",
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes files into a folder.
#[derive(Debug)]
pub struct FolderSink {
    settings: FolderSettings,
    id: String,
    /// The last number that was given.
    number: u64,
    /// By folder and columns.
    growing: HashMap<(String, String), Growing>,
    /// By folder.
    spools: HashMap<String, Spool>,
    /// Those that take no more rows.
    full: Vec<Spool>,
    /// Counts flushes.
    turn: u64,
}

/// Where the output stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Mark {
    id: String,
    number: u64,
    files: Vec<Known>,
}

/// A file that may still grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Below the folder.
    path: String,
    /// What its rows are grouped by besides.
    columns: String,
    number: u64,
    /// Bytes, without the end that every write puts there anew.
    length: u64,
    /// Of a spool.
    rows: u64,
}

impl FolderSink {
    /// Opens the folder, or makes it, and brings it back to the mark.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(settings: FolderSettings, mark: Option<&[u8]>) -> Result<Self, Fault> {
        let mark: Option<Mark> = match mark {
            Some(bytes) => Some(postcard::from_bytes(bytes).map_err(|error| {
                Fault::outside(format!("the output's mark cannot be read: {error}. The store is damaged; restore it from a copy"))
                    .never()
                    .at(format!("output '{}'", settings.output))
            })?),
            None => None,
        };
        let mark = mark.unwrap_or_else(|| Mark { id: new_id(), ..Mark::default() });
        let failed = |error: io::Error| fault(&settings, &error).never();
        let mut sink = Self {
            id: mark.id.clone(),
            number: mark.number,
            growing: HashMap::new(),
            spools: HashMap::new(),
            full: Vec::new(),
            turn: 0,
            settings: settings.clone(),
        };
        std::fs::create_dir_all(&settings.folder).map_err(failed)?;
        sink.bring_back(&mark).map_err(failed)?;
        Ok(sink)
    }

    /// The hidden folder of the spools.
    fn hidden(&self) -> PathBuf {
        self.settings.folder.join(format!(".tamis-{}", self.id))
    }

    /// Below the folder, `/` between.
    fn name(&self, path: &str, columns: &str, number: u64) -> String {
        let between = if path.is_empty() { "" } else { "/" };
        let columns = if columns.is_empty() { "0" } else { columns };
        format!("{path}{between}{columns}_{}_{number}.{}", self.id, self.settings.format.extension())
    }

    fn buffered(&self) -> usize {
        self.growing.values().map(Growing::buffered).chain(self.spools.values().map(Spool::buffered)).sum()
    }

    fn write_out(&mut self, sync: bool) -> io::Result<()> {
        for file in self.growing.values_mut() {
            file.write_out(&self.settings.folder, sync)?;
        }
        for spool in self.spools.values_mut() {
            spool.write_out(sync)?;
        }
        Ok(())
    }

    /// Appends rows of one folder.
    fn append(&mut self, path: &str, batch: &Batch) {
        let turn = self.turn;
        if self.settings.format == FileFormat::Parquet {
            if !self.spools.contains_key(path) {
                self.number += 1;
                self.spools.insert(path.to_owned(), Spool::new(&self.hidden(), path, self.number));
            }
            if let Some(spool) = self.spools.get_mut(path) {
                spool.append(batch, turn);
            }
            return;
        }
        let columns = file::columns(self.settings.format, batch);
        let key = (path.to_owned(), columns);
        if !self.growing.contains_key(&key) {
            self.number += 1;
            let name = self.name(path, &key.1, self.number);
            self.growing.insert(key.clone(), Growing::new(name, self.number, self.settings.format));
        }
        if let Some(file) = self.growing.get_mut(&key) {
            file.append(batch, turn);
        }
    }

    /// Spools that have their rows or their age take no more.
    fn close_full(&mut self) {
        let (rows, age) = (self.settings.max_rows as u64, self.settings.max_age);
        let closed: Vec<String> = self.spools.iter().filter(|(_, spool)| spool.is_due(rows, age)).map(|(path, _)| path.clone()).collect();
        self.full.extend(closed.iter().filter_map(|path| self.spools.remove(path)));
    }

    /// Full spools that the mark covers become Parquet files.
    fn make_tables(&mut self, mark: &Mark) -> io::Result<()> {
        let mut left = Vec::new();
        let mut result = Ok(());
        for spool in std::mem::take(&mut self.full) {
            let covered = mark.files.iter().any(|known| known.number == spool.number && known.length == spool.length);
            if !covered || result.is_err() {
                left.push(spool);
                continue;
            }
            let target = self.settings.folder.join(self.name(&spool.path, "", spool.number));
            match table::write(&spool, &target) {
                Ok(()) => {
                    tracing::debug!(output = self.settings.output, file = %target.display(), rows = spool.rows, "Parquet file is there.");
                }
                Err(error) => {
                    result = Err(error);
                    left.push(spool);
                }
            }
        }
        self.full = left;
        result
    }

    fn known(&self) -> Mark {
        let growing = self.growing.iter().map(|((path, columns), file)| Known {
            path: path.clone(),
            columns: columns.clone(),
            number: file.number,
            length: file.length,
            rows: 0,
        });
        let spools = self.spools.values().chain(&self.full).map(|spool| Known {
            path: spool.path.clone(),
            columns: String::new(),
            number: spool.number,
            length: spool.length,
            rows: spool.rows,
        });
        let mut files: Vec<Known> = growing.chain(spools).collect();
        files.sort_by_key(|known| known.number);
        Mark { id: self.id.clone(), number: self.number, files }
    }

    /// Files that nobody wrote to for a long time are let go.
    fn let_go(&mut self) {
        while self.growing.len() > FILES {
            let oldest = self.growing.iter().min_by_key(|(_, file)| file.turn).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.growing.remove(&key));
        }
        while self.spools.len() > FILES {
            let oldest = self.spools.iter().min_by_key(|(_, spool)| spool.turn).map(|(path, _)| path.clone());
            self.full.extend(oldest.and_then(|path| self.spools.remove(&path)));
        }
    }
}

impl Sink for FolderSink {
    fn write(&mut self, batch: &Batch, _keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        // Before the batch is taken: when this fails, the same batch is brought again.
        if self.buffered() >= BUFFER {
            self.write_out(false).map_err(|error| fault(&self.settings, &error))?;
        }
        let mut refused = Vec::new();
        let mut of_path: Vec<(String, Vec<u32>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (row, path) in self.settings.pattern.paths(batch).into_iter().enumerate() {
            match path {
                Ok(path) => match of_path.last_mut() {
                    Some((last, rows)) if *last == path => rows.push(row as u32),
                    _ => {
                        let place = *places.entry(path.clone()).or_insert(of_path.len());
                        if place == of_path.len() {
                            of_path.push((path, Vec::new()));
                        }
                        of_path[place].1.push(row as u32);
                    }
                },
                Err(reason) => refused.push(Refused { row, reason }),
            }
        }
        if let (ErrorPolicy::Stop, Some(first)) = (self.settings.policy, refused.first()) {
            let why = format!("a row cannot be written, and the output error policy is Stop: {}", first.reason);
            return Err(Fault::outside(why).never().at(format!("output '{}'", self.settings.output)));
        }
        for (path, rows) in of_path {
            if rows.len() == batch.rows() {
                self.append(&path, batch);
            } else {
                self.append(&path, &batch.take(&rows));
            }
        }
        Ok(refused)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.write_out(true).map_err(|error| fault(&self.settings, &error))?;
        self.turn += 1;
        self.close_full();
        self.let_go();
        Ok(())
    }

    fn mark(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(&self.known()).ok()
    }

    fn kept(&mut self, mark: &[u8]) -> Result<(), Fault> {
        if self.settings.format != FileFormat::Parquet {
            return Ok(());
        }
        let Ok(mark) = postcard::from_bytes::<Mark>(mark) else { return Ok(()) };
        self.close_full();
        self.make_tables(&mark).map_err(|error| fault(&self.settings, &error))
    }

    fn finish(&mut self) -> Result<(), Fault> {
        let mark = self.known();
        self.full.extend(self.spools.drain().map(|(_, spool)| spool).filter(|spool| spool.length > 0));
        self.make_tables(&mark).map_err(|error| fault(&self.settings, &error))
    }
}

fn fault(settings: &FolderSettings, error: &io::Error) -> Fault {
    Fault::outside(format!("cannot write rows: {error}")).at(format!("output '{}' in {}", settings.output, settings.folder.display()))
}

/// Eight characters that no other output has.
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// The new entry of a folder is durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
