//! Built-in functions and `udf.…` calls.

use std::sync::Arc;

use sqlparser::ast::{Expr, Function, Ident, Spanned};

use super::scope::Meaning;
use super::{Binder, Bound, Clause, constant, window};
use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position, suggest};
use crate::query::expression::{Call, Expression};
use crate::query::{check, functions, known_aggregate, known_aggregates, metadata, tokens};

/// Analytic functions; some are aggregates, too.
pub(super) const ANALYTIC: [&str; 3] = ["LAG", "LAST", "ISFIRST"];
/// What Stream Analytics has and this compiler does not; they fail by name.
const UNSUPPORTED: [&str; 2] = ["ANOMALYDETECTION_SPIKEANDDIP", "ANOMALYDETECTION_CHANGEPOINT"];

impl Binder<'_> {
    pub(super) fn function(&mut self, function: &Function, clause: Clause) -> Bound {
        let position = Position::from(function.name.span());
        let idents = constant::idents(function);
        let names = constant::name_parts(function);
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["SYSTEM", "TIMESTAMP"] => self.timestamp(position, clause),
            ["UDF", _] => self.call(function, idents[1], clause, position),
            ["UDA", _] => self.user_aggregate(function, idents[1], clause, position),
            [name] => self.named(function, name, clause, position),
            [prefix, name] if functions::find(name).is_some() || known_aggregate(name).is_some() => {
                Err(Diagnostic::new(position, format!("there is no function '{}'", function.name))
                    .help(format!("built-in functions have no prefix: write {name}(…) without '{}.'", prefix.to_lowercase())))
            }
            _ => Err(Diagnostic::new(position, format!("there is no function '{}'", function.name))
                .help("functions of the job are called udf.NAME(…), aggregates uda.NAME(…)")),
        }
    }

    fn named(&mut self, function: &Function, name: &str, clause: Clause, position: Position) -> Bound {
        if UNSUPPORTED.contains(&name) {
            return Err(Diagnostic::new(position, format!("{} is not supported: its models are Azure's own", function.name))
                .help("a function of the job, udf.NAME(…), can score rows instead"));
        }
        if window::is_window(name) {
            return Err(Diagnostic::new(position, format!("{} belongs in GROUP BY", function.name)));
        }
        let over = self.over(function);
        if ANALYTIC.contains(&name) || over.limit.is_some() {
            return self.analytic(function, name, clause, position);
        }
        if let Some(known) = known_aggregate(name) {
            return self.aggregate(function, known, clause, position);
        }
        if function.over.is_some() {
            return Err(Diagnostic::new(position, format!("{} cannot have OVER", function.name)));
        }
        if name == "GETMETADATAPROPERTYVALUE" {
            return self.metadata(function, position);
        }
        if matches!(name, "GETARRAYELEMENTS" | "GETRECORDPROPERTIES") {
            return Err(Diagnostic::new(position, format!("{} makes rows", function.name)).help("use it with CROSS APPLY or OUTER APPLY"));
        }
        let Some(builtin) = functions::find(name) else {
            return Err(self.unknown_function(function, name, position));
        };
        let arguments = constant::plain_arguments(function)?;
        let (fewest, most) = builtin.arguments;
        if !(fewest..=most).contains(&arguments.len()) {
            let expected = match most {
                _ if fewest == most => format!("{fewest}"),
                usize::MAX => format!("at least {fewest}"),
                _ => format!("{fewest} to {most}"),
            };
            let plural = if expected == "1" { "argument" } else { "arguments" };
            return Err(Diagnostic::new(position, format!("{name} takes {expected} {plural}, {} were given", arguments.len())));
        }
        let is_difference = name.starts_with("DATEDIFF");
        let mut bound = Vec::new();
        for (place, argument) in arguments.into_iter().enumerate() {
            bound.push(match argument {
                Expr::Identifier(part) if builtin.date_part && place == 0 => {
                    if functions::date::part(&part.value).is_none() {
                        let help = suggest(&part.value, functions::date::part_names());
                        return Err(Diagnostic::new(part.span, format!("'{}' is not a date part", part.value)).help(help));
                    }
                    Expression::Constant(Value::Text(part.value.as_str().into()))
                }
                // In DATEDIFF a source stands for the time of its row.
                Expr::Identifier(alias) if is_difference => match self.scope.resolve(std::slice::from_ref(alias)) {
                    Ok(Meaning::Source(source)) if !self.is_groups(clause) => self.scope.time(source),
                    _ => self.expr(argument, clause)?,
                },
                other => self.expr(other, clause)?,
            });
        }
        Ok(Expression::Function(*builtin, bound))
    }

    fn is_groups(&self, clause: Clause) -> bool {
        self.groups.is_some() && !self.rows && matches!(clause, Clause::Select | Clause::Having)
    }

    fn unknown_function(&self, function: &Function, name: &str, position: Position) -> Diagnostic {
        let diagnostic = Diagnostic::new(position, format!("there is no function '{}'", function.name));
        let catalog = self.names.catalog;
        if let Some(udf) = catalog.functions.iter().find(|info| info.name.eq_ignore_ascii_case(name)) {
            return diagnostic.help(format!("write udf.{}(…)", udf.name));
        }
        if let Some(uda) = catalog.aggregates.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            return diagnostic.help(format!("write uda.{uda}(…)"));
        }
        let known = functions::names().chain(known_aggregates().iter().map(|known| known.name)).chain(ANALYTIC);
        diagnostic.help(suggest(name, known.collect::<Vec<_>>()))
    }

    /// `GetMetadataPropertyValue(input, '[EventHub].[Offset]')`.
    fn metadata(&mut self, function: &Function, position: Position) -> Bound {
        let arguments = constant::plain_arguments(function)?;
        let [Expr::Identifier(input), path] = arguments.as_slice() else {
            return Err(Diagnostic::new(position, format!("{} takes an input and the name of a property", function.name)));
        };
        let Some(source) = self
            .scope
            .source(&input.value)
            .or_else(|| self.scope.sources.iter().position(|source| source.table.eq_ignore_ascii_case(&input.value)))
        else {
            let help = suggest(&input.value, self.scope.sources.iter().map(|source| &*source.alias).collect::<Vec<_>>());
            return Err(Diagnostic::new(input.span, format!("there is no input '{}' in FROM", input.value)).help(help));
        };
        match self.row(path, Clause::Select)? {
            Expression::Constant(Value::Text(path)) => metadata::property(&path, |name| self.scope.column(source, name, Vec::new()))
                .map_err(|known| {
                    Diagnostic::new(function.name.span(), format!("there is no metadata property '{path}'"))
                        .help(suggest(&path, known.iter().copied()))
                }),
            _ => Err(Diagnostic::new(path.span(), "the name of the property is a constant text")),
        }
    }

    fn call(&mut self, function: &Function, name: &Ident, clause: Clause, position: Position) -> Bound {
        let catalog = self.names.catalog;
        let Some(info) = catalog.functions.iter().find(|info| info.name.eq_ignore_ascii_case(&name.value)) else {
            let diagnostic = Diagnostic::new(name.span, format!("there is no function 'udf.{}'", name.value));
            return Err(if let Some(uda) = catalog.aggregates.iter().find(|known| known.eq_ignore_ascii_case(&name.value)) {
                diagnostic.help(format!("'{uda}' is an aggregate function: write uda.{uda}(…)"))
            } else if catalog.functions.is_empty() {
                diagnostic.help("the job has no functions; bind one in Functions/")
            } else {
                diagnostic.help(suggest(&name.value, catalog.functions.iter().map(|info| info.name.as_str())))
            });
        };
        if function.over.is_some() {
            return Err(Diagnostic::new(position, format!("udf.{} cannot have OVER", info.name)));
        }
        if self.in_analytic {
            return Err(Diagnostic::new(position, "a udf cannot stand inside an analytic function").help("compute it in a step before"));
        }
        match clause {
            Clause::Time => return Err(Diagnostic::new(position, "a udf cannot stand in TIMESTAMP BY")),
            Clause::On => {
                return Err(Diagnostic::new(position, "a udf cannot stand in ON").help("compute it in a step before, or use WHERE"));
            }
            _ => {}
        }
        let mut arguments = Vec::new();
        for argument in constant::plain_arguments(function)? {
            let bound = self.expr(argument, clause)?;
            let source = match &bound {
                Expression::Row => self.scope.sources.first(),
                Expression::Source(alias) => self.scope.sources.iter().find(|source| source.alias.eq_ignore_ascii_case(alias)),
                _ => None,
            };
            if let Some(source) = source
                && let Some(diagnostic) = check::record(info, source.columns.as_deref(), &source.alias, position)
            {
                return Err(diagnostic);
            }
            arguments.push(bound);
        }
        let call = Call { number: self.calls.len(), name: info.name.clone(), arguments };
        let call = Expression::Call(Arc::new(call));
        if let Some(known) = self.calls.iter().find(|known| Expression::Call(Arc::clone(known)).same(&call)) {
            return Ok(Expression::Call(Arc::clone(known)));
        }
        if let Expression::Call(call) = &call {
            self.calls.push(Arc::clone(call));
        }
        Ok(call)
    }

    /// LIMIT DURATION and WHEN of a function's OVER.
    pub(super) fn over(&self, function: &Function) -> tokens::OverExtras {
        let place = constant::idents(function).last().map(|ident| tokens::place_key(ident.span.start));
        place.and_then(|place| self.names.overs.get(&place)).cloned().unwrap_or_default()
    }
}
