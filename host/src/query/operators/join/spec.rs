//! What a join is told by the binder.

use std::sync::Arc;

use crate::query::Expression;

/// Which rows of the left side come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Those with a partner.
    Inner,
    /// All: those without a partner once, with nulls on the right.
    Left,
}

/// A join of two streams, or of the rows of an earlier join with a stream.
#[derive(Debug, Clone)]
pub struct JoinSpec {
    /// Inner or left.
    pub kind: JoinKind,
    /// The left source's alias; `None` when the left rows come from another join, whose columns are already `alias.column`.
    pub left: Option<Arc<str>>,
    /// The right source's alias.
    pub right: Arc<str>,
    /// Equalities of the ON condition, one expression over each side's `alias.column` names. May be empty.
    pub keys: Vec<(Expression, Expression)>,
    /// The column of the left rows that times are measured from, as `#time.alias`; `None`: the left row's own time. Needed when
    /// the left rows come from another join and DATEDIFF names one of its sources.
    pub anchor: Option<Arc<str>>,
    /// By how many ticks a left row's time may be after its anchor: the sum of the earlier joins' upper bounds. 0 without anchor.
    pub anchor_lag: i64,
    /// `right time - anchor` of every pair that can match, in ticks, both ends included. It may be wider than the condition:
    /// `DATEDIFF(minute, l, r) BETWEEN 0 AND 10` crosses ten boundaries within anything under eleven minutes.
    pub within: (i64, i64),
    /// A left row without a partner comes out at its anchor plus this: DATEDIFF's upper bound, exactly (ten minutes above).
    /// Never before the row's own time.
    pub unmatched_after: i64,
    /// The whole ON condition, over the joined rows, with each DATEDIFF of two aliases as an expression over `#time.alias`.
    pub condition: Option<Expression>,
}
