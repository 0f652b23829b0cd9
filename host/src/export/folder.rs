//! Files of one export, written together.

use std::path::Path;

use crate::fault::Fault;

/// Writes files into a folder, which is made when it is not there. Files of these names are replaced, others are left.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write(folder: &Path, files: &[(&str, &[u8])]) -> Result<(), Fault> {
    let failed =
        |path: &Path, error: std::io::Error| Fault::outside(format!("cannot be written: {error}")).never().at(path.display().to_string());
    for (name, content) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        std::fs::write(&path, content).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}
