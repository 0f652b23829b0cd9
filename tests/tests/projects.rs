//! Stream Analytics projects by `tamis check`, `tamis test`, `tamis new` and `tamis run`. `tests/projects/` holds projects shaped like
//! public ones.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tamis_tests::golden::root;
use tamis_tests::host::{Host, program};

fn tamis(place: &Path, arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).current_dir(place).env("RUST_LOG", "warn").output().unwrap()
}

fn text(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is not in:\n{text}");
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

/// A copy of a project that a test may spoil.
struct Project(tempfile::TempDir);

impl Project {
    fn of(name: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        copy(&root().join("tests/projects").join(name), &project.path("p"));
        project
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        std::fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        std::fs::write(self.path(file), text).unwrap();
        self
    }

    fn replace(&self, file: &str, from: &str, to: &str) -> &Self {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no '{from}'");
        self.write(file, &text.replace(from, to))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        tamis(self.0.path(), arguments)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }
}

fn projects() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root().join("tests/projects")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

#[test]
fn projects_like_public_ones_pass_check_and_test() {
    let place = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let found = projects();
    assert!(found.len() >= 10, "{found:?}");
    for project in found {
        let project = project.display().to_string();
        for command in ["check", "test"] {
            let output = tamis(place.path(), &[command, &project]);
            if output.status.code() != Some(0) {
                failures.push(format!("{command} {project}: {:?}\n{}", output.status.code(), text(&output)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_new_project_of_each_template_is_green_at_once() {
    let place = tempfile::tempdir().unwrap();
    for template in ["windowed", "scored"] {
        let output = tamis(place.path(), &["new", template, "--template", template]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let output = tamis(place.path(), &["test", template]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        says(&text(&output), &["2 of 2 cases passed"]);
        let output = tamis(place.path(), &["check", template]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        says(&text(&output), &["no errors"]);
        assert!(place.path().join(template).join(format!("{template}.asaql")).is_file());
    }
    let output = tamis(place.path(), &["new", "windowed"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["windowed", "not empty"]);
}

#[test]
fn the_summary_of_a_test_configuration_is_that_of_the_npm_tool() {
    let project = Project::of("cold-rooms");
    project.replace("p/test/testCases/all.json", "6.5", "7.5");
    let output = project.run(&["test", "p", "--output-path", "results"]);
    assert_eq!(output.status.code(), Some(254), "{}", text(&output));
    says(&text(&output), &["FAIL Case 1 - a warm room", "ok   Case 2", "7.5", "6.5", "1 of 2 cases passed"]);
    let summary: Value = serde_json::from_str(&project.read("results/testResultSummary.json")).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&summary), ["Total", "Passed", "Failed", "Script", "Results", "Time"]);
    assert_eq!((&summary["Total"], &summary["Passed"], &summary["Failed"]), (&2.into(), &1.into(), &1.into()));
    assert!(Path::new(summary["Script"].as_str().unwrap()).is_absolute());
    let first = &summary["Results"][0];
    let lists = ["OutputMatched", "OutputNotEqual", "OutputMissing", "OutputUnexpected", "OutputUnrequired"];
    assert_eq!(keys(first), [&["Name", "Status", "Time"] as &[&str], &lists].concat());
    assert_eq!((&first["Status"], &summary["Results"][1]["Status"]), (&1.into(), &0.into()));
    let counts = |result: &Value| lists.map(|list| result[list].as_array().unwrap().len());
    assert_eq!((counts(first), counts(&summary["Results"][1])), ([1, 1, 0, 0, 0], [1, 0, 0, 0, 1]));
    let record = &first["OutputNotEqual"][0];
    assert_eq!(keys(record), ["OutputAlias", "ExpectedOutput", "Output"]);
    assert!(record["ExpectedOutput"].as_str().unwrap().ends_with("all.json"));
    let rows = std::fs::read_to_string(record["Output"].as_str().unwrap()).unwrap();
    assert_eq!(rows.lines().count(), 3, "{rows}");
}

#[test]
fn outputs_that_are_missing_or_unexpected_fail_the_case() {
    let project = Project::of("cold-rooms");
    project.replace("p/test/testConfig.json", "\"OutputAlias\": \"warm\"", "\"OutputAlias\": \"worm\"");
    let output = project.run(&["test", "p", "--outputPath", "results"]);
    assert_eq!(output.status.code(), Some(254));
    says(&text(&output), &["worm", "warm: 1 rows came"]);
    let summary: Value = serde_json::from_str(&project.read("results/testResultSummary.json")).unwrap();
    assert_eq!(summary["Results"][0]["OutputMissing"][0]["OutputAlias"], "worm");
    assert_eq!(summary["Results"][0]["OutputMissing"][0]["Output"], "");
    assert_eq!(summary["Results"][0]["OutputUnexpected"][0]["OutputAlias"], "warm");
    assert_eq!(summary["Results"][0]["OutputUnexpected"][0]["ExpectedOutput"], "");
}

#[test]
fn what_cannot_be_run_ends_with_255() {
    for (file, from, to, words) in [
        ("p/ColdRooms.asaql", "p.celsius >", "p.celsiuss FROM >", &["ColdRooms.asaql:"] as &[&str]),
        ("p/test/testConfig.json", "\"TestCases\"", "\"TestCases\"; ", &["testConfig.json:3"]),
        ("p/test/testConfig.json", "probes.json", "gone.json", &["gone.json", "probes", "Case 1"]),
        ("p/asaproj.json", "ColdRooms.json", "x", &[]),
    ] {
        let project = Project::of("cold-rooms");
        if from != "ColdRooms.json" {
            project.replace(file, from, to);
        } else {
            std::fs::remove_dir_all(project.path("p")).unwrap();
        }
        let output = project.run(&["test", "p", "--output-path", "results"]);
        assert_eq!(output.status.code(), Some(255), "{file}: {}", text(&output));
        says(&text(&output), words);
    }
    let output = Project::of("cold-rooms").run(&["test", "p", "--filter", "no such case"]);
    assert_eq!(output.status.code(), Some(255));
    says(&text(&output), &["no such case"]);
}

#[test]
fn update_rewrites_expectations_in_their_form() {
    let project = Project::of("cold-rooms");
    project
        .write("p/test/testCases/all.json", "[{\"room\": \"z\", \"celsius\": 0}]")
        .write("p/test/testCases/warm.json", "{\"room\": \"z\"}\n");
    assert_eq!(project.run(&["test", "p", "--output-path", "results"]).status.code(), Some(254));
    let output = project.run(&["test", "p", "--update", "--output-path", "results"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    says(&text(&output), &["all: expectation rewritten", "warm: expectation rewritten"]);
    assert!(project.read("p/test/testCases/all.json").starts_with("[\n"));
    assert!(project.read("p/test/testCases/warm.json").starts_with("{\"room\":\"a\""));
    assert_eq!(project.run(&["test", "p", "--output-path", "results"]).status.code(), Some(0));

    let project = Project::of("packed-values");
    std::fs::remove_file(project.path("p/tests/two-values/expected/values.jsonl")).unwrap();
    let output = project.run(&["test", "p"]);
    assert_eq!(output.status.code(), Some(254));
    says(&text(&output), &["values: 2 rows came", "--update"]);
    assert_eq!(project.run(&["test", "p", "--update"]).status.code(), Some(0));
    assert_eq!(project.run(&["test", "p"]).status.code(), Some(0));
}

#[test]
fn results_are_told_as_junit_xml() {
    let project = Project::of("enabled-rules");
    project.replace("p/test/broken.json", "31", "32");
    let output = project.run(&["test", "p", "--junit", "out/junit.xml", "--output-path", "results"]);
    assert_eq!(output.status.code(), Some(254), "{}", text(&output));
    let xml = project.read("out/junit.xml");
    says(
        &xml,
        &[
            "<testsuites name=\"tamis test\" tests=\"2\" skipped=\"0\" failures=\"1\" errors=\"0\"",
            "a rule that is off",
            "rules-of-the-project",
            "32",
            "</failure>",
        ],
    );
}

#[test]
fn a_case_may_ask_for_order_an_error_and_rejected_rows() {
    let place = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = place.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("order/query.asaql", "SELECT n INTO o FROM i");
    write("order/inputs/i.jsonl", "{\"n\": 1}\n{\"n\": 2}\n");
    write("order/expected/o.jsonl", "{\"n\": 2}\n{\"N\": 1.0}\n");
    write("stops/query.asaql", "SELECT CAST(n AS bigint) AS n INTO o FROM i");
    write("stops/inputs/i.jsonl", "{\"n\": \"x\"}\n");
    write("stops/case.json", r#"{"error": "unable to cast"}"#);
    write("rejects/query.asaql", "SELECT CAST(n AS bigint) AS n INTO o FROM i");
    write("rejects/inputs/i.csv", "n\nx\n4\n");
    write("rejects/case.json", r#"{"on_error": "dead-letter", "rejected": 1}"#);
    write("rejects/expected/o.jsonl", "{\"n\": 4}\n");
    let output = tamis(place.path(), &["test"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    says(&text(&output), &["3 of 3 cases passed"]);
    write("order/case.json", r#"{"ordered": true}"#);
    let output = tamis(place.path(), &["test", ".", "--filter", "order"]);
    assert_eq!(output.status.code(), Some(254));
    says(&text(&output), &["their order is not"]);
    write("order/case.json", r#"{"ordered": true, "orderd": true}"#);
    let output = tamis(place.path(), &["test"]);
    assert_eq!(output.status.code(), Some(255));
    says(&text(&output), &["case.json:1:", "orderd"]);
}

#[test]
fn check_tells_every_finding_of_several_files_at_once() {
    let project = Project::of("cold-rooms");
    project.replace("p/JobConfig.json", "\"Adjust\"", "\"Ajust\"");
    project.replace("p/ColdRooms.asaql", "p.celsius > 5", "p.celsius > udf.limit(5)");
    project.replace("p/ColdRooms.asaql", "INTO warm", "INTO worm");
    project.replace("p/Inputs/Local_doors.json", "doors.json", "gone.json");
    project.replace("p/asaproj.json", "Outputs/all.json", "Outputs/al.json");
    project.write("p/Functions/unlisted.js.json", "{\"Name\": \"unlisted\", \"ScriptType\": \"JSFunction\"}");
    let output = project.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(1));
    let words = [
        "p/JobConfig.json:6:3: error: EventsOutOfOrderPolicy 'Ajust': one of Adjust, Drop is expected",
        "p/Inputs/Local_doors.json:5:3: error: FilePath of 'doors' names",
        "gone.json",
        "p/asaproj.json:30:7: error: 'Outputs/al.json' is listed and not there",
        "p/ColdRooms.asaql:3:6: error: there is no output 'worm'",
        "help: did you mean 'warm'?",
        "udf.limit",
        "p/Functions/unlisted.js.json: note: The file is not listed",
        "cloud: DataLocale",
    ];
    says(&text(&output), &words);
    let json = project.run(&["check", "p", "--json"]);
    let found: Vec<Value> = String::from_utf8(json.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        found.iter().filter(|finding| finding["level"] == "error").all(|finding| finding["line"].is_u64() && finding["column"].is_u64()),
        "{found:#?}"
    );
}

#[test]
fn check_holds_a_functions_signature_against_the_querys_columns() {
    let place = tempfile::tempdir().unwrap();
    copy(&root().join("host/jobs/fraud"), &place.path().join("p"));
    let query = place.path().join("p/fraud.asaql");
    let text_of =
        std::fs::read_to_string(&query).unwrap().replace("id, date, amount, old_balance,", "id, date, amount AS amounts, old_balance,");
    std::fs::write(&query, text_of.replace("date AS date_of_transact, amount,", "date AS date_of_transact, amounts,")).unwrap();
    let output = tamis(place.path(), &["check", "p"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["p/fraud.asaql:", "udf.prediction needs amount", "MISSING", "amounts", "float"]);
    // A script with an error is told at its own file, and the query's calls of it are not blamed.
    let project = Project::of("packed-values");
    project.write("p/Functions/unpack.js", "function main(text) {\n    return [;\n}\n");
    let output = project.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["p/Functions/unpack.js", "SyntaxError", "1 error"]);
}

#[test]
fn check_notes_what_is_different_here() {
    let project = Project::of("near-stations");
    let output = project.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    says(
        &text(&output),
        &[
            "asaproj.json:3:3: note: startFile names 'OldName.asaql'",
            "set startFile to \"NearStations.asaql\"",
            "CustomCodeStorage",
            "(MLFunction)",
        ],
    );
    std::fs::remove_file(project.path("p/Functions/Local_predict.json")).unwrap();
    let output = project.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["is a C# function", "NearStations.asaql:2:", "Local_predict.json"]);
    let output = Project::of("many-outputs").run(&["check", "p"]);
    says(&text(&output), &["JobConfig.json:8:3: note: Compatibility level 1.1 is run as 1.2", "true and false are bigint"]);
    let output = Project::of("visual-studio").run(&["check", "p"]);
    says(&text(&output), &["There is no asaproj.json: 'Script.asaql' is the query"]);
    let unknown = Project::of("silent-devices");
    unknown.replace("p/JobConfig.json", "\"Sku\"", "\"EventsLateArivalMaxDelayInSeconds\": 7,\n  \"Sku\"");
    let output = unknown.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(0), "an unknown setting is kept: {}", text(&output));
    says(&text(&output), &["EventsLateArivalMaxDelayInSeconds", "did you mean 'EventsLateArrivalMaxDelayInSeconds'?"]);
}

#[test]
fn a_job_with_reference_data_runs_from_its_local_files() {
    let project = Project::of("enabled-rules");
    project.write(
        "p/Outputs/Local_broken.json",
        r#"{"Name": "broken", "DataSourceType": "JSON Lines", "FilePath": "broken.jsonl", "ScriptType": "OutputMock"}"#,
    );
    // All inputs are files: the job ends when they are read.
    let output = project.run(&["run", "p", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let row: Value = serde_json::from_str(&project.read("data/broken.jsonl")).unwrap();
    assert_eq!((&row["kind"], &row["value"], &row["limit"]), (&"t".into(), &31.into(), &30.into()), "{row}");
    std::fs::remove_file(project.path("p/Inputs/Local_rules.json")).unwrap();
    let asaproj = project.read("p/asaproj.json").replace("Inputs/Local_rules.json", "Inputs/Local_measures.json");
    project.write("p/asaproj.json", &asaproj);
    let output = project.run(&["run", "p", "--listen", "127.0.0.1:0", "--data-dir", "other"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["rules", "Local_"]);
    let output = project.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(1));
    says(&text(&output), &["p/Inputs/rules.json:3:3: error: 'rules' is reference data and has no rows here", "Inputs/Local_rules.json"]);
}

#[test]
fn reference_data_is_read_again_when_its_file_changes() {
    let project = Project::of("enabled-rules");
    project.write(
        "p/Inputs/Local_measures.json",
        r#"{"Name": "measures", "DataSourceType": "Embedded Log", "Hub": "measures", "Partitions": 1, "ScriptType": "InputMock"}"#,
    );
    let host = Host::start_project(&project.path("data"), Some(&project.path("p")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = reqwest::Client::new();
    let send = |value: i64| {
        let body = format!(r#"{{"kind": "t", "value": {value}, "at": "{}"}}"#, tamis::time::Clock::now(&tamis::time::SystemClock));
        assert_eq!(runtime.block_on(host.send(&client, "/measures/messages", body)).0, 201);
    };
    send(31);
    assert_eq!(host.wait_for_documents("broken", 1)[0]["limit"], 30);
    project.write("p/Inputs/rules-rows.json", r#"[{"Kind": "t", "Max": 40, "Enabled": true}]"#);
    let start = std::time::Instant::now();
    while !host.log().contains("read again") {
        assert!(start.elapsed() < tamis_tests::host::PATIENCE, "{}", host.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    send(35);
    send(41);
    let documents = host.wait_for_documents("broken", 2);
    let mut found: Vec<String> = documents.iter().map(|document| format!("{} > {}", document["value"], document["limit"])).collect();
    found.sort();
    assert_eq!(found, ["31 > 30", "41 > 40"]);
}
