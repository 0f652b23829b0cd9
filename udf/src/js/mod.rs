//! The JavaScript door. What is wrong with a table or a row is thrown as an Error; nothing panics.

#![expect(unreachable_pub, reason = "exports of the module, not of the crate")]

mod table;

use js_sys::{Array, Error};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::call::Memory;
use crate::model::{Model, Task, model};
use crate::results::{self, Probabilities, Results};
use crate::{fit, reasons};

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
    functions: { name: string; returns: string; about: string; json?: boolean }[];
    task: "binary" | "multiclass" | "regression";
    classes?: (number | string)[];
    explain?: { unit: "log-odds" | "score"; base: number; background: "training" | "golden" | "leaves" };
    parity?: { rows: number; sha256: string; max_difference: number };
    card?: unknown;
}
/** What one column adds to a row's value. */
export interface Reason { column: string; value: number | string | null; contribution: number; code: string; text: string }
/** A row's reasons, first the one that moves its value most: `base + rest + all contributions = value`. */
export interface Reasons { base: number; value: number; rest: number; reasons: Reason[] }
"#;

/// Makes the model ready. Calling it is optional: the first `run` or `score` does the same.
#[wasm_bindgen]
pub fn init() -> Result<(), JsValue> {
    ready().map(|_| ())
}

/// One prediction a row: the class (of two, by the signature's threshold), or a regression's number.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "(number | string)[]")]
pub fn run(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    results(Task::Run, &data)
}

/// One score a row: the probability of the second class of two, of the likeliest of several, or a regression's number.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "number[]")]
pub fn score(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    results(Task::Score, &data)
}

/// Each class's probability, by its name.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "Record<string, number>[]")]
pub fn probabilities(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    let model = ready()?;
    if !model.contract.functions.iter().any(|name| name == "probabilities") {
        return Err(thrown("this model has no function 'probabilities'; 'score' gives its one number"));
    }
    let table = table::read(&data, &model.contract.columns).map_err(|message| thrown(&message))?;
    let cells: Vec<_> = table.columns.iter().map(fit::Data::cells).collect();
    let mut memory = Memory::default();
    let scores = results::scores(model, &mut memory, &cells, table.rows).map_err(|message| thrown(&message))?;
    (0..table.rows)
        .map(|row| plain(&Probabilities { classes: &model.contract.classes, scores: &scores[row..], rows: table.rows }))
        .collect()
}

/// Why each row has its score: the columns that move it most.
/// Throws an Error that names the first row (the first is row 1) and column that does not fit.
#[wasm_bindgen(unchecked_return_type = "Reasons[]")]
pub fn explain(#[wasm_bindgen(unchecked_param_type = "Table")] data: JsValue) -> Result<Array, JsValue> {
    let model = ready()?;
    let table = table::read(&data, &model.contract.columns).map_err(|message| thrown(&message))?;
    let cells: Vec<_> = table.columns.iter().map(fit::Data::cells).collect();
    let reasons = reasons::explain(model, &mut Memory::default(), &cells, table.rows).map_err(|message| thrown(&message))?;
    reasons.iter().map(plain).collect()
}

/// What the module says of itself: columns, categories, functions, the model's name, version and hash.
#[wasm_bindgen(unchecked_return_type = "Signature")]
pub fn signature() -> Result<JsValue, JsValue> {
    js_sys::JSON::parse(&ready()?.json)
}

fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    // Records of numbers and texts can always be written.
    js_sys::JSON::parse(&serde_json::to_string(value).unwrap_or_default())
}

fn ready() -> Result<&'static Model, JsValue> {
    model().map_err(thrown)
}

fn thrown(message: &str) -> JsValue {
    Error::new(message).into()
}

fn results(task: Task, data: &JsValue) -> Result<Array, JsValue> {
    let model = ready()?;
    let table = table::read(data, &model.contract.columns).map_err(|message| thrown(&message))?;
    let cells: Vec<_> = table.columns.iter().map(fit::Data::cells).collect();
    let mut memory = Memory::default();
    let results = Results::of(model, &mut memory, task, &cells, table.rows).map_err(|message| thrown(&message))?;
    Ok(match results {
        Results::Scores(values) => values.iter().map(|value| JsValue::from_f64(*value)).collect(),
        Results::Floats(values) => values.into_iter().map(JsValue::from_f64).collect(),
        Results::BigInts(values) => values.into_iter().map(|value| JsValue::from_f64(value as f64)).collect(),
        Results::Texts { offsets, bytes } => {
            let text = |span: &[i32]| String::from_utf8_lossy(&bytes[span[0] as usize..span[1] as usize]).into_owned();
            offsets.windows(2).map(|span| JsValue::from_str(&text(span))).collect()
        }
    })
}
