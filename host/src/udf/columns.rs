//! A batch's columns, fitted to a function's signature. Columns that have the right type already are lent as they are;
//! any other goes value by value through `tamis_frame::conform`, and a value that does not fit rejects its row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tamis_frame::conform::{Fitted, conform};
use tamis_frame::signature::Policy;
use tamis_frame::{Column as Wanted, ColumnRef, Data, Signature, Type};

use crate::batch::{Batch, Column};

/// Columns in the signature's order, and the rows that do not fit.
#[derive(Debug)]
pub(super) struct Fit<'a> {
    columns: Vec<(&'a str, Values<'a>)>,
    /// Row → reason; the first column at fault in the signature's order.
    pub(super) rejected: BTreeMap<usize, String>,
}

#[derive(Debug)]
enum Values<'a> {
    Float(Cow<'a, [f64]>, Option<Vec<u8>>),
    BigInt(Cow<'a, [i64]>, Option<Vec<u8>>),
    Text(Cow<'a, [i32]>, Cow<'a, [u8]>, Option<Vec<u8>>),
    Bit(Vec<u8>, Option<Vec<u8>>),
}

impl<'a> Fit<'a> {
    /// Fits the rows of a batch.
    pub(super) fn new(signature: &'a Signature, batch: &'a Batch) -> Self {
        let mut fit = Self { columns: Vec::with_capacity(signature.columns.len()), rejected: BTreeMap::new() };
        let absent = Column::Null(batch.rows());
        for wanted in &signature.columns {
            let values = match batch.column(&wanted.name) {
                Some(column) => lend(wanted, column).unwrap_or_else(|| fit_values(wanted, column, batch.rows(), &mut fit.rejected)),
                None => fit_values(wanted, &absent, batch.rows(), &mut fit.rejected),
            };
            fit.columns.push((&wanted.name, values));
        }
        fit
    }

    /// The columns as a frame is written from them.
    pub(super) fn refs(&self) -> Vec<ColumnRef<'_>> {
        fn column<'b>((name, values): &'b (&'b str, Values<'b>)) -> ColumnRef<'b> {
            match values {
                Values::Float(values, validity) => ColumnRef { name, validity: validity.as_deref(), data: Data::Float(values) },
                Values::BigInt(values, validity) => ColumnRef { name, validity: validity.as_deref(), data: Data::BigInt(values) },
                Values::Text(offsets, bytes, validity) => {
                    ColumnRef { name, validity: validity.as_deref(), data: Data::Text { offsets, bytes } }
                }
                Values::Bit(bits, validity) => ColumnRef { name, validity: validity.as_deref(), data: Data::Bit(bits) },
            }
        }
        self.columns.iter().map(column).collect()
    }
}

/// The vector path: the Arrow array is what the frame holds.
fn lend<'a>(wanted: &Wanted, column: &'a Column) -> Option<Values<'a>> {
    let array = column.array()?;
    if array.null_count() > 0 || (wanted.ty == Type::Text && wanted.unknown == Policy::Reject) {
        return None;
    }
    match (wanted.ty, column) {
        (Type::Float, Column::Float(array)) if array.values().iter().all(|value| value.is_finite()) => {
            Some(Values::Float(Cow::Borrowed(array.values()), None))
        }
        (Type::Float, Column::BigInt(array)) => Some(Values::Float(array.values().iter().map(|value| *value as f64).collect(), None)),
        (Type::BigInt, Column::BigInt(array)) => Some(Values::BigInt(Cow::Borrowed(array.values()), None)),
        (Type::Text, Column::Text(array)) => {
            Some(Values::Text(Cow::Borrowed(array.value_offsets()), Cow::Borrowed(array.value_data()), None))
        }
        _ => None,
    }
}

/// The row path.
fn fit_values(wanted: &Wanted, column: &Column, rows: usize, rejected: &mut BTreeMap<usize, String>) -> Values<'static> {
    let mut validity = vec![0xFF_u8; rows.div_ceil(8)];
    let mut missing = false;
    let mut out = match wanted.ty {
        Type::Float => Values::Float(Cow::Owned(Vec::with_capacity(rows)), None),
        Type::BigInt => Values::BigInt(Cow::Owned(Vec::with_capacity(rows)), None),
        Type::Text => Values::Text(Cow::Owned(vec![0]), Cow::Owned(Vec::new()), None),
        Type::Bit => Values::Bit(vec![0; rows.div_ceil(8)], None),
    };
    for row in 0..rows {
        let value = column.value(row);
        let fitted = conform(wanted, value.cell()).unwrap_or_else(|reject| {
            rejected.entry(row).or_insert_with(|| reject.to_string());
            Fitted::Missing
        });
        if fitted == Fitted::Missing {
            missing = true;
            validity[row >> 3] &= !(1 << (row & 7));
        }
        put(&mut out, row, fitted);
    }
    if missing {
        match &mut out {
            Values::Float(_, slot) | Values::BigInt(_, slot) | Values::Text(_, _, slot) | Values::Bit(_, slot) => *slot = Some(validity),
        }
    }
    out
}

fn put(out: &mut Values<'static>, row: usize, fitted: Fitted<'_>) {
    match (out, fitted) {
        (Values::Float(values, _), Fitted::Float(value)) => values.to_mut().push(value),
        (Values::Float(values, _), _) => values.to_mut().push(0.0),
        (Values::BigInt(values, _), Fitted::BigInt(value)) => values.to_mut().push(value),
        (Values::BigInt(values, _), _) => values.to_mut().push(0),
        (Values::Text(offsets, bytes, _), fitted) => {
            if let Fitted::Text(text) = fitted {
                bytes.to_mut().extend_from_slice(text.as_bytes());
            }
            offsets.to_mut().push(bytes.len() as i32);
        }
        (Values::Bit(bits, _), Fitted::Bit(true)) => bits[row >> 3] |= 1 << (row & 7),
        (Values::Bit(..), _) => {}
    }
}
