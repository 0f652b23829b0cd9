//! The windows of a GROUP BY.

use std::sync::Arc;

use sqlparser::ast::{Expr, Function, Spanned, WindowType};

use super::{Binder, Clause, Groups, constant};
use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position};
use crate::query::expression::Expression;
use crate::query::windowed::WindowForm;

/// The names of windows, in upper case; the long ones may lose their `Window`.
const WINDOWS: [&str; 10] =
    ["TUMBLINGWINDOW", "TUMBLING", "HOPPINGWINDOW", "HOPPING", "SLIDINGWINDOW", "SLIDING", "SESSIONWINDOW", "SESSION", "WINDOWS", "WINDOW"];

/// A window of `Windows(…)` with its id.
type Identified = (Option<Arc<str>>, WindowForm);

/// Whether a function's name, in upper case, is that of a window.
pub(super) fn is_window(name: &str) -> bool {
    WINDOWS.contains(&name)
}

fn window_name(expr: &Expr) -> Option<(&Function, String)> {
    match expr {
        Expr::Nested(inner) => window_name(inner),
        Expr::Function(function) => {
            let name = function.name.to_string().to_uppercase();
            is_window(&name).then_some((function, name))
        }
        _ => None,
    }
}

impl Binder<'_> {
    /// Binds GROUP BY.
    pub(in crate::query) fn group_by(&mut self, expressions: &[Expr]) -> Result<Groups, Diagnostic> {
        let mut groups = Groups::default();
        let mut first: Option<Position> = None;
        let mut snapshot = false;
        for expr in expressions {
            if let Some((function, name)) = window_name(expr) {
                if first.is_some() {
                    return Err(
                        Diagnostic::new(function.name.span(), "GROUP BY takes one window").help("several windows go inside Windows(…)")
                    );
                }
                first = Some(function.name.span().into());
                groups.windows = if name == "WINDOWS" { self.windows(function)? } else { vec![(None, self.window(function, &name)?)] };
                continue;
            }
            match self.row(expr, Clause::GroupBy)? {
                Expression::Timestamp => {
                    if groups.keys.iter().all(|key| !matches!(key, Expression::Timestamp)) {
                        groups.keys.push(Expression::Timestamp);
                    }
                    snapshot = true;
                }
                Expression::Constant(_) => {}
                key => groups.keys.push(key),
            }
        }
        if groups.windows.is_empty() {
            if !snapshot {
                let position = Position::from(expressions.first().map(Spanned::span).unwrap_or_else(sqlparser::tokenizer::Span::empty));
                return Err(Diagnostic::new(position, "a window must be specified in GROUP BY")
                    .help("add for example TumblingWindow(second, 10), or System.Timestamp() for rows of the same time"));
            }
            groups.windows.push((None, WindowForm::Snapshot));
            groups.keys.retain(|key| !matches!(key, Expression::Timestamp));
        }
        Ok(groups)
    }

    /// `Windows(w, …)`, `Windows(Window('id', w), …)`.
    fn windows(&mut self, function: &Function) -> Result<Vec<Identified>, Diagnostic> {
        let position = Position::from(function.name.span());
        let mut windows: Vec<Identified> = Vec::new();
        for argument in constant::plain_arguments(function)? {
            let window = match window_name(argument) {
                Some((named, name)) if name == "WINDOW" => {
                    let place = Position::from(named.name.span());
                    let arguments = constant::plain_arguments(named)?;
                    let [id, window] = arguments.as_slice() else {
                        return Err(Diagnostic::new(
                            place,
                            "Window takes an id and a window, for example Window('one', TumblingWindow(minute, 1))",
                        ));
                    };
                    let id = match self.row(id, Clause::GroupBy)? {
                        Expression::Constant(Value::Text(id)) => id,
                        _ => return Err(Diagnostic::new(id.span(), "the id of a window is a constant text")),
                    };
                    if windows.iter().any(|(known, _)| known.as_ref().is_some_and(|known| known.to_lowercase() == id.to_lowercase())) {
                        return Err(Diagnostic::new(place, format!("two windows have the id '{id}'")));
                    }
                    (Some(id), self.member(window)?)
                }
                _ => (None, self.member(argument)?),
            };
            if windows.first().is_some_and(|(first, _)| first.is_some() != window.0.is_some()) {
                return Err(Diagnostic::new(position, "either all windows of Windows(…) have an id or none"));
            }
            windows.push(window);
        }
        if windows.is_empty() {
            return Err(Diagnostic::new(position, "Windows(…) needs a window"));
        }
        Ok(windows)
    }

    fn member(&mut self, expr: &Expr) -> Result<WindowForm, Diagnostic> {
        match window_name(expr) {
            Some((function, name)) if name == "WINDOWS" || name == "WINDOW" => {
                Err(Diagnostic::new(function.name.span(), "Windows(…) cannot stand inside another one"))
            }
            Some((function, name)) => self.window(function, &name),
            None => match self.row(expr, Clause::GroupBy)? {
                Expression::Timestamp => Ok(WindowForm::Snapshot),
                _ => Err(Diagnostic::new(expr.span(), "a window is expected")),
            },
        }
    }

    fn window(&mut self, function: &Function, name: &str) -> Result<WindowForm, Diagnostic> {
        let position = Position::from(function.name.span());
        let kind = name.strip_suffix("WINDOW").unwrap_or(name);
        // The lengths by place: of a window with a unit first, or by their own names.
        let names: &[&str] = match kind {
            "TUMBLING" => &["DURATION", "OFFSET"],
            "HOPPING" => &["DURATION", "HOP", "OFFSET"],
            "SLIDING" => &["DURATION"],
            "SESSION" => &["TIMEOUT", "MAXDURATION"],
            _ => return Err(Diagnostic::new(position, format!("{} belongs in Windows(…)", function.name))),
        };
        let mut lengths: Vec<Option<i64>> = vec![None; names.len()];
        let mut unit = None;
        let mut next = 0;
        for argument in constant::plain_arguments(function)? {
            match argument {
                Expr::Identifier(word) if unit.is_none() => unit = Some(constant::unit(word)?),
                Expr::Function(part) => {
                    let place = names
                        .iter()
                        .position(|name| part.name.to_string().eq_ignore_ascii_case(name))
                        .ok_or_else(|| Diagnostic::new(part.name.span(), format!("{} does not belong in {}", part.name, function.name)))?;
                    let arguments = constant::plain_arguments(part)?;
                    lengths[place] = Some(constant::length(&arguments, part.name.span().into(), &part.name.to_string())?);
                }
                value => {
                    let unit =
                        unit.ok_or_else(|| Diagnostic::new(value.span(), "a unit is expected before the number, for example second"))?;
                    let Some(slot) = lengths.get_mut(next) else {
                        return Err(Diagnostic::new(
                            value.span(),
                            format!("{} takes a unit and at most {} numbers", function.name, names.len()),
                        ));
                    };
                    *slot = Some((constant::number(value)? * unit as f64).round() as i64);
                    next += 1;
                }
            }
        }
        let needed = |place: usize, what: &str| -> Result<i64, Diagnostic> {
            let length = lengths[place]
                .ok_or_else(|| Diagnostic::new(position, format!("{} needs {what}, for example {}", function.name, example(kind))))?;
            if length <= 0 {
                return Err(Diagnostic::new(position, format!("{what} of {} must be above zero", function.name)));
            }
            if length > WindowForm::MAX {
                return Err(Diagnostic::new(position, format!("a window cannot be longer than 7 days: {what} of {}", function.name)));
            }
            Ok(length)
        };
        Ok(match kind {
            "TUMBLING" => {
                let size = needed(0, "its size")?;
                WindowForm::Hopping { size, hop: size, offset: lengths[1].unwrap_or(0) }
            }
            "HOPPING" => WindowForm::Hopping { size: needed(0, "its size")?, hop: needed(1, "its hop")?, offset: lengths[2].unwrap_or(0) },
            "SLIDING" => WindowForm::Sliding { size: needed(0, "its size")? },
            _ => {
                let partition_by = match &function.over {
                    Some(WindowType::WindowSpec(spec)) => {
                        spec.partition_by.iter().map(|key| self.row(key, Clause::GroupBy)).collect::<Result<Vec<_>, _>>()?
                    }
                    _ => Vec::new(),
                };
                WindowForm::Session { timeout: needed(0, "its timeout")?, max_duration: needed(1, "its maximum duration")?, partition_by }
            }
        })
    }
}

fn example(kind: &str) -> &'static str {
    match kind {
        "TUMBLING" => "TumblingWindow(second, 10)",
        "HOPPING" => "HoppingWindow(second, 10, 5)",
        "SLIDING" => "SlidingWindow(second, 10)",
        _ => "SessionWindow(minute, 5, 60)",
    }
}
