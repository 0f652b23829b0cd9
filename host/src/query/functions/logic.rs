//! COALESCE, NULLIF. (CASE is an expression of its own.)

use super::{ANY, Builtin};
use crate::batch::Value;
use crate::query::operate::order;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("COALESCE", (1, ANY), |values| Ok(values.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)))
        // A first column without nulls is the answer.
        .vector(|columns| columns.first().filter(|column| column.array().is_some_and(|array| array.null_count() == 0)).cloned()),
    Builtin::new("NULLIF", (2, 2), |values| {
        let equal = order(&values[0], &values[1]).is_some_and(std::cmp::Ordering::is_eq);
        Ok(if equal { Value::Null } else { values[0].clone() })
    }),
];
