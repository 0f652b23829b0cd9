//! The join with reference data: a table that is held whole and may be replaced, without a bound in time.

use std::sync::Arc;

use super::JoinKind;
use crate::query::Expression;

/// A join of a stream, or of an earlier join's rows, with reference data on the right.
#[derive(Debug, Clone)]
pub struct LookupSpec {
    /// Inner or left.
    pub kind: JoinKind,
    /// The left source's alias; `None` when the left rows' columns are already `alias.column`.
    pub left: Option<Arc<str>>,
    /// The reference input's alias.
    pub right: Arc<str>,
    /// Equalities of the ON condition, one expression over each side's `alias.column` names. Without one every row of the
    /// table is tried.
    pub keys: Vec<(Expression, Expression)>,
    /// The whole ON condition over the joined rows.
    pub condition: Option<Expression>,
}
