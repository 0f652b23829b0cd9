//! The arrows between the rooms point one way. What is drawn in ARCHITECTURE.md is what the code does.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tamis_tests::golden::root;

/// Rooms that know only what all share.
const ROOMS: [&str; 8] = ["job", "models", "query", "sink", "source", "store", "udf", "window"];
/// What all share.
const SHARED: [&str; 4] = ["batch", "embedded", "fault", "time"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of the host that a folder or file names as `crate::…`, with the file.
fn named(place: &str) -> Vec<(String, PathBuf)> {
    let path = root().join("host/src").join(place);
    let mut files = Vec::new();
    if path.is_dir() {
        sources(&path, &mut files);
    } else {
        files.push(path.with_extension("rs"));
    }
    assert!(!files.is_empty(), "{place} has no sources");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for part in text.split("crate::").skip(1) {
            let module: String = part.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            if module.chars().next().is_some_and(|first| first.is_ascii_lowercase()) {
                found.push((module, file.clone()));
            }
        }
    }
    found
}

fn assert_only(place: &str, allowed: &[&str]) {
    for (module, file) in named(place) {
        assert!(allowed.contains(&module.as_str()) || module == place, "{} uses crate::{module}", file.display());
    }
}

#[test]
fn rooms_do_not_know_each_other() {
    for room in ROOMS {
        assert_only(room, &SHARED);
    }
    for shared in SHARED {
        assert_only(shared, &["batch", "fault", "time"]);
    }
}

#[test]
fn only_the_pipeline_joins_the_rooms_and_only_what_stands_above_it_knows_it() {
    let below: Vec<&str> = ROOMS.iter().chain(&SHARED).copied().collect();
    assert_only("pipeline", &below);
    let rooms_and_pipeline: Vec<&str> = below.iter().copied().chain(["pipeline"]).collect();
    assert_only("serve", &rooms_and_pipeline);
    assert_only("generate", &["fault", "source", "time"]);
}

/// The crates of this project that a crate links, by cargo's own account.
fn linked(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn only_the_commands_that_pack_and_export_know_the_packer_and_the_guest_knows_nothing_of_onnx() {
    // What runs a job never names the packer, so that scoring happens in the sandbox and nowhere else.
    let mut files = Vec::new();
    sources(&root().join("host/src"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("tamis_model") && !text.contains("tamis_udf::"), "{} names the model", file.display());
        let packs =
            file.ends_with("cli/pack.rs") || file.ends_with("cli/export.rs") || file.components().any(|part| part.as_os_str() == "export");
        assert!(packs || !text.contains("tamis_pack"), "{} names the packer", file.display());
    }
    let host = linked("tamis");
    assert!(host.contains(&"wasmtime".to_owned()), "the list is of the right crate");
    assert!(host.contains(&"tamis-frame".to_owned()) && host.contains(&"tamis-pack".to_owned()));
    for foreign in ["tamis-udf", "tract-onnx"] {
        assert!(!host.contains(&foreign.to_owned()), "the host links {foreign}");
    }
    let guest = linked("tamis-udf");
    assert!(guest.contains(&"tamis-model".to_owned()) && guest.contains(&"tamis-frame".to_owned()));
    for foreign in ["prost", "tamis-pack", "tract-onnx", "wasmtime", "tokio"] {
        assert!(!guest.contains(&foreign.to_owned()), "the guest links {foreign}");
    }
}

#[test]
fn files_are_of_one_sitting() {
    let mut files = Vec::new();
    for place in ["host/src", "model/src", "udf/src", "udf/frame/src", "udf/pack/src", "tests/src"] {
        sources(&root().join(place), &mut files);
    }
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, std::fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(file, lines)| format!("{} has {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
