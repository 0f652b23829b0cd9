//! The file. Several processes may have it open: the running job, and commands that wish for something.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Change, FILE, ModelsError, Role, Version};
use crate::time::Timestamp;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS versions (
  function TEXT NOT NULL COLLATE NOCASE, sha256 TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
  signature TEXT NOT NULL, added INTEGER NOT NULL, module BLOB NOT NULL,
  PRIMARY KEY (function, sha256)
) STRICT;
CREATE TABLE IF NOT EXISTS changes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL COLLATE NOCASE, champion TEXT NOT NULL, challenger TEXT,
  wished INTEGER NOT NULL, taken INTEGER, refused TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS changes_by_function ON changes (function, id);
";

/// What was refused does not hold; before it, the last one does.
const HOLDS: &str =
    "SELECT id, function, champion, challenger, wished, taken, refused FROM changes WHERE function = ?1 AND refused IS NULL";

/// The registry of one data directory.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
}

/// A module to be added, with what it says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: &'a str,
    /// The model's name.
    pub name: &'a str,
    /// The model's version.
    pub version: &'a str,
    /// Its signature as JSON.
    pub signature: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Registry {
    /// Opens the registry of that data directory, or makes it.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(directory: &Path) -> Result<Self, ModelsError> {
        let connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection })
    }

    /// Opens a registry that a job has made.
    ///
    /// # Errors
    /// When there is none.
    pub fn existing(directory: &Path) -> Result<Self, ModelsError> {
        if directory.join(FILE).is_file() { Self::open(directory) } else { Err(ModelsError::Absent { path: directory.to_owned() }) }
    }

    /// Adds a version of a function; one that is there already stays as it is.
    ///
    /// # Errors
    /// When the file fails.
    pub fn add(&self, function: &str, module: Module<'_>, now: Timestamp) -> Result<(), ModelsError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO versions (function, sha256, name, version, signature, added, module) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO NOTHING",
        )?;
        let Module { sha256, name, version, signature, bytes } = module;
        statement.execute((function, sha256, name, version, signature, now.0, bytes))?;
        Ok(())
    }

    /// The functions that have versions.
    ///
    /// # Errors
    /// When the file fails.
    pub fn functions(&self) -> Result<Vec<String>, ModelsError> {
        let mut statement = self.connection.prepare_cached("SELECT DISTINCT function FROM versions ORDER BY function")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All versions, those of one function after the other, in the order they were added.
    ///
    /// # Errors
    /// When the file fails.
    pub fn versions(&self) -> Result<Vec<Version>, ModelsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT function, sha256, name, version, signature, length(module), added FROM versions ORDER BY function, added, rowid",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Version {
                function: row.get(0)?,
                sha256: row.get(1)?,
                name: row.get(2)?,
                version: row.get(3)?,
                signature: row.get(4)?,
                bytes: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
                added: Timestamp(row.get(6)?),
                role: Role::Idle,
            })
        })?;
        let mut versions: Vec<Version> = rows.collect::<Result<_, _>>()?;
        for version in &mut versions {
            if let Some(change) = self.current(&version.function)? {
                version.role = match () {
                    () if change.champion == version.sha256 => Role::Champion,
                    () if change.challenger.as_ref() == Some(&version.sha256) => Role::Challenger,
                    () => Role::Idle,
                };
            }
        }
        Ok(versions)
    }

    /// The bytes of a version.
    ///
    /// # Errors
    /// When there is none.
    pub fn module(&self, function: &str, sha256: &str) -> Result<Vec<u8>, ModelsError> {
        let mut statement = self.connection.prepare_cached("SELECT module FROM versions WHERE function = ?1 AND sha256 = ?2")?;
        let found = statement.query_row((function, sha256), |row| row.get(0)).optional()?;
        found.ok_or_else(|| ModelsError::Unknown { asked: sha256.to_owned(), known: Vec::new() })
    }

    /// The version that `asked` means: the start of its hash, `VERSION`, or `NAME@VERSION`; of one function, or of the
    /// only one there is.
    ///
    /// # Errors
    /// When none or several fit.
    pub fn find(&self, asked: &str, function: Option<&str>) -> Result<Version, ModelsError> {
        let function = self.function(function)?;
        let all: Vec<Version> = self.versions()?.into_iter().filter(|version| version.function == function).collect();
        let fits = |version: &&Version| {
            (asked.len() >= 4 && version.sha256.starts_with(&asked.to_ascii_lowercase()))
                || version.version == asked
                || format!("{}@{}", version.name, version.version) == asked
        };
        let mut found: Vec<&Version> = all.iter().filter(fits).collect();
        match (found.pop(), found.is_empty()) {
            (Some(version), true) => Ok(version.clone()),
            (None, _) => Err(ModelsError::Unknown { asked: asked.to_owned(), known: all.iter().map(shown).collect() }),
            (Some(last), false) => {
                let known = found.into_iter().chain([last]).map(shown).collect();
                Err(ModelsError::Ambiguous { asked: asked.to_owned(), known })
            }
        }
    }

    /// The functions that are meant, as they stand in the registry: the one that is named, with those that share its
    /// module, or the only ones.
    ///
    /// # Errors
    /// When there are several.
    pub fn function(&self, named: Option<&str>) -> Result<String, ModelsError> {
        let known = self.functions()?;
        match (named, known.as_slice()) {
            (Some(named), _) => match known
                .iter()
                .find(|functions| *functions == named || functions.split(',').any(|name| name.eq_ignore_ascii_case(named)))
            {
                Some(function) => Ok(function.clone()),
                None => Err(ModelsError::Function { known }),
            },
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(ModelsError::Function { known }),
        }
    }

    /// The wish that holds for a function.
    ///
    /// # Errors
    /// When the file fails.
    pub fn current(&self, function: &str) -> Result<Option<Change>, ModelsError> {
        let mut statement = self.connection.prepare_cached(&format!("{HOLDS} ORDER BY id DESC LIMIT 1"))?;
        Ok(statement.query_row([function], change).optional()?)
    }

    /// One change, by its number.
    ///
    /// # Errors
    /// When the file fails.
    pub fn change(&self, id: i64) -> Result<Option<Change>, ModelsError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, function, champion, challenger, wished, taken, refused FROM changes WHERE id = ?1")?;
        Ok(statement.query_row([id], change).optional()?)
    }

    /// The number of the newest wish of all functions; tells cheaply whether there is a new one.
    ///
    /// # Errors
    /// When the file fails.
    pub fn newest(&self) -> Result<i64, ModelsError> {
        Ok(self.connection.prepare_cached("SELECT ifnull(max(id), 0) FROM changes")?.query_row([], |row| row.get(0))?)
    }

    /// Wishes for a champion, with or without a challenger. Answers the wish's number.
    ///
    /// # Errors
    /// When both are the same.
    pub fn wish(&self, function: &str, champion: &str, challenger: Option<&str>, now: Timestamp) -> Result<i64, ModelsError> {
        if challenger == Some(champion) {
            return Err(ModelsError::Same { version: champion.chars().take(12).collect() });
        }
        let mut statement =
            self.connection.prepare_cached("INSERT INTO changes (function, champion, challenger, wished) VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute((function, champion, challenger, now.0))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Wishes for the champion before the present one, without a challenger. Answers the wish's number.
    ///
    /// # Errors
    /// When there was none.
    pub fn wish_back(&self, function: &str, now: Timestamp) -> Result<i64, ModelsError> {
        let first = || ModelsError::First { function: function.to_owned() };
        let champion = self.current(function)?.ok_or_else(first)?.champion;
        let mut statement = self.connection.prepare_cached(&format!("{HOLDS} AND champion <> ?2 ORDER BY id DESC LIMIT 1"))?;
        let before = statement.query_row((function, &champion), change).optional()?.ok_or_else(first)?;
        self.wish(function, &before.champion, None, now)
    }

    /// Notes that the job took a wish over.
    ///
    /// # Errors
    /// When the file fails.
    pub fn taken(&self, id: i64, now: Timestamp) -> Result<(), ModelsError> {
        self.connection.prepare_cached("UPDATE changes SET taken = ?2, refused = NULL WHERE id = ?1")?.execute((id, now.0))?;
        Ok(())
    }

    /// Notes that the job could not take a wish over; the one before it holds.
    ///
    /// # Errors
    /// When the file fails.
    pub fn refused(&self, id: i64, reason: &str) -> Result<(), ModelsError> {
        self.connection.prepare_cached("UPDATE changes SET refused = ?2 WHERE id = ?1")?.execute((id, reason))?;
        Ok(())
    }
}

fn shown(version: &Version) -> String {
    format!("{}@{} ({})", version.name, version.version, version.sha256.chars().take(12).collect::<String>())
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        id: row.get(0)?,
        function: row.get(1)?,
        champion: row.get(2)?,
        challenger: row.get(3)?,
        wished: Timestamp(row.get(4)?),
        taken: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        refused: row.get(6)?,
    })
}
