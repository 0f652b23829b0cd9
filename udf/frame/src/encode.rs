//! Writes a frame: first its length is asked for, then it is written where it will be read, in one pass.

use crate::frame::{DESCRIPTOR, HAS_VALIDITY, HEADER, KIND_COLUMNS, KIND_ERROR, MAGIC, VERSION};
use crate::{ALIGN, Type};

/// The values of a column that is to be written.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// 64-bit floats, one a row.
    Float(&'a [f64]),
    /// 64-bit integers, one a row.
    BigInt(&'a [i64]),
    /// Text: `rows + 1` offsets into `bytes`. The first offset may be above 0 (a slice of a longer column).
    Text {
        /// Where each text starts and the last one ends.
        offsets: &'a [i32],
        /// The texts.
        bytes: &'a [u8],
    },
    /// One bit a row, least significant first.
    Bit(&'a [u8]),
}

/// A column that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct ColumnRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bit set = the row has a value, first row at bit 0; `None` = every row has one.
    pub validity: Option<&'a [u8]>,
    /// Its values.
    pub data: Data<'a>,
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

impl ColumnRef<'_> {
    fn text_span(offsets: &[i32]) -> std::ops::Range<usize> {
        match (offsets.first(), offsets.last()) {
            (Some(first), Some(last)) => *first as usize..*last as usize,
            _ => 0..0,
        }
    }

    fn len(&self, rows: usize) -> usize {
        let bitmap = rows.div_ceil(8);
        let data = match self.data {
            Data::Float(_) | Data::BigInt(_) => rows * 8,
            Data::Bit(_) => padded(bitmap),
            Data::Text { offsets, .. } => padded((rows + 1) * 4) + padded(Self::text_span(offsets).len()),
        };
        padded(self.name.len()) + self.validity.map_or(0, |_| padded(bitmap)) + data
    }
}

/// Bytes that [`encode_into`] will write for these columns.
pub fn encoded_len(columns: &[ColumnRef<'_>], rows: usize) -> usize {
    padded(HEADER + columns.len() * DESCRIPTOR) + columns.iter().map(|column| column.len(rows)).sum::<usize>()
}

/// Writes the columns as one frame and returns its length, which is [`encoded_len`].
///
/// # Panics
/// When `out` is shorter than that, or a column has fewer values than `rows`: both are errors of the caller.
pub fn encode_into(columns: &[ColumnRef<'_>], rows: usize, out: &mut [u8]) -> usize {
    write(KIND_COLUMNS, columns, rows, out)
}

/// A reply that says that the whole call failed, and why.
pub fn encode_error(message: &str) -> Vec<u8> {
    let offsets = [0, message.len() as i32];
    let column = ColumnRef { name: "error", validity: None, data: Data::Text { offsets: &offsets, bytes: message.as_bytes() } };
    let mut out = vec![0; encoded_len(&[column], 1)];
    write(KIND_ERROR, &[column], 1, &mut out);
    out
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> (u32, u32) {
        let start = self.at;
        self.out[start..start + bytes.len()].copy_from_slice(bytes);
        self.at = start + padded(bytes.len());
        self.out[start + bytes.len()..self.at].fill(0);
        (start as u32, bytes.len() as u32)
    }

    /// Offsets that do not start at 0 are moved, so that the reader's do.
    fn put_offsets(&mut self, offsets: &[i32]) -> (u32, u32) {
        let base = offsets.first().copied().unwrap_or(0);
        if base == 0 {
            return self.put(bytemuck::cast_slice(offsets));
        }
        let start = self.at;
        for (index, offset) in offsets.iter().enumerate() {
            self.out[start + index * 4..start + index * 4 + 4].copy_from_slice(&(offset - base).to_le_bytes());
        }
        let len = offsets.len() * 4;
        self.at = start + padded(len);
        self.out[start + len..self.at].fill(0);
        (start as u32, len as u32)
    }
}

fn write(kind: u16, columns: &[ColumnRef<'_>], rows: usize, out: &mut [u8]) -> usize {
    let total = encoded_len(columns, rows);
    out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    out[4..6].copy_from_slice(&VERSION.to_le_bytes());
    out[6..8].copy_from_slice(&kind.to_le_bytes());
    out[8..12].copy_from_slice(&(columns.len() as u32).to_le_bytes());
    out[12..16].copy_from_slice(&(rows as u32).to_le_bytes());
    out[16..24].copy_from_slice(&(total as u64).to_le_bytes());
    let bitmap = rows.div_ceil(8);
    let mut writer = Writer { at: padded(HEADER + columns.len() * DESCRIPTOR), out };
    for (index, column) in columns.iter().enumerate() {
        let name = writer.put(column.name.as_bytes());
        let validity = column.validity.map(|bits| writer.put(&bits[..bitmap]));
        let (ty, offsets, values) = match column.data {
            Data::Float(values) => (Type::Float, (0, 0), writer.put(bytemuck::cast_slice(&values[..rows]))),
            Data::BigInt(values) => (Type::BigInt, (0, 0), writer.put(bytemuck::cast_slice(&values[..rows]))),
            Data::Bit(bits) => (Type::Bit, (0, 0), writer.put(&bits[..bitmap])),
            Data::Text { offsets, bytes } => {
                let offsets = &offsets[..=rows];
                let places = writer.put_offsets(offsets);
                (Type::Text, places, writer.put(&bytes[ColumnRef::text_span(offsets)]))
            }
        };
        let flags = if validity.is_some() { HAS_VALIDITY } else { 0 };
        let validity = validity.unwrap_or((0, 0));
        let words = [name.0, name.1, ty.code(), flags, validity.0, validity.1, offsets.0, offsets.1, values.0, values.1];
        for (word, value) in words.iter().enumerate() {
            let at = HEADER + index * DESCRIPTOR + word * 4;
            writer.out[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    writer.at
}
