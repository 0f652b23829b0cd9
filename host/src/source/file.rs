//! Events from a file: JSON lines, a JSON array, objects one after the other, or CSV with a header.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::decode::{Format, Header};
use super::log::{Event, Run};
use crate::fault::Fault;
use crate::time::{Clock, Timestamp};

/// One event may have so many bytes.
const MAX_EVENT: usize = 16 << 20;
/// A run has about so many bytes.
const RUN_BYTES: usize = 4 << 20;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// JSON in any of its forms.
    Json,
    /// Separated values, the first line being the columns' names.
    Csv {
        /// What stands between two values.
        delimiter: u8,
    },
}

impl FileFormat {
    /// By the file's extension: `.csv` and `.tsv` are separated values, anything else is JSON.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Self::Csv { delimiter: b',' },
            "tsv" => Self::Csv { delimiter: b'\t' },
            _ => Self::Json,
        }
    }
}

/// Why a file cannot be read. One bad event is not an error: it is rejected when it is decoded.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("{name}: cannot be read: {source}")]
    Io {
        /// The file.
        name: String,
        /// What the system answered.
        source: io::Error,
    },
    /// Not separated values.
    #[error("{name}: {source}")]
    Csv {
        /// The file.
        name: String,
        /// What is wrong.
        source: csv::Error,
    },
    /// An event without end.
    #[error("{name}: event {row} has more than {MAX_EVENT} bytes; is a bracket or a quote left open?")]
    TooLarge {
        /// The file.
        name: String,
        /// Which one, from 0.
        row: u64,
    },
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        Self::outside(error.to_string()).never()
    }
}

/// A file's events, run by run. The offset of an event is its number in the file, the partition is 0, and all have
/// the time at which the file was opened.
#[derive(Debug)]
pub struct FileSource {
    name: String,
    opened: Timestamp,
    next: u64,
    events: Events,
    format: Format,
}

enum Events {
    /// Each line is an event.
    Lines(Input),
    /// Objects with anything between them.
    Objects(Input),
    Csv(Box<csv::Reader<Input>>),
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines(_) => "Lines",
            Self::Objects(_) => "Objects",
            Self::Csv(_) => "Csv",
        })
    }
}

type Input = BufReader<Box<dyn Read + Send>>;

impl FileSource {
    /// Opens a file. Values of CSV are text, as in Stream Analytics.
    ///
    /// # Errors
    /// When it cannot be opened or its first lines cannot be read.
    pub fn open(path: &Path, format: FileFormat, clock: &dyn Clock) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| FileError::Io { name: name.clone(), source })?;
        Self::read(name, Box::new(file), format, clock)
    }

    /// Reads from anything, for example standard input; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn read(name: String, input: Box<dyn Read + Send>, format: FileFormat, clock: &dyn Clock) -> Result<Self, FileError> {
        let input = BufReader::with_capacity(1 << 18, input);
        let (events, format) = match format {
            FileFormat::Json => (json(input).map_err(|source| FileError::Io { name: name.clone(), source })?, Format::Json),
            FileFormat::Csv { delimiter } => {
                let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
                let header = reader.headers().map_err(|source| FileError::Csv { name: name.clone(), source })?;
                let names: Arc<[String]> = header.iter().map(|name| name.trim().to_owned()).collect();
                (Events::Csv(Box::new(reader)), Format::Csv { header: Header::Names(names), delimiter: b',' })
            }
        };
        Ok(Self { name, opened: clock.now(), next: 0, events, format })
    }

    /// How a decoder must read the events.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The next events; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&mut self, max_events: usize) -> Result<Option<Run>, FileError> {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        while ends.len() < max_events.max(1) && bytes.len() < RUN_BYTES {
            if !self.push(&mut bytes, self.next + ends.len() as u64)? {
                break;
            }
            ends.push(bytes.len());
        }
        if ends.is_empty() {
            return Ok(None);
        }
        let buffer = Bytes::from(bytes);
        let first_offset = self.next;
        let mut start = 0;
        let events = ends.into_iter().map(|end| {
            let body = buffer.slice(start..end);
            let event = Event { offset: self.next, enqueued: self.opened, body, key: None, properties: Vec::new() };
            start = end;
            self.next += 1;
            event
        });
        let events = events.collect();
        Ok(Some(Run { partition: 0, first_offset, events }))
    }

    /// Appends the next event; `false` at the end.
    fn push(&mut self, bytes: &mut Vec<u8>, row: u64) -> Result<bool, FileError> {
        let start = bytes.len();
        let found = match &mut self.events {
            Events::Lines(input) => line(input, bytes),
            Events::Objects(input) => object(input, bytes),
            Events::Csv(reader) => {
                let mut record = csv::ByteRecord::new();
                let csv_error = |source: csv::Error| FileError::Csv { name: self.name.clone(), source };
                if !reader.read_byte_record(&mut record).map_err(csv_error)? {
                    return Ok(false);
                }
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(&mut *bytes);
                writer.write_byte_record(&record).map_err(csv_error)?;
                writer.flush().map(|()| true)
            }
        };
        match found {
            Ok(_) if bytes.len() - start > MAX_EVENT => Err(FileError::TooLarge { name: self.name.clone(), row }),
            Ok(found) => Ok(found),
            Err(source) => Err(FileError::Io { name: self.name.clone(), source }),
        }
    }
}

