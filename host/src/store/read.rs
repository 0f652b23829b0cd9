//! Reading, also from another process while the job runs.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use super::{Checkpoint, DeadLetter, FILE, PartitionCheckpoint, StoreError, schema};
use crate::batch::{RowId, key_text};
use crate::time::Timestamp;

/// Documents fetched at a time.
const PAGE: usize = 256;

/// A read-only view of a store. Readers never block the writer, nor the writer them.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The output that it was written to.
    pub output: Arc<str>,
    /// Its key.
    pub key: Vec<u8>,
    /// The document as JSON text.
    pub body: String,
    /// The model that scored it.
    pub model: Option<String>,
    /// What the challenger said, as a JSON object.
    pub challenger: Option<String>,
}

impl Document {
    /// The document as one JSON object: its columns in order, then `_output` and `_key`, and who scored it (`_model`,
    /// `_challenger`).
    pub fn json(&self) -> String {
        let fields = self.body.trim_end().strip_suffix('}').unwrap_or(&self.body);
        let comma = if fields.trim_end().ends_with('{') { "" } else { "," };
        // An output's name is text that was checked; writing text as JSON cannot fail.
        let output = serde_json::Value::from(&*self.output);
        let mut text = format!("{fields}{comma}\"_output\":{output},\"_key\":\"{}\"", key_text(&self.key));
        if let Some(model) = &self.model {
            text.push_str(&format!(",\"_model\":{}", serde_json::Value::from(model.as_str())));
        }
        if let Some(challenger) = &self.challenger {
            text.push_str(",\"_challenger\":");
            text.push_str(challenger);
        }
        text.push('}');
        text
    }
}

impl Reader {
    /// Opens the store in that directory for reading.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        if !path.is_file() {
            return Err(StoreError::Absent { path: directory.to_owned() });
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        schema::check(&connection, &path)?;
        Ok(Self { connection })
    }

    /// How many documents each output has.
    pub fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        counts(&self.connection)
    }

    /// The last checkpoint; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        checkpoint(&self.connection)
    }

    /// All documents in order of arrival, or those of one output.
    pub fn documents(&self, output: Option<&str>) -> Result<Documents<'_>, StoreError> {
        let outputs = outputs(&self.connection)?;
        let only = output.map(|name| find(&outputs, name).map(|output| output.id)).transpose()?;
        let names = outputs.into_iter().map(|output| (output.id, output.name.into())).collect();
        Ok(Documents { reader: self, names, only, after: 0, page: VecDeque::new(), done: false })
    }

    /// The last documents, newest first; of one output or of all.
    pub fn last_documents(&self, output: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError> {
        let outputs = outputs(&self.connection)?;
        let only = output.map(|name| find(&outputs, name)).transpose()?;
        let total: u64 = outputs.iter().map(|output| output.documents).sum();
        // Going back through all documents is quick unless the output is a rare one; then its own index is.
        let sql = match only {
            None => format!("{DOCUMENTS} WHERE ?1 IS NULL ORDER BY id DESC LIMIT ?2"),
            Some(output) if output.documents < total / 64 => format!(
                "{DOCUMENTS} WHERE id IN
                 (SELECT id FROM documents WHERE output = ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id DESC"
            ),
            Some(_) => format!("{DOCUMENTS} WHERE +output = ?1 ORDER BY id DESC LIMIT ?2"),
        };
        let id = only.map(|output| output.id);
        let names: HashMap<i64, Arc<str>> = outputs.into_iter().map(|output| (output.id, output.name.into())).collect();
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map((id, i64::try_from(limit).unwrap_or(i64::MAX)), |row| document(row, &names))?;
        Ok(rows.map(|row| row.map(|(_, document)| document)).collect::<Result<_, _>>()?)
    }

    /// How many dead letters there are that were not sent again.
    pub fn dead_letter_count(&self) -> Result<u64, StoreError> {
        dead_letter_count(&self.connection)
    }

    /// The last dead letters with their ids, newest first.
    pub fn last_dead_letters(&self, limit: usize) -> Result<Vec<(i64, DeadLetter)>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{DEAD_LETTERS} ORDER BY id DESC LIMIT ?1"))?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], dead_letter)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One dead letter.
    pub fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{DEAD_LETTERS} WHERE id = ?1"))?;
        Ok(statement.query_row([id], dead_letter).optional()?.map(|(_, letter)| letter))
    }
}

/// Documents in order of arrival. They are fetched a page at a time, so that a slow reader does not hold the writer's log back.
#[derive(Debug)]
pub struct Documents<'a> {
    reader: &'a Reader,
    names: HashMap<i64, Arc<str>>,
    only: Option<i64>,
    after: i64,
    page: VecDeque<Document>,
    done: bool,
}

