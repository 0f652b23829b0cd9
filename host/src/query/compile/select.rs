//! One SELECT: its sources, the analytic functions over them, joins and APPLY, the filter, then windows and columns.

use std::sync::Arc;

use sqlparser::ast::{Expr, Spanned};

use super::source::{Found, Rows};
use super::{Compiler, Made};
use crate::batch::Value;
use crate::query::apply::{Apply, Parts};
use crate::query::bind::{Binder, Clause, Placed, Scope, ScopeSource, constant, join};
use crate::query::diagnostic::{Diagnostic, Position};
use crate::query::expression::Expression;
use crate::query::operate::Binary;
use crate::query::plan::{Operator, Source};
use crate::query::project::{Item, Project};
use crate::query::syntax::{Joined, Select, SelectItem};
use crate::query::windowed::{WindowForm, WindowedStep};
use crate::query::{AggregateSpec, AnalyticFunction, AnalyticSpec, JoinKind, JoinSpec, LookupSpec};

/// A join or an APPLY, bound.
enum Bound {
    Join { position: Position, left: bool, condition: Expression, source: usize },
    Apply { position: Position, outer: bool, parts: Parts, value: Expression, source: usize },
}

impl Compiler<'_> {
    pub(super) fn select(&mut self, select: &Select, name: &Arc<str>) -> Option<Made> {
        let before = self.found.len();
        let (scope, rows) = self.sources(select, name)?;
        let mut binder = Binder::new(self.names(), &scope);
        let joins = self.joins(select, &mut binder);
        let mut filter = select.filter.as_ref().map(|condition| binder.bind(condition, Clause::Where));
        if !select.group_by.is_empty() {
            match binder.group_by(&select.group_by) {
                Ok(groups) => binder.groups = Some(groups),
                Err(diagnostic) => {
                    self.found.append(&mut binder.found);
                    self.found.push(diagnostic);
                    return None;
                }
            }
        }
        let items = self.items(select, &mut binder, &scope);
        binder.aliases = items
            .iter()
            .filter_map(|item| if let Item::Named(name, expression) = item { Some((Arc::clone(name), expression.clone())) } else { None })
            .collect();
        let mut having = select.having.as_ref().map(|having| binder.bind(having, Clause::Having));
        let Binder { groups, aggregates, analytics, found, .. } = binder;
        self.found.extend(found);
        if self.found.len() > before {
            return None;
        }
        if groups.is_none()
            && let Some(having) = having.take()
        {
            // HAVING without GROUP BY is a WHERE.
            filter = Some(match filter {
                Some(filter) => Expression::Binary(Binary::And, Box::new(filter), Box::new(having)),
                None => having,
            });
        }
        self.note_reads(&scope, &rows, &items, filter.iter(), &analytics);
        let mut source = self.combined(&scope, &rows, joins?, &analytics, name)?;
        let columns = self.columns(&items, &scope);
        let position = select.position;
        let same_as = self.passed_on(select, &scope, &items, filter.as_ref(), &analytics);
        match groups {
            None => {
                let filter = filter.filter(|filter| !matches!(filter, Expression::Constant(Value::Bit(true))));
                source =
                    self.push(name, vec![source], Operator::Project(Project { filter, items: Some(items), more: Vec::new() }), position);
            }
            Some(groups) => {
                let mut before = Project { filter, items: None, more: Vec::new() };
                let step = windowed(groups.keys, groups.windows, aggregates, &mut before.more);
                for expression in step_expressions(&step).chain(before.more.iter().map(|(_, expression)| expression)) {
                    self.reads(expression, &scope, &rows);
                }
                if before.filter.is_some() || !before.more.is_empty() {
                    source = self.push(name, vec![source], Operator::Project(before), position);
                }
                source = self.push(name, vec![source], Operator::Window(step), position);
                source = self.push(
                    name,
                    vec![source],
                    Operator::Project(Project { filter: having, items: Some(items), more: Vec::new() }),
                    position,
                );
            }
        }
        Some(Made { source, columns, same_as })
    }

    /// All sources of a SELECT, and where their rows come from. APPLY makes one, too.
    fn sources(&mut self, select: &Select, name: &Arc<str>) -> Option<(Scope, Vec<Rows>)> {
        let first = self.source(&select.from, name);
        let mut found = Vec::new();
        let mut wrong = first.is_none();
        if let Some(first) = first {
            wrong |= self.stream(&first, select.from.position).is_none();
            found.push(first);
        }
        for joined in &select.joins {
            match joined {
                Joined::Join { source, .. } => match self.source(source, name) {
                    Some(source) => found.push(source),
                    None => wrong = true,
                },
                Joined::Apply { position, function, alias, .. } => match applied(function, *position) {
                    Ok((parts, _)) => {
                        let alias =
                            alias.as_ref().map_or_else(|| format!("#apply{}", found.len()).into(), |alias| Arc::from(alias.value.as_str()));
                        let columns = Some(parts.columns().iter().map(|&name| name.to_owned()).collect());
                        // Its rows come from no input.
                        let rows = Rows::Stream(Source::Step(usize::MAX));
                        found.push(Found { rows, scope: ScopeSource { alias, table: String::new(), columns, applied: true } });
                    }
                    Err(diagnostic) => {
                        self.found.push(diagnostic);
                        wrong = true;
                    }
                },
            }
        }
        let mut aliases: Vec<String> = Vec::new();
        for source in &found {
            let alias = source.scope.alias.to_lowercase();
            if aliases.contains(&alias) {
                self.error(
                    select.from.position,
                    format!("two sources are called '{}'", source.scope.alias),
                    Some("give one of them an alias".to_owned()),
                );
                wrong = true;
            }
            aliases.push(alias);
        }
        if wrong {
            return None;
        }
        let joined = found.len() > 1;
        let (rows, sources) = found.into_iter().map(|found| (found.rows, found.scope)).unzip();
        Some((Scope { sources, joined }, rows))
    }

    /// Binds ON conditions and what APPLY takes apart.
    fn joins(&mut self, select: &Select, binder: &mut Binder<'_>) -> Option<Vec<Bound>> {
        let mut joins = Vec::new();
        for (number, joined) in select.joins.iter().enumerate() {
            let source = number + 1;
            joins.push(match joined {
                Joined::Join { position, left, on, .. } => {
                    Bound::Join { position: *position, left: *left, condition: binder.bind(on, Clause::On), source }
                }
                Joined::Apply { position, outer, function, .. } => {
                    let (parts, value) = applied(function, *position).ok()?;
                    Bound::Apply { position: *position, outer: *outer, parts, value: binder.bind(value, Clause::Apply), source }
                }
            });
        }
        Some(joins)
    }

    /// The steps that bring the sources together: analytic functions first, then joins and APPLY.
    fn combined(&mut self, scope: &Scope, rows: &[Rows], joins: Vec<Bound>, analytics: &[Placed], name: &Arc<str>) -> Option<Source> {
        let specs = |source: Option<usize>| -> Vec<AnalyticSpec> {
            analytics.iter().filter(|placed| placed.source == source).map(|placed| placed.spec.clone()).collect()
        };
        let position = Position::default();
        let mut starts = Vec::new();
        for (number, rows) in rows.iter().enumerate() {
            let specs = specs(Some(number));
            starts.push(match rows {
                Rows::Stream(source) if !specs.is_empty() => Some(self.push(name, vec![*source], Operator::Analytic(specs), position)),
                Rows::Stream(source) => Some(*source),
                Rows::Reference(_) if !specs.is_empty() => {
                    self.error(
                        position,
                        format!("an analytic function cannot look at the reference data '{}'", scope.sources[number].alias),
                        None,
                    );
                    return None;
                }
                Rows::Reference(_) => None,
            });
        }
        let mut source = starts.first().copied().flatten()?;
        // How far the combined row's time may be after each source's own.
        let mut lags: Vec<(Arc<str>, i64)> = vec![(Arc::clone(&scope.sources[0].alias), 0)];
        let mut left_alias = Some(Arc::clone(&scope.sources[0].alias));
        for joined in joins {
            let left = left_alias.take();
            match joined {
                Bound::Apply { position, outer, parts, value, source: number } => {
                    let alias = Arc::clone(&scope.sources[number].alias);
                    self.reads(&value, scope, rows);
                    source = self.push(name, vec![source], Operator::Apply(Apply { left, alias, parts, value, outer }), position);
                }
                Bound::Join { position, left: is_left, condition, source: number } => {
                    let kind = if is_left { JoinKind::Left } else { JoinKind::Inner };
                    let right = Arc::clone(&scope.sources[number].alias);
                    self.reads(&condition, scope, rows);
                    if let Some(later) = later_source(&condition, scope, number) {
                        self.error(position, format!("ON cannot name '{later}', which is joined later"), None);
                        return None;
                    }
                    match rows[number] {
                        Rows::Reference(place) => {
                            let keys = join::keys(&condition, &right);
                            let spec = LookupSpec { kind, left, right, keys, condition: Some(condition) };
                            source = self.push(name, vec![source], Operator::Lookup(spec, place), position);
                        }
                        Rows::Stream(_) => {
                            let on = match join::on(&condition, &right, position) {
                                Ok(on) => on,
                                Err(diagnostic) => {
                                    self.found.push(diagnostic);
                                    return None;
                                }
                            };
                            let lag =
                                on.anchor.as_ref().and_then(|anchor| lags.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(anchor)));
                            let lag = lag.map_or(0, |(_, lag)| *lag);
                            let anchor = match &left {
                                Some(_) => None,
                                None => on.anchor.as_ref().map(|alias| format!("#time.{alias}").into()),
                            };
                            let spec = JoinSpec {
                                kind,
                                left,
                                right: Arc::clone(&right),
                                keys: on.keys,
                                anchor_lag: if anchor.is_some() { lag } else { 0 },
                                anchor,
                                within: on.within,
                                unmatched_after: on.upper,
                                condition: Some(condition),
                            };
                            let later = on.within.1.max(0);
                            lags.iter_mut().for_each(|(_, lag)| *lag = lag.saturating_add(later));
                            let from_anchor = lag.saturating_add(later);
                            lags.push((right, from_anchor.saturating_sub(on.within.0.min(0))));
                            let right_rows = starts[number]?;
                            source = self.push(name, vec![source, right_rows], Operator::Join(spec), position);
                        }
                    }
                }
            }
        }
        let specs = specs(None);
        if !specs.is_empty() {
            source = self.push(name, vec![source], Operator::Analytic(specs), position);
        }
        Some(source)
    }

    fn items(&mut self, select: &Select, binder: &mut Binder<'_>, scope: &Scope) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for (number, item) in select.items.iter().enumerate() {
            match item {
                SelectItem::Star(position) => self.star(*position, binder, scope, &mut items),
                SelectItem::StarOf(parts) => {
                    let position = Position::from(parts[0].span);
                    if binder.groups.is_some() {
                        self.error(position, "* cannot stand in a SELECT with GROUP BY", None);
                    } else if let (1, Some(source)) = (parts.len(), scope.source(&parts[0].value)) {
                        items.push(if scope.joined { Item::StarOf(Arc::clone(&scope.sources[source].alias)) } else { Item::Star });
                    } else {
                        items.push(Item::Fields(binder.bind(&Expr::CompoundIdentifier(parts.clone()), Clause::Select)));
                    }
                }
                SelectItem::Expr { expr, alias } => {
                    let bound = binder.bind(expr, Clause::Select);
                    let name: Arc<str> = alias.as_ref().map_or_else(|| name_of(expr, number), |alias| alias.value.clone()).into();
                    if name.starts_with('#') {
                        self.error(expr.span(), format!("the name of a column cannot begin with '#': {name}"), None);
                    }
                    let known = items.iter().find_map(|item| match item {
                        Item::Named(known, expression) if known.eq_ignore_ascii_case(&name) => Some(expression),
                        _ => None,
                    });
                    if known.is_some_and(|known| !known.same(&bound)) {
                        let help = "give one of them another name with AS";
                        self.error(expr.span(), format!("two columns are called '{name}'"), Some(help.to_owned()));
                    }
                    items.push(Item::Named(name, bound));
                }
            }
        }
        items
    }

    fn star(&mut self, position: Position, binder: &Binder<'_>, scope: &Scope, items: &mut Vec<Item>) {
        if binder.groups.is_some() {
            return self.error(position, "* cannot stand in a SELECT with GROUP BY", None);
        }
        if !scope.joined {
            return items.push(Item::Star);
        }
        if scope.sources[1..].iter().any(|source| !source.applied) {
            let help = format!("write {}.*, {}.*", scope.sources[0].alias, scope.sources[1].alias);
            return self.error(position, "* cannot stand in a SELECT with JOIN", Some(help));
        }
        // The payload, and what APPLY made as a record.
        items.push(Item::StarOf(Arc::clone(&scope.sources[0].alias)));
        for source in scope.sources[1..].iter().filter(|source| !source.alias.starts_with('#')) {
            items.push(Item::Named(Arc::clone(&source.alias), Expression::Source(Arc::clone(&source.alias))));
        }
    }

    /// The columns of the result, when they are known before events come.
    fn columns(&self, items: &[Item], scope: &Scope) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        };
        for item in items {
            match item {
                Item::Named(name, _) => add(name),
                Item::Star => scope.sources[0].columns.as_ref()?.iter().for_each(|name| add(name)),
                Item::StarOf(alias) => {
                    scope.sources[scope.source(alias)?].columns.as_ref()?.iter().for_each(|name| add(name));
                }
                Item::Fields(_) => return None,
            }
        }
        Some(names)
    }

    fn note_reads<'e>(
        &mut self,
        scope: &Scope,
        rows: &[Rows],
        items: &[Item],
        filter: impl Iterator<Item = &'e Expression>,
        analytics: &[Placed],
    ) {
        filter.for_each(|filter| self.reads(filter, scope, rows));
        for item in items {
            match item {
                Item::Star => self.reads_all(rows.first().copied()),
                Item::StarOf(alias) => self.reads_all(scope.source(alias).map(|source| rows[source])),
                Item::Fields(expression) | Item::Named(_, expression) => self.reads(expression, scope, rows),
            }
        }
        for placed in analytics {
            // A function over one source of a join has that source's own names.
            let (scope, rows) = match placed.source {
                Some(source) if scope.joined => (Scope::of(scope.sources[source].clone()), vec![rows[source]]),
                _ => (scope.clone(), rows.to_vec()),
            };
            for expression in analytic_expressions(&placed.spec) {
                self.reads(expression, &scope, &rows);
            }
        }
    }

    /// The input that a step passes on unchanged.
    fn passed_on(
        &self,
        select: &Select,
        scope: &Scope,
        items: &[Item],
        filter: Option<&Expression>,
        analytics: &[Placed],
    ) -> Option<String> {
        let is_input = self
            .catalog
            .inputs
            .as_ref()
            .is_none_or(|inputs| inputs.iter().any(|input| input.eq_ignore_ascii_case(&scope.sources[0].table)));
        let plain = matches!(items, [Item::Star])
            && !scope.joined
            && filter.is_none()
            && analytics.is_empty()
            && select.group_by.is_empty()
            && select.from.timestamp.is_none()
            && select.from.pattern.is_none()
            && !self.steps.contains_key(&scope.sources[0].table.to_lowercase())
            && is_input;
        plain.then(|| scope.sources[0].table.clone()).filter(|table| !table.is_empty())
    }
}

