//! Reads a frame in place.
//!
//! All numbers are little-endian; every buffer starts at a multiple of [`crate::ALIGN`] from the frame's start.
//!
//! ```text
//! header, 24 bytes        magic u32 "TFRM" | version u16 | kind u16 (0 columns, 1 error) | columns u32 | rows u32 | length u64
//! a column, 40 bytes      name (offset u32, length u32) | type u32 | flags u32 (bit 0: has validity bits)
//!                         | validity (offset, length) | offsets (offset, length) | values (offset, length)
//! buffers                 names, validity bits (1 = a value), i32 offsets of text, values: f64, i64, UTF-8 bytes, bits
//! ```

use crate::{Type, limits};

/// `TFRM`, read as a little-endian number.
pub const MAGIC: u32 = u32::from_le_bytes(*b"TFRM");
pub(crate) const VERSION: u16 = 1;
pub(crate) const KIND_COLUMNS: u16 = 0;
pub(crate) const KIND_ERROR: u16 = 1;
pub(crate) const HEADER: usize = 24;
pub(crate) const DESCRIPTOR: usize = 40;
pub(crate) const HAS_VALIDITY: u32 = 1;

/// Why a block of bytes is not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than its own header says.
    #[error("frame is cut off: {need} bytes are needed, {have} are there")]
    Short {
        /// Bytes that the header or a descriptor asks for.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// Not a frame at all, or one of another version.
    #[error("not a frame of version {VERSION}: it starts with {magic:#010x}, version {version}")]
    Magic {
        /// The first four bytes.
        magic: u32,
        /// The version field.
        version: u16,
    },
    /// Above a limit of [`crate::limits`].
    #[error("frame has {have} {what}, at most {limit} are allowed")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An answer to a call over another number of rows.
    #[error("it has {have} rows, {expected} were asked for")]
    Rows {
        /// How many it has.
        have: usize,
        /// How many were asked for.
        expected: usize,
    },
    /// A column's descriptor or buffer is wrong.
    #[error("frame column {column}: {what}")]
    Column {
        /// Index of the column.
        column: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The values of one column, borrowed from the frame.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// 64-bit floats, one a row.
    Float(&'a [f64]),
    /// 64-bit integers, one a row.
    BigInt(&'a [i64]),
    /// UTF-8 text: `rows + 1` offsets into `bytes`.
    Text {
        /// Where each text starts and the last one ends.
        offsets: &'a [i32],
        /// All texts, one after the other.
        bytes: &'a [u8],
    },
    /// One bit a row, least significant first.
    Bit(&'a [u8]),
}

/// One column of a frame, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct ColumnView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values; where `validity` says null the value is unspecified.
    pub values: Values<'a>,
    /// Bit set = the row has a value; `None` = every row has one.
    pub validity: Option<&'a [u8]>,
}

impl<'a> ColumnView<'a> {
    /// Whether row `row` has a value.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bit(bits, row))
    }

    /// The text of row `row`; `None` when null, not text, or not UTF-8.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        let Values::Text { offsets, bytes } = self.values else { return None };
        if !self.is_valid(row) {
            return None;
        }
        let span = *offsets.get(row)? as usize..*offsets.get(row + 1)? as usize;
        std::str::from_utf8(bytes.get(span)?).ok()
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        match self.values {
            Values::Float(_) => Type::Float,
            Values::BigInt(_) => Type::BigInt,
            Values::Text { .. } => Type::Text,
            Values::Bit(_) => Type::Bit,
        }
    }
}

/// Bit `row` of a bitmap.
#[inline]
pub fn bit(bits: &[u8], row: usize) -> bool {
    bits.get(row >> 3).is_some_and(|byte| byte >> (row & 7) & 1 == 1)
}

/// What a guest answers: columns, or one message for the whole call.
#[derive(Debug)]
pub enum Reply<'a> {
    /// The call worked; [`crate::RESULT`] holds one value a row.
    Columns(Frame<'a>),
    /// The call failed as a whole.
    Error(&'a str),
}

/// A block of bytes whose header was checked, and whose columns are checked one by one as they are asked for: for a
/// reader that knows which ones it wants.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    bytes: &'a [u8],
    rows: usize,
    columns: usize,
}

impl<'a> Block<'a> {
    /// Checks the header of a frame of columns.
    pub fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::read(bytes)?;
        if header.kind != KIND_COLUMNS {
            return Err(FrameError::Column { column: 0, what: "an error reply where columns were expected" });
        }
        Ok(Self { bytes: &bytes[..header.length], rows: header.rows, columns: header.columns })
    }

    /// How many rows each column has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The column at `place`, if it is there, has this name and is well formed.
    #[inline]
    pub fn column(&self, place: usize, name: &'a str) -> Option<ColumnView<'a>> {
        if place >= self.columns {
            return None;
        }
        let at = HEADER + place * DESCRIPTOR;
        let words = self.bytes.get(at..at + DESCRIPTOR)?;
        let own = slice(self.bytes, word(words, 0), word(words, 4))?;
        if own != name.as_bytes() {
            return None;
        }
        read_values(self.bytes, words, self.rows, name).ok()
    }
}

/// A checked view over a block of bytes; every accessor is in bounds after [`Frame::parse`].
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    rows: usize,
    columns: Vec<ColumnView<'a>>,
}

