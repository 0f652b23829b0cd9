//! The files of a project: on disk, or the default job that is compiled in.

use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use super::JobError;

static DEFAULT_JOB: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/jobs/fraud");

/// Where a project's files are. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Folder {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Disk(PathBuf),
    CompiledIn,
}

impl Folder {
    /// A folder on disk.
    pub fn on_disk(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Disk(path.into()) }
    }

    /// The job that comes with the program.
    pub fn default_job() -> Self {
        Self { place: Place::CompiledIn }
    }

    /// Its name: the last part of its path.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Disk(path) => {
                path.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_default()
            }
            Place::CompiledIn => "fraud".to_owned(),
        }
    }

    /// A file's path as messages show it.
    pub fn shown(&self, path: &str) -> String {
        match &self.place {
            Place::Disk(root) => root.join(path.replace('\\', "/")).display().to_string(),
            Place::CompiledIn => path.to_owned(),
        }
    }

    /// The path on disk of a file; `None` for the compiled-in job.
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Disk(root) => Some(root.join(path.replace('\\', "/"))),
            Place::CompiledIn => None,
        }
    }

    /// A file's bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, JobError> {
        let path = path.replace('\\', "/");
        let read = match &self.place {
            Place::Disk(root) => std::fs::read(root.join(&path)),
            Place::CompiledIn => match DEFAULT_JOB.get_file(Path::new(&path)) {
                Some(file) => Ok(file.contents().to_vec()),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
        };
        read.map_err(|source| JobError::Read { file: self.shown(&path), source })
    }

    /// A file's text, without its byte order mark.
    pub fn text(&self, path: &str) -> Result<String, JobError> {
        let text = String::from_utf8(self.bytes(path)?).map_err(|error| JobError::Setting {
            file: self.shown(path),
            message: format!("the file is not UTF-8 (first at byte {})", error.utf8_error().valid_up_to()),
        })?;
        Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
    }

    /// Whether there is such a file.
    pub fn exists(&self, path: &str) -> bool {
        match &self.place {
            Place::Disk(root) => root.join(path.replace('\\', "/")).is_file(),
            Place::CompiledIn => DEFAULT_JOB.get_file(Path::new(path)).is_some(),
        }
    }

    /// Whether a file is there and holds nothing.
    pub(super) fn is_blank(&self, path: &str) -> Result<bool, JobError> {
        Ok(self.text(path)?.trim().is_empty())
    }

    /// A file's JSON, read into `T`; errors name file, line and column.
    pub(super) fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, JobError> {
        let text = self.text(path)?;
        serde_json::from_str(&text).map_err(|error| JobError::Json {
            file: self.shown(path),
            line: error.line(),
            column: error.column(),
            message: strip_position(&error.to_string()),
        })
    }
}

/// serde_json ends its messages with the position, which stands at the front here.
fn strip_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(before, _)| before).to_owned()
}
