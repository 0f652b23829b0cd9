//! Rows of a Parquet file until it is written: a file of records, each the length, a checksum and a batch.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::sync_folder;
use crate::batch::{Batch, Origin};

/// One file of rows.
#[derive(Debug)]
pub(super) struct Spool {
    file: PathBuf,
    /// The folder that the rows are for.
    pub(super) path: String,
    pub(super) number: u64,
    /// What is written out.
    pub(super) length: u64,
    pub(super) rows: u64,
    buffer: Vec<u8>,
    buffered_rows: u64,
    dirty: bool,
    /// When the first rows came.
    since: Instant,
    pub(super) turn: u64,
}

impl Spool {
    pub(super) fn new(hidden: &Path, path: &str, number: u64) -> Self {
        Self {
            file: hidden.join(format!("{number}.spool")),
            path: path.to_owned(),
            number,
            length: 0,
            rows: 0,
            buffer: Vec::new(),
            buffered_rows: 0,
            dirty: false,
            since: Instant::now(),
            turn: 0,
        }
    }

    /// One that is there, cut back to this length.
    pub(super) fn bring_back(hidden: &Path, path: &str, number: u64, length: u64, rows: u64) -> io::Result<Self> {
        let mut spool = Self::new(hidden, path, number);
        if length == 0 {
            return Ok(spool);
        }
        let file = File::options().write(true).open(&spool.file)?;
        if file.metadata()?.len() < length {
            let message = format!("{} is shorter than it was when its rows were acknowledged", spool.file.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        file.set_len(length)?;
        file.sync_data()?;
        (spool.length, spool.rows) = (length, rows);
        Ok(spool)
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn is_due(&self, rows: u64, age: Duration) -> bool {
        self.buffer.is_empty() && self.rows > 0 && (self.rows >= rows || self.since.elapsed() >= age)
    }

    pub(super) fn append(&mut self, batch: &Batch, turn: u64) {
        if self.rows + self.buffered_rows == 0 {
            self.since = Instant::now();
        }
        self.turn = turn;
        // Where the rows came from is of no more use.
        let plain = Batch { origin: Origin::Derived, ..batch.clone() };
        let body = postcard::to_stdvec(&plain).unwrap_or_default();
        self.buffer.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        self.buffer.extend_from_slice(&body);
        self.buffered_rows += batch.rows() as u64;
    }

    /// Writes out what is buffered. When it fails, it is written again to the same place.
    pub(super) fn write_out(&mut self, sync: bool) -> io::Result<()> {
        if self.buffer.is_empty() && !(sync && self.dirty) {
            return Ok(());
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        if self.length == 0 {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(&self.file)?;
        if self.length == 0 {
            sync_folder(folder)?;
        }
        file.write_all_at(&self.buffer, self.length)?;
        self.length += self.buffer.len() as u64;
        self.rows += std::mem::take(&mut self.buffered_rows);
        self.buffer.clear();
        self.dirty = true;
        if sync {
            file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// The batches, one after the other.
    pub(super) fn batches(&self) -> io::Result<impl Iterator<Item = io::Result<Batch>>> {
        let mut file = BufReader::new(File::open(&self.file)?.take(self.length));
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the spool is damaged");
        Ok(std::iter::from_fn(move || {
            let mut head = [0; 8];
            match file.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
                Err(error) => return Some(Err(error)),
            }
            let [a, b, c, d, e, f, g, h] = head;
            let mut body = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
            if let Err(error) = file.read_exact(&mut body) {
                return Some(Err(error));
            }
            if crc32fast::hash(&body) != u32::from_le_bytes([e, f, g, h]) {
                return Some(Err(damaged()));
            }
            Some(postcard::from_bytes(&body).map_err(|_| damaged()))
        }))
    }

    /// Its rows are in a file of their own.
    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.file)
    }

    /// A name for what is not whole yet.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.file.with_extension("unfinished")
    }
}