impl Documents<'_> {
    fn fetch(&mut self) -> Result<(), StoreError> {
        let connection = &self.reader.connection;
        // `+output` keeps SQLite on the table's own order.
        let sql = match self.only {
            None => format!("{DOCUMENTS} WHERE id > ?1 AND ?2 IS NULL ORDER BY id LIMIT ?3"),
            Some(_) => format!("{DOCUMENTS} WHERE id > ?1 AND +output = ?2 ORDER BY id LIMIT ?3"),
        };
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query((self.after, self.only, i64::try_from(PAGE).unwrap_or(i64::MAX)))?;
        let mut fetched = 0;
        while let Some(row) = rows.next()? {
            // An output that was added after this reader began.
            let output: i64 = row.get(1)?;
            if let std::collections::hash_map::Entry::Vacant(entry) = self.names.entry(output) {
                let name: String = connection.query_row("SELECT name FROM outputs WHERE id = ?1", [output], |row| row.get(0))?;
                entry.insert(name.into());
            }
            let (id, document) = document(row, &self.names)?;
            self.after = id;
            self.page.push_back(document);
            fetched += 1;
        }
        self.done = fetched < PAGE;
        Ok(())
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.done
            && let Err(error) = self.fetch()
        {
            self.done = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

pub(super) struct OutputRow {
    pub(super) id: i64,
    pub(super) name: String,
    documents: u64,
}

pub(super) fn outputs(connection: &Connection) -> Result<Vec<OutputRow>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, name, documents FROM outputs ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok(OutputRow { id: row.get(0)?, name: row.get(1)?, documents: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn find<'a>(outputs: &'a [OutputRow], name: &str) -> Result<&'a OutputRow, StoreError> {
    let exact = outputs.iter().find(|output| output.name == name);
    exact
        .or_else(|| outputs.iter().find(|output| output.name.eq_ignore_ascii_case(name)))
        .ok_or_else(|| StoreError::NoOutput { name: name.to_owned(), known: outputs.iter().map(|output| output.name.clone()).collect() })
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    Ok(outputs(connection)?.into_iter().map(|output| (output.name, output.documents)).collect())
}

pub(super) fn checkpoint(connection: &Connection) -> Result<Option<Checkpoint>, StoreError> {
    let watermark: Option<i64> = connection.query_row("SELECT ticks FROM watermark", [], |row| row.get(0)).optional()?;
    let Some(watermark) = watermark else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT input, partition, committed, replay_from FROM checkpoint ORDER BY input, partition")?;
    let rows = statement.query_map([], |row| {
        let offset = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
        Ok(PartitionCheckpoint { input: row.get(0)?, partition: row.get(1)?, committed: offset(2)?, replay_from: offset(3)? })
    })?;
    Ok(Some(Checkpoint { partitions: rows.collect::<Result<_, _>>()?, watermark: Timestamp(watermark) }))
}

pub(super) fn dead_letter_count(connection: &Connection) -> Result<u64, StoreError> {
    // Counting them would read them all.
    const OPEN: &str =
        "SELECT sum(CASE name WHEN 'replayed' THEN -count ELSE count END) FROM totals WHERE name IN ('dead_letters', 'replayed')";
    let mut statement = connection.prepare_cached(OPEN)?;
    let count: i64 = statement.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn document(row: &Row<'_>, names: &HashMap<i64, Arc<str>>) -> rusqlite::Result<(i64, Document)> {
    let output: i64 = row.get(1)?;
    let output = names.get(&output).cloned().unwrap_or_else(|| "".into());
    Ok((row.get(0)?, Document { output, key: row.get(2)?, body: row.get(3)?, model: row.get(4)?, challenger: row.get(5)? }))
}

const DOCUMENTS: &str = "SELECT id, output, key, body, (SELECT label FROM models WHERE models.id = model), challenger FROM documents";

pub(super) const DEAD_LETTERS: &str =
    "SELECT id, input, partition, offset, time, recorded, step, reason, model, body, key, properties, replayed FROM dead_letters";

pub(super) fn dead_letter(row: &Row<'_>) -> rusqlite::Result<(i64, DeadLetter)> {
    let origin = match (row.get::<_, Option<u32>>(2)?, row.get::<_, Option<i64>>(3)?) {
        (Some(partition), Some(offset)) => Some(RowId { partition, offset: offset.cast_unsigned() }),
        _ => None,
    };
    let letter = DeadLetter {
        input: row.get(1)?,
        origin,
        time: Timestamp(row.get(4)?),
        recorded: Timestamp(row.get(5)?),
        step: row.get(6)?,
        reason: row.get(7)?,
        model: row.get(8)?,
        body: row.get(9)?,
        key: row.get(10)?,
        properties: row.get::<_, Option<String>>(11)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        replayed: row.get::<_, Option<i64>>(12)?.map(Timestamp),
    };
    Ok((row.get(0)?, letter))
}