/// `GetArrayElements(x)`, `GetRecordProperties(x)`.
fn applied(function: &Expr, position: Position) -> Result<(Parts, &Expr), Diagnostic> {
    let wrong = || Diagnostic::new(position, "APPLY takes GetArrayElements(array) or GetRecordProperties(record)");
    let Expr::Function(call) = function else { return Err(wrong()) };
    let parts = match call.name.to_string().to_uppercase().as_str() {
        "GETARRAYELEMENTS" => Parts::Elements,
        "GETRECORDPROPERTIES" => Parts::Properties,
        _ => return Err(wrong()),
    };
    match constant::plain_arguments(call)?.as_slice() {
        [value] => Ok((parts, value)),
        others => Err(Diagnostic::new(call.name.span(), format!("{} takes one argument, {} were given", call.name, others.len()))),
    }
}

/// A source that a condition names before it is joined.
fn later_source(condition: &Expression, scope: &Scope, number: usize) -> Option<Arc<str>> {
    let aliases = condition.aliases()?;
    aliases.into_iter().find(|alias| scope.source(alias).is_some_and(|source| source > number))
}

/// The windowed step; what calls a function is computed before it, as a column of its own.
fn windowed(
    keys: Vec<Expression>,
    windows: Vec<(Option<Arc<str>>, WindowForm)>,
    aggregates: Vec<AggregateSpec>,
    more: &mut Vec<(Arc<str>, Expression)>,
) -> WindowedStep {
    let mut lifted = |expression: Expression| {
        if !expression.has_call() {
            return expression;
        }
        let name: Arc<str> = format!("#argument{}", more.len()).into();
        more.push((Arc::clone(&name), expression));
        Expression::column(name)
    };
    let keys = keys.into_iter().map(&mut lifted).collect();
    let windows = windows
        .into_iter()
        .map(|(id, form)| {
            let form = match form {
                WindowForm::Session { timeout, max_duration, partition_by } => {
                    WindowForm::Session { timeout, max_duration, partition_by: partition_by.into_iter().map(&mut lifted).collect() }
                }
                other => other,
            };
            (id, form)
        })
        .collect();
    let aggregates = aggregates
        .into_iter()
        .map(|mut aggregate| {
            aggregate.argument = aggregate.argument.map(&mut lifted);
            for key in &mut aggregate.order_by {
                key.expression = lifted(key.expression.clone());
            }
            aggregate
        })
        .collect();
    WindowedStep { windows, keys, aggregates }
}

