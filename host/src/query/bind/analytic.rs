//! Analytic functions: a value for each row from the rows before it.

use std::sync::Arc;

use sqlparser::ast::{Expr, Function, Spanned, WindowType};

use super::{Binder, Bound, Clause, constant};
use crate::query::diagnostic::{Diagnostic, Position};
use crate::query::expression::Expression;
use crate::query::{AnalyticFunction, AnalyticSpec, known_aggregate, syntax};

/// No window and no duration is longer.
const MAX_DURATION: i64 = crate::query::WindowForm::MAX;

/// The aggregates that may run over the last rows.
const OVER: [&str; 9] = ["COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX", "COLLECT", "COLLECTTOP", "TOPONE"];

/// An analytic function and the source whose rows it looks at; `None`: the rows of all sources together.
#[derive(Debug, Clone)]
pub(in crate::query) struct Placed {
    pub(in crate::query) source: Option<usize>,
    pub(in crate::query) spec: AnalyticSpec,
}

impl Binder<'_> {
    pub(super) fn analytic(&mut self, function: &Function, name: &str, clause: Clause, position: Position) -> Bound {
        if self.in_analytic {
            return Err(
                Diagnostic::new(position, "an analytic function cannot stand inside another one").help("compute it in a step before")
            );
        }
        if clause == Clause::Time {
            return Err(Diagnostic::new(position, "an analytic function cannot stand in TIMESTAMP BY"));
        }
        if self.groups.is_some() && !self.rows {
            let message = format!("{} … OVER is computed before GROUP BY", function.name);
            return Err(Diagnostic::new(position, message).help("put it inside an aggregate, or compute it in a step before or after"));
        }
        self.in_analytic = true;
        let spec = self.spec(function, name, clause, position);
        self.in_analytic = false;
        let placed = self.place(spec?);
        let same = |known: &Placed| {
            format!("{:?}", (known.source, &known.spec.function, &known.spec.partition_by, known.spec.duration, &known.spec.when))
        };
        let text = same(&placed);
        if let Some(known) = self.analytics.iter().find(|known| same(known) == text) {
            return Ok(Expression::column(Arc::clone(&known.spec.name)));
        }
        let name: Arc<str> = format!("#analytic{}", self.analytics.len()).into();
        self.analytics.push(Placed { source: placed.source, spec: AnalyticSpec { name: Arc::clone(&name), ..placed.spec } });
        Ok(Expression::column(name))
    }

    fn spec(&mut self, function: &Function, name: &str, clause: Clause, position: Position) -> Result<AnalyticSpec, Diagnostic> {
        let extras = self.over(function);
        let partition_by = match &function.over {
            Some(WindowType::WindowSpec(spec)) => {
                spec.partition_by.iter().map(|key| self.row(key, clause)).collect::<Result<Vec<_>, _>>()?
            }
            _ => Vec::new(),
        };
        let when = match &extras.when {
            Some(tokens) => match syntax::expression(tokens)?.as_slice() {
                [condition] => Some(self.row(condition, clause)?),
                _ => return Err(Diagnostic::new(position, "WHEN takes one condition")),
            },
            None => None,
        };
        let arguments = constant::arguments(function)?;
        if name == "ISFIRST" {
            if extras.limit.is_some() {
                return Err(Diagnostic::new(position, "ISFIRST has no LIMIT DURATION: its interval is its argument"));
            }
            let arguments = constant::plain_arguments(function)?;
            let duration = self.duration(&arguments, position, "ISFIRST")?;
            return Ok(AnalyticSpec { name: "".into(), function: AnalyticFunction::IsFirst, partition_by, duration, when });
        }
        let Some(limit) = &extras.limit else {
            return Err(Diagnostic::new(position, format!("{} needs OVER (LIMIT DURATION(unit, number))", function.name))
                .help(format!("for example {}(…) OVER (LIMIT DURATION(hour, 1))", function.name)));
        };
        let limit = syntax::expression(limit)?;
        let duration = self.duration(&limit.iter().collect::<Vec<_>>(), position, "LIMIT DURATION")?;
        let function = self.analytic_function(function, name, &arguments, clause, position)?;
        Ok(AnalyticSpec { name: "".into(), function, partition_by, duration, when })
    }

    fn duration(&self, arguments: &[&Expr], position: Position, what: &str) -> Result<i64, Diagnostic> {
        match constant::length(arguments, position, what)? {
            ticks if ticks <= 0 => Err(Diagnostic::new(position, format!("{what} must be above zero"))),
            ticks if ticks > MAX_DURATION => Err(Diagnostic::new(position, format!("{what} cannot be longer than 7 days"))),
            ticks => Ok(ticks),
        }
    }

    fn analytic_function(
        &mut self,
        function: &Function,
        name: &str,
        arguments: &[Option<&Expr>],
        clause: Clause,
        position: Position,
    ) -> Result<AnalyticFunction, Diagnostic> {
        let wrong =
            |expected: &str| Diagnostic::new(position, format!("{} takes {expected}, {} were given", function.name, arguments.len()));
        if matches!(&function.args, sqlparser::ast::FunctionArguments::List(list) if list.duplicate_treatment == Some(sqlparser::ast::DuplicateTreatment::Distinct))
        {
            return Err(Diagnostic::new(position, format!("{}(DISTINCT …) cannot have OVER", function.name)));
        }
        match (name, arguments) {
            ("LAG", [value]) => Ok(AnalyticFunction::Lag { value: self.value(*value, clause)?, offset: 1, default: None }),
            ("LAG", [value, Some(offset), rest @ ..]) if rest.len() <= 1 => {
                let count = constant::number(offset)?;
                if count < 1.0 || count.fract() != 0.0 {
                    return Err(Diagnostic::new(offset.span(), "the offset of LAG is a whole number from 1"));
                }
                let default = rest.first().map(|default| self.value(*default, clause)).transpose()?;
                Ok(AnalyticFunction::Lag { value: self.value(*value, clause)?, offset: count as usize, default })
            }
            ("LAG", _) => Err(wrong("an expression, an offset and a default")),
            ("LAST", [value, rest @ ..]) if rest.len() <= 1 => {
                let default = rest.first().map(|default| self.value(*default, clause)).transpose()?;
                Ok(AnalyticFunction::Lag { value: self.value(*value, clause)?, offset: 0, default })
            }
            ("LAST", _) => Err(wrong("an expression and a default")),
            _ => match known_aggregate(name) {
                Some(known) if OVER.contains(&name) => {
                    self.aggregate_spec(function, known, clause, position).map(AnalyticFunction::Aggregate)
                }
                _ => Err(Diagnostic::new(position, format!("{} cannot have OVER (… LIMIT DURATION(…))", function.name))
                    .help("SUM, AVG, MIN, MAX, COUNT, Collect, CollectTop and TopOne can, and LAG, LAST and ISFIRST")),
            },
        }
    }

    /// The whole row.
    fn whole(&self) -> Expression {
        if self.scope.joined { self.scope.row(0) } else { Expression::Row }
    }

    /// An argument; `*` is the whole row.
    fn value(&mut self, value: Option<&Expr>, clause: Clause) -> Bound {
        match value {
            Some(expr) => self.row(expr, clause),
            None => Ok(self.whole()),
        }
    }

    /// The source that the function looks at. In a join its columns then have their own names.
    fn place(&self, spec: AnalyticSpec) -> Placed {
        if !self.scope.joined {
            return Placed { source: Some(0), spec };
        }
        let candidates = (0..self.scope.sources.len()).filter(|source| !self.scope.sources[*source].applied);
        for source in candidates {
            let alias = &self.scope.sources[source].alias;
            if let Some(local) = localized(&spec, alias) {
                return Placed { source: Some(source), spec: local };
            }
        }
        Placed { source: None, spec }
    }
}

/// The same function over the rows of one source of a join; `None` when it reads others, too.
fn localized(spec: &AnalyticSpec, alias: &str) -> Option<AnalyticSpec> {
    let local = |expression: &Expression| expression.localized(alias);
    let function = match &spec.function {
        AnalyticFunction::Lag { value, offset, default } => AnalyticFunction::Lag {
            value: local(value)?,
            offset: *offset,
            default: match default {
                Some(default) => Some(local(default)?),
                None => None,
            },
        },
        AnalyticFunction::IsFirst => AnalyticFunction::IsFirst,
        AnalyticFunction::Aggregate(aggregate) => {
            let mut aggregate = aggregate.clone();
            aggregate.argument = match &aggregate.argument {
                Some(argument) => Some(local(argument)?),
                None => None,
            };
            for key in &mut aggregate.order_by {
                key.expression = local(&key.expression)?;
            }
            AnalyticFunction::Aggregate(aggregate)
        }
    };
    let partition_by = spec.partition_by.iter().map(local).collect::<Option<Vec<_>>>()?;
    let when = match &spec.when {
        Some(when) => Some(local(when)?),
        None => None,
    };
    Some(AnalyticSpec { name: Arc::clone(&spec.name), function, partition_by, duration: spec.duration, when })
}
