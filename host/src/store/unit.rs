//! One transaction: documents, dead letters, checkpoint and state become durable together, or not at all.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::{Checkpoint, DeadLetter, Store, StoreError, write};
use crate::batch::{Batch, DocumentKeys, write_row};

/// Input, partition, offset and step: what makes two dead letters the same.
type Identity<'a> = (&'a str, u32, u64, &'a str);

/// Who scored the rows of a batch.
#[derive(Clone, Copy, Default)]
pub struct Scored<'a> {
    /// The model that decided: name, version and the start of its hash.
    pub model: Option<&'a str>,
    /// What the challenger answered to a row, as a JSON object; `None` where there was none.
    pub challenger: Option<&'a dyn Fn(usize) -> Option<String>>,
}

impl std::fmt::Debug for Scored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scored").field("model", &self.model).finish_non_exhaustive()
    }
}

/// One transaction of a [`Store`]. Dropped without [`Unit::commit`], it leaves no trace.
#[derive(Debug)]
pub struct Unit<'a> {
    store: &'a mut Store,
    /// The highest document id, with this unit's.
    last_id: i64,
    /// Outputs that this unit has added.
    added: Vec<String>,
    open: bool,
}

impl<'a> Unit<'a> {
    pub(super) fn begin(store: &'a mut Store) -> Result<Self, StoreError> {
        store.connection.execute_batch("BEGIN IMMEDIATE")?;
        let last_id = store.last_id;
        Ok(Self { store, last_id, added: Vec::new(), open: true })
    }

    /// Puts each row of the batch as one JSON document; a document of the same key is replaced.
    /// Answers how many documents are new.
    pub fn put_documents(&mut self, output: &str, keys: &DocumentKeys, batch: &Batch) -> Result<u64, StoreError> {
        self.put_scored_documents(output, keys, batch, Scored::default())
    }

    /// The same, with who scored them.
    pub fn put_scored_documents(
        &mut self,
        output: &str,
        keys: &DocumentKeys,
        batch: &Batch,
        scored: Scored<'_>,
    ) -> Result<u64, StoreError> {
        let output = self.output(output)?;
        let model = scored.model.map(|label| self.model(label)).transpose()?;
        let Store { connection, buffer, .. } = &mut *self.store;
        {
            let mut statement = connection.prepare_cached(
                "INSERT INTO documents (output, key, body, model, challenger) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (output, key)
                 DO UPDATE SET body = excluded.body, model = excluded.model, challenger = excluded.challenger",
            )?;
            for row in 0..batch.rows() {
                buffer.clear();
                write_row(batch, row, buffer);
                let challenger = scored.challenger.and_then(|of| of(row));
                statement.execute((output, keys.get(row), ToSqlOutput::Borrowed(ValueRef::Text(buffer)), model, challenger))?;
            }
        }
        // A new document takes the next id and a replaced one keeps its own: the highest id tells how many are new.
        let last_id = write::last_id(connection)?;
        let new = last_id - self.last_id;
        self.last_id = last_id;
        connection.prepare_cached("UPDATE outputs SET documents = documents + ?2 WHERE id = ?1")?.execute((output, new))?;
        Ok(u64::try_from(new).unwrap_or(0))
    }

