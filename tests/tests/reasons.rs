//! The reasons for scores: of trees, held to what the shap package says; of the additive fraud model, to its scores.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use serde_json::Value;
use tamis_frame::signature::{Background, Unit};
use tamis_frame::{ColumnRef, Data, RESULT, Reply, Values};
use tamis_pack::{Options, pack};
use tamis_tests::golden::{Golden, Guest, built, frame};
use tamis_tests::host::tamis;
use tamis_tests::models::made;
use wasmtime::{Engine, Module};

/// What a function answers, one text a row.
fn texts(guest: &mut Guest, function: u32, columns: &[u8]) -> Vec<Value> {
    let reply = guest.run(function, columns);
    let Reply::Columns(frame) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let result = frame.column(RESULT).unwrap();
    (0..frame.rows()).map(|row| serde_json::from_str(result.text(row).unwrap()).unwrap()).collect()
}

/// Rows of numbers with a header, column by column.
fn table(file: PathBuf) -> Vec<(String, Vec<f64>)> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let mut table: Vec<(String, Vec<f64>)> = reader.headers().unwrap().iter().map(|name| (name.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        table.iter_mut().zip(&record.unwrap()).for_each(|((_, values), cell)| values.push(cell.parse().unwrap()));
    }
    table
}

#[test]
fn trees_give_the_reasons_of_the_shap_package() {
    let folder = made("reasons");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "onnx"));
    files.sort();
    assert!(files.len() >= 9, "{} models were made", files.len());
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        // XGBoost sums in 32 bits.
        let tolerance = if name.starts_with("xgboost") { 1e-5 } else { 1e-6 };
        let options = Options { golden: Some(std::fs::read(file.with_extension("csv")).unwrap()), ..Options::default() };
        let packed = pack(&built("guest.wasm"), &std::fs::read(&file).unwrap(), &options).unwrap();
        let explained = packed.signature.explain.as_ref().unwrap();
        let expected = if name == "xgboost_binary" { Background::Training } else { Background::Golden };
        assert!(explained.background == expected || name == "xgboost_number", "{name}: {explained:?}");
        let given = table(file.with_extension("shap.csv"));
        let column = |name: &str| &given.iter().find(|(other, _)| other == name).unwrap().1;
        let names: Vec<&str> = packed.signature.columns.iter().map(|column| column.name.as_str()).collect();
        let columns: Vec<ColumnRef<'_>> =
            names.iter().map(|name| ColumnRef { name, validity: None, data: Data::Float(column(name)) }).collect();
        let rows = column("base").len();
        let mut guest = Guest::of(&Module::new(&Engine::default(), &packed.wasm).unwrap());
        let number = packed.signature.function("explain").unwrap().0;
        let records = texts(&mut guest, number, frame(&columns, rows).bytes());
        assert_eq!((records.len(), rows), (300, 300));
        let mut worst = 0.0_f64;
        for (row, record) in records.iter().enumerate() {
            let number = |value: &Value| value.as_f64().unwrap();
            let mut differ = |ours: f64, theirs: f64| worst = worst.max((ours - theirs).abs() / theirs.abs().max(1.0));
            differ(number(&record["base"]), column("base")[row]);
            let reasons = record["reasons"].as_array().unwrap();
            let mut rest = number(&record["rest"]);
            let mut value = number(&record["base"]) + rest;
            for reason in reasons {
                let theirs = column(&format!("shap:{}", reason["column"].as_str().unwrap()))[row];
                differ(number(&reason["contribution"]), theirs);
                value += number(&reason["contribution"]);
            }
            // What is not among the reasons is the rest, and smaller than each of them.
            for name in names.iter().filter(|name| !reasons.iter().any(|reason| reason["column"] == **name)) {
                rest -= column(&format!("shap:{name}"))[row];
            }
            differ(rest, 0.0);
            assert!((value - number(&record["value"])).abs() < 1e-9, "{name}, row {row}: {record}");
        }
        println!("{name}: {rows} rows, at most {worst:.1e} apart");
        if worst > tolerance {
            failed.push(format!("{name}: {worst:.1e} apart"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_fraud_models_reasons_add_up_to_the_log_odds_of_its_scores() {
    let golden = Golden::read();
    let rows = 2_000;
    let mut guest = Guest::new();
    let signature = tamis_pack::read(&built("tamis_udf.wasm")).unwrap().signature;
    let number = |name: &str| signature.function(name).unwrap().0;
    assert_eq!(signature.explain.as_ref().unwrap().unit, Unit::LogOdds);
    let columns = golden.frame(rows);
    let reply = guest.run(number("score"), columns.bytes());
    let Reply::Columns(scored) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let Values::Float(scores) = scored.column(RESULT).unwrap().values else { panic!("not floats") };
    for (row, (record, score)) in texts(&mut guest, number("explain"), columns.bytes()).iter().zip(scores).enumerate() {
        let part = |name: &str| record[name].as_f64().unwrap();
        let reasons = record["reasons"].as_array().unwrap();
        // The value is the very sum that the score is made of, and the parts come to it as far as 64 bits can say.
        assert_eq!(1.0 / (1.0 + libm::exp(-part("value"))), *score, "row {row}");
        let sum = reasons.iter().map(|reason| reason["contribution"].as_f64().unwrap()).fold(part("base"), |sum, each| sum + each);
        assert!((sum + part("rest") - part("value")).abs() < 1e-13, "row {row}: {record}");
        let sizes: Vec<f64> = reasons.iter().map(|reason| reason["contribution"].as_f64().unwrap().abs()).collect();
        assert!(sizes.len() == 5 && sizes.is_sorted_by(|a, b| a >= b), "row {row}: {record}");
    }
}

#[test]
fn a_query_gets_the_reasons_as_records() {
    let golden = Golden::read();
    let columns = golden.json();
    let rows: Vec<Value> =
        (0..3).map(|row| columns.as_object().unwrap().iter().map(|(name, values)| (name.clone(), values[row].clone())).collect()).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.json");
    std::fs::write(&file, Value::from(rows).to_string()).unwrap();
    let query = "WITH D AS (SELECT * FROM t), E AS (SELECT amount, udf.score(D) AS score, udf.explain(D) AS why FROM D)
        SELECT amount, score, why, GetArrayElement(why.reasons, 0).code AS first INTO explained FROM E";
    let input = format!("t={}", file.display());
    let (score, explain) = ("score=builtin:tamis_udf.wasm#score", "explain=builtin:tamis_udf.wasm#explain");
    let output = tamis(&["query", "-e", query, "--input", &input, "--function", score, "--function", explain]);
    let written = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let given: Vec<Value> = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["row"].clone()).collect();
    // What the module itself says is what the query got.
    let own = texts(&mut Guest::new(), 2, golden.frame(3).bytes());
    for (row, (given, own)) in given.iter().zip(&own).enumerate() {
        assert_eq!(given["why"], *own, "row {row}");
        assert_eq!(given["first"], own["reasons"][0]["code"]);
    }
    assert_eq!(given.len(), 3);
    let told: Vec<(&str, &str)> =
        given.iter().map(|row| (row["first"].as_str().unwrap(), row["why"]["reasons"][0]["text"].as_str().unwrap())).collect();
    let expected = [
        ("OLD_BALANCE_LOWERS", "old_balance is 108254.0097625007, which lowers the log-odds by 0.83"),
        ("OLD_BALANCE_LOWERS", "old_balance is 90957.42346025998, which lowers the log-odds by 0.99"),
        ("OLD_BALANCE_LOWERS", "old_balance is 40474.17805584645, which lowers the log-odds by 0.92"),
    ];
    assert_eq!(told, expected);
}
