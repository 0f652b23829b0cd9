//! Models of scikit-learn, LightGBM and XGBoost, made by `tests/models/make.py`, are packed and held to 10,000 rows of
//! onnxruntime's scores each, in the sandbox; and what cannot be packed says why.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest, Sha256};
use tamis_frame::signature::Task;
use tamis_pack::{Options, PackError, pack, read};
use tamis_tests::golden::{Golden, built, root};
use tamis_tests::host::program;
use tamis_tests::models::made;

#[test]
fn models_of_many_libraries_give_the_scores_of_onnxruntime() {
    let folder = made("make");
    let guest = built("guest.wasm");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "onnx"));
    files.sort();
    assert!(files.len() >= 25, "{} models were made", files.len());
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let golden = std::fs::read(file.with_extension("csv")).unwrap();
        let options = Options { golden: Some(golden), ..Options::default() };
        match pack(&guest, &std::fs::read(&file).unwrap(), &options) {
            Ok(packed) => {
                let parity = packed.signature.parity.as_ref().unwrap();
                println!("{name}: {} rows, at most {:.1e} apart, {} bytes", parity.rows, parity.max_difference, packed.wasm.len());
                if parity.max_difference > 1e-6 || parity.rows < 9_000 {
                    failed.push(format!("{name}: {parity:?}"));
                }
                assert_eq!(packed.signature.task == Task::Multiclass, name.ends_with("three"), "{name}");
                assert_eq!(read(&packed.wasm).unwrap().signature, packed.signature, "{name}");
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn fraud(options: &Options) -> Result<tamis_pack::Packed, PackError> {
    pack(&built("guest.wasm"), &std::fs::read(root().join("model/fraud/fraud.onnx")).unwrap(), options)
}

#[test]
fn packing_twice_gives_the_same_bytes() {
    let (first, second) = (fraud(&Options::default()).unwrap(), fraud(&Options::default()).unwrap());
    assert!(first.wasm == second.wasm && first.sha256 == second.sha256);
}

#[test]
fn packing_in_another_folder_gives_the_same_hash_and_inspect_shows_the_stamp() {
    let model = root().join("model/fraud");
    let golden = std::fs::read(model.join("golden.csv")).unwrap();
    let mut hashes = Vec::new();
    for name in ["a", "b/c"] {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(name);
        std::fs::create_dir_all(&own).unwrap();
        for file in ["fraud.onnx", "card.json", "golden.csv"] {
            std::fs::copy(model.join(file), own.join(file)).unwrap();
        }
        let pack = ["pack", "fraud.onnx", "-o", "fraud.wasm", "--card", "card.json", "--golden", "golden.csv"];
        let output = Command::new(program()).args(pack).current_dir(&own).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let wasm = std::fs::read(own.join("fraud.wasm")).unwrap();
        // The very module that the program comes with, which another program packed at another time.
        assert!(wasm == built("tamis_udf.wasm"));
        let output = Command::new(program()).args(["inspect", "fraud.wasm"]).current_dir(&own).output().unwrap();
        hashes.push(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rows = Golden::read().scores.len();
    for line in [
        format!("module     sha256 {}", sha256(&built("tamis_udf.wasm"))),
        format!("onnx       sha256 {}", sha256(&std::fs::read(model.join("fraud.onnx")).unwrap())),
        format!("parity     {rows} golden rows, at most "),
        format!("from what is expected, sha256 {}", sha256(&golden)),
    ] {
        assert!(hashes[0].contains(&line), "'{line}' is not in:\n{}", hashes[0]);
    }
}

#[test]
fn the_doors_without_a_model_are_small() {
    let bare = pack(&built("guest.wasm"), &std::fs::read(made("make").join("sklearn_linear.onnx")).unwrap(), &Options::default()).unwrap();
    assert!(bare.wasm.len() <= 200_000, "{} bytes", bare.wasm.len());
}

#[test]
fn a_golden_mismatch_names_row_and_columns() {
    let golden = std::fs::read_to_string(root().join("model/fraud/golden.csv")).unwrap();
    let first = golden.lines().nth(1).unwrap();
    let (columns, score) = first.rsplit_once(',').unwrap();
    let wrong = golden.replacen(first, &format!("{columns},{}", score.parse::<f64>().unwrap() + 2e-5), 1);
    let error = fraud(&Options { golden: Some(wrong.into_bytes()), ..Options::default() }).unwrap_err().to_string();
    assert!(error.starts_with("golden rows: row 1: ") && error.contains("day_of_week 'saturday'"), "{error}");
    let error = fraud(&Options { golden: Some(b"amount,score\n1,2\n".to_vec()), ..Options::default() }).unwrap_err().to_string();
    assert_eq!(error, "golden rows: there is no column 'old_balance'");
}

#[test]
fn bytes_that_are_no_model_and_modules_that_are_no_guest_are_refused() {
    let guest = built("guest.wasm");
    let onnx = std::fs::read(root().join("model/fraud/fraud.onnx")).unwrap();
    let error = |guest: &[u8], onnx: &[u8]| pack(guest, onnx, &Options::default()).unwrap_err().to_string();
    assert!(error(&guest, &onnx[..50_000]).starts_with("not an ONNX model: "));
    assert_eq!(error(&guest, b""), "the ONNX model has no graph");
    assert!(error(&built("tamis_udf.wasm"), &onnx).contains("it has a model inside already"));
    assert!(error(b"\0asm", &onnx).starts_with("the guest cannot be used: "));
}