impl<'a> Frame<'a> {
    /// Checks the whole block, so that reading it afterwards cannot fail.
    /// `bytes` should start at an address that is a multiple of [`crate::ALIGN`]: numbers that are not aligned are an error.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::read(bytes)?;
        if header.kind != KIND_COLUMNS {
            return Err(FrameError::Column { column: 0, what: "an error reply where columns were expected" });
        }
        Self::read_columns(bytes, &header)
    }

    fn read_columns(bytes: &'a [u8], header: &Header) -> Result<Self, FrameError> {
        let bytes = &bytes[..header.length];
        let mut columns = Vec::with_capacity(header.columns);
        for index in 0..header.columns {
            let at = HEADER + index * DESCRIPTOR;
            let Some(words) = bytes.get(at..at + DESCRIPTOR) else {
                return Err(FrameError::Short { need: at + DESCRIPTOR, have: bytes.len() });
            };
            columns.push(read_column(bytes, words, header.rows).map_err(|what| FrameError::Column { column: index, what })?);
        }
        Ok(Self { rows: header.rows, columns })
    }

    /// How many rows each column has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order they were written.
    pub fn columns(&self) -> &[ColumnView<'a>] {
        &self.columns
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnView<'a>> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl<'a> Reply<'a> {
    /// The same, for the answer to a call over so many rows: any other number is an error before a column is looked at, so
    /// that the check costs no more than the call asked for, whatever the answer says of itself.
    pub fn parse_for(bytes: &'a [u8], rows: usize) -> Result<Self, FrameError> {
        let header = Header::read(bytes)?;
        let expected = if header.kind == KIND_ERROR { 1 } else { rows };
        if header.rows != expected {
            return Err(FrameError::Rows { have: header.rows, expected });
        }
        Self::parse(bytes)
    }

    /// Checks and reads a guest's answer.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::read(bytes)?;
        let frame = Frame::read_columns(bytes, &header)?;
        if header.kind == KIND_ERROR {
            let message = frame.columns.first().and_then(|column| column.text(0));
            return message.map(Reply::Error).ok_or(FrameError::Column { column: 0, what: "an error reply without a message" });
        }
        Ok(Reply::Columns(frame))
    }
}

struct Header {
    kind: u16,
    columns: usize,
    rows: usize,
    length: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() < HEADER {
            return Err(FrameError::Short { need: HEADER, have: bytes.len() });
        }
        let (magic, version, kind) = (word(bytes, 0), half(bytes, 4), half(bytes, 6));
        if magic != MAGIC || version != VERSION || kind > KIND_ERROR {
            return Err(FrameError::Magic { magic, version });
        }
        let columns = limited("columns", word(bytes, 8) as usize, limits::MAX_COLUMNS)?;
        let rows = limited("rows", word(bytes, 12) as usize, limits::MAX_ROWS)?;
        let length = u64::from(word(bytes, 16)) | u64::from(word(bytes, 20)) << 32;
        let length = limited("bytes", usize::try_from(length).unwrap_or(usize::MAX), limits::MAX_FRAME)?;
        if length < HEADER || length > bytes.len() {
            return Err(FrameError::Short { need: length, have: bytes.len() });
        }
        Ok(Self { kind, columns, rows, length })
    }
}

fn limited(what: &'static str, have: usize, limit: usize) -> Result<usize, FrameError> {
    if have > limit { Err(FrameError::Limit { what, have, limit }) } else { Ok(have) }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn slice(bytes: &[u8], offset: u32, len: u32) -> Option<&[u8]> {
    bytes.get(offset as usize..(offset as usize).checked_add(len as usize)?)
}

fn cast<'a, T: bytemuck::AnyBitPattern>(bytes: &'a [u8], count: usize, what: &'static str) -> Result<&'a [T], &'static str> {
    let values = bytemuck::try_cast_slice(bytes).map_err(|_| "a buffer is not aligned")?;
    if values.len() == count { Ok(values) } else { Err(what) }
}

fn read_column<'a>(bytes: &'a [u8], words: &[u8], rows: usize) -> Result<ColumnView<'a>, &'static str> {
    let w = |index: usize| word(words, index * 4);
    let name = slice(bytes, w(0), w(1)).ok_or("its name is out of range")?;
    if name.len() > limits::MAX_NAME {
        return Err("its name is too long");
    }
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    read_values(bytes, words, rows, name)
}

#[inline]
fn read_values<'a>(bytes: &'a [u8], words: &[u8], rows: usize, name: &'a str) -> Result<ColumnView<'a>, &'static str> {
    let w = |index: usize| word(words, index * 4);
    let bitmap = rows.div_ceil(8);
    let validity = if w(3) & HAS_VALIDITY != 0 {
        let bits = slice(bytes, w(4), w(5)).ok_or("its validity bits are out of range")?;
        if bits.len() < bitmap {
            return Err("it has too few validity bits");
        }
        Some(bits)
    } else {
        None
    };
    let values = slice(bytes, w(8), w(9)).ok_or("its values are out of range")?;
    let values = match Type::from_code(w(2)).ok_or("its type is unknown")? {
        Type::Float => Values::Float(cast(values, rows, "it has another number of values than rows")?),
        Type::BigInt => Values::BigInt(cast(values, rows, "it has another number of values than rows")?),
        Type::Bit if values.len() >= bitmap => Values::Bit(values),
        Type::Bit => return Err("it has another number of values than rows"),
        Type::Text => {
            let offsets = slice(bytes, w(6), w(7)).ok_or("its offsets are out of range")?;
            let offsets: &[i32] = cast(offsets, rows + 1, "it has another number of offsets than rows + 1")?;
            let ordered = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
            if !ordered || offsets[0] < 0 || offsets[rows] as usize > values.len() {
                return Err("its offsets are not in order or out of range");
            }
            Values::Text { offsets, bytes: values }
        }
    };
    Ok(ColumnView { name, values, validity })
}