/// Looks at the beginning: an array or an object over several lines is read object by object, anything else line by line.
fn json(mut input: Input) -> io::Result<Events> {
    let beginning = input.fill_buf()?;
    let beginning = beginning.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(beginning).trim_ascii_start();
    let first_line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut walk = Walk::default();
    let open = first_line.iter().filter(|byte| walk.over(**byte)).count() == 0;
    let objects = first_line.starts_with(b"[") || (first_line.starts_with(b"{") && open && first_line.len() < beginning.len());
    Ok(if objects { Events::Objects(input) } else { Events::Lines(input) })
}

/// The next line that is not empty.
fn line(input: &mut Input, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let start = bytes.len();
    loop {
        bytes.truncate(start);
        // No more than an event may have, and the rest is the error of the next look.
        if input.by_ref().take(MAX_EVENT as u64 + 2).read_until(b'\n', bytes)? == 0 {
            return Ok(false);
        }
        let text = bytes[start..].trim_ascii_end().len();
        bytes.truncate(start + text);
        if !bytes[start..].trim_ascii().is_empty() {
            return Ok(true);
        }
    }
}

/// The next object of an array or of objects one after the other. What stands between and is none goes line by line.
fn object(input: &mut Input, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let start = bytes.len();
    let mut walk = Walk::default();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            // A last object that was never closed is an event, too: a bad one.
            return Ok(bytes.len() > start);
        }
        let mut used = 0;
        let mut whole = false;
        for byte in buffer {
            used += 1;
            let between = bytes.len() == start;
            if between && (byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']' | 0xEF | 0xBB | 0xBF)) {
                continue;
            }
            if between && *byte != b'{' {
                walk.stray = true;
            }
            bytes.push(*byte);
            if walk.over(*byte) {
                whole = true;
                break;
            }
        }
        input.consume(used);
        if whole {
            let text = bytes[start..].trim_ascii_end().len();
            bytes.truncate(start + text);
            return Ok(true);
        }
        if bytes.len() - start > MAX_EVENT {
            return Ok(true);
        }
    }
}

/// Walks over JSON, byte by byte, to find where an object ends.
#[derive(Debug, Default)]
struct Walk {
    depth: usize,
    quote: Option<u8>,
    escaped: bool,
    /// No object: it ends with its line.
    stray: bool,
}

