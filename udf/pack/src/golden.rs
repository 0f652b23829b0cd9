//! Golden rows: read from CSV, put to the packed module in the sandbox, compared with what the trainer got.

use tamis_frame::signature::{Column, Policy};
use tamis_frame::{ColumnRef, Data, REJECTED, RESULT, Reply, Signature, Type, Values as Given, encode_into, encoded_len};
use tamis_model::Cells;

use crate::bake::Baked;
use crate::describe::is_score;
use crate::{PackError, TOLERANCE};

/// Rows of one call.
const BATCH: usize = 4096;

/// The values of one column.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers; NaN where a cell is empty.
    Float(Vec<f64>),
    /// Whole numbers.
    BigInt(Vec<i64>),
    /// Where each text starts and ends, and all texts.
    Text(Vec<i32>, Vec<u8>),
}

/// Rows with the scores that are expected.
#[derive(Debug, Clone)]
pub struct Golden {
    names: Vec<String>,
    columns: Vec<Values>,
    /// One list a score column.
    expected: Vec<Vec<f64>>,
    rows: usize,
}

fn wrong(what: impl std::fmt::Display) -> PackError {
    PackError::Golden(what.to_string())
}

/// The names of a golden file's columns.
pub(crate) fn header(bytes: &[u8]) -> Result<Vec<String>, PackError> {
    let mut reader = csv::Reader::from_reader(bytes);
    Ok(reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect())
}

impl Golden {
    /// Reads the rows as the signature's columns. An empty cell in a number column is a missing value; where golden rows have
    /// any, the column accepts them.
    ///
    /// # Errors
    /// [`PackError::Golden`], which names row and column.
    pub fn read(bytes: &[u8], signature: &mut Signature) -> Result<Self, PackError> {
        let header = header(bytes)?;
        let place = |name: &str| header.iter().position(|other| other.eq_ignore_ascii_case(name));
        let mut places = Vec::with_capacity(signature.columns.len());
        for column in &signature.columns {
            places.push(place(&column.name).ok_or_else(|| wrong(format!("there is no column '{}'", column.name)))?);
        }
        let scores: Vec<usize> = if signature.classes.len() > 2 {
            let names = signature.classes.iter().map(|class| format!("score:{class}"));
            names.map(|name| place(&name).ok_or_else(|| wrong(format!("there is no column '{name}'")))).collect::<Result<_, _>>()?
        } else {
            vec![place("score").ok_or_else(|| wrong("there is no column 'score'"))?]
        };
        let unknown = header.iter().enumerate().find(|(at, name)| is_score(name) && !scores.contains(at));
        if let Some((_, name)) = unknown {
            return Err(wrong(format!("column '{name}' is no score of this model")));
        }
        let mut golden = Self {
            names: signature.columns.iter().map(|column| column.name.clone()).collect(),
            columns: signature
                .columns
                .iter()
                .map(|column| match column.ty {
                    Type::Float => Values::Float(Vec::new()),
                    Type::BigInt | Type::Bit => Values::BigInt(Vec::new()),
                    Type::Text => Values::Text(vec![0], Vec::new()),
                })
                .collect(),
            expected: vec![Vec::new(); scores.len()],
            rows: 0,
        };
        let mut reader = csv::Reader::from_reader(bytes);
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            golden.rows += 1;
            let row = golden.rows;
            for ((column, values), at) in signature.columns.iter_mut().zip(&mut golden.columns).zip(&places) {
                let cell = record.get(*at).unwrap_or_default();
                push(values, column, cell).map_err(|what| wrong(format!("row {row}, column '{}': {what}", column.name)))?;
            }
            for (expected, at) in golden.expected.iter_mut().zip(&scores) {
                let cell = record.get(*at).unwrap_or_default();
                let number = cell.trim().parse().ok().filter(|number: &f64| number.is_finite());
                expected.push(number.ok_or_else(|| wrong(format!("row {row}, column '{}': '{cell}' is not a number", header[*at])))?);
            }
        }
        if golden.rows == 0 { Err(wrong("there are none")) } else { Ok(golden) }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The names and values of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// The expected scores, one list a score column.
    pub fn expected(&self) -> &[Vec<f64>] {
        &self.expected
    }

