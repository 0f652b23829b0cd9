//! A job with an Azure ML function: the host calls the endpoint as the cloud does. The same rows, through our own endpoint,
//! through Azure's inference server and by the WebAssembly module itself, get the same predictions.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Output;

use serde_json::{Map, Value, json};
use tamis_tests::golden::Golden;
use tamis_tests::host::tamis;
use tamis_tests::server::{Server, inference_server, serve};

/// More than two batches, the last one not full.
const ROWS: usize = 230;
const BATCH: usize = 100;

const QUERY: &str = "WITH Dataframe AS (SELECT amount, old_balance, income, credit, marital_status, children, month, day_of_week,
    category_recipient, transaction_type, transaction_method, foreign_transaction FROM transactions)
SELECT udf.prediction(Dataframe) AS prediction INTO scored FROM Dataframe";

/// A project folder whose function is an Azure ML endpoint, and its rows.
fn project(endpoint: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let part = |file: &str, kind: &str| json!({ "filePath": file, "subType": kind });
    let parts =
        [part("Inputs/transactions.json", "Input"), part("Outputs/scored.json", "Output"), part("Functions/prediction.json", "MLFunction")];
    write("asaproj.json", json!({ "name": "ml", "startFile": "ml.asaql", "configurations": parts }).to_string());
    write("ml.asaql", QUERY.to_owned());
    write("Inputs/transactions.json", r#"{"Name": "transactions", "Type": "Data Stream", "DataSourceType": "Event Hub"}"#.to_owned());
    write("Outputs/scored.json", r#"{"Name": "scored", "DataSourceType": "CosmosDB"}"#.to_owned());
    let binding = json!({
        "type": "Microsoft.MachineLearningServices",
        // What the request looks like is left to the endpoint: it says so in its swagger.json.
        "properties": { "endpoint": endpoint, "apiKey": "a-secret-key", "batchSize": BATCH, "numberOfParallelRequests": 2 },
    });
    let function = json!({ "name": "prediction", "type": "Scalar",
        "properties": { "inputs": [{ "dataType": "record" }], "output": { "dataType": "bigint" }, "binding": binding } });
    write("Functions/prediction.json", function.to_string());
    let columns = Golden::read().json();
    let row = |row: usize| {
        let values = columns.as_object().unwrap().iter().map(|(name, values)| (name.clone(), values[row].clone()));
        Value::from(values.collect::<Map<_, _>>())
    };
    write("rows.jsonl", (0..ROWS).map(|place| format!("{}\n", row(place))).collect());
    folder
}

fn query(folder: &Path, more: &[&str]) -> Output {
    let (project, rows) = (folder.to_str().unwrap(), format!("transactions={}", folder.join("rows.jsonl").display()));
    tamis(&[&["query", "--project", project, "--input", &rows, "--format", "json"], more].concat())
}

/// The predictions, in the order of the rows.
fn predictions(output: &Output) -> Vec<Value> {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(!error.contains("a-secret-key"), "{error}");
    let rows: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(rows.len(), ROWS);
    rows.iter().map(|row| row["row"]["prediction"].clone()).collect()
}

/// What the module itself says of the same rows.
fn by_module(folder: &Path) -> Vec<Value> {
    let module = tamis_tests::golden::target().join("udf/tamis_udf.wasm");
    let found = predictions(&query(folder, &["--function", &format!("prediction={}#run", module.display())]));
    let frauds = found.iter().filter(|prediction| **prediction == json!(1)).count();
    assert!((1..ROWS).contains(&frauds), "{frauds} of {ROWS}");
    found
}

fn score(server: &Server) -> String {
    format!("{}/score", server.url())
}

#[test]
fn an_endpoint_of_ours_and_the_inference_server_predict_what_the_module_does() {
    let ours = serve(&[]);
    let folder = project(&score(&ours));
    let expected = by_module(folder.path());
    assert_eq!(predictions(&query(folder.path(), &[])), expected);

    let signature = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(signature.path(), tamis(&["inspect", "--json"]).stdout).unwrap();
    let theirs = inference_server("data.py", signature.path());
    assert_eq!(predictions(&query(project(&score(&theirs)).path(), &[])), expected);
    drop(theirs);

    let theirs = inference_server("inputs.py", signature.path());
    assert_eq!(predictions(&query(project(&score(&theirs)).path(), &[])), expected);
}

#[test]
fn an_endpoint_that_is_not_there_is_told_by_name_and_without_its_key() {
    let port = tamis_tests::server::free_port();
    let folder = project(&format!("http://127.0.0.1:{port}/score"));
    let output = query(folder.path(), &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("udf.prediction") && error.contains(&port.to_string()), "{error}");
    assert!(!error.contains("a-secret-key"), "{error}");
}