impl Walk {
    /// Whether an object ends with this byte.
    fn over(&mut self, byte: u8) -> bool {
        if self.stray {
            return byte == b'\n';
        }
        match (self.quote, byte) {
            (Some(_), _) if self.escaped => self.escaped = false,
            (Some(_), b'\\') => self.escaped = true,
            (Some(quote), byte) if byte == quote => self.quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => self.quote = Some(byte),
            (None, b'{' | b'[') => self.depth += 1,
            (None, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            (None, _) => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::write_row;
    use crate::source::{Decoder, Wanted};
    use crate::time::ManualClock;

    fn source(text: &str, format: FileFormat) -> FileSource {
        let input = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        FileSource::read("test".to_owned(), input, format, &*ManualClock::new(Timestamp(5))).unwrap()
    }

    fn bodies(text: &str) -> Vec<String> {
        let mut source = source(text, FileFormat::Json);
        let mut all = Vec::new();
        while let Some(run) = source.next(2).unwrap() {
            assert_eq!(run.first_offset, all.len() as u64);
            assert!(run.events.len() <= 2);
            all.extend(run.events.iter().map(|event| String::from_utf8(event.body.to_vec()).unwrap()));
        }
        all
    }

    #[test]
    fn the_forms_of_json_files_give_the_same_events() {
        let events = [r#"{"a":1,"b":"}\"{"}"#, r#"{"a":{"c":[]}}"#, r#"{"a":"it's"}"#];
        assert_eq!(bodies(&events.join("\n")), events);
        assert_eq!(bodies(&format!("\n{}\r\n\r\n", events.join("\r\n"))), events);
        assert_eq!(bodies(&format!("[{}]", events.join(","))), events);
        assert_eq!(bodies(&format!("\u{FEFF} [\n  {}\n]\n", events.join(",\n  "))), events);
        let wide = events.map(|event| event.replacen('{', "{\n ", 1));
        assert_eq!(bodies(&wide.join("\n")), wide);
        assert_eq!(bodies(&wide.join("")), wide);
        assert_eq!(bodies("{'a': 1}\n{'a': \"it's\"}"), ["{'a': 1}", "{'a': \"it's\"}"]);
        assert_eq!(bodies("{\"a\": 1}"), ["{\"a\": 1}"]);
        assert_eq!(bodies(""), [""; 0]);
        assert_eq!(bodies(" \n \n"), [""; 0]);
        assert_eq!(bodies("[]"), [""; 0]);
    }

    #[test]
    fn a_bad_event_takes_no_other_with_it() {
        assert_eq!(bodies("{\"a\": 1}\n{\"a\": \n{\"a\": 3}\nrubbish"), ["{\"a\": 1}", "{\"a\":", "{\"a\": 3}", "rubbish"]);
        assert_eq!(bodies("[{\"a\": 1},\n12,\n{\"a\": 3}, {\"b\""), ["{\"a\": 1}", "12,", "{\"a\": 3}", "{\"b\""]);
    }

    #[test]
    fn separated_values_are_read_with_their_header() {
        let text = "id;name;amount\n1;\"two; \"\"words\"\"\nand lines\";0.5\n\n2;x;\n3;y\n";
        let mut source = source(text, FileFormat::Csv { delimiter: b';' });
        let mut decoder = Decoder::new(Wanted::All, source.format().clone(), 0);
        let run = source.next(100).unwrap().unwrap();
        assert_eq!((run.events.len(), run.events[2].offset, run.events[2].enqueued), (3, 2, Timestamp(5)));
        let decoded = decoder.decode(&run);
        let mut lines = Vec::new();
        for row in 0..decoded.batch.rows() {
            write_row(&decoded.batch, row, &mut lines);
        }
        let expected = r#"{"id":"1","name":"two; \"words\"\nand lines","amount":"0.5"}{"id":"2","name":"x","amount":""}"#;
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
        assert_eq!(decoded.rejected[0].reason, "the record has 2 values, the header has 3 names");
        assert_eq!(source.next(100).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let clock = ManualClock::new(Timestamp(0));
        let error = FileSource::open(Path::new("/no/such.json"), FileFormat::Json, &*clock).unwrap_err();
        assert!(error.to_string().starts_with("/no/such.json: cannot be read"), "{error}");
        for text in [format!("[{{\"a\": \"{}", "x".repeat(MAX_EVENT + 1)), "x".repeat(MAX_EVENT + 1)] {
            let error = source(&text, FileFormat::Json).next(10).unwrap_err();
            assert!(matches!(error, FileError::TooLarge { row: 0, .. }));
        }
        assert_eq!(FileFormat::of(Path::new("a.CSV")), FileFormat::Csv { delimiter: b',' });
        assert_eq!(FileFormat::of(Path::new("a.jsonl")), FileFormat::Json);
    }
}
