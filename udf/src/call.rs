//! One call over a frame: the same code behind the raw door and in the native build.

use tamis_frame::{ColumnRef, Data, Frame, REJECTED, RESULT, encode_error, encode_into, encoded_len, limits};

use crate::fit::{self, Reasons};
use crate::model::{Task, model};

/// Bytes at an address that a frame may start at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    words: Vec<u64>,
    len: usize,
}

impl Block {
    /// Zeroed memory, or nothing when there is none left.
    pub fn new(len: usize) -> Option<Self> {
        let words = len.div_ceil(size_of::<u64>()).max(1);
        let mut block = Self { words: Vec::new(), len };
        block.words.try_reserve_exact(words).ok()?;
        block.words.resize(words, 0);
        Some(block)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        let mut block = Self::new(bytes.len())?;
        block.bytes_mut().copy_from_slice(bytes);
        Some(block)
    }
}

/// Runs function number `function` of the signature over the frame and answers a reply frame. A row that does not
/// fit gets a null and its reason; a call that cannot be understood gets an error reply. `None` when there is no
/// memory for the answer.
pub fn call(function: u32, frame: &[u8]) -> Option<Block> {
    match answer(function, frame) {
        Ok(block) => block,
        Err(message) => Block::copy_of(&encode_error(&message)),
    }
}

fn answer(function: u32, frame: &[u8]) -> Result<Option<Block>, String> {
    let model = model()?;
    let task = Task::of(function).ok_or_else(|| {
        let names: Vec<&str> = model.signature.functions.iter().map(|function| function.name.as_str()).collect();
        format!("there is no function number {function}; there are {}, from 0: {}", names.len(), names.join(", "))
    })?;
    let frame = Frame::parse(frame).map_err(|error| error.to_string())?;
    let (columns, reasons) = fit::fit(&model.signature.columns, &frame);
    let cells: Vec<_> = columns.iter().map(fit::Data::cells).collect();
    let mut scores = vec![0.0; frame.rows()];
    model.scorer.score(&cells, &mut scores).map_err(|error| error.to_string())?;
    match task {
        Task::Score => reply(Data::Float(&scores), frame.rows(), &reasons),
        Task::Run => {
            let classes: Vec<i64> = scores.iter().map(|score| i64::from(*score >= model.signature.threshold)).collect();
            reply(Data::BigInt(&classes), frame.rows(), &reasons)
        }
    }
}

fn reply(result: Data<'_>, rows: usize, reasons: &Reasons) -> Result<Option<Block>, String> {
    let write = |columns: &[ColumnRef<'_>]| {
        let len = encoded_len(columns, rows);
        if len > limits::MAX_FRAME {
            return Err(format!("the reply would have {len} bytes, at most {} are allowed; send fewer rows", limits::MAX_FRAME));
        }
        Ok(Block::new(len).map(|mut block| {
            encode_into(columns, rows, block.bytes_mut());
            block
        }))
    };
    if reasons.is_empty() {
        return write(&[ColumnRef { name: RESULT, validity: None, data: result }]);
    }
    let (mut fine, mut rejected) = (vec![0_u8; rows.div_ceil(8)], vec![0_u8; rows.div_ceil(8)]);
    let (mut offsets, mut bytes) = (vec![0_i32], Vec::new());
    for (row, reason) in reasons.iter().enumerate() {
        let bits = if reason.is_some() { &mut rejected } else { &mut fine };
        bits[row / 8] |= 1 << (row % 8);
        bytes.extend_from_slice(reason.unwrap_or_default().as_bytes());
        offsets.push(i32::try_from(bytes.len()).map_err(|_| "too many rows were rejected; send fewer rows".to_owned())?);
    }
    write(&[
        ColumnRef { name: RESULT, validity: Some(&fine), data: result },
        ColumnRef { name: REJECTED, validity: Some(&rejected), data: Data::Text { offsets: &offsets, bytes: &bytes } },
    ])
}
