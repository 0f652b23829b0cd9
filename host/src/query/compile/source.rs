//! What stands in FROM: an input, a step, a reference input, a query in parentheses, with its time and its pattern.

use std::sync::Arc;

use super::{Compiler, Made};
use crate::query::bind::{Binder, Clause, Scope, ScopeSource, pattern};
use crate::query::diagnostic::{Diagnostic, suggest};
use crate::query::expression::Expression;
use crate::query::plan::{Columns, Feed, InputPlan, Operator, Source};
use crate::query::syntax;

/// A source of a SELECT.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Rows,
    pub(super) scope: ScopeSource,
}

/// Where a source's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Stream(Source),
    /// A reference input, by its place in the plan.
    Reference(usize),
}

impl Compiler<'_> {
    pub(super) fn source(&mut self, source: &syntax::Source, name: &Arc<str>) -> Option<Found> {
        let mut found = match &source.what {
            syntax::SourceKind::Named(ident) => self.named(ident, source)?,
            syntax::SourceKind::Query(query) => {
                if let Some(timestamp) = &source.timestamp {
                    self.error(sqlparser::ast::Spanned::span(&timestamp.by), "TIMESTAMP BY belongs to an input", None);
                }
                let made = self.query(query, name)?;
                let alias = source.alias.as_ref().map_or_else(|| "#subquery".into(), |alias| Arc::from(alias.value.as_str()));
                let scope = ScopeSource { alias, table: String::new(), columns: made.columns, applied: false };
                Found { rows: Rows::Stream(made.source), scope }
            }
        };
        if let Some(recognize) = &source.pattern {
            let Rows::Stream(rows) = found.rows else {
                self.error(recognize.position, "MATCH_RECOGNIZE needs a stream, not reference data", None);
                return None;
            };
            let scope = Scope::of(found.scope.clone());
            let spec = match pattern::bind(recognize, self.names(), &scope) {
                Ok(spec) => spec,
                Err(diagnostic) => {
                    self.found.push(diagnostic);
                    return None;
                }
            };
            for expression in spec.partition_by.iter().chain(spec.aggregates.iter().map(|aggregate| &aggregate.value)) {
                self.reads(expression, &scope, &[found.rows]);
            }
            let columns = spec.measures.iter().map(|(name, _)| name.to_string()).collect();
            let rows = self.push(name, vec![rows], Operator::Match(spec), recognize.position);
            let alias = recognize.alias.as_ref().map_or_else(|| Arc::clone(&found.scope.alias), |alias| alias.value.as_str().into());
            found = Found {
                rows: Rows::Stream(rows),
                scope: ScopeSource { alias, table: found.scope.table, columns: Some(columns), applied: false },
            };
        }
        for key in &source.partition_by {
            let scope = Scope::of(found.scope.clone());
            let mut binder = Binder::new(self.names(), &scope);
            let bound = binder.bind(key, Clause::GroupBy);
            self.found.append(&mut binder.found);
            self.reads(&bound, &scope, &[found.rows]);
        }
        Some(found)
    }

    fn named(&mut self, ident: &sqlparser::ast::Ident, source: &syntax::Source) -> Option<Found> {
        let text = &ident.value;
        let alias: Arc<str> = source.alias.as_ref().map_or(text.as_str(), |alias| alias.value.as_str()).into();
        let scope = |columns| ScopeSource { alias: Arc::clone(&alias), table: text.clone(), columns, applied: false };
        if let Some(step) = self.steps.get(&text.to_lowercase()) {
            let Made { source: rows, columns, same_as } = step.clone()?;
            let Some(timestamp) = &source.timestamp else { return Some(Found { rows: Rows::Stream(rows), scope: scope(columns) }) };
            // A step that only passes an input on may set its time.
            let Some(input) = same_as else {
                let help = "put TIMESTAMP BY behind the input in the step's own FROM";
                self.error(
                    sqlparser::ast::Spanned::span(&timestamp.by),
                    format!("TIMESTAMP BY belongs to an input; '{text}' is a step"),
                    Some(help.to_owned()),
                );
                return None;
            };
            let rows = self.feed(&input, source, &alias)?;
            return Some(Found { rows: Rows::Stream(rows), scope: scope(None) });
        }
        if let Some(reference) = self.catalog.references.iter().find(|known| known.eq_ignore_ascii_case(text)) {
            if let Some(timestamp) = &source.timestamp {
                self.error(
                    sqlparser::ast::Spanned::span(&timestamp.by),
                    "TIMESTAMP BY belongs to a stream; reference data has no time",
                    None,
                );
            }
            let references = &mut self.plan.references;
            let place = references.iter().position(|(known, _)| known == reference).unwrap_or_else(|| {
                references.push((reference.clone(), Columns::Named(Vec::new())));
                references.len() - 1
            });
            return Some(Found { rows: Rows::Reference(place), scope: scope(None) });
        }
        let known = match &self.catalog.inputs {
            None => Some(text.clone()),
            Some(inputs) => inputs.iter().find(|input| input.eq_ignore_ascii_case(text)).cloned(),
        };
        let Some(input) = known else {
            let inputs = self.catalog.inputs.iter().flatten().chain(&self.catalog.references).map(String::as_str);
            let mut names: Vec<&str> = inputs.chain(self.steps.keys().map(String::as_str)).collect();
            names.sort_unstable();
            let help = suggest(text, names.iter().copied());
            self.error(ident.span, format!("there is no input or step '{text}'"), Some(help));
            return None;
        };
        let rows = self.feed(&input, source, &alias)?;
        Some(Found { rows: Rows::Stream(rows), scope: scope(None) })
    }

    /// The feed of an input with a time: an input that gets its time in two ways is two feeds.
    fn feed(&mut self, input: &str, source: &syntax::Source, alias: &Arc<str>) -> Option<Source> {
        let input = self.input(input);
        let scope =
            Scope::of(ScopeSource { alias: Arc::clone(alias), table: self.plan.inputs[input].name.clone(), columns: None, applied: false });
        let mut binder = Binder::new(self.names(), &scope);
        let timestamp_by = source.timestamp.as_ref().map(|timestamp| binder.bind(&timestamp.by, Clause::Time));
        let over: Vec<Expression> =
            source.timestamp.iter().flat_map(|timestamp| &timestamp.over).map(|key| binder.bind(key, Clause::Time)).collect();
        if !binder.found.is_empty() {
            self.found.append(&mut binder.found);
            return None;
        }
        let same = |known: &Feed| {
            known.input == input
                && match (&known.timestamp_by, &timestamp_by) {
                    (Some(left), Some(right)) => left.same(right),
                    (None, None) => true,
                    _ => false,
                }
                && known.over.len() == over.len()
                && known.over.iter().zip(&over).all(|(left, right)| left.same(right))
        };
        let place = self.plan.feeds.iter().position(same);
        let place = place.unwrap_or_else(|| {
            self.plan.feeds.push(Feed { input, timestamp_by, over, enqueued: false });
            self.plan.feeds.len() - 1
        });
        let rows = Rows::Stream(Source::Feed(place));
        let feed = &self.plan.feeds[place];
        let expressions: Vec<Expression> = feed.timestamp_by.iter().chain(&feed.over).cloned().collect();
        expressions.iter().for_each(|expression| self.reads(expression, &scope, &[rows]));
        Some(Source::Feed(place))
    }

    fn input(&mut self, name: &str) -> usize {
        if let Some(place) = self.plan.inputs.iter().position(|input| input.name == name) {
            return place;
        }
        let table = self.tables.get(&name.to_lowercase()).map(|table| {
            let column = |(column, ty): &(sqlparser::ast::Ident, sqlparser::ast::Ident)| {
                (Arc::from(column.value.as_str()), Arc::from(ty.value.to_lowercase()))
            };
            table.columns.iter().map(column).collect::<Vec<(Arc<str>, Arc<str>)>>()
        });
        let columns = Columns::Named(table.iter().flatten().map(|(name, _)| name.to_string()).collect());
        self.plan.inputs.push(InputPlan { name: name.to_owned(), columns, beside: Vec::new(), table });
        self.plan.inputs.len() - 1
    }

    /// Reference data cannot be the only source.
    pub(super) fn stream(&mut self, found: &Found, position: crate::query::Position) -> Option<Source> {
        match found.rows {
            Rows::Stream(source) => Some(source),
            Rows::Reference(_) => {
                let message = format!("'{}' is reference data", found.scope.table);
                self.found.push(Diagnostic::new(position, message).help("reference data stands on the right side of a JOIN with a stream"));
                None
            }
        }
    }
}