    /// Puts dead letters. One event that was rejected by one step is one dead letter, however often it is replayed
    /// and however many of its rows were rejected; the reasons are joined. Answers how many are new.
    pub fn put_dead_letters(&mut self, letters: &[DeadLetter]) -> Result<u64, StoreError> {
        if letters.is_empty() {
            return Ok(0);
        }
        let mut joined: BTreeMap<Identity<'_>, (&DeadLetter, Vec<&str>)> = BTreeMap::new();
        let mut all: Vec<(&DeadLetter, String)> = Vec::new();
        for letter in letters {
            let Some(origin) = letter.origin else {
                all.push((letter, letter.reason.clone()));
                continue;
            };
            let (_, reasons) =
                joined.entry((&letter.input, origin.partition, origin.offset, &letter.step)).or_insert_with(|| (letter, Vec::new()));
            if !reasons.contains(&letter.reason.as_str()) {
                reasons.push(&letter.reason);
            }
        }
        all.extend(joined.into_values().map(|(letter, reasons)| (letter, reasons.join("; "))));
        let before = self.last_dead_letter()?;
        {
            let mut statement = self.store.connection.prepare_cached(
                "INSERT INTO dead_letters (input, partition, offset, time, recorded, step, reason, model, body, key, properties)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO UPDATE SET recorded = excluded.recorded, reason = excluded.reason, model = excluded.model, body = excluded.body",
            )?;
            for (letter, reason) in all {
                let offset = letter.origin.map(|origin| signed(origin.offset)).transpose()?;
                let partition = letter.origin.map(|origin| origin.partition);
                let properties = (!letter.properties.is_empty()).then(|| serde_json::Value::from_iter(properties(letter)).to_string());
                statement.execute((
                    &letter.input,
                    partition,
                    offset,
                    letter.time.0,
                    letter.recorded.0,
                    &letter.step,
                    &reason,
                    &letter.model,
                    &letter.body,
                    &letter.key,
                    &properties,
                ))?;
            }
        }
        let new = self.last_dead_letter()? - before;
        self.store.connection.prepare_cached("UPDATE totals SET count = count + ?1 WHERE name = 'dead_letters'")?.execute([new])?;
        Ok(u64::try_from(new).unwrap_or(0))
    }

    /// As with documents, the highest id tells how many are new.
    fn last_dead_letter(&self) -> Result<i64, StoreError> {
        let mut statement = self.store.connection.prepare_cached("SELECT ifnull(max(id), 0) FROM dead_letters")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Sets the checkpoint; partitions that it does not name are forgotten.
    pub fn set_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let connection = &self.store.connection;
        connection.prepare_cached("DELETE FROM checkpoint")?.execute([])?;
        let mut statement = connection.prepare_cached("INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?4)")?;
        for part in &checkpoint.partitions {
            statement.execute((&part.input, part.partition, signed(part.committed)?, signed(part.replay_from)?))?;
        }
        connection.prepare_cached("INSERT OR REPLACE INTO watermark VALUES (1, ?1)")?.execute([checkpoint.watermark.0])?;
        Ok(())
    }

    /// Keeps a value under a key.
    pub fn set_state(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.store.connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?.execute((key, value))?;
        Ok(())
    }

    pub(super) fn connection(&self) -> &rusqlite::Connection {
        &self.store.connection
    }

    /// Makes it all durable.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.store.connection.execute_batch("COMMIT")?;
        self.open = false;
        self.store.last_id = self.last_id;
        Ok(())
    }

    fn model(&mut self, label: &str) -> Result<i64, StoreError> {
        let connection = &self.store.connection;
        connection.prepare_cached("INSERT INTO models (label) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([label])?;
        Ok(connection.prepare_cached("SELECT id FROM models WHERE label = ?1")?.query_row([label], |row| row.get(0))?)
    }

    fn output(&mut self, name: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.store.outputs.get(name) {
            return Ok(*id);
        }
        let mut statement = self.store.connection.prepare_cached("SELECT id FROM outputs WHERE name = ?1")?;
        let known = statement.query_row([name], |row| row.get(0)).optional()?;
        drop(statement);
        let id = match known {
            Some(id) => id,
            None => {
                self.store.connection.execute("INSERT INTO outputs (name) VALUES (?1)", [name])?;
                self.store.connection.last_insert_rowid()
            }
        };
        self.store.outputs.insert(name.to_owned(), id);
        self.added.push(name.to_owned());
        Ok(id)
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        for name in &self.added {
            self.store.outputs.remove(name);
        }
        // SQLite has already rolled back by itself after some errors (a full disk, for one).
        if !self.store.connection.is_autocommit()
            && let Err(error) = self.store.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "Store could not roll back.");
        }
    }
}

/// Names and values, in their order.
fn properties(letter: &DeadLetter) -> impl Iterator<Item = [&str; 2]> {
    letter.properties.iter().map(|(name, value)| [name.as_str(), value.as_str()])
}

fn signed(offset: u64) -> Result<i64, StoreError> {
    i64::try_from(offset).map_err(|_| StoreError::Offset(offset))
}
