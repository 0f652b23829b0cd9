//! Fits given columns to the ones that the model reads. A column that fits as it is, is read where it lies; any other
//! goes value by value through [`conform`], which alone decides what odd input comes to.

use std::borrow::Cow;

use tamis_frame::conform::{Fitted, conform};
use tamis_frame::{Cell, Column, ColumnView, Frame, Reject, Type, Values};
use tamis_model::Cells;

use crate::call::as_it_is;

/// A column's values, ready for the scorer.
#[derive(Debug)]
pub(crate) enum Data<'a> {
    Float(Cow<'a, [f64]>),
    BigInt(Cow<'a, [i64]>),
    Text { offsets: Cow<'a, [i32]>, bytes: Cow<'a, [u8]> },
}

impl<'a> Data<'a> {
    /// No values yet.
    pub(crate) fn new(ty: Type, rows: usize) -> Self {
        match ty {
            Type::Float => Self::Float(Cow::Owned(Vec::with_capacity(rows))),
            Type::BigInt | Type::Bit => Self::BigInt(Cow::Owned(Vec::with_capacity(rows))),
            Type::Text => {
                let mut offsets = Vec::with_capacity(rows + 1);
                offsets.push(0);
                Self::Text { offsets: Cow::Owned(offsets), bytes: Cow::Owned(Vec::new()) }
            }
        }
    }

    /// Fits one more value; one that does not fit leaves a placeholder, so that the rows stay in line.
    pub(crate) fn push(&mut self, column: &Column, cell: Cell<'_>) -> Result<(), Reject> {
        let fitted = conform(column, cell);
        match self {
            Self::Float(values) => values.to_mut().push(match fitted {
                Ok(Fitted::Float(value)) => value,
                _ => f64::NAN,
            }),
            Self::BigInt(values) => values.to_mut().push(match fitted {
                Ok(Fitted::BigInt(value)) => value,
                Ok(Fitted::Bit(value)) => i64::from(value),
                _ => 0,
            }),
            Self::Text { offsets, bytes } => {
                if let Ok(Fitted::Text(text)) = fitted
                    && let Ok(end) = i32::try_from(bytes.len() + text.len())
                {
                    bytes.to_mut().extend_from_slice(text.as_bytes());
                    offsets.to_mut().push(end);
                } else {
                    let end = bytes.len() as i32;
                    offsets.to_mut().push(end);
                }
            }
        }
        fitted.map(|_| ())
    }

    pub(crate) fn cells(&self) -> Cells<'_> {
        match self {
            Self::Float(values) => Cells::Float(values),
            Self::BigInt(values) => Cells::BigInt(values),
            Self::Text { offsets, bytes } => Cells::Text { offsets, bytes },
        }
    }

    /// The column as it lies in the frame, when every value of it fits without a look at each.
    fn borrowed(column: &Column, view: &ColumnView<'a>) -> Option<Self> {
        Some(match as_it_is(column, view)? {
            Cells::Float(values) => Self::Float(Cow::Borrowed(values)),
            Cells::BigInt(values) => Self::BigInt(Cow::Borrowed(values)),
            Cells::Text { offsets, bytes } => Self::Text { offsets: Cow::Borrowed(offsets), bytes: Cow::Borrowed(bytes) },
        })
    }
}

/// Why rows were rejected. Empty as long as none was.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Vec<Option<String>>);

impl Reasons {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().map(Option::as_deref)
    }

    /// The first reason of a row counts.
    fn add(&mut self, row: usize, rows: usize, reject: &Reject) {
        self.0.resize(rows, None);
        if let Some(reason) = self.0.get_mut(row) {
            reason.get_or_insert_with(|| reject.to_string());
        }
    }
}

/// The columns that the model reads, found in the frame by name (without regard to case) and fitted.
pub(crate) fn fit<'a>(columns: &[Column], frame: &Frame<'a>) -> (Vec<Data<'a>>, Reasons) {
    let mut reasons = Reasons::default();
    let fitted =
        columns.iter().enumerate().map(|(place, column)| fit_column(column, find(frame, place, &column.name), frame.rows(), &mut reasons));
    (fitted.collect(), reasons)
}

/// A host that knows the signature sends its columns in order, so that place is looked at first.
fn find<'f, 'a>(frame: &'f Frame<'a>, place: usize, name: &str) -> Option<&'f ColumnView<'a>> {
    let expected = frame.columns().get(place).filter(|view| view.name == name);
    expected.or_else(|| frame.column(name)).or_else(|| frame.columns().iter().find(|view| view.name.eq_ignore_ascii_case(name)))
}

fn fit_column<'a>(column: &Column, view: Option<&ColumnView<'a>>, rows: usize, reasons: &mut Reasons) -> Data<'a> {
    if let Some(data) = view.and_then(|view| Data::borrowed(column, view)) {
        return data;
    }
    let mut data = Data::new(column.ty, rows);
    for row in 0..rows {
        let fitted = match view.filter(|view| view.is_valid(row)).map(|view| view.values) {
            None => data.push(column, Cell::Missing),
            Some(Values::Float(values)) => data.push(column, values.get(row).map_or(Cell::Missing, |value| Cell::Float(*value))),
            Some(Values::BigInt(values)) => data.push(column, values.get(row).map_or(Cell::Missing, |value| Cell::BigInt(*value))),
            Some(Values::Bit(bits)) => data.push(column, Cell::Bit(tamis_frame::frame::bit(bits, row))),
            Some(Values::Text { offsets, bytes }) => data.push(column, Cell::Text(&text(offsets, bytes, row))),
        };
        if let Err(reject) = fitted {
            reasons.add(row, rows, &reject);
        }
    }
    data
}

/// Bytes that are not UTF-8 can be no category; they are read with replacement characters.
fn text<'a>(offsets: &[i32], bytes: &'a [u8], row: usize) -> Cow<'a, str> {
    let (start, end) = (offsets.get(row).copied().unwrap_or(0), offsets.get(row + 1).copied().unwrap_or(0));
    String::from_utf8_lossy(bytes.get(start as usize..end as usize).unwrap_or(&[]))
}
