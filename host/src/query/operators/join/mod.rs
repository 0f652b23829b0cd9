//! The join of two streams: rows whose times are near each other and whose ON condition holds.

mod spec;

pub use spec::{JoinKind, JoinSpec};
