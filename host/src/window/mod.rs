//! Windows over time. Comes in: batches with their times, and the watermark. Goes out: the rows of each window that closed.
//!
//! A window's start is exclusive and its end inclusive; boundaries are multiples of the hop since 1970, moved by the
//! offset. A window closes when the watermark reaches its end.

mod operator;
mod watermark;

pub use operator::{Closed, Window, WindowOperator};
pub use watermark::Watermarks;
