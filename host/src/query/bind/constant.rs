//! Constants in the syntax: literals, lengths of time, counts.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, UnaryOperator, Value as Literal};

use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position};
use crate::query::functions;

/// The literal as a value.
pub(in crate::query) fn literal(value: &Literal, position: Position) -> Result<Value, Diagnostic> {
    Ok(match value {
        Literal::Number(digits, _) => match digits.parse::<i64>() {
            Ok(value) => Value::BigInt(value),
            Err(_) => Value::Float(digits.parse().map_err(|_| Diagnostic::new(position, format!("'{digits}' is not a number")))?),
        },
        Literal::SingleQuotedString(text) | Literal::NationalStringLiteral(text) | Literal::DoubleQuotedString(text) => {
            Value::Text(text.as_str().into())
        }
        Literal::Boolean(value) => Value::Bit(*value),
        Literal::Null => Value::Null,
        other => return Err(Diagnostic::new(position, format!("{other} is not a value of the language"))),
    })
}

/// A constant number.
pub(in crate::query) fn number(expr: &Expr) -> Result<f64, Diagnostic> {
    let wrong = || Diagnostic::new(expr.span(), "a constant number is expected");
    match expr {
        Expr::Value(value) => match literal(&value.value, value.span.into())? {
            Value::BigInt(value) => Ok(value as f64),
            Value::Float(value) => Ok(value),
            _ => Err(wrong()),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(-number(expr)?),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } | Expr::Nested(expr) => number(expr),
        _ => Err(wrong()),
    }
}

/// Ticks of a unit of fixed length.
pub(in crate::query) fn unit(unit: &Ident) -> Result<i64, Diagnostic> {
    functions::date::unit_ticks(&unit.value).ok_or_else(|| {
        Diagnostic::new(unit.span, format!("'{}' is not a unit", unit.value))
            .help("units are day, hour, minute, second, millisecond, microsecond")
    })
}

/// A unit and a number, as ticks.
pub(in crate::query) fn length(arguments: &[&Expr], position: Position, what: &str) -> Result<i64, Diagnostic> {
    match arguments {
        [Expr::Identifier(name), count] => Ok((number(count)? * unit(name)? as f64).round() as i64),
        _ => Err(Diagnostic::new(position, format!("{what} needs a unit and a number, for example (second, 10)"))),
    }
}

/// The arguments of a call; `None` for `*`.
pub(in crate::query) fn arguments(function: &Function) -> Result<Vec<Option<&Expr>>, Diagnostic> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(Some(expr)),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(None),
                other => Err(Diagnostic::new(function.name.span(), format!("this form of argument is not part of the language: {other}"))),
            })
            .collect(),
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(Diagnostic::new(function.name.span(), "a query cannot be an argument")),
    }
}

/// The arguments of a call that does not take `*`.
pub(in crate::query) fn plain_arguments(function: &Function) -> Result<Vec<&Expr>, Diagnostic> {
    let found = arguments(function)?;
    let all: Option<Vec<&Expr>> = found.into_iter().collect();
    all.ok_or_else(|| Diagnostic::new(function.name.span(), format!("{} does not take *", function.name)))
}

/// The parts of a function's name, in upper case.
pub(in crate::query) fn name_parts(function: &Function) -> Vec<String> {
    idents(function).iter().map(|part| part.value.to_uppercase()).collect()
}

/// The parts of a function's name.
pub(in crate::query) fn idents(function: &Function) -> Vec<&Ident> {
    function.name.0.iter().filter_map(|part| part.as_ident()).collect()
}
