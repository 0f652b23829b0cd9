//! One call over a frame: the same code behind the raw door and in the native build.

use tamis_frame::frame::{self, ColumnView, Frame, Values};
use tamis_frame::signature::{Column, Policy};
use tamis_frame::{ColumnRef, Data, REJECTED, RESULT, Type, encode_error, encode_into, encoded_len, limits};
use tamis_model::{Cells, Scratch};

use crate::block::Block;
use crate::fit::{self, Reasons};
use crate::model::Model;
use crate::results::Results;

/// Columns up to which a frame that fits as it is needs no memory of its own.
const QUICK: usize = 32;

/// Memory that calls work in. Kept between calls, it is asked for once.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) scratch: Scratch,
    pub(crate) scores: Vec<f64>,
}

/// Runs function number `function` of the signature over the frame and answers a reply frame. A row that does not
/// fit gets a null and its reason; a call that cannot be understood gets an error reply. `None` when there is no
/// memory for the answer. `room` gives the memory that the reply is written to.
pub fn call(model: &Model, memory: &mut Memory, function: u32, frame: &[u8], room: impl FnMut(usize) -> Option<Block>) -> Option<Block> {
    match answer(model, memory, function, frame, room) {
        Ok(block) => block,
        Err(message) => Block::copy_of(&encode_error(&message)),
    }
}

fn answer(
    model: &Model,
    memory: &mut Memory,
    function: u32,
    bytes: &[u8],
    room: impl FnMut(usize) -> Option<Block>,
) -> Result<Option<Block>, String> {
    let task = model.task(function).ok_or_else(|| {
        let names = &model.contract.functions;
        format!("there is no function number {function}; there are {}, from 0: {}", names.len(), names.join(", "))
    })?;
    let mut cells = [Cells::Float(&[]); QUICK];
    if let Some((rows, cells)) = quick(model, bytes, &mut cells) {
        let results = Results::of(model, memory, task, cells, rows)?;
        return reply(results.data(), rows, &Reasons::default(), room);
    }
    let frame = Frame::parse(bytes).map_err(|error| error.to_string())?;
    let (columns, reasons) = fit::fit(&model.contract.columns, &frame);
    let cells: Vec<_> = columns.iter().map(fit::Data::cells).collect();
    let results = Results::of(model, memory, task, &cells, frame.rows())?;
    reply(results.data(), frame.rows(), &reasons, room)
}

/// The columns of a frame that has them in the signature's order and fits as it is; anything else takes the longer way.
fn quick<'a, 'c>(model: &'a Model, bytes: &'a [u8], cells: &'c mut [Cells<'a>; QUICK]) -> Option<(usize, &'c [Cells<'a>])> {
    let block = frame::Block::read(bytes).ok()?;
    let columns = &model.contract.columns;
    let cells = cells.get_mut(..columns.len())?;
    for (place, (column, cells)) in columns.iter().zip(cells.iter_mut()).enumerate() {
        *cells = as_it_is(column, &block.column(place, &column.name)?)?;
    }
    Some((block.rows(), cells))
}

/// A column's values as they lie in the frame, when every one of them fits without a look at each.
pub(crate) fn as_it_is<'a>(column: &Column, view: &ColumnView<'a>) -> Option<Cells<'a>> {
    match (column.ty, view.values) {
        _ if view.validity.is_some() => None,
        (Type::Float, Values::Float(values)) => {
            let fine = match column.missing {
                Policy::Reject => values.iter().fold(true, |all, value| all & value.is_finite()),
                Policy::Accept => values.iter().fold(true, |all, value| all & !value.is_infinite()),
            };
            fine.then_some(Cells::Float(values))
        }
        (Type::BigInt, Values::BigInt(values)) => Some(Cells::BigInt(values)),
        (Type::Text, Values::Text { offsets, bytes }) if column.unknown == Policy::Accept => Some(Cells::Text { offsets, bytes }),
        _ => None,
    }
}

fn reply(result: Data<'_>, rows: usize, reasons: &Reasons, mut room: impl FnMut(usize) -> Option<Block>) -> Result<Option<Block>, String> {
    let mut write = |columns: &[ColumnRef<'_>]| {
        let len = encoded_len(columns, rows);
        if len > limits::MAX_FRAME {
            return Err(format!("the reply would have {len} bytes, at most {} are allowed; send fewer rows", limits::MAX_FRAME));
        }
        Ok(room(len).map(|mut block| {
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
