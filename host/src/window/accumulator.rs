//! What a window does with its rows: an accumulator keeps one partial result for each slot. What a slot stands for
//! (a group of a window, a pane, a moment) is the window's business; what is kept of the rows is the accumulator's.

use std::fmt;

use crate::batch::{Column, ColumnBuilder, RowOrder};
use crate::fault::Fault;

/// Keeps partial results by slot. A slot that nothing was added to, or that was cleared, is empty. Results must not depend on
/// the order in which rows are added and slots are merged; where order matters, the rows' [`RowOrder`] says it.
pub trait Accumulator: fmt::Debug + Send {
    /// Makes room for slots below `slots`.
    fn grow(&mut self, slots: usize);

    /// Adds each row of the columns to its slot.
    fn add(&mut self, columns: &[Column], orders: &[RowOrder], slots: &[u32]);

    /// Adds all that slot `from` holds to slot `into`.
    fn merge(&mut self, into: u32, from: u32);

    /// Whether [`Accumulator::subtract`] works.
    fn subtracts(&self) -> bool;

    /// Takes what slot `part` holds out of slot `from`, to which it was merged before. The part's rows are the oldest there.
    fn subtract(&mut self, from: u32, part: u32);

    /// Empties a slot.
    fn clear(&mut self, slot: u32);

    /// Writes the result of a slot. Where there is none, it writes null and answers why.
    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String>;

    /// The partial results of all slots.
    ///
    /// # Errors
    /// A [`Fault`] when they cannot be written.
    fn save(&self) -> Result<Vec<u8>, Fault>;

    /// Takes up saved partial results.
    ///
    /// # Errors
    /// A [`Fault`] when the bytes are damaged or of something else.
    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault>;
}
