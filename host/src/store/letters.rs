//! Dead letters by what they are about, and the mark that one was sent again; also while a host writes.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, ToSql};

use super::read::{DEAD_LETTERS, dead_letter};
use super::{DeadLetter, FILE, StoreError, schema};
use crate::time::Timestamp;

/// The dead letters of a store. Asking changes nothing; marking is one small transaction beside the host's own.
#[derive(Debug)]
pub struct Letters {
    connection: Connection,
}

/// Which dead letters are asked for. Texts are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Only {
    /// Of this input.
    pub input: Option<String>,
    /// Rejected by this step.
    pub step: Option<String>,
    /// Recorded at or after this time.
    pub since: Option<Timestamp>,
    /// Also those that were sent again.
    pub replayed: bool,
    /// The last so many.
    pub limit: Option<usize>,
}

impl Letters {
    /// Opens the store in that directory. One of an earlier version is brought up to date first.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        if !path.is_file() {
            return Err(StoreError::Absent { path: directory.to_owned() });
        }
        let mut connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        schema::check(&connection, &path)?;
        schema::update(&mut connection)?;
        Ok(Self { connection })
    }

    /// The last dead letters that were asked for, with their ids, oldest first.
    pub fn list(&self, only: &Only) -> Result<Vec<(i64, DeadLetter)>, StoreError> {
        let since = only.since.map(|since| since.0);
        let limit = only.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
        let sql = format!(
            "{DEAD_LETTERS} WHERE (?1 IS NULL OR input = ?1 COLLATE NOCASE) AND (?2 IS NULL OR step = ?2 COLLATE NOCASE)
             AND (?3 IS NULL OR recorded >= ?3) AND (?4 OR replayed IS NULL) ORDER BY id DESC LIMIT ?5"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values: [&dyn ToSql; 5] = [&only.input, &only.step, &since, &only.replayed, &limit];
        let mut letters = statement.query_map(values.as_slice(), dead_letter)?.collect::<Result<Vec<_>, _>>()?;
        letters.reverse();
        Ok(letters)
    }

    /// How many there are, and how many of them were sent again.
    pub fn counts(&self) -> Result<(u64, u64), StoreError> {
        let count = |name: &str| {
            let mut statement = self.connection.prepare_cached("SELECT count FROM totals WHERE name = ?1")?;
            Ok::<_, StoreError>(u64::try_from(statement.query_row([name], |row| row.get::<_, i64>(0))?).unwrap_or(0))
        };
        Ok((count("dead_letters")?, count("replayed")?))
    }

    /// One dead letter.
    pub fn get(&self, id: i64) -> Result<Option<DeadLetter>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{DEAD_LETTERS} WHERE id = ?1"))?;
        let mut rows = statement.query_map([id], dead_letter)?;
        Ok(rows.next().transpose()?.map(|(_, letter)| letter))
    }

    /// Notes that it was sent again, and with it what other steps rejected of the same event; answers how many are marked.
    pub fn mark_replayed(&mut self, id: i64, at: Timestamp) -> Result<usize, StoreError> {
        const MARK: &str = "UPDATE dead_letters SET replayed = ?2 WHERE replayed IS NULL AND (id = ?1 OR offset IS NOT NULL AND
            (input, partition, offset) = (SELECT input, partition, offset FROM dead_letters WHERE id = ?1))";
        let unit = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let marked = unit.execute(MARK, (id, at.0))?;
        unit.execute("UPDATE totals SET count = count + ?1 WHERE name = 'replayed'", [i64::try_from(marked).unwrap_or(0)])?;
        unit.commit()?;
        Ok(marked)
    }

    /// What the host kept under that key.
    pub fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM state WHERE key = ?1")?;
        let mut rows = statement.query_map([key], |row| row.get(0))?;
        Ok(rows.next().transpose()?)
    }
}
