//! `tamis documents`: the store's documents as JSON lines.

use std::io::Write;
use std::path::Path;

use super::{Reader, StoreError};

/// Prints the documents in order of arrival, one JSON object a line: the columns in their order, then `_output` and `_key`.
/// Answers how many there were. A reader that goes away (`tamis documents | head`) ends it without error.
pub fn print_documents(directory: &Path, output: Option<&str>, out: &mut dyn Write) -> Result<u64, StoreError> {
    let reader = Reader::open(directory)?;
    let mut printed = 0;
    for document in reader.documents(output)? {
        match writeln!(out, "{}", document?.json()) {
            Ok(()) => printed += 1,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(printed),
            Err(error) => return Err(error.into()),
        }
    }
    match out.flush() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(printed),
    }
}
