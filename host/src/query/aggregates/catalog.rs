//! The aggregate functions by name, for the binder.

use std::sync::Arc;

use super::AggregateFunction;
use crate::batch::Value;

/// How an aggregate is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateForm {
    /// `F(*)`, `F(source)`, `F([ALL | DISTINCT] e)`.
    Count,
    /// `F([ALL | DISTINCT] e)`.
    Value,
    /// `F([e])`; without an expression: whole rows.
    Rows,
    /// `F([e]) OVER (ORDER BY …)`.
    OrderedRows,
    /// `F(constant [, e]) OVER (ORDER BY …)`.
    CountedRows,
    /// `F(constant) OVER (ORDER BY e [ASC | DESC])`.
    Percentile,
    /// `F(e, constant)`.
    Separated,
}

/// An aggregate function that a query may name.
#[derive(Debug)]
pub struct KnownAggregate {
    /// As the documentation spells it.
    pub name: &'static str,
    /// How it is written.
    pub form: AggregateForm,
    make: fn(&AggregateHints<'_>) -> Result<AggregateFunction, String>,
}

/// What the binder knows of a call beside its expressions.
#[derive(Debug, Default)]
struct AggregateHints<'a> {
    constant: Option<&'a Value>,
    cast_to_text: bool,
    descending: bool,
}

impl KnownAggregate {
    /// The function. `constant`: the constant argument of forms that have one; `cast_to_text`: the expression is a `CAST` or
    /// `TRY_CAST` to `nvarchar(max)`; `descending`: of the first key of ORDER BY.
    ///
    /// # Errors
    /// What is wrong with the constant.
    pub fn function(&self, constant: Option<&Value>, cast_to_text: bool, descending: bool) -> Result<AggregateFunction, String> {
        (self.make)(&AggregateHints { constant, cast_to_text, descending })
    }
}

const CATALOG: &[KnownAggregate] = &[
    known("COUNT", AggregateForm::Count, |_| Ok(AggregateFunction::Count)),
    known("COUNT_BIG", AggregateForm::Count, |_| Ok(AggregateFunction::Count)),
    known("SUM", AggregateForm::Value, |_| Ok(AggregateFunction::Sum)),
    known("AVG", AggregateForm::Value, |_| Ok(AggregateFunction::Avg)),
    known("MIN", AggregateForm::Value, |hints| Ok(AggregateFunction::Min { text: hints.cast_to_text })),
    known("MAX", AggregateForm::Value, |hints| Ok(AggregateFunction::Max { text: hints.cast_to_text })),
    known("STDEV", AggregateForm::Value, |_| Ok(AggregateFunction::Stdev)),
    known("STDEVP", AggregateForm::Value, |_| Ok(AggregateFunction::Stdevp)),
    known("VAR", AggregateForm::Value, |_| Ok(AggregateFunction::Var)),
    known("VARP", AggregateForm::Value, |_| Ok(AggregateFunction::Varp)),
    known("Collect", AggregateForm::Rows, |_| Ok(AggregateFunction::Collect)),
    known("CollectTop", AggregateForm::CountedRows, |hints| match hints.constant {
        Some(Value::BigInt(count)) if *count > 0 => Ok(AggregateFunction::CollectTop(usize::try_from(*count).unwrap_or(usize::MAX))),
        _ => Err("CollectTop: its first argument is how many rows to collect, a whole number above 0".to_owned()),
    }),
    known("TopOne", AggregateForm::OrderedRows, |_| Ok(AggregateFunction::TopOne)),
    known("PERCENTILE_CONT", AggregateForm::Percentile, |hints| {
        Ok(AggregateFunction::PercentileCont { fraction: fraction("PERCENTILE_CONT", hints)?, descending: hints.descending })
    }),
    known("PERCENTILE_DISC", AggregateForm::Percentile, |hints| {
        Ok(AggregateFunction::PercentileDisc { fraction: fraction("PERCENTILE_DISC", hints)?, descending: hints.descending })
    }),
    known("STRING_AGG", AggregateForm::Separated, |hints| match hints.constant {
        Some(Value::Text(separator)) => Ok(AggregateFunction::StringAgg(Arc::clone(separator))),
        _ => Err("STRING_AGG: its second argument is the separator, a constant text".to_owned()),
    }),
];

const fn known(
    name: &'static str,
    form: AggregateForm,
    make: fn(&AggregateHints<'_>) -> Result<AggregateFunction, String>,
) -> KnownAggregate {
    KnownAggregate { name, form, make }
}

fn fraction(name: &str, hints: &AggregateHints<'_>) -> Result<f64, String> {
    let fraction = match hints.constant {
        Some(Value::Float(fraction)) => *fraction,
        Some(Value::BigInt(fraction)) => *fraction as f64,
        _ => f64::NAN,
    };
    if (0.0..=1.0).contains(&fraction) { Ok(fraction) } else { Err(format!("{name}: its argument is a constant between 0 and 1")) }
}

/// The aggregate function of that name, without regard to case; `uda.…` is not here.
pub fn known_aggregate(name: &str) -> Option<&'static KnownAggregate> {
    CATALOG.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// All of them.
pub fn known_aggregates() -> &'static [KnownAggregate] {
    CATALOG
}
