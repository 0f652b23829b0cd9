//! Bad jobs and functions: each is refused before the first event, with the file and what to do.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tamis_tests::golden::{built, root};
use tamis_tests::host::{program, tamis};

/// A copy of the default project that a test may spoil.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        copy(&root().join("host/jobs/fraud"), &project.path(""));
        project
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("fraud").join(file)
    }

    fn replace(&self, file: &str, from: &str, to: &str) -> &Self {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no '{from}'");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Binds both functions to this module.
    fn with_function(&self, wasm: &[u8]) -> &Self {
        std::fs::write(self.path("Functions/own.wasm"), wasm).unwrap();
        for file in ["Functions/Local_prediction.json", "Functions/Local_score.json"] {
            self.replace(file, "builtin:tamis_udf.wasm", "own.wasm");
        }
        self
    }

    /// What `tamis run` says when it refuses to start.
    fn refusal(&self) -> String {
        let mut process = Command::new(program())
            .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.dir.path().join("data"))
            .arg(self.path(""))
            .stderr(Stdio::piped())
            .env("RUST_LOG", "warn")
            .spawn()
            .unwrap();
        let start = Instant::now();
        while process.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(30) {
                process.kill().unwrap();
                panic!("the job started");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is not in:\n{text}");
    }
}

#[test]
fn a_typo_in_a_column_is_named_with_file_line_and_column() {
    let project = Project::new();
    let refusal =
        project.replace("fraud.asaql", "id, date AS date_of_transact, amount,", "id, date AS date_of_transact, amuont,").refusal();
    assert_says(&refusal, &["fraud.asaql:14:39", "amuont", "'amount'"]);
}

#[test]
fn a_step_without_a_column_of_the_signature_is_shown_column_by_column() {
    let project = Project::new();
    project.replace("fraud.asaql", "id, date, amount, old_balance,", "id, date, amount AS amounts, old_balance,");
    project.replace("fraud.asaql", "date AS date_of_transact, amount,", "date AS date_of_transact, amounts,");
    let refusal = project.replace("fraud.asaql", "date_of_transact, amount, old", "date_of_transact, amounts, old").refusal();
    assert_says(&refusal, &["fraud.asaql:", "udf.prediction", "amount", "MISSING", "amounts", "old_balance", "float"]);
}

#[test]
fn names_that_are_not_there_are_named_with_those_that_are() {
    let refusal = Project::new().replace("fraud.asaql", "FROM inputEventHub", "FROM inputEventHubb").refusal();
    assert_says(&refusal, &["fraud.asaql:10:", "inputEventHubb", "inputEventHub"]);
    let refusal = Project::new().replace("fraud.asaql", "INTO outputCosmosDB", "INTO outputCosmos").refusal();
    assert_says(&refusal, &["fraud.asaql:", "outputCosmos", "outputCosmosDB"]);
    let refusal = Project::new().replace("fraud.asaql", "udf.score(Dataframe)", "udf.scoring(Dataframe)").refusal();
    assert_says(&refusal, &["fraud.asaql:", "scoring", "score"]);
}

#[test]
fn a_script_that_is_no_sql_is_named_with_line_and_column() {
    let refusal = Project::new().replace("fraud.asaql", "SELECT * INTO outputHistory FROM", "SELEKT * INTO outputHistory FROM").refusal();
    assert_says(&refusal, &["fraud.asaql:"]);
    let refusal = Project::new().replace("fraud.asaql", "FROM Dataframe\n", "FROM Dataframe WHERE (amount > 1\n").refusal();
    assert_says(&refusal, &["fraud.asaql:"]);
}

#[test]
fn a_broken_project_file_is_named_with_line_and_column() {
    let refusal = Project::new().replace("asaproj.json", "\"startFile\": \"fraud.asaql\"", "\"startFile\": fraud").refusal();
    assert_says(&refusal, &["asaproj.json:3:"]);
    let project = Project::new();
    std::fs::rename(project.path("fraud.asaql"), project.path("fraud.sql")).unwrap();
    let refusal = project.replace("asaproj.json", "fraud.asaql", "gone.asaql").refusal();
    assert_says(&refusal, &["gone.asaql"]);
    let refusal = Project::new().replace("Outputs/Local_outputPowerBI.json", "\"Flag\"", "\"Flagg\"").refusal();
    assert_says(&refusal, &["outputPowerBI", "Flagg"]);
    let refusal = Project::new().replace("Functions/Local_score.json", "\"Function\": \"score\"", "\"Function\": \"sco\"").refusal();
    assert_says(&refusal, &["sco", "run, score"]);
}

#[test]
fn a_module_that_is_cut_off_is_refused() {
    let whole = built("tamis_udf.wasm");
    let refusal = Project::new().with_function(&whole[..whole.len() / 2]).refusal();
    assert_says(&refusal, &["own.wasm", "cut off"]);
    let refusal = Project::new().with_function(b"not wasm").refusal();
    assert_says(&refusal, &["own.wasm"]);
    let refusal = Project::new().with_function(b"").refusal();
    assert_says(&refusal, &["own.wasm"]);
}

#[test]
fn a_module_without_the_exports_of_the_contract_is_refused() {
    let empty = b"\0asm\x01\0\0\0";
    let refusal = Project::new().with_function(empty).refusal();
    assert_says(&refusal, &["own.wasm", "memory"]);
}

#[test]
fn a_module_of_an_older_or_a_future_contract_is_refused_with_both_versions() {
    for version in [0, 99] {
        // A module with just `tamis_abi`, and a memory.
        let text = format!(r#"(module (memory (export "memory") 1) (func (export "tamis_abi") (result i32) i32.const {version}))"#);
        let refusal = Project::new().with_function(&wat::parse_str(text).unwrap()).refusal();
        let both = format!("it speaks contract version {version}, this host speaks {}", tamis_frame::ABI_VERSION);
        assert_says(&refusal, &["own.wasm", &both]);
    }
}

#[test]
fn the_commands_say_what_they_miss() {
    let output = tamis(&["inspect", "/nowhere.wasm"]);
    assert_eq!(output.status.code(), Some(1));
    assert_says(&String::from_utf8(output.stderr).unwrap(), &["/nowhere.wasm"]);
    let output = tamis(&["documents", "--data-dir", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert_says(&String::from_utf8(output.stderr).unwrap(), &["/nowhere", "tamis run"]);
    let output = tamis(&["run", "--listen", "0.0.0.0:0", "--data-dir", "/tmp/never-made"]);
    assert_says(&String::from_utf8(output.stderr).unwrap(), &["0.0.0.0", "TAMIS_TOKEN"]);
}
