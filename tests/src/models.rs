//! Models that the scripts in `tests/models` make with Python's libraries, once for each state of the scripts.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::golden::{root, target};

/// The folder that `tests/models/SCRIPT.py` fills, in Cargo's target folder.
pub fn made(script: &str) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let scripts = root().join("tests/models");
    let folder = target().join("models").join(script);
    // Every script begins with what the first one has.
    let texts = ["make", script].map(|name| std::fs::read(scripts.join(format!("{name}.py"))).unwrap()).concat();
    let stamp = folder.join("made-by.py");
    if std::fs::read(&stamp).is_ok_and(|made| made == texts) {
        return folder;
    }
    let file = scripts.join(format!("{script}.py"));
    let made = Command::new(scripts.join("python")).arg(file).arg(&folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(stamp, texts).unwrap();
    folder
}
