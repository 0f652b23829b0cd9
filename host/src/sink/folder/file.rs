//! One file that grows: JSON lines, a JSON array, CSV.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{FileFormat, sync_folder};
use crate::batch::{Batch, Column, Value, write_row, write_value};

/// What stands at the end of an array.
const END: &[u8] = b"\n]\n";

/// A file and the rows that are not written out yet. It is opened for each write, so that many can grow.
#[derive(Debug)]
pub(super) struct Growing {
    name: String,
    pub(super) number: u64,
    format: FileFormat,
    /// What is written out, without the end of an array.
    pub(super) length: u64,
    buffer: Vec<u8>,
    /// The first line of CSV.
    header: Vec<u8>,
    /// Whether something was written that is not durable.
    dirty: bool,
    /// When rows came last.
    pub(super) turn: u64,
}

impl Growing {
    /// A file that is not there yet; the name is below the folder.
    pub(super) fn new(name: String, number: u64, format: FileFormat) -> Self {
        Self { name, number, format, length: 0, buffer: Vec::new(), header: Vec::new(), dirty: false, turn: 0 }
    }

    /// A file that is there, cut back to this length.
    pub(super) fn bring_back(folder: &Path, name: String, number: u64, format: FileFormat, length: u64) -> io::Result<Self> {
        let path = folder.join(&name);
        let mut known = Self::new(name, number, format);
        match File::options().write(true).open(&path) {
            Ok(file) => {
                let there = file.metadata()?.len();
                if there < length {
                    tracing::warn!(path = %path.display(), length = there, expected = length, "The file is shorter than it was; rows are appended to what is there.");
                }
                known.length = length.min(there);
                known.cut(&file)?;
                file.sync_data()?;
            }
            // Taken away: it begins anew.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(known)
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn append(&mut self, batch: &Batch, turn: u64) {
        self.turn = turn;
        let first = self.length == 0 && self.buffer.is_empty();
        match self.format {
            FileFormat::Csv(delimiter) => {
                if self.header.is_empty() {
                    self.header = header(batch, delimiter);
                }
                if first {
                    self.buffer.extend_from_slice(&self.header);
                }
                csv(&mut self.buffer, batch, delimiter);
            }
            FileFormat::JsonArray => {
                for row in 0..batch.rows() {
                    let start: &[u8] = if first && row == 0 { b"[\n" } else { b",\n" };
                    self.buffer.extend_from_slice(start);
                    write_row(batch, row, &mut self.buffer);
                }
            }
            FileFormat::JsonLines | FileFormat::Parquet => {
                for row in 0..batch.rows() {
                    write_row(batch, row, &mut self.buffer);
                    self.buffer.push(b'\n');
                }
            }
        }
    }

    /// Writes out what is buffered. When it fails, it is written again to the same place.
    pub(super) fn write_out(&mut self, folder: &Path, sync: bool) -> io::Result<()> {
        if self.buffer.is_empty() && !(sync && self.dirty) {
            return Ok(());
        }
        let path = folder.join(&self.name);
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.begin_anew();
                let parent = path.parent().unwrap_or(folder);
                std::fs::create_dir_all(parent)?;
                let file = File::options().create(true).truncate(false).write(true).open(&path)?;
                sync_folder(parent)?;
                file
            }
            Err(error) => return Err(error),
        };
        if !self.buffer.is_empty() {
            let rows = self.buffer.len();
            if self.format == FileFormat::JsonArray {
                self.buffer.extend_from_slice(END);
            }
            let written = file.write_all_at(&self.buffer, self.length);
            self.buffer.truncate(rows);
            if let Err(error) = written {
                let undone = self.cut(&file);
                tracing::warn!(path = %path.display(), %error, undone = undone.is_ok(), "Rows could not be written.");
                return Err(error);
            }
            self.length += rows as u64;
            self.buffer.clear();
            self.dirty = true;
        }
        if sync {
            file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// The file is not there; when it was, somebody took it away with its rows.
    fn begin_anew(&mut self) {
        if self.length > 0 && !self.buffer.is_empty() {
            match self.format {
                FileFormat::Csv(_) => drop(self.buffer.splice(..0, self.header.iter().copied())),
                FileFormat::JsonArray => self.buffer[0] = b'[',
                FileFormat::JsonLines | FileFormat::Parquet => {}
            }
        }
        self.length = 0;
    }

    /// The file is what was written out, and whole.
    fn cut(&self, file: &File) -> io::Result<()> {
        file.set_len(self.length)?;
        if self.format == FileFormat::JsonArray && self.length > 0 {
            file.write_all_at(END, self.length)?;
        }
        Ok(())
    }
}

/// What tells two files of one folder apart: for CSV, the columns.
pub(super) fn columns(format: FileFormat, batch: &Batch) -> String {
    if !matches!(format, FileFormat::Csv(_)) {
        return String::new();
    }
    let mut hash = Sha256::new();
    for name in batch.names.iter() {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn header(batch: &Batch, delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _written = writer.write_record(batch.names.iter().map(|name| name.as_bytes()));
    writer.into_inner().unwrap_or_default()
}

fn csv(out: &mut Vec<u8>, batch: &Batch, delimiter: u8) {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    let mut field = Vec::new();
    for row in 0..batch.rows() {
        for column in &batch.columns {
            field.clear();
            cell(column, row, &mut field);
            // Writing into memory cannot fail.
            let _written = writer.write_field(&field);
        }
        let _written = writer.write_record(None::<&[u8]>);
    }
    let _flushed = writer.flush();
}

/// A value as text: null is empty, records and arrays are JSON.
pub(super) fn cell(column: &Column, row: usize, out: &mut Vec<u8>) {
    match column.value(row) {
        Value::Null | Value::Missing => {}
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::DateTime(time) => out.extend_from_slice(time.to_string().as_bytes()),
        value => write_value(&value, out),
    }
}
