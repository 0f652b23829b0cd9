//! Models for the general guest, made by `tests/models/general.py`: held to 10,000 rows of onnxruntime's scores each, the same
//! bits however the rows are cut and in Node; and what neither guest can run is named.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::Command;

use tamis_frame::signature::Task;
use tamis_frame::{ColumnRef, Data, RESULT, Reply, Values};
use tamis_pack::{Golden, Guests, Options, PackError, Packed, Values as Given, pack, read};
use tamis_tests::golden::{Guest, built, frame, target};
use tamis_tests::host::tamis;
use tamis_tests::models::made;
use wasmtime::{Config, Engine, Module, OptLevel};

fn general() -> Vec<u8> {
    let path = target().join("general/guest.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run ./scripts/build-general", path.display()))
}

fn packed(name: &str, options: &Options) -> Result<Packed, PackError> {
    let (trees, general) = (built("guest.wasm"), general());
    let onnx = std::fs::read(made("general").join(format!("{name}.onnx"))).unwrap();
    pack(Guests { trees: &trees, general: Some(&general) }, &onnx, options)
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(made("general").join(format!("{name}.csv"))).unwrap()
}

/// The module as the tests run it: compiled in a short time, not for speed.
fn guest(packed: &Packed) -> Guest {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None);
    Guest::of(&Module::new(&Engine::new(&config).unwrap(), &packed.wasm).unwrap())
}

/// The scores of rows `start` to `end`.
fn scores(guest: &mut Guest, packed: &Packed, golden: &Golden, start: usize, end: usize) -> Vec<f64> {
    let columns: Vec<ColumnRef<'_>> = golden
        .columns()
        .map(|(name, values)| {
            let data = match values {
                Given::Float(values) => Data::Float(&values[start..end]),
                Given::BigInt(values) => Data::BigInt(&values[start..end]),
                Given::Text(offsets, bytes) => Data::Text { offsets: &offsets[start..=end], bytes },
            };
            ColumnRef { name, validity: None, data }
        })
        .collect();
    let reply = guest.run(packed.signature.function("score").unwrap().0, frame(&columns, end - start).bytes());
    let Reply::Columns(answer) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply: {:?}", Reply::parse(reply.bytes())) };
    let Values::Float(scores) = answer.column(RESULT).unwrap().values else { panic!("not floats") };
    scores.to_vec()
}

#[test]
fn nets_give_the_scores_of_onnxruntime_however_rows_are_cut() {
    let folder = made("general");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| PathBuf::from(entry.unwrap().file_name()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "csv"))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let bytes = golden(&name);
        // What the small guest could run as well is asked for.
        let options = Options { golden: Some(bytes.clone()), general: name.starts_with("mlp"), ..Options::default() };
        let packed = packed(&name, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        let parity = packed.signature.parity.clone().unwrap();
        println!("{name}: {} rows, at most {:.1e} apart, {} bytes", parity.rows, parity.max_difference, packed.wasm.len());
        assert!(parity.max_difference <= 1e-5 && parity.rows >= 9_900, "{name}: {parity:?}");
        assert_eq!(packed.signature.task == Task::Multiclass, name.ends_with("three"), "{name}");
        assert!(packed.signature.explain.is_none() && read(&packed.wasm).unwrap().signature == packed.signature);
        // Compiling the module again takes seconds.
        if !["mlp_columns", "net_attention"].contains(&name.as_str()) {
            continue;
        }
        let mut signature = packed.signature.clone();
        let golden = Golden::read(&bytes, &mut signature).unwrap();
        let mut guest = guest(&packed);
        let whole = scores(&mut guest, &packed, &golden, 0, 1_300);
        for cut in [1, 7] {
            let parts: Vec<f64> =
                (0..210).step_by(cut).flat_map(|start| scores(&mut guest, &packed, &golden, start, start + cut)).collect();
            assert!(parts.iter().zip(&whole).all(|(part, whole)| part.to_bits() == whole.to_bits()), "{name}, {cut} rows at a time");
        }
        assert!(scores(&mut guest, &packed, &golden, 0, 0).is_empty());
    }
}

#[test]
fn the_small_guest_is_taken_where_it_can_run_the_model() {
    let options = Options { golden: Some(golden("mlp_columns")), ..Options::default() };
    let small = packed("mlp_columns", &options).unwrap();
    assert!(small.wasm.len() < 400_000 && small.signature.parity.as_ref().unwrap().max_difference < 1e-5);
    let columns: Vec<&str> = small.signature.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["amount", "age", "kind"]);
}

#[test]
fn what_neither_guest_can_run_is_named() {
    let error = |name: &str| packed(name, &Options::default()).unwrap_err().to_string();
    assert_eq!(
        error("refused_svm"),
        "node 'SVM' (operator SVMRegressor): this operator cannot be compiled; and the general guest cannot run that part of the model \
         either: tract does not have the operator SVMRegressor of node 'SVM'"
    );
    assert!(error("refused_foreign").ends_with("tract does not have the operator Spiral of node 'twist'"));
    assert_eq!(
        error("refused_shapeless"),
        "the ONNX model has an output 'y': how many columns it has is not written in its shape; export it with [None, columns]"
    );
    let stiff = error("refused_stiff");
    assert!(stiff.starts_with("node 'r' (operator Elu): this operator cannot be compiled; and the general guest"), "{stiff}");
}

#[test]
fn the_program_packs_and_scores_such_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let (module, rows) = (folder.path().join("net.wasm"), folder.path().join("rows.csv"));
    let made = made("general");
    let file = |name: &str| made.join(name).to_string_lossy().into_owned();
    let out = module.to_string_lossy().into_owned();
    let output = tamis(&["pack", &file("net_layered.onnx"), "-o", &out, "--golden", &file("net_layered.csv")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(golden("net_layered")).unwrap();
    std::fs::write(&rows, text.lines().take(21).collect::<Vec<_>>().join("\n")).unwrap();
    let output = Command::new(tamis_tests::host::program()).args(["score", "--function", &out]).arg(&rows).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    for (line, expected) in lines.iter().zip(text.lines().skip(1)) {
        let expected: f64 = expected.rsplit_once(',').unwrap().1.parse().unwrap();
        assert!((line["score"].as_f64().unwrap() - expected).abs() < 1e-5, "{line}");
    }
}
