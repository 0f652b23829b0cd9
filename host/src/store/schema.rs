//! The tables and their version.
//!
//! Documents are a plain rowid table with a unique index over (output, key). Their bodies are appended at the end of the
//! table in order of arrival however many partitions write; only the small index entries go to several places. This was
//! as fast as a table without rowid (470,000 against 475,000 documents a second with 16 KiB pages, one durable commit
//! per 4,000), its file was smaller, and the rowid gives the order of arrival and "the last N" for free.
//! Pages of 16 KiB were about 20 % faster than of 4 KiB. A write-ahead log of 8 MiB keeps the longest commit near 12 ms;
//! with 64 MiB it was 65 ms at hardly more throughput.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// The layout that this program writes.
pub(super) const VERSION: i64 = 4;
/// Marks the file as ours ("Tami").
const APPLICATION: i64 = 0x5461_6d69;

const TABLES: &str = "
CREATE TABLE outputs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, documents INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE documents (
  id INTEGER PRIMARY KEY, output INTEGER NOT NULL, key BLOB NOT NULL, body TEXT NOT NULL, model INTEGER, challenger TEXT
) STRICT;
CREATE TABLE models (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE) STRICT;
CREATE UNIQUE INDEX documents_by_key ON documents (output, key);
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY,
  input TEXT NOT NULL, partition INTEGER, offset INTEGER,
  time INTEGER NOT NULL, recorded INTEGER NOT NULL,
  step TEXT NOT NULL, reason TEXT NOT NULL, model TEXT NOT NULL, body BLOB NOT NULL,
  key TEXT, properties TEXT, replayed INTEGER
) STRICT;
CREATE UNIQUE INDEX dead_letters_by_event ON dead_letters (input, partition, offset, step) WHERE offset IS NOT NULL;
CREATE UNIQUE INDEX dead_letters_by_row ON dead_letters (step, time, body) WHERE offset IS NULL;
CREATE TABLE totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES ('dead_letters', 0), ('replayed', 0);
CREATE TABLE checkpoint (
  input TEXT NOT NULL, partition INTEGER NOT NULL, committed INTEGER NOT NULL, replay_from INTEGER NOT NULL,
  PRIMARY KEY (input, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE watermark (only INTEGER PRIMARY KEY CHECK (only = 1), ticks INTEGER NOT NULL) STRICT;
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, output TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX outbox_by_output ON outbox (output, seq);
";

/// What a file of an earlier version lacks, by the version that has it.
const CHANGES: [(i64, &str); 3] = [
    (
        2,
        "ALTER TABLE documents ADD COLUMN model INTEGER;
         ALTER TABLE documents ADD COLUMN challenger TEXT;
         CREATE TABLE models (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE) STRICT;",
    ),
    (
        3,
        "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, output TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
           body BLOB NOT NULL) STRICT;
         CREATE INDEX outbox_by_output ON outbox (output, seq);",
    ),
    (
        4,
        "ALTER TABLE dead_letters ADD COLUMN key TEXT;
         ALTER TABLE dead_letters ADD COLUMN properties TEXT;
         ALTER TABLE dead_letters ADD COLUMN replayed INTEGER;
         INSERT INTO totals VALUES ('replayed', 0);",
    ),
];

/// Sets a writer's connection up and makes the tables when they are not there.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // The page size holds only for a file that is not yet there, and must come before the write-ahead log.
    connection.pragma_update(None, "page_size", 16384)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 512)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -65536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    let unit = connection.transaction()?;
    let tables: i64 = unit.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        unit.execute_batch(TABLES)?;
        unit.pragma_update(None, "application_id", APPLICATION)?;
        unit.pragma_update(None, "user_version", VERSION)?;
    } else {
        check(&unit, path)?;
        change(&unit)?;
    }
    Ok(unit.commit()?)
}

/// Brings a file of an earlier version up to date.
pub(super) fn update(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < VERSION {
        let unit = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        change(&unit)?;
        unit.commit()?;
    }
    Ok(())
}

fn change(connection: &Connection) -> Result<(), StoreError> {
    for (version, change) in CHANGES {
        if connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? < version {
            connection.execute_batch(change)?;
            connection.pragma_update(None, "user_version", version)?;
        }
    }
    Ok(())
}

/// Refuses a file that is not ours or too new.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let found = pragma("user_version")?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}
