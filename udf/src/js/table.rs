//! A JavaScript value read as a table: rows, columns, either under `data`, or JSON text of these.

use js_sys::{Array, ArrayBuffer, DataView, Date, JSON, Object, Reflect};
use tamis_frame::{Cell, Column, Reject, limits};
use wasm_bindgen::{JsCast, JsValue};

use crate::fit::Data;

/// `{"data": {"data": …}}` is followed this deep.
const MAX_DEPTH: usize = 4;
/// Integers up to this are exact in JavaScript.
const EXACT: f64 = 9_007_199_254_740_992.0;
const FORMS: &str = "a table is expected: an array of row objects, an object of column arrays, or {\"data\": one of these}";

pub(super) struct Table {
    pub(super) rows: usize,
    pub(super) columns: Vec<Data<'static>>,
}

pub(super) fn read(data: &JsValue, columns: &[Column]) -> Result<Table, String> {
    let mut data = data.clone();
    if let Some(text) = data.as_string() {
        data = JSON::parse(&text).map_err(|error| format!("{FORMS}; the text that was given is not JSON: {}", message(&error)))?;
    }
    for _ in 0..MAX_DEPTH {
        if !data.is_object() || Array::is_array(&data) {
            break;
        }
        let inner = match (get(&data, "data")?, get(&data, "Inputs")?) {
            (inner, _) if inner.is_object() && !names(columns, "data") => inner,
            (_, inputs) if inputs.is_object() && !names(columns, "Inputs") => match get(&inputs, "WebServiceInput0")? {
                rows if rows.is_object() => rows,
                rows => return Err(format!("'Inputs' must hold 'WebServiceInput0' with a table, {} was given", kind(&rows))),
            },
            _ => break,
        };
        data = inner;
    }
    if Array::is_array(&data) {
        by_row(data.unchecked_ref(), columns)
    } else if data.is_object() && !is_view(&data) {
        by_column(&data, columns)
    } else {
        Err(format!("{FORMS}; {} was given", kind(&data)))
    }
}

fn by_row(rows: &Array, columns: &[Column]) -> Result<Table, String> {
    let count = counted(rows)?;
    let keys: Vec<JsValue> = columns.iter().map(|column| JsValue::from_str(&column.name)).collect();
    let mut data: Vec<Data<'static>> = columns.iter().map(|column| Data::new(column.ty, count)).collect();
    for index in 0..count {
        let row = rows.get(index as u32);
        if !row.is_object() || Array::is_array(&row) {
            return Err(format!("row {}: an object is expected, {} was given", index + 1, kind(&row)));
        }
        for ((column, key), data) in columns.iter().zip(&keys).zip(&mut data) {
            let value = field(&row, key, &column.name).map_err(|error| format!("row {}, {error}", index + 1))?;
            push(data, column, &value).map_err(|reject| format!("row {}, {reject}", index + 1))?;
        }
    }
    Ok(Table { rows: count, columns: data })
}

fn by_column(object: &JsValue, columns: &[Column]) -> Result<Table, String> {
    let mut given = Vec::with_capacity(columns.len());
    let mut first: Option<(&str, usize)> = None;
    for column in columns {
        let value = field(object, &JsValue::from_str(&column.name), &column.name)?;
        if value.is_undefined() {
            given.push(None);
            continue;
        }
        if !Array::is_array(&value) && !is_view(&value) {
            return Err(format!("{FORMS}; in the object that was given, column '{}' is {} and not an array", column.name, kind(&value)));
        }
        let values = if Array::is_array(&value) { value.unchecked_into() } else { Array::from(&value) };
        let count = counted(&values)?;
        match first {
            Some((name, rows)) if rows != count => {
                return Err(format!("columns differ in length: '{name}' has {rows} values, '{}' has {count}", column.name));
            }
            _ => first = Some((&column.name, count)),
        }
        given.push(Some(values));
    }
    let Some((_, rows)) = first else {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(format!("{FORMS}; the object that was given has none of the columns {}", names.join(", ")));
    };
    // The first row at fault counts, and of its columns the first, as when the same table comes row by row.
    let mut worst: Option<(usize, Reject)> = None;
    let mut data = Vec::with_capacity(columns.len());
    for (column, values) in columns.iter().zip(given) {
        let mut filled = Data::new(column.ty, rows);
        for row in 0..rows {
            let value = values.as_ref().map_or(JsValue::UNDEFINED, |values| values.get(row as u32));
            if let Err(reject) = push(&mut filled, column, &value) {
                if worst.as_ref().is_none_or(|(other, _)| row < *other) {
                    worst = Some((row, reject));
                }
                break;
            }
        }
        data.push(filled);
    }
    match worst {
        Some((row, reject)) => Err(format!("row {}, {reject}", row + 1)),
        None => Ok(Table { rows, columns: data }),
    }
}

fn counted(values: &Array) -> Result<usize, String> {
    let count = values.length() as usize;
    if count > limits::MAX_ROWS {
        return Err(format!("a table of {count} rows was given, at most {} are allowed", limits::MAX_ROWS));
    }
    Ok(count)
}

fn names(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
}

/// A property by name: exactly so, else without regard to case.
fn field(object: &JsValue, key: &JsValue, name: &str) -> Result<JsValue, String> {
    let failed = |error: JsValue| format!("column '{name}': it cannot be read: {}", message(&error));
    let value = Reflect::get(object, key).map_err(failed)?;
    if !value.is_undefined() {
        return Ok(value);
    }
    for other in Object::keys(object.unchecked_ref::<Object>()) {
        if other.as_string().is_some_and(|other| other.eq_ignore_ascii_case(name)) {
            return Reflect::get(object, &other).map_err(failed);
        }
    }
    Ok(JsValue::UNDEFINED)
}

fn get(object: &JsValue, name: &str) -> Result<JsValue, String> {
    Reflect::get(object, &JsValue::from_str(name)).map_err(|error| format!("'{name}' cannot be read: {}", message(&error)))
}

fn push(data: &mut Data<'static>, column: &Column, value: &JsValue) -> Result<(), Reject> {
    let text;
    let cell = if value.is_undefined() || value.is_null() {
        Cell::Missing
    } else if let Some(bit) = value.as_bool() {
        Cell::Bit(bit)
    } else if let Some(number) = value.as_f64() {
        // JavaScript has one kind of number; what is whole is an integer, as it is in JSON.
        if number.fract() == 0.0 && number.abs() <= EXACT { Cell::BigInt(number as i64) } else { Cell::Float(number) }
    } else if let Some(given) = value.as_string() {
        text = given;
        Cell::Text(&text)
    } else if value.is_bigint() {
        i64::try_from(value.clone()).map_or(Cell::Other("bigint beyond 64 bits"), Cell::BigInt)
    } else {
        Cell::Other(kind(value))
    };
    data.push(column, cell)
}

fn is_view(value: &JsValue) -> bool {
    ArrayBuffer::is_view(value) && !value.has_type::<DataView>()
}

/// What a value is, in a word.
fn kind(value: &JsValue) -> &'static str {
    if value.is_undefined() {
        "undefined"
    } else if value.is_null() {
        "null"
    } else if value.as_bool().is_some() {
        "bit"
    } else if value.as_f64().is_some() {
        "number"
    } else if value.is_string() {
        "text"
    } else if value.is_function() {
        "function"
    } else if Array::is_array(value) || is_view(value) {
        "array"
    } else if value.has_type::<Date>() {
        "datetime"
    } else if value.is_object() {
        "record"
    } else {
        "something else"
    }
}

fn message(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(|| "unknown error".to_owned(), |error| error.message().into())
}
