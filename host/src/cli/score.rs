//! `tamis score`: scores the rows of a file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use tamis_frame::{Signature, Type};

use super::documents::finish;
use crate::batch::{Batch, Column, Value, write_row};
use crate::fault::Fault;
use crate::source::{Decoder, FileFormat, FileSource, Format, Wanted};
use crate::time::SystemClock;
use crate::udf::{Function, Limits, Sandbox};

/// Arguments of `tamis score`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file: JSON lines, a JSON array, or CSV with a header; `-` is standard input.
    file: PathBuf,
    /// The module; the built-in one when none is named.
    #[arg(long)]
    function: Option<PathBuf>,
    /// How the file is written; by its extension when nothing is said.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Print the reasons for each score, too.
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// JSON lines, an array, or objects one after the other.
    Json,
    /// Separated by commas, with a header.
    Csv,
}

/// The function whose results are reasons.
const EXPLAIN: &str = "explain";
/// Rows at a time.
const ROWS: usize = 8192;

/// Prints each row with a column for each function of the module. Rows that cannot be scored are told on standard
/// error, and the command fails at the end.
pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let sandbox = Sandbox::new(Limits::default())?;
    let function = super::inspect::load(&sandbox, args.function.as_deref())?;
    let mut out = BufWriter::new(io::stdout().lock());
    let scored = score(args, &function, &mut out);
    let unscored = *scored.as_ref().unwrap_or(&0);
    finish(scored.map(drop), &mut out)?;
    if unscored > 0 {
        return Err(Fault::job(format!("{unscored} rows were not scored")).at(args.file.display().to_string()));
    }
    Ok(())
}

fn open(path: &Path, form: Option<Form>) -> Result<FileSource, Fault> {
    let format = match form {
        Some(Form::Json) => FileFormat::Json,
        Some(Form::Csv) => FileFormat::Csv { delimiter: b',' },
        None => FileFormat::of(path),
    };
    if path.as_os_str() == "-" {
        return Ok(FileSource::read("standard input".to_owned(), Box::new(io::stdin()), format, &SystemClock)?);
    }
    Ok(FileSource::open(path, format, &SystemClock)?)
}

/// Answers how many rows were not scored.
fn score(args: &Args, function: &Function, out: &mut impl Write) -> Result<u64, Fault> {
    let mut source = open(&args.file, args.format)?;
    let is_csv = matches!(source.format(), Format::Csv { .. });
    let mut decoder = Decoder::new(Wanted::All, source.format().clone(), 0);
    let mut unscored = 0;
    let mut line = Vec::new();
    let mut report = |row: u64, reason: &str| {
        unscored += 1;
        eprintln!("row {}: {reason}", row + 1);
    };
    while let Some(run) = source.next(ROWS)? {
        let decoded = decoder.decode(&run);
        for rejected in &decoded.rejected {
            report(rejected.origin.map_or(0, |origin| origin.offset), &rejected.reason);
        }
        let batch = if is_csv { typed(decoded.batch, function.signature()) } else { decoded.batch };
        let mut keep = vec![true; batch.rows()];
        let mut results = Vec::new();
        for known in function.signature().functions.iter().filter(|known| args.explain || known.name != EXPLAIN) {
            let called = function.ask(&known.name, &batch)?;
            for (row, reason) in called.rejected {
                if std::mem::replace(&mut keep[row], false) {
                    report(batch.row_id(row).map_or(0, |id| id.offset), &reason);
                }
            }
            results.push((known.name.as_str(), called.column));
        }
        let batch = with_results(batch, results);
        for row in (0..batch.rows()).filter(|row| keep[*row]) {
            line.clear();
            write_row(&batch, row, &mut line);
            line.push(b'\n');
            if let Err(error) = out.write_all(&line) {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    return Ok(unscored);
                }
                return Err(Fault::outside(format!("standard output cannot be written: {error}")).never());
            }
        }
    }
    Ok(unscored)
}

/// CSV has only text: columns that the function wants as text stay text, in the others numbers become numbers and
/// empty values are missing.
fn typed(batch: Batch, signature: &Signature) -> Batch {
    let is_text = |name: &str| signature.columns.iter().any(|column| column.ty == Type::Text && column.name.eq_ignore_ascii_case(name));
    let typed = |value: Value| match &value {
        Value::Text(text) if text.trim().is_empty() => Value::Null,
        Value::Text(text) => number(text.trim()).unwrap_or(value),
        _ => value,
    };
    let columns = batch.names.iter().zip(&batch.columns).map(|(name, column)| match is_text(name) {
        true => column.clone(),
        false => Column::from_values((0..column.len()).map(|row| typed(column.value(row)))),
    });
    Batch { columns: columns.collect(), ..batch.clone() }
}

fn number(text: &str) -> Option<Value> {
    let looks_like_one = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let whole = || text.parse().ok().map(Value::BigInt);
    let float = || text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float);
    looks_like_one.then(|| whole().or_else(float)).flatten()
}

/// The batch with a column for each function: the prediction is called `prediction`, as in the query. A column of the same
/// name that the file had gives way.
fn with_results(batch: Batch, results: Vec<(&str, Column)>) -> Batch {
    let results: Vec<(Arc<str>, Column)> =
        results.into_iter().map(|(name, column)| (if name == "run" { "prediction" } else { name }.into(), column)).collect();
    let own = batch.names.iter().cloned().zip(batch.columns);
    let kept = own.filter(|(name, _)| !results.iter().any(|(made, _)| made.eq_ignore_ascii_case(name))).collect::<Vec<_>>();
    let (names, columns): (Vec<Arc<str>>, Vec<Column>) = kept.into_iter().chain(results.iter().cloned()).unzip();
    Batch { names: names.into(), columns, times: batch.times, origin: batch.origin }
}