    /// The columns as a scorer takes them.
    pub fn cells(&self) -> Vec<Cells<'_>> {
        fn cells(values: &Values) -> Cells<'_> {
            match values {
                Values::Float(values) => Cells::Float(values),
                Values::BigInt(values) => Cells::BigInt(values),
                Values::Text(offsets, bytes) => Cells::Text { offsets, bytes },
            }
        }
        self.columns.iter().map(cells).collect()
    }

    /// Puts all rows to a packed module; the greatest difference from what is expected.
    pub(crate) fn check(&self, baked: Baked, signature: &Signature, outputs: usize) -> Result<f64, PackError> {
        let guest = |error: wasmtime::Error| PackError::Guest(format!("{error:#}"));
        let name = if outputs > 1 { "probabilities" } else { "score" };
        let function = signature.function(name).map(|(number, _)| number).ok_or_else(|| wrong(format!("there is no function '{name}'")))?;
        let (mut store, instance) = baked.started()?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| PackError::Guest("it exports no memory".to_owned()))?;
        let alloc = instance.get_typed_func::<u32, u32>(&mut store, "tamis_alloc").map_err(guest)?;
        let free = instance.get_typed_func::<(u32, u32), ()>(&mut store, "tamis_free").map_err(guest)?;
        let call = instance.get_typed_func::<(u32, u32, u32), u64>(&mut store, "tamis_call").map_err(guest)?;
        let mut worst = 0.0_f64;
        for start in (0..self.rows).step_by(BATCH) {
            let end = self.rows.min(start + BATCH);
            let frame = self.frame(start, end);
            let len = frame.len() as u32;
            let at = alloc.call(&mut store, len).map_err(guest)?;
            memory.write(&mut store, at as usize, &frame).map_err(|error| PackError::Guest(error.to_string()))?;
            let reply = call.call(&mut store, (function, at, len)).map_err(guest)?;
            let (reply_at, size) = ((reply >> 32) as usize, (reply & 0xFFFF_FFFF) as usize);
            let bytes = memory.data(&store).get(reply_at..reply_at + size).unwrap_or_default();
            // Copied so that it is aligned.
            let words: Vec<u64> = bytes
                .chunks(8)
                .map(|chunk| {
                    let mut word = [0; 8];
                    word[..chunk.len()].copy_from_slice(chunk);
                    u64::from_ne_bytes(word)
                })
                .collect();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            worst = worst.max(self.compare(&bytes[..size], start, end, signature)?);
            free.call(&mut store, (at, len)).map_err(guest)?;
            free.call(&mut store, (reply_at as u32, size as u32)).map_err(guest)?;
        }
        Ok(worst)
    }

    fn compare(&self, reply: &[u8], start: usize, end: usize, signature: &Signature) -> Result<f64, PackError> {
        let frame = match Reply::parse(reply).map_err(wrong)? {
            Reply::Columns(frame) => frame,
            Reply::Error(message) => return Err(wrong(message)),
        };
        let result = frame.column(RESULT).ok_or_else(|| wrong("the module gives no result"))?;
        let mut worst = 0.0_f64;
        for row in start..end {
            let at = row - start;
            let mismatch = |expected: f64, given: String| PackError::Mismatch { row: row + 1, expected, given, columns: self.shown(row) };
            if let Some(reason) = frame.column(REJECTED).and_then(|rejected| rejected.text(at)) {
                return Err(mismatch(self.expected[0][row], format!("none: {reason}")));
            }
            let given: Vec<f64> = match result.values {
                Given::Float(values) => vec![values[at]],
                _ => {
                    let text = result.text(at).unwrap_or_default();
                    let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(wrong)?;
                    let class = |class: &tamis_frame::signature::Class| record.get(&class.to_string()).and_then(serde_json::Value::as_f64);
                    signature.classes.iter().map(|name| class(name).unwrap_or(f64::NAN)).collect()
                }
            };
            for (expected, given) in self.expected.iter().zip(given) {
                let difference = (given - expected[row]).abs() / expected[row].abs().max(1.0);
                // A NaN is no agreement either.
                if difference.is_nan() || difference > TOLERANCE {
                    return Err(mismatch(expected[row], given.to_string()));
                }
                worst = worst.max(difference);
            }
        }
        Ok(worst)
    }

    /// A row's columns and values, for a person.
    fn shown(&self, row: usize) -> String {
        let values = self.columns().map(|(name, values)| match values {
            Values::Float(values) => format!("{name} {}", values[row]),
            Values::BigInt(values) => format!("{name} {}", values[row]),
            Values::Text(offsets, bytes) => {
                format!("{name} '{}'", String::from_utf8_lossy(&bytes[offsets[row] as usize..offsets[row + 1] as usize]))
            }
        });
        values.collect::<Vec<_>>().join(", ")
    }

    fn frame(&self, start: usize, end: usize) -> Vec<u8> {
        let rows = end - start;
        let bits: Vec<Vec<u8>> = self
            .columns
            .iter()
            .map(|values| match values {
                Values::BigInt(values) => bits(values[start..end].iter().map(|value| *value != 0)),
                Values::Float(values) => bits(values[start..end].iter().map(|value| !value.is_nan())),
                Values::Text(..) => Vec::new(),
            })
            .collect();
        let columns: Vec<ColumnRef<'_>> = self
            .columns()
            .zip(&bits)
            .map(|((name, values), bits)| {
                let (validity, data) = match values {
                    Values::Float(values) => (Some(bits.as_slice()), Data::Float(&values[start..end])),
                    Values::BigInt(values) => (None, Data::BigInt(&values[start..end])),
                    Values::Text(offsets, bytes) => (None, Data::Text { offsets: &offsets[start..=end], bytes }),
                };
                ColumnRef { name, validity, data }
            })
            .collect();
        let mut frame = vec![0; encoded_len(&columns, rows)];
        encode_into(&columns, rows, &mut frame);
        frame
    }
}

fn bits(set: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bits = Vec::new();
    for (row, set) in set.enumerate() {
        if row % 8 == 0 {
            bits.push(0);
        }
        if let Some(last) = bits.last_mut() {
            *last |= u8::from(set) << (row % 8);
        }
    }
    bits
}

fn push(values: &mut Values, column: &mut Column, cell: &str) -> Result<(), String> {
    match values {
        Values::Float(values) => {
            let number = match cell.trim() {
                "" => f64::NAN,
                text => text.parse().map_err(|_| format!("'{cell}' is not a number"))?,
            };
            if number.is_nan() {
                column.missing = Policy::Accept;
            }
            values.push(number);
        }
        Values::BigInt(values) => {
            let text = cell.trim();
            let number = text
                .parse::<i64>()
                .ok()
                .or_else(|| text.parse::<f64>().ok().filter(|number| number.fract() == 0.0).map(|number| number as i64));
            let number = number
                .or_else(|| text.eq_ignore_ascii_case("true").then_some(1))
                .or_else(|| text.eq_ignore_ascii_case("false").then_some(0));
            values.push(number.ok_or_else(|| format!("'{cell}' is not a whole number"))?);
        }
        Values::Text(offsets, bytes) => {
            bytes.extend_from_slice(cell.as_bytes());
            offsets.push(i32::try_from(bytes.len()).map_err(|_| "the texts take too much room".to_owned())?);
        }
    }
    Ok(())
}
