//! What an ON condition says: which columns are equal, and how far the times may be apart.

use std::sync::Arc;

use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position};
use crate::query::expression::Expression;
use crate::query::functions;
use crate::query::operate::Binary;

/// No join reaches farther: 7 days.
const MAX: i64 = crate::query::WindowForm::MAX;

/// What an ON condition says of the right source.
#[derive(Debug, Default)]
pub(in crate::query) struct On {
    /// Equal pairs: over the left sources, over the right one.
    pub(in crate::query) keys: Vec<(Expression, Expression)>,
    /// The left source that times are measured from.
    pub(in crate::query) anchor: Option<Arc<str>>,
    /// The right row's time less the anchor's, in ticks, both ends included; wide enough for DATEDIFF's boundaries.
    pub(in crate::query) within: (i64, i64),
    /// The upper bound of DATEDIFF itself, in ticks.
    pub(in crate::query) upper: i64,
}

/// The conditions that all must hold.
fn conjuncts<'a>(expression: &'a Expression, found: &mut Vec<&'a Expression>) {
    match expression {
        Expression::Binary(Binary::And, left, right) => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        other => found.push(other),
    }
}

/// The equal pairs of a condition, for a join with the source `right`.
pub(in crate::query) fn keys(condition: &Expression, right: &str) -> Vec<(Expression, Expression)> {
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    let side = |expression: &Expression| -> Option<bool> {
        let aliases = expression.aliases().filter(|aliases| !aliases.is_empty())?;
        let is_right = aliases.iter().filter(|alias| alias.eq_ignore_ascii_case(right)).count();
        match is_right {
            0 => Some(false),
            all if all == aliases.len() => Some(true),
            _ => None,
        }
    };
    parts
        .into_iter()
        .filter_map(|part| match part {
            Expression::Binary(Binary::Equal, first, second) => match (side(first)?, side(second)?) {
                (false, true) => Some(((**first).clone(), (**second).clone())),
                (true, false) => Some(((**second).clone(), (**first).clone())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// The least and the greatest DATEDIFF between the right source and one left source.
#[derive(Debug, Clone)]
struct Bounds {
    alias: Arc<str>,
    ticks: i64,
    low: Option<i64>,
    high: Option<i64>,
}

/// What a condition says of a join of streams.
pub(in crate::query) fn on(condition: &Expression, right: &str, position: Position) -> Result<On, Diagnostic> {
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    let mut bounds: Vec<Bounds> = Vec::new();
    for part in parts {
        let Some(Bounds { alias, ticks, low, high }) = bound(part, right) else { continue };
        let known = bounds.iter_mut().find(|known| known.alias.eq_ignore_ascii_case(&alias) && known.ticks == ticks);
        match known {
            Some(known) => {
                known.low = greater(known.low, low);
                known.high = less(known.high, high);
            }
            None => bounds.push(Bounds { alias, ticks, low, high }),
        }
    }
    if bounds.is_empty() {
        return Err(Diagnostic::new(position, "a JOIN of two streams needs a bound in time: DATEDIFF in its ON condition")
            .help(format!("add AND DATEDIFF(minute, LEFT, {right}) BETWEEN 0 AND 5, with the aliases of both sources")));
    }
    let mut best: Option<On> = None;
    for known in bounds {
        let (Some(low), Some(high)) = (known.low, known.high) else { continue };
        let within = ((low - 1).saturating_mul(known.ticks) + 1, (high + 1).saturating_mul(known.ticks) - 1);
        let on = On { keys: Vec::new(), anchor: Some(known.alias), within, upper: high.saturating_mul(known.ticks) };
        if best.as_ref().is_none_or(|best| within.1 - within.0 < best.within.1 - best.within.0) {
            best = Some(on);
        }
    }
    let Some(mut best) = best else {
        return Err(Diagnostic::new(position, "the DATEDIFF of a JOIN needs a lower and an upper bound")
            .help("write DATEDIFF(unit, left, right) BETWEEN low AND high"));
    };
    if best.upper > MAX || best.within.0 < -MAX - MAX / 7 {
        return Err(Diagnostic::new(position, "the DATEDIFF of a JOIN cannot reach farther than 7 days"));
    }
    best.keys = keys(condition, right);
    Ok(best)
}

fn greater(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.max(right)),
        (one, other) => one.or(other),
    }
}

fn less(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (one, other) => one.or(other),
    }
}

/// `DATEDIFF(unit, other, right) op constant`: the other source, the unit, and the least and greatest difference.
fn bound(part: &Expression, right: &str) -> Option<Bounds> {
    let Expression::Binary(operator, first, second) = part else { return None };
    let (difference, constant, operator) = match (&**first, &**second) {
        (difference, Expression::Constant(constant)) => (difference, constant, *operator),
        (Expression::Constant(constant), difference) => (difference, constant, mirrored(*operator)?),
        _ => return None,
    };
    let limit = match constant {
        Value::BigInt(limit) => *limit as f64,
        Value::Float(limit) => *limit,
        _ => return None,
    };
    let (low, high) = match operator {
        Binary::Equal if limit.fract() == 0.0 => (Some(limit), Some(limit)),
        Binary::Less => (None, Some(limit.ceil() - 1.0)),
        Binary::LessOrEqual => (None, Some(limit.floor())),
        Binary::Greater => (Some(limit.floor() + 1.0), None),
        Binary::GreaterOrEqual => (Some(limit.ceil()), None),
        _ => return None,
    };
    let (low, high) = (low.map(|low| low as i64), high.map(|high| high as i64));
    let Expression::Function(function, arguments) = difference else { return None };
    if !function.name.starts_with("DATEDIFF") {
        return None;
    }
    let [Expression::Constant(Value::Text(unit)), Expression::Column(from, _), Expression::Column(to, _)] = arguments.as_slice() else {
        return None;
    };
    // Months and longer: as long as they can be.
    let ticks = functions::date::unit_ticks(unit).unwrap_or(MAX / 7 * 31);
    let (from, to) = (from.strip_prefix("#time.")?, to.strip_prefix("#time.")?);
    if to.eq_ignore_ascii_case(right) {
        Some(Bounds { alias: from.into(), ticks, low, high })
    } else if from.eq_ignore_ascii_case(right) {
        Some(Bounds { alias: to.into(), ticks, low: high.map(|high| -high), high: low.map(|low| -low) })
    } else {
        None
    }
}

fn mirrored(operator: Binary) -> Option<Binary> {
    Some(match operator {
        Binary::Equal => Binary::Equal,
        Binary::Less => Binary::Greater,
        Binary::LessOrEqual => Binary::GreaterOrEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterOrEqual => Binary::LessOrEqual,
        _ => return None,
    })
}
