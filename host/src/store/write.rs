//! The one writer.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::{Checkpoint, FILE, StoreError, Unit, read, schema};

/// Held by the one writer.
const LOCK: &str = "documents.lock";

/// The store as its one writer has it. A lock file keeps a second host out; it is given back when this is dropped.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) outputs: HashMap<String, i64>,
    /// The highest document id that is committed.
    pub(super) last_id: i64,
    pub(super) buffer: Vec<u8>,
    directory: PathBuf,
    _lock: File,
}

/// Whether a host has the store of that directory open.
pub fn in_use(directory: &Path) -> bool {
    let Ok(lock) = File::options().append(true).open(directory.join(LOCK)) else { return false };
    matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

impl Store {
    /// Opens the store in that directory, or makes it.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Directory { path: directory.to_owned(), cause };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::options().create(true).append(true).open(directory.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::InUse { path: directory.to_owned() }),
            Err(std::fs::TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let path = directory.join(FILE);
        let mut connection = Connection::open(&path)?;
        connection.set_prepared_statement_cache_capacity(32);
        schema::prepare(&mut connection, &path)?;
        let outputs = read::outputs(&connection)?.into_iter().map(|output| (output.name, output.id)).collect();
        let last_id = last_id(&connection)?;
        Ok(Self { connection, outputs, last_id, buffer: Vec::new(), directory: directory.to_owned(), _lock: lock })
    }

    /// The directory that it is in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Begins a transaction. What is put into it is stored when it is committed, and not at all when it is dropped.
    pub fn begin(&mut self) -> Result<Unit<'_>, StoreError> {
        Unit::begin(self)
    }

    /// The last checkpoint; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        read::checkpoint(&self.connection)
    }

    /// What was kept under that key.
    pub fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM state WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// How many documents each output has.
    pub fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        read::counts(&self.connection)
    }

    /// How many documents there are.
    pub fn documents(&self) -> Result<u64, StoreError> {
        Ok(self.counts()?.iter().map(|(_, documents)| documents).sum())
    }

    /// How many dead letters there are that were not sent again.
    pub fn dead_letters(&self) -> Result<u64, StoreError> {
        read::dead_letter_count(&self.connection)
    }
}

pub(super) fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT ifnull(max(id), 0) FROM documents")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
