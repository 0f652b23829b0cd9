use super::{FunctionBody, FunctionSettings, Module};
use crate::job::{Finding, Folder};

fn read(files: &[(&str, &str)]) -> (Result<FunctionSettings, String>, Vec<Finding>) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join("Functions").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut notes = Vec::new();
    let path = format!("Functions/{}", files[0].0);
    let read = super::read(&Folder::on_disk(dir.path()), &path, &mut notes).map_err(|error| error.to_string());
    (read, notes)
}

fn good(files: &[(&str, &str)]) -> (FunctionSettings, Vec<Finding>) {
    let (read, notes) = read(files);
    (read.unwrap(), notes)
}

const SCRIPT: &str = "function main(x) { return x; }";

#[test]
fn a_script_is_read_with_the_settings_beside_it() {
    let settings = r#"{"Name": "hexToInt", "Type": "Scalar", "ScriptType": "JSFunction",
        "FunctionInputs": [{"DataType": "any", "IsConfigurationParameter": null}], "OutputType": "bigint"}"#;
    let (function, notes) = good(&[("hex.js.json", settings), ("hex.js", SCRIPT)]);
    assert_eq!((function.name.as_str(), function.aggregate, function.returns.as_deref()), ("hexToInt", false, Some("bigint")));
    let FunctionBody::JavaScript { file, text } = &function.body else { panic!("{function:?}") };
    assert!(file.ends_with("Functions/hex.js") && text == SCRIPT);
    assert_eq!(notes, []);
    let aggregate = r#"{"Type": "Aggregate", "ScriptType": "JSFunctionConfig", "OutputType": "any"}"#;
    let (function, _) = good(&[("twa.js.json", aggregate), ("twa.js", "\u{feff}function main() {}")]);
    assert_eq!((function.name.as_str(), function.aggregate, function.returns), ("twa", true, None));
    assert!(matches!(function.body, FunctionBody::JavaScript { text, .. } if text.starts_with("function")));
}

#[test]
fn a_script_alone_and_one_that_is_missing() {
    let (function, _) = good(&[("limit.js", SCRIPT)]);
    assert_eq!(function.name, "limit");
    let message = read(&[("limit.js.json", r#"{"ScriptType": "JSFunction"}"#)]).0.unwrap_err();
    assert!(message.contains("limit.js: the file cannot be read"), "{message}");
}

#[test]
fn unknown_settings_are_kept_and_noted() {
    let settings = r#"{"ScriptType": "JSFunction", "Type": "Scalar", "OutputType": "decimal", "Colour": 1, "Etag": "x", "Nothing": null}"#;
    let (function, notes) = good(&[("f.js.json", settings), ("f.js", SCRIPT)]);
    assert_eq!(function.returns, None);
    let notes: Vec<_> = notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].contains("'decimal' is not a type") && notes[1].starts_with("Colour, Etag mean nothing here"), "{notes:?}");
}

#[test]
fn a_resource_of_the_management_api_is_read_too() {
    let script = r#"{"name": "add", "properties": {"type": "Scalar", "properties": {
        "inputs": [{"dataType": "Any"}, {"dataType": "Any"}], "output": {"dataType": "Float"},
        "binding": {"type": "Microsoft.StreamAnalytics/JavascriptUdf", "properties": {"script": "function (x, y) { return x + y; }"}}}}}"#;
    let (function, _) = good(&[("add.json", script)]);
    assert_eq!((function.name.as_str(), function.aggregate, function.returns.as_deref()), ("add", false, Some("float")));
    assert!(matches!(&function.body, FunctionBody::JavaScript { text, .. } if text.starts_with("function (x, y)")), "{function:?}");
    let ml = r#"{"type": "Scalar", "properties": {"inputs": [{"dataType": "nvarchar(max)"}], "output": {"dataType": "nvarchar(max)"},
        "binding": {"type": "Microsoft.MachineLearningServices", "properties": {"endpoint": "https://x.example/score", "apiKey": "secret",
            "inputs": [{"name": "data", "dataType": "array", "mapTo": 0}], "outputs": [{"name": "Sentiment", "dataType": "string"}],
            "batchSize": 500, "numberOfParallelRequests": 3, "inputRequestName": "Inputs", "outputResponseName": "Results"}}}}"#;
    let (function, notes) = good(&[("sentiment.json", ml)]);
    let FunctionBody::AzureMl(endpoint) = &function.body else { panic!("{function:?}") };
    assert_eq!(endpoint.endpoint, "https://x.example/score");
    assert_eq!((endpoint.batch_size, endpoint.parallel), (500, 3));
    assert_eq!(
        (endpoint.request_label.as_deref(), endpoint.input.as_deref(), endpoint.response_label.as_deref()),
        (Some("Inputs"), Some("data"), Some("Results"))
    );
    assert_eq!(endpoint.key.as_deref(), Some("secret"));
    assert!(!format!("{function:?}").contains("secret"));
    assert_eq!(notes, []);
}

