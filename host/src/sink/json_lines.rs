//! A file with one row a line.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Refused, Sink};
use crate::batch::{Batch, DocumentKeys, write_row};
use crate::fault::Fault;

/// Appends rows to a file as JSON lines. Each row is there once, also after a crash: rows behind the checkpoint, which come
/// again, are cut off when the file is opened.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
    /// What is written out.
    length: u64,
    buffer: Vec<u8>,
}

/// Written out when the buffer is this full.
const BUFFER: usize = 256 << 10;

impl JsonLines {
    /// Opens the file for appending, or makes it and the folders above it. Cut off are the rows behind `mark`, which the
    /// last checkpoint kept, and a last line that a crash left unfinished. A file that is shorter than the mark was
    /// changed by others; it is appended to.
    pub fn open(path: &Path, mark: Option<&[u8]>) -> Result<Self, Fault> {
        let failed = |error: std::io::Error| Fault::outside(format!("cannot write rows: {error}")).never().at(path.display().to_string());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = File::options().create(true).read(true).write(true).truncate(false).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mark = mark.and_then(|mark| mark.try_into().ok()).map(u64::from_be_bytes);
        let whole = match mark {
            Some(mark) if mark <= length => mark,
            Some(mark) => {
                tracing::warn!(path = %path.display(), length, expected = mark, "The file is shorter than it was; rows are appended to what is there.");
                end_of_last_line(&mut file).map_err(failed)?
            }
            None => end_of_last_line(&mut file).map_err(failed)?,
        };
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, length: whole, buffer: Vec::with_capacity(BUFFER) })
    }

    fn write_out(&mut self) -> Result<(), Fault> {
        // A write that failed half way is repeated whole after cutting off what it had written.
        let start = self.length;
        if let Err(error) = self.file.write_all(&self.buffer) {
            let undone = self.file.set_len(start).and_then(|()| self.file.seek(SeekFrom::Start(start)));
            tracing::warn!(path = %self.path.display(), %error, undone = undone.is_ok(), "Rows could not be written.");
            return Err(self.fault(&error));
        }
        self.length += self.buffer.len() as u64;
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
    fn write(&mut self, batch: &Batch, _keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        // Before the batch is taken: when this fails, the same batch is brought again.
        if self.buffer.len() >= BUFFER {
            self.write_out()?;
        }
        for row in 0..batch.rows() {
            write_row(batch, row, &mut self.buffer);
            self.buffer.push(b'\n');
        }
        Ok(Vec::new())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.write_out()?;
        self.file.sync_data().map_err(|error| self.fault(&error))
    }

    fn mark(&self) -> Option<Vec<u8>> {
        Some(self.length.to_be_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Column, Origin};
    use crate::time::Timestamp;

    fn rows() -> Batch {
        Batch {
            names: vec!["a".into()].into(),
            columns: vec![Column::BigInt(vec![2, 3].into())],
            times: vec![Timestamp(0); 2].into(),
            origin: Origin::Derived,
        }
    }

    #[test]
    fn rows_behind_the_mark_of_the_last_checkpoint_are_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let (batch, text) = (rows(), || std::fs::read_to_string(&path).unwrap());
        let keys = DocumentKeys::of(&batch, 0);
        let mut sink = JsonLines::open(&path, None).unwrap();
        sink.write(&batch, &keys).unwrap();
        sink.flush().unwrap();
        let mark = sink.mark();
        // Durable, but the checkpoint did not come to pass.
        sink.write(&batch, &keys).unwrap();
        sink.flush().unwrap();
        drop(sink);
        assert_eq!(text().lines().count(), 4);
        let mut sink = JsonLines::open(&path, mark.as_deref()).unwrap();
        assert_eq!((text().as_str(), sink.mark()), ("{\"a\":2}\n{\"a\":3}\n", mark.clone()));
        sink.write(&batch, &keys).unwrap();
        sink.flush().unwrap();
        drop(sink);
        assert_eq!(text().lines().count(), 4);
        // Somebody took the rows away: nothing is made up, and new ones are kept.
        std::fs::write(&path, "").unwrap();
        let mut sink = JsonLines::open(&path, mark.as_deref()).unwrap();
        sink.write(&batch, &keys).unwrap();
        sink.flush().unwrap();
        assert_eq!(text().lines().count(), 2);
    }

    #[test]
    fn rows_are_appended_and_an_unfinished_line_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/rows.jsonl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{{\"a\":{}1}}\n{{\"a\":", " ".repeat(9000))).unwrap();
        let batch = rows();
        let mut sink = JsonLines::open(&path, None).unwrap();
        assert_eq!(sink.write(&batch, &DocumentKeys::of(&batch, 0)).unwrap(), []);
        sink.flush().unwrap();
        drop(sink);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("1}\n{\"a\":2}\n{\"a\":3}\n"), "{text}");
        let error = JsonLines::open(directory.path(), None).unwrap_err();
        assert!(error.to_string().contains("cannot write rows"), "{error}");
    }
}