/// Every expression over rows of a windowed step.
fn step_expressions(step: &WindowedStep) -> impl Iterator<Item = &Expression> {
    const ROW: &Expression = &Expression::Row;
    let partitions = step.windows.iter().flat_map(|(_, form)| match form {
        WindowForm::Session { partition_by, .. } => partition_by.as_slice(),
        _ => &[],
    });
    let aggregates = step.aggregates.iter().flat_map(|aggregate| {
        let own = aggregate.argument.as_ref().or_else(|| aggregate.takes_rows().then_some(ROW));
        own.into_iter().chain(aggregate.order_by.iter().map(|key| &key.expression))
    });
    step.keys.iter().chain(partitions).chain(aggregates)
}

fn analytic_expressions(spec: &AnalyticSpec) -> Vec<&Expression> {
    let mut found: Vec<&Expression> = spec.partition_by.iter().chain(&spec.when).collect();
    match &spec.function {
        AnalyticFunction::Lag { value, default, .. } => found.extend(std::iter::once(value).chain(default)),
        AnalyticFunction::IsFirst => {}
        AnalyticFunction::Aggregate(aggregate) => {
            const ROW: &Expression = &Expression::Row;
            found.extend(aggregate.argument.as_ref().or_else(|| aggregate.takes_rows().then_some(ROW)));
            found.extend(aggregate.order_by.iter().map(|key| &key.expression));
        }
    }
    found
}

/// The name of a column without one: a path takes its last part, a call the function's name.
fn name_of(expr: &Expr, number: usize) -> String {
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()).unwrap_or_default(),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            access_chain.last().map(|access| access.to_string().trim_start_matches('.').to_owned()).unwrap_or_default()
        }
        Expr::Nested(inner) => name_of(inner, number),
        Expr::Function(function) => constant::idents(function).last().map(|part| part.value.to_lowercase()).unwrap_or_default(),
        _ => format!("Column{}", number + 1),
    }
}
