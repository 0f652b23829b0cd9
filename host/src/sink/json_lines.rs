//! A file with one row a line.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Sink;
use crate::batch::{Batch, DocumentKeys, write_row};
use crate::fault::{Fault, Rejected};

/// Appends rows to a file as JSON lines. After a crash the file is cut back to the checkpoint, and the rows behind it come again:
/// no line is there twice.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

/// Written out when the buffer is this full.
const BUFFER: usize = 256 << 10;

impl JsonLines {
    /// Opens the file for appending, or makes it and the folders above it. A last line that a crash left unfinished is cut off.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| Fault::outside(format!("cannot write rows: {error}")).never().at(path.display().to_string());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = File::options().create(true).read(true).write(true).truncate(false).open(path).map_err(failed)?;
        let whole = end_of_last_line(&mut file).map_err(failed)?;
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, buffer: Vec::with_capacity(BUFFER) })
    }

    fn write_out(&mut self) -> Result<(), Fault> {
        // A write that failed half way is repeated whole after cutting off what it had written.
        let start = self.file.stream_position().map_err(|error| self.fault(&error))?;
        if let Err(error) = self.file.write_all(&self.buffer) {
            let undone = self.file.set_len(start).and_then(|()| self.file.seek(SeekFrom::Start(start)));
            tracing::warn!(path = %self.path.display(), %error, undone = undone.is_ok(), "Rows could not be written.");
            return Err(self.fault(&error));
        }
        self.buffer.clear();
        Ok(())
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        Fault::outside(format!("cannot write rows: {error}")).at(self.path.display().to_string())
    }
}

fn end_of_last_line(file: &mut File) -> std::io::Result<u64> {
    use std::io::Read;
    let mut end = file.metadata()?.len();
    let mut chunk = vec![0; 8192];
    while end > 0 {
        let start = end.saturating_sub(8192);
        let part = &mut chunk[..usize::try_from(end - start).unwrap_or(8192)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Sink for JsonLines {
    fn write(&mut self, batch: &Batch, _keys: &DocumentKeys) -> Result<Vec<Rejected>, Fault> {
        for row in 0..batch.rows() {
            write_row(batch, row, &mut self.buffer);
            self.buffer.push(b'\n');
        }
        if self.buffer.len() >= BUFFER {
            self.write_out()?;
        }
        Ok(Vec::new())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.write_out()?;
        self.file.sync_data().map_err(|error| self.fault(&error))
    }

    fn position(&self) -> Option<u64> {
        // After a flush the file has everything.
        self.file.metadata().ok().map(|metadata| metadata.len())
    }

    fn resume(&mut self, position: u64) -> Result<(), Fault> {
        let length = self.file.metadata().map_err(|error| self.fault(&error))?.len();
        if length > position {
            tracing::info!(path = %self.path.display(), from = position, to = length, "Rows behind the checkpoint are cut off; they come again.");
            self.file.set_len(position).map_err(|error| self.fault(&error))?;
            self.file.seek(SeekFrom::End(0)).map_err(|error| self.fault(&error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Column, Origin};
    use crate::time::Timestamp;

    #[test]
    fn rows_behind_the_checkpoint_are_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let batch = |value| Batch {
            names: vec!["a".into()].into(),
            columns: vec![Column::BigInt(vec![value].into())],
            times: vec![Timestamp(0)].into(),
            origin: Origin::Derived,
        };
        let mut sink = JsonLines::open(&path).unwrap();
        let write = |sink: &mut JsonLines, value| {
            sink.write(&batch(value), &DocumentKeys::of(&batch(value), 0)).unwrap();
            sink.flush().unwrap();
            sink.position().unwrap()
        };
        let position = write(&mut sink, 1);
        write(&mut sink, 2);
        let mut sink = JsonLines::open(&path).unwrap();
        sink.resume(position).unwrap();
        write(&mut sink, 3);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":3}\n");
    }

    #[test]
    fn rows_are_appended_and_an_unfinished_line_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/rows.jsonl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{{\"a\":{}1}}\n{{\"a\":", " ".repeat(9000))).unwrap();
        let batch = Batch {
            names: vec!["a".into()].into(),
            columns: vec![Column::BigInt(vec![2, 3].into())],
            times: vec![Timestamp(0); 2].into(),
            origin: Origin::Derived,
        };
        let mut sink = JsonLines::open(&path).unwrap();
        assert_eq!(sink.write(&batch, &DocumentKeys::of(&batch, 0)).unwrap(), []);
        sink.flush().unwrap();
        drop(sink);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("1}\n{\"a\":2}\n{\"a\":3}\n"), "{text}");
        let error = JsonLines::open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("cannot write rows"), "{error}");
    }
}
