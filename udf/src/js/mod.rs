//! The JavaScript door. What is wrong with a table or a row is thrown as an Error; nothing panics.

#![expect(unreachable_pub, reason = "exports of the module, not of the crate")]

mod table;

use js_sys::{Array, Error};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::model::{Model, Task, model};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** One row: its columns by name. Names are matched without regard to case; columns that the model does not read are ignored. */
export type Row = Record<string, unknown>;
/** The rows as columns: arrays of one length. */
export type Columns = Record<string, ArrayLike<unknown>>;
/** Rows, columns, either of them under `data`, or the JSON text of any of these. */
export type Table = Row[] | Columns | { data: Row[] | Columns } | { Inputs: { WebServiceInput0: Row[] } } | string;
/** A column that the model reads. */
export interface Column { name: string; type: "float" | "bigint" | "nvarchar(max)" | "bit"; categories?: string[]; missing: "reject" | "accept"; unknown: "reject" | "accept" }
/** What the module says of itself. */
export interface Signature {
    abi: number;
    model: { name: string; version: string; sha256: string };
    threshold: number;
    columns: Column[];
    functions: { name: string; returns: string; about: string }[];
}
"#;

/// Makes the model ready. Calling it is optional: the first `run` or `score` does the same.
#[wasm_bindgen]
pub fn init() -> Result<(), JsValue> {
    ready().map(|_| ())
}

/// One prediction a row: 1 where the score is at or above the signature's threshold, else 0.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "number[]")]
pub fn run(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    results(Task::Run, &data)
}

/// One score a row, from 0 to 1.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "number[]")]
pub fn score(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    results(Task::Score, &data)
}

/// What the module says of itself: columns, categories, functions, the model's name, version and hash.
#[wasm_bindgen(unchecked_return_type = "Signature")]
pub fn signature() -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    ready()?.signature.serialize(&serializer).map_err(|error| thrown(&error.to_string()))
}

fn ready() -> Result<&'static Model, JsValue> {
    model().map_err(thrown)
}

fn thrown(message: &str) -> JsValue {
    Error::new(message).into()
}

fn results(task: Task, data: &JsValue) -> Result<Array, JsValue> {
    let model = ready()?;
    let scores = scores(model, data).map_err(|message| thrown(&message))?;
    let threshold = model.signature.threshold;
    let number = |score: f64| match task {
        Task::Run => f64::from(score >= threshold),
        Task::Score => score,
    };
    Ok(scores.into_iter().map(|score| JsValue::from_f64(number(score))).collect())
}

fn scores(model: &Model, data: &JsValue) -> Result<Vec<f64>, String> {
    let table = table::read(data, &model.signature.columns)?;
    let cells: Vec<_> = table.columns.iter().map(crate::fit::Data::cells).collect();
    let mut scores = vec![0.0; table.rows];
    model.scorer.score(&cells, &mut scores).map_err(|error| error.to_string())?;
    Ok(scores)
}
