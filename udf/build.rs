//! Compiles the ONNX model to the scorer's bytes and writes the signature beside them.

use std::path::Path;
use std::{env, fs};

use sha2::{Digest, Sha256};
use tamis_frame::signature::{Class, Column, Function, Model, Policy};
use tamis_frame::{ABI_VERSION, Signature, Type};
use tamis_model::onnx::{self, Compiled, Kind};

const ONNX: &str = "../model/fraud/fraud.onnx";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ONNX}");
    if let Err(message) = build() {
        println!("cargo::error={message}");
    }
}

fn build() -> Result<(), String> {
    let bytes = fs::read(ONNX).map_err(|error| {
        format!("the model model/fraud/fraud.onnx cannot be read ({error}). `git checkout model/fraud` restores it; `model/train` makes it anew.")
    })?;
    let compiled = onnx::compile(&bytes).map_err(|error| format!("model/fraud/fraud.onnx cannot be compiled: {error}"))?;
    let signature = signature(&compiled, &bytes)?;
    let out = env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let write = |name: &str, content: &[u8]| fs::write(Path::new(&out).join(name), content).map_err(|error| error.to_string());
    write("scorer.bin", &compiled.scorer.to_bytes())?;
    write("signature.json", signature.to_json().as_bytes())
}

fn signature(compiled: &Compiled, bytes: &[u8]) -> Result<Signature, String> {
    let metadata = |key: &str| {
        compiled
            .metadata(key)
            .ok_or_else(|| format!("model/fraud/fraud.onnx has no '{key}' among its metadata_props; `model/train` writes it"))
    };
    let threshold: f64 =
        metadata("threshold")?.parse().map_err(|_| "the 'threshold' of model/fraud/fraud.onnx is not a number".to_owned())?;
    let columns = compiled.inputs.iter().map(|input| Column {
        name: input.name.clone(),
        ty: match input.kind {
            Kind::Float => Type::Float,
            Kind::BigInt => Type::BigInt,
            Kind::Text => Type::Text,
        },
        categories: input.categories.clone(),
        missing: Policy::Reject,
        unknown: Policy::Accept,
    });
    let function =
        |name: &str, returns: Type, about: &str| Function { name: name.to_owned(), returns, about: about.to_owned(), json: false };
    let signature = Signature {
        abi: ABI_VERSION,
        model: Model {
            name: metadata("name")?.to_owned(),
            version: metadata("version")?.to_owned(),
            sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        },
        threshold,
        columns: columns.collect(),
        functions: vec![
            function("run", Type::BigInt, "1 where the score is at or above the threshold, else 0"),
            function("score", Type::Float, "the probability, from 0 to 1, that the row is a fraud"),
        ],
        task: tamis_frame::signature::Task::Binary,
        classes: vec![Class::BigInt(0), Class::BigInt(1)],
        explain: None,
        parity: None,
        card: None,
    };
    Signature::from_json(signature.to_json().as_bytes()).map_err(|error| format!("model/fraud/fraud.onnx: {error}"))
}
