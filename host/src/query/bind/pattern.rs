//! MATCH_RECOGNIZE: DEFINE and MEASURES speak of the rows that a variable has matched, by aggregates.

use std::sync::Arc;

use sqlparser::ast::{Expr, Function, Ident, Spanned};

use super::{Binder, Clause, Scope, constant};
use crate::query::diagnostic::{Diagnostic, Position, suggest};
use crate::query::expression::Expression;
use crate::query::syntax::{self, MatchRecognize, PatternTree};
use crate::query::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Pattern, Quantifier};

use super::Names;

/// Binds a MATCH_RECOGNIZE over the rows of `scope`.
pub(in crate::query) fn bind(found: &MatchRecognize, names: Names<'_>, scope: &Scope) -> Result<MatchSpec, Diagnostic> {
    let Some(limit) = &found.limit else {
        return Err(Diagnostic::new(found.position, "MATCH_RECOGNIZE needs LIMIT DURATION(unit, number)"));
    };
    let Some(tree) = &found.pattern else { return Err(Diagnostic::new(found.position, "MATCH_RECOGNIZE needs PATTERN (…)")) };
    let limit = syntax::expression(limit)?;
    let duration = constant::length(&limit.iter().collect::<Vec<_>>(), found.position, "LIMIT DURATION")?;
    if duration <= 0 || duration > crate::query::WindowForm::MAX {
        return Err(Diagnostic::new(found.position, "LIMIT DURATION must be above zero and at most 7 days"));
    }
    let mut binder = Binder::new(names, scope);
    let partition_by = found.partition_by.iter().map(|key| binder.row(key, Clause::Select)).collect::<Result<Vec<_>, _>>()?;
    let mut matching = Matching { binder, variables: Vec::new(), aggregates: Vec::new(), known: 0 };
    matching.variables = found.define.iter().map(|(name, _)| Arc::from(name.value.as_str())).collect();
    let pattern = matching.pattern(tree);
    for (name, _) in &found.define {
        if !mentions(tree, &name.value) {
            return Err(Diagnostic::new(name.span, format!("the variable '{}' is not in PATTERN", name.value)));
        }
    }
    let mut conditions = Vec::new();
    for (number, (_, condition)) in found.define.iter().enumerate() {
        // A variable may speak of itself and of those that are defined before it.
        matching.known = number + 1;
        let condition = matching.expression(condition, Some(number))?;
        let reads = reads(&condition);
        conditions.push((condition, reads));
    }
    matching.known = matching.variables.len();
    let mut measures = Vec::new();
    for (expr, alias) in &found.measures {
        let bound = matching.expression(expr, None)?;
        let name = match alias {
            Some(alias) => alias.value.clone(),
            None => return Err(Diagnostic::new(expr.span(), "a measure needs a name: AS name")),
        };
        measures.push((Arc::from(name), bound));
    }
    if measures.is_empty() {
        return Err(Diagnostic::new(found.position, "MATCH_RECOGNIZE needs MEASURES"));
    }
    let mut conditions = conditions.into_iter();
    let variables = matching.variables.iter().map(|name| {
        let (condition, reads) = conditions.next().map_or((None, Vec::new()), |(condition, reads)| (Some(condition), reads));
        MatchVariable { name: Arc::clone(name), condition, reads }
    });
    Ok(MatchSpec { partition_by, duration, variables: variables.collect(), pattern, aggregates: matching.aggregates, measures })
}

/// The numbers of the aggregates in a condition. What stood inside an aggregate's argument is none of them.
fn reads(condition: &Expression) -> Vec<usize> {
    let mut found = Vec::new();
    condition.visit(&mut |part| {
        if let Expression::Column(name, _) = part
            && let Some(number) = name.strip_prefix("#match").and_then(|number| number.parse().ok())
            && !found.contains(&number)
        {
            found.push(number);
        }
    });
    found
}

fn mentions(tree: &PatternTree, name: &str) -> bool {
    match tree {
        PatternTree::Name(ident) => ident.value.eq_ignore_ascii_case(name),
        PatternTree::Any => false,
        PatternTree::Sequence(parts) | PatternTree::Either(parts) => parts.iter().any(|part| mentions(part, name)),
        PatternTree::Repeat(inner, _) => mentions(inner, name),
    }
}

struct Matching<'a> {
    binder: Binder<'a>,
    variables: Vec<Arc<str>>,
    aggregates: Vec<MatchAggregate>,
    /// How many variables may be spoken of.
    known: usize,
}

