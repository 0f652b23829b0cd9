//! The files of a project: on disk, or the default job that is compiled in.

use std::io;
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use super::{Finding, JobError, Place};

static DEFAULT_JOB: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/jobs/fraud");

/// Where a project's files are. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Folder {
    place: Location,
}

#[derive(Debug, Clone)]
enum Location {
    Disk(PathBuf),
    CompiledIn,
}

impl Folder {
    /// A folder on disk.
    pub fn on_disk(path: impl Into<PathBuf>) -> Self {
        Self { place: Location::Disk(path.into()) }
    }

    /// The job that comes with the program.
    pub fn default_job() -> Self {
        Self { place: Location::CompiledIn }
    }

    /// Its name: the last part of its path.
    pub fn name(&self) -> String {
        match &self.place {
            Location::Disk(path) => {
                path.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_default()
            }
            Location::CompiledIn => "fraud".to_owned(),
        }
    }

    /// A file's path as messages show it.
    pub fn shown(&self, path: &str) -> String {
        match &self.place {
            Location::Disk(root) => tidy(&root.join(path.replace('\\', "/"))).display().to_string(),
            Location::CompiledIn => path.to_owned(),
        }
    }

    /// The path on disk of a file; `None` for the compiled-in job.
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        match &self.place {
            Location::Disk(root) => Some(resolve(root, path)),
            Location::CompiledIn => None,
        }
    }

    /// A file's bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, JobError> {
        let path = path.replace('\\', "/");
        let read = match &self.place {
            Location::Disk(root) => std::fs::read(resolve(root, &path)),
            Location::CompiledIn => match DEFAULT_JOB.get_file(Path::new(&path)) {
                Some(file) => Ok(file.contents().to_vec()),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
        };
        read.map_err(|source| JobError::Read { file: self.shown(&path), source })
    }

    /// A file's text, without its byte order mark.
    pub fn text(&self, path: &str) -> Result<String, JobError> {
        let text = String::from_utf8(self.bytes(path)?).map_err(|error| {
            let message = format!("the file is not UTF-8 (first at byte {})", error.utf8_error().valid_up_to());
            JobError::Setting(Finding::error(self.shown(path), message).help("save it as UTF-8"))
        })?;
        Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
    }

    /// Whether there is such a file.
    pub fn exists(&self, path: &str) -> bool {
        match &self.place {
            Location::Disk(root) => resolve(root, path).is_file(),
            Location::CompiledIn => DEFAULT_JOB.get_file(Path::new(path)).is_some(),
        }
    }

    /// The files in one of its folders, by their paths from the project, in order.
    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let mut found: Vec<String> = match &self.place {
            Location::Disk(root) => {
                let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
                let files = entries.filter(|entry| entry.path().is_file());
                files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            }
            Location::CompiledIn => DEFAULT_JOB
                .get_dir(folder)
                .into_iter()
                .flat_map(Dir::files)
                .filter_map(|file| Some(file.path().file_name()?.to_string_lossy().into_owned()))
                .collect(),
        };
        found.sort();
        if !folder.is_empty() {
            found = found.into_iter().map(|file| format!("{folder}/{file}")).collect();
        }
        found
    }

    /// The folders in it, in order.
    pub(super) fn folders(&self) -> Vec<String> {
        let Location::Disk(root) = &self.place else { return Vec::new() };
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
        let mut found: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        found.sort();
        found
    }

    /// Where a file has a key; each is looked for behind the one before.
    pub fn place(&self, path: &str, keys: &[&str]) -> Place {
        self.text(path).map_or(Place::default(), |text| Place::of_key(&text, keys))
    }

    /// A setting with a value that cannot be used.
    pub(super) fn wrong(&self, path: &str, keys: &[&str], message: String) -> JobError {
        JobError::Setting(Finding::error(self.shown(path), message).at(self.place(path, keys)))
    }

    /// A note on a setting.
    pub(super) fn noted(&self, path: &str, keys: &[&str], message: String) -> Finding {
        Finding::note(self.shown(path), message).at(self.place(path, keys))
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

/// A file's path on disk. Projects are written on Windows, where the case of a name does not matter: when there is no such file,
/// one of the same name in other case is taken.
fn resolve(root: &Path, path: &str) -> PathBuf {
    let exact = root.join(path.replace('\\', "/"));
    if exact.exists() {
        return exact;
    }
    let mut found = PathBuf::new();
    for part in exact.components() {
        let next = found.join(part);
        if matches!(part, Component::Normal(_)) && !next.exists() {
            let wanted = part.as_os_str().to_string_lossy().to_lowercase();
            let entries =
                std::fs::read_dir(if found.as_os_str().is_empty() { Path::new(".") } else { &found }).into_iter().flatten().flatten();
            match entries.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().to_lowercase() == wanted) {
                Some(name) => found.push(name),
                None => return exact,
            }
        } else {
            found = next;
        }
    }
    found
}

/// A path without `.` parts, for messages.
fn tidy(path: &Path) -> PathBuf {
    let tidy: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if tidy.as_os_str().is_empty() { path.to_owned() } else { tidy }
}

/// serde_json ends its messages with the position, which stands at the front here.
fn strip_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(before, _)| before).to_owned()
}
