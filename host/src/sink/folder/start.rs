//! What is in the folder is brought back to the mark: later files go, the others are cut.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::file::Growing;
use super::spool::Spool;
use super::{FileFormat, FolderSink, Mark};

impl FolderSink {
    pub(super) fn bring_back(&mut self, mark: &Mark) -> io::Result<()> {
        let mut there = HashMap::new();
        find(&self.settings.folder, &format!("_{}_", self.id), &mut there)?;
        for (number, path) in there.iter().filter(|(number, _)| **number > mark.number) {
            tracing::info!(output = self.settings.output, number, path = %path.display(), "Rows behind the last checkpoint are taken back; they come again.");
            std::fs::remove_file(path)?;
        }
        if self.settings.format == FileFormat::Parquet {
            return self.bring_back_spools(mark, &there);
        }
        for known in &mark.files {
            let name = self.name(&known.path, &known.columns, known.number);
            let file = Growing::bring_back(&self.settings.folder, name, known.number, self.settings.format, known.length)?;
            self.growing.insert((known.path.clone(), known.columns.clone()), file);
        }
        Ok(())
    }

    fn bring_back_spools(&mut self, mark: &Mark, tables: &HashMap<u64, PathBuf>) -> io::Result<()> {
        let hidden = self.hidden();
        let open: HashMap<u64, _> = mark.files.iter().map(|known| (known.number, known)).collect();
        for path in entries(&hidden)? {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let is_spool = path.extension().is_some_and(|extension| extension == "spool");
            // A table that is there is whole: its spool was about to go.
            let wanted = number.is_some_and(|number| open.contains_key(&number) && !tables.contains_key(&number));
            if !(is_spool && wanted) {
                std::fs::remove_file(&path)?;
            }
        }
        for known in &mark.files {
            if tables.contains_key(&known.number) {
                continue;
            }
            let spool = Spool::bring_back(&hidden, &known.path, known.number, known.length, known.rows)?;
            if let Some(other) = self.spools.insert(known.path.clone(), spool) {
                self.full.push(other);
            }
        }
        Ok(())
    }
}

/// The files of this output, by number.
fn find(folder: &Path, id: &str, found: &mut HashMap<u64, PathBuf>) -> io::Result<()> {
    for path in entries(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.') {
                find(&path, id, found)?;
            }
        } else if let Some((_, rest)) = name.split_once(id)
            && let Some(number) = rest.split('.').next().and_then(|number| number.parse().ok())
        {
            found.insert(number, path);
        }
    }
    Ok(())
}

/// What is in a folder; nothing when it is not there.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