impl Matching<'_> {
    fn pattern(&mut self, tree: &PatternTree) -> Pattern {
        match tree {
            PatternTree::Any => Pattern::Any,
            PatternTree::Name(name) => {
                let place = self.variables.iter().position(|known| known.eq_ignore_ascii_case(&name.value)).unwrap_or_else(|| {
                    self.variables.push(name.value.as_str().into());
                    self.variables.len() - 1
                });
                Pattern::Variable(place)
            }
            PatternTree::Sequence(parts) => Pattern::Sequence(parts.iter().map(|part| self.pattern(part)).collect()),
            PatternTree::Either(parts) => Pattern::Either(parts.iter().map(|part| self.pattern(part)).collect()),
            PatternTree::Repeat(inner, sign) => {
                let quantifier = match sign {
                    '*' => Quantifier::Any,
                    '+' => Quantifier::Some,
                    _ => Quantifier::Optional,
                };
                Pattern::Repeat(Box::new(self.pattern(inner)), quantifier)
            }
        }
    }

    /// Binds a condition or a measure: what speaks of variables becomes a column of aggregates first.
    fn expression(&mut self, expr: &Expr, of: Option<usize>) -> Result<Expression, Diagnostic> {
        let mut expr = expr.clone();
        let mut wrong = None;
        let changed = sqlparser::ast::visit_expressions_mut(&mut expr, |inner| {
            match self.replaced(inner, of) {
                Ok(Some(column)) => *inner = Expr::Identifier(Ident::with_quote('[', column)),
                Ok(None) => {}
                Err(diagnostic) => {
                    wrong = Some(diagnostic);
                    return std::ops::ControlFlow::Break(());
                }
            }
            std::ops::ControlFlow::Continue(())
        });
        if let (true, Some(diagnostic)) = (changed.is_break(), wrong) {
            return Err(diagnostic);
        }
        let columns = (0..self.aggregates.len()).map(|number| format!("#match{number}")).chain(["#classifier".to_owned()]).collect();
        let source = super::ScopeSource { alias: "match".into(), table: String::new(), columns: Some(columns), applied: false };
        let scope = Scope::of(source);
        Binder::new(self.binder.names, &scope).row(&expr, Clause::Select)
    }

    /// The column that an aggregate, a plain `Variable.field` or `Classifier()` is.
    fn replaced(&mut self, expr: &Expr, of: Option<usize>) -> Result<Option<String>, Diagnostic> {
        match expr {
            Expr::Function(function) => {
                let name = function.name.to_string().to_uppercase();
                let kind = match name.as_str() {
                    "FIRST" => MatchFunction::First,
                    "LAST" => MatchFunction::Last,
                    "MIN" => MatchFunction::Min,
                    "MAX" => MatchFunction::Max,
                    "CLASSIFIER" => return Ok(Some("#classifier".to_owned())),
                    _ => return Ok(None),
                };
                self.aggregate(function, kind, of).map(Some)
            }
            // What an aggregate spoke of is a column already; visiting goes from the inside out, so fields are looked at twice.
            Expr::CompoundIdentifier(parts) => self.field(parts, MatchFunction::Last, of).map(Some),
            Expr::Identifier(ident) if !ident.value.starts_with('#') && of.is_some() && !is_part(&ident.value) => {
                self.field(std::slice::from_ref(ident), MatchFunction::Last, of).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn aggregate(&mut self, function: &Function, kind: MatchFunction, _of: Option<usize>) -> Result<String, Diagnostic> {
        let position = Position::from(function.name.span());
        let arguments = constant::plain_arguments(function)?;
        let [argument] = arguments.as_slice() else {
            return Err(Diagnostic::new(position, format!("{} takes one field, for example {}(A.price)", function.name, function.name)));
        };
        // The argument was visited before: it is the column of Last over the field.
        let Expr::Identifier(column) = argument else {
            return Err(Diagnostic::new(position, format!("{} takes one field of a variable, and nothing computed", function.name)));
        };
        let number = column.value.strip_prefix("#match").and_then(|number| number.parse::<usize>().ok());
        let Some(inner) = number.and_then(|number| self.aggregates.get(number)).cloned() else {
            return Err(Diagnostic::new(position, format!("{} takes one field of a variable", function.name)));
        };
        Ok(self.add(MatchAggregate { function: kind, ..inner }))
    }

    fn field(&mut self, parts: &[Ident], function: MatchFunction, of: Option<usize>) -> Result<String, Diagnostic> {
        let variable = self.variables.iter().position(|known| known.eq_ignore_ascii_case(&parts[0].value)).filter(|_| parts.len() > 1);
        let rest = if variable.is_some() { &parts[1..] } else { parts };
        if let Some(place) = variable
            && place >= self.known
            && place < self.variables.len()
            && of.is_some()
        {
            let message = format!("'{}' is defined later: a variable may speak of itself and of earlier ones", parts[0].value);
            return Err(Diagnostic::new(parts[0].span, message));
        }
        let expr = match rest {
            [only] => Expr::Identifier(only.clone()),
            several => Expr::CompoundIdentifier(several.to_vec()),
        };
        let value = self.binder.row(&expr, Clause::Select).map_err(|diagnostic| {
            let known = self.variables.iter().map(|name| &**name).collect::<Vec<_>>();
            if parts.len() > 1 { diagnostic.help(suggest(&parts[0].value, known)) } else { diagnostic }
        })?;
        Ok(self.add(MatchAggregate { function, variable: variable.or(of), value }))
    }

    fn add(&mut self, aggregate: MatchAggregate) -> String {
        let same = |known: &MatchAggregate| {
            known.function == aggregate.function && known.variable == aggregate.variable && known.value.same(&aggregate.value)
        };
        let number = self.aggregates.iter().position(same).unwrap_or_else(|| {
            self.aggregates.push(aggregate);
            self.aggregates.len() - 1
        });
        format!("#match{number}")
    }
}

/// Whether a bare word may be a date part inside a function.
fn is_part(word: &str) -> bool {
    crate::query::functions::date::part(word).is_some()
}
