//! JSON rows, read straight into columns: no value of a column that the function does not read is kept.
//! A row is an object (columns by name, without regard to case) or an array (columns in the signature's order).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tamis_frame::{Column as Wanted, Type};

use crate::batch::{Batch, Column, ColumnBuilder, Origin, Value};
use crate::time::Timestamp;

/// The rows of a request.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) batch: Batch,
    /// Rows that are neither objects nor arrays of the right length, with the reason; ascending.
    pub(super) malformed: Vec<(usize, String)>,
}

/// Reads `[row, …]`. With `text_numbers`, a text in a column of numbers is read as a number when it is one.
///
/// # Errors
/// When the text is not an array, with what it is.
pub(super) fn read(text: &str, wanted: &[Wanted], text_numbers: bool) -> Result<Rows, serde_json::Error> {
    let mut reader = Reader::new(wanted, text_numbers);
    let mut json = serde_json::Deserializer::from_str(text);
    (&mut json).deserialize_any(&mut reader)?;
    json.end()?;
    Ok(reader.finish())
}

/// One value of a row, as long as the row is read.
#[derive(Debug, Clone, Default)]
enum Field<'de> {
    #[default]
    Missing,
    Bit(bool),
    BigInt(i64),
    Float(f64),
    Text(Cow<'de, str>),
    Record,
    Array,
}

struct Reader<'a> {
    wanted: &'a [Wanted],
    text_numbers: bool,
    exact: HashMap<&'a str, usize>,
    /// By lower-case name.
    folded: HashMap<String, usize>,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    malformed: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn new(wanted: &'a [Wanted], text_numbers: bool) -> Self {
        Self {
            wanted,
            text_numbers,
            exact: wanted.iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect(),
            folded: wanted.iter().enumerate().map(|(place, column)| (column.name.to_ascii_lowercase(), place)).collect(),
            builders: wanted.iter().map(|_| ColumnBuilder::with_capacity(64)).collect(),
            rows: 0,
            malformed: Vec::new(),
        }
    }

    fn finish(self) -> Rows {
        let batch = Batch {
            names: self.wanted.iter().map(|column| column.name.as_str().into()).collect(),
            columns: self.builders.into_iter().map(ColumnBuilder::finish).collect::<Vec<Column>>(),
            times: vec![Timestamp(0); self.rows].into(),
            origin: Origin::Derived,
        };
        Rows { batch, malformed: self.malformed }
    }

    fn take_row(&mut self, row: &mut [Field<'_>], malformed: Option<String>) {
        if let Some(reason) = malformed {
            row.fill(Field::Missing);
            self.malformed.push((self.rows, reason));
        }
        for ((builder, wanted), field) in self.builders.iter_mut().zip(self.wanted).zip(row) {
            match std::mem::take(field) {
                Field::Missing => builder.push_null(),
                Field::Bit(value) => builder.push_bit(value),
                Field::BigInt(value) => builder.push_bigint(value),
                Field::Float(value) => builder.push_float(value),
                Field::Text(text) => match number(&text).filter(|_| self.text_numbers && matches!(wanted.ty, Type::Float | Type::BigInt)) {
                    Some(value) => builder.push(value),
                    None => builder.push_text(&text),
                },
                Field::Record => builder.push(Value::Record(Vec::new().into())),
                Field::Array => builder.push(Value::Array([].into())),
            }
        }
        self.rows += 1;
    }
}

/// A text that is a number in decimal, with blanks around it or not.
fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let whole = text.parse().ok().map(Value::BigInt);
    whole.or_else(|| text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float))
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let (mut fields, mut given) = (vec![Field::Missing; self.wanted.len()], vec![Given::Not; self.wanted.len()]);
        while let Some(malformed) = rows.next_element_seed(Row { reader: self, fields: &mut fields, given: &mut given })? {
            if self.rows >= tamis_frame::limits::MAX_ROWS {
                return Err(A::Error::custom(format!("more than {} rows", tamis_frame::limits::MAX_ROWS)));
            }
            self.take_row(&mut fields, malformed);
        }
        Ok(())
    }
}

/// Reads one row; answers what is wrong with it as a whole.
struct Row<'r, 'a, 'de> {
    reader: &'r Reader<'a>,
    fields: &'r mut [Field<'de>],
    given: &'r mut [Given],
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_, 'de> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<String>, D::Error> {
        json.deserialize_any(self)
    }
}

fn no_row<E>(given: &str) -> Result<Option<String>, E> {
    Ok(Some(format!("a row is expected, an object or an array; {given} was given")))
}

impl<'de> Visitor<'de> for Row<'_, '_, 'de> {
    type Value = Option<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        self.given.fill(Given::Not);
        let mut next = 0;
        while let Some((place, how)) = map.next_key_seed(Key { reader: self.reader, next })? {
            match place.filter(|place| how == Given::Named || self.given[*place] == Given::Not) {
                Some(place) => {
                    self.fields[place] = map.next_value_seed(Cell)?;
                    self.given[place] = how;
                    next = place + 1;
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Option<String>, A::Error> {
        let mut given = 0;
        for field in &mut *self.fields {
            match values.next_element_seed(Cell)? {
                Some(value) => *field = value,
                None => break,
            }
            given += 1;
        }
        while values.next_element::<IgnoredAny>()?.is_some() {
            given += 1;
        }
        let expected = self.fields.len();
        Ok((given != expected).then(|| format!("a row of {expected} values is expected, {given} were given")))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        no_row("null")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<String>, E> {
        no_row("bit")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<String>, E> {
        no_row("number")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<String>, E> {
        no_row("number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<String>, E> {
        no_row("number")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<String>, E> {
        no_row("text")
    }
}

/// How a row has given a column so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Not,
    /// By a name that differs in case: only the first such counts.
    Folded,
    /// By its own name, which wins over any other; the last one counts, as in any JSON object.
    Named,
}

struct Key<'r, 'a> {
    reader: &'r Reader<'a>,
    /// Rows mostly have their columns in order: this one is looked at first.
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = (Option<usize>, Given);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = (Option<usize>, Given);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a column's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        if self.reader.wanted.get(self.next).is_some_and(|column| column.name == name) {
            return Ok((Some(self.next), Given::Named));
        }
        if let Some(place) = self.reader.exact.get(name) {
            return Ok((Some(*place), Given::Named));
        }
        let folded = name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| name.to_ascii_lowercase());
        Ok((self.reader.folded.get(folded.as_deref().unwrap_or(name)).copied(), Given::Folded))
    }
}

/// Reads one value.
struct Cell;

impl<'de> DeserializeSeed<'de> for Cell {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Field<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell {
    type Value = Field<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Missing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bit(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field<'de>, E> {
        Ok(Field::BigInt(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(i64::try_from(value).map_or(Field::Float(value as f64), Field::BigInt))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field<'de>, E> {
        Ok(Field::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Record)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Array)
    }
}
