//! Rows as they are printed: JSON lines, a table for each output, or a file for an output.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use comfy_table::{ContentArrangement, Table};

use super::Form;
use super::explain;
use crate::batch::{Batch, Value, write_row, write_value};
use crate::cli::bind::Named;
use crate::fault::Fault;
use crate::pipeline::ExplainedEvent;

/// Takes the rows of all outputs.
#[derive(Debug)]
pub(super) struct Printer {
    out: BufWriter<Stdout>,
    form: Form,
    files: Vec<Target>,
    /// The rows for tables, in the order in which outputs came up.
    tables: Vec<(String, Rows)>,
    line: Vec<u8>,
    closed: bool,
}

/// A file for an output.
#[derive(Debug)]
struct Target {
    output: String,
    path: String,
    file: Option<BufWriter<File>>,
}

#[derive(Debug, Default)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<BTreeMap<usize, String>>,
}

impl Printer {
    pub(super) fn new(form: Option<Form>, files: &[Named]) -> Self {
        let form = form.unwrap_or_else(|| if io::stdout().is_terminal() { Form::Table } else { Form::Json });
        let target = |given: &Named| Target { output: given.name.clone(), path: given.value.clone(), file: None };
        Self {
            out: BufWriter::new(io::stdout()),
            form,
            files: files.iter().map(target).collect(),
            tables: Vec::new(),
            line: Vec::new(),
            closed: false,
        }
    }

    /// Whether the reader has seen enough (`| head`).
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// # Errors
    /// When they cannot be written.
    pub(super) fn write(&mut self, output: &str, batch: &Batch) -> Result<(), Fault> {
        if self.files.iter().any(|target| target.output.eq_ignore_ascii_case(output)) {
            for target in self.files.iter_mut().filter(|target| target.output.eq_ignore_ascii_case(output)) {
                target.write(batch)?;
            }
            return Ok(());
        }
        match self.form {
            Form::Json => self.lines(output, batch),
            Form::Table => {
                self.collect(output, batch);
                Ok(())
            }
        }
    }

    fn lines(&mut self, output: &str, batch: &Batch) -> Result<(), Fault> {
        for row in 0..batch.rows() {
            self.line.clear();
            self.line.extend_from_slice(b"{\"output\":");
            write_value(&Value::Text(output.into()), &mut self.line);
            self.line.extend_from_slice(b",\"row\":");
            write_row(batch, row, &mut self.line);
            self.line.extend_from_slice(b"}\n");
            let written = self.out.write_all(&self.line);
            self.said(written)?;
        }
        Ok(())
    }

    fn said(&mut self, written: io::Result<()>) -> Result<(), Fault> {
        written.map_err(|error| {
            self.closed |= error.kind() == io::ErrorKind::BrokenPipe;
            Fault::outside(format!("standard output cannot be written: {error}")).never()
        })
    }

    fn collect(&mut self, output: &str, batch: &Batch) {
        let place = self.tables.iter().position(|(name, _)| name == output).unwrap_or_else(|| {
            self.tables.push((output.to_owned(), Rows::default()));
            self.tables.len() - 1
        });
        let rows = &mut self.tables[place].1;
        for row in 0..batch.rows() {
            let mut cells = BTreeMap::new();
            for (name, column) in batch.names.iter().zip(&batch.columns).filter(|(_, column)| !column.is_missing(row)) {
                let place = rows.columns.iter().position(|known| **known == **name).unwrap_or_else(|| {
                    rows.columns.push(name.to_string());
                    rows.columns.len() - 1
                });
                cells.insert(place, shown(&column.value(row)));
            }
            rows.rows.push(cells);
        }
    }

    /// Prints the tables and closes the files. `outputs`: all outputs of the query; none when it failed.
    ///
    /// # Errors
    /// When something cannot be written, or a file is asked for an output that the query does not have.
    pub(super) fn finish(&mut self, outputs: &[String]) -> Result<(), Fault> {
        for (output, rows) in std::mem::take(&mut self.tables) {
            let mut table = table();
            table.set_header(rows.columns.clone());
            table.add_rows(
                rows.rows.iter().map(|cells| {
                    (0..rows.columns.len()).map(|place| cells.get(&place).cloned().unwrap_or_default()).collect::<Vec<String>>()
                }),
            );
            let written = writeln!(self.out, "{output}\n{table}");
            self.said(written)?;
        }
        let flushed = self.out.flush();
        if self.said(flushed).is_err() && self.closed {
            return Ok(());
        }
        for target in &mut self.files {
            if outputs.is_empty() {
                target.close()?;
                continue;
            }
            if !outputs.iter().any(|known| known.eq_ignore_ascii_case(&target.output)) {
                return Err(Fault::job(format!("the query has no output '{}'; it writes to {}", target.output, outputs.join(", "))));
            }
            // An output without rows is an empty file.
            target.open()?;
            target.close()?;
        }
        Ok(())
    }

    /// Prints what happened to each event's time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn explain(&mut self, events: &[ExplainedEvent]) -> Result<(), Fault> {
        let written = match self.form {
            Form::Json => events.iter().try_for_each(|event| writeln!(self.out, "{}", explain::json(event))),
            Form::Table => writeln!(self.out, "events\n{}", explain::fill(table(), events)),
        };
        let written = written.and_then(|()| self.out.flush());
        match self.said(written) {
            Err(_) if self.closed => Ok(()),
            done => done,
        }
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A text as it is, any other value as JSON writes it.
fn shown(value: &Value) -> String {
    if let Value::Text(text) = value {
        return text.to_string();
    }
    let mut out = Vec::new();
    write_value(value, &mut out);
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}

impl Target {
    fn cannot(&self, error: &io::Error) -> Fault {
        Fault::outside(format!("cannot be written: {error}")).never().at(self.path.as_str())
    }

    fn open(&mut self) -> Result<&mut BufWriter<File>, Fault> {
        if self.file.is_none() {
            let file = File::create(&self.path).map_err(|error| self.cannot(&error))?;
            self.file = Some(BufWriter::new(file));
        }
        self.file.as_mut().ok_or_else(|| Fault::internal("a file was opened and is not there"))
    }

    fn write(&mut self, batch: &Batch) -> Result<(), Fault> {
        let mut lines = Vec::new();
        for row in 0..batch.rows() {
            write_row(batch, row, &mut lines);
            lines.push(b'\n');
        }
        let written = self.open()?.write_all(&lines);
        written.map_err(|error| self.cannot(&error))
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.flush().map_err(|error| self.cannot(&error))
    }
}