#[test]
fn a_studio_input_has_a_column_a_parameter() {
    let ml = r#"{"Name": "risk", "properties": {"type": "Scalar", "properties": {"binding": {"type": "Microsoft.MachineLearning/WebService",
        "properties": {"endpoint": "https://x.example/execute", "apiKey": "k", "inputs": {"name": "input1", "columnNames": [
            {"name": "b", "dataType": "string", "mapTo": 1}, {"name": "a", "dataType": "string", "mapTo": 0}]}}}}}}"#;
    let (function, _) = good(&[("risk.json", ml)]);
    let FunctionBody::AzureMl(endpoint) = &function.body else { panic!("{function:?}") };
    assert_eq!(endpoint.columns, ["a", "b"]);
    assert_eq!((endpoint.request_label.as_deref(), endpoint.input.as_deref()), (Some("Inputs"), Some("input1")));
}

const ML: &str = r#"{"Name": "score", "Type": "Scalar", "ScriptType": "MLFunction", "OutputType": "float",
    "AzureMLProperties": {"Endpoint": "https://x.example/score", "ApiKey": null, "BatchSize": 100}}"#;

#[test]
fn a_local_file_binds_a_cloud_function_to_this_machine() {
    let (function, notes) =
        good(&[("score.json", ML), ("Local_score.json", r#"{"FilePath": "..\\models\\fraud.wasm", "Function": "score"}"#)]);
    let module = Module::File("Functions/../models/fraud.wasm".to_owned());
    assert_eq!(function.body, FunctionBody::Module { module, function: "score".to_owned() });
    assert_eq!(function.returns.as_deref(), Some("float"));
    assert_eq!(notes, []);
    let (function, _) = good(&[("score.json", ML), ("Local_score.json", r#"{"FilePath": "builtin:tamis_udf.wasm"}"#)]);
    assert_eq!(function.body, FunctionBody::Module { module: Module::BuiltIn, function: "run".to_owned() });
    let (function, _) = good(&[("score.json", ML), ("Local_score.json", r#"{"FilePath": "score.js"}"#), ("score.js", SCRIPT)]);
    assert!(matches!(function.body, FunctionBody::JavaScript { .. }));
    let (function, _) = good(&[
        ("score.js.json", r#"{"ScriptType": "JSFunction"}"#),
        ("score.js", SCRIPT),
        ("Local_score.json", r#"{"FilePath": "builtin:tamis_udf.wasm"}"#),
    ]);
    assert!(matches!(function.body, FunctionBody::Module { .. }));
    let (function, notes) = good(&[
        ("score.json", ML),
        ("Local_score.json", r#"{"Endpoint": "http://127.0.0.1:5001/score", "ApiKeyFile": "key.txt", "NumberOfParallelRequests": 2}"#),
        ("key.txt", "s3cret\n"),
    ]);
    let FunctionBody::AzureMl(endpoint) = &function.body else { panic!("{function:?}") };
    assert_eq!((endpoint.endpoint.as_str(), endpoint.key.as_deref()), ("http://127.0.0.1:5001/score", Some("s3cret")));
    assert_eq!((endpoint.batch_size, endpoint.parallel), (100, 2));
    assert_eq!(notes, []);
    let message = read(&[("score.json", ML), ("Local_score.json", "{}")]).0.unwrap_err();
    assert!(message.contains("Local_score.json: FilePath is missing"), "{message}");
}

#[test]
fn what_cannot_run_here_is_noted() {
    let csharp = r#"{"ScriptType": "CSharpFunction", "AssemblyName": "A", "ClassName": "B", "MethodName": "C", "Name": "predict"}"#;
    let (function, notes) = good(&[("predict.json", csharp)]);
    assert_eq!(function.body, FunctionBody::Nothing);
    assert!(
        notes[0].message.contains("'udf.predict' is a C# function") && notes[0].message.contains("Functions/Local_predict.json"),
        "{notes:?}"
    );
    let (function, notes) = good(&[("MLFunction1.json", r#"{"ScriptType": "MLFunction"}"#)]);
    assert_eq!((function.name.as_str(), &function.body), ("MLFunction1", &FunctionBody::Nothing));
    assert!(notes[0].message.contains("'udf.MLFunction1' (MLFunction) has no Functions/Local_MLFunction1.json"), "{notes:?}");
    let (function, notes) = good(&[("score.json", ML)]);
    assert!(matches!(function.body, FunctionBody::AzureMl(_)));
    assert!(notes[0].message.contains("TAMIS_ML_KEY_SCORE"), "{notes:?}");
}
