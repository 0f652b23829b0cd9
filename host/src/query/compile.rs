//! A script to a plan: every SELECT becomes a step, every name is resolved, all findings are collected.

use std::collections::HashMap;

use sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Spanned, Statement, TableFactor, TableWithJoins,
};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::TokenWithSpan;

use super::aggregate::WindowStep;
use super::bind::{Binder, Clause, Scope, WINDOWS, idents, window};
use super::diagnostic::{Diagnostic, Diagnostics, Position, suggest};
use super::expression::Expression;
use super::plan::{Catalog, Columns, InputPlan, Operator, Plan, Script, Source, Step};
use super::project::{CallArgument, Filter, Item, Project};
use super::tokens;

const DEFAULT_OUTPUT: &str = "output";

/// Compiles a script.
///
/// # Errors
/// [`Diagnostics`]: everything that is wrong, with places.
pub fn compile(script: Script<'_>, catalog: &Catalog) -> Result<Plan, Diagnostics> {
    let cut = tokens::cut(script.text);
    let mut compiler =
        Compiler { catalog, steps: Vec::new(), columns: Vec::new(), named: HashMap::new(), inputs: HashMap::new(), found: cut.found };
    if compiler.found.is_empty() {
        for statement in cut.statements {
            compiler.statement(statement);
        }
    }
    let mut plan = compiler.plan();
    if let Ok(plan) = &mut plan {
        let mut found = Vec::new();
        for (name, tokens) in cut.timestamps {
            match timestamp(&tokens, catalog) {
                Ok(expression) => {
                    if let Some(input) = plan.inputs.iter_mut().find(|input| input.name.eq_ignore_ascii_case(&name)) {
                        read(&mut input.columns, &expression);
                        input.timestamp_by = Some(expression);
                    } else {
                        let message = format!("TIMESTAMP BY belongs to an input; '{name}' is none that is read");
                        found.push(Diagnostic::new(tokens.first().map_or_else(Position::default, |token| token.span.into()), message));
                    }
                }
                Err(more) => found.extend(more),
            }
        }
        if !found.is_empty() {
            return Err(Diagnostics::new(script.file, script.text, found));
        }
    }
    plan.map_err(|found| Diagnostics::new(script.file, script.text, found))
}

fn timestamp(tokens: &[TokenWithSpan], catalog: &Catalog) -> Result<Expression, Vec<Diagnostic>> {
    let dialect = MsSqlDialect {};
    let parsed = Parser::new(&dialect).with_tokens_with_locations(tokens.to_vec()).parse_expr();
    let expr = parsed.map_err(|error| {
        let (position, message) = tokens::place(&error.to_string(), tokens.first());
        vec![Diagnostic::new(position, message)]
    })?;
    let scope = Scope { alias: String::new(), columns: None };
    let mut binder = Binder::new(&scope, &catalog.functions);
    let expression = binder.bind(&expr, Clause::Time);
    if binder.found.is_empty() { Ok(expression) } else { Err(binder.found) }
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    steps: Vec<Step>,
    /// The columns of each step, when they are known.
    columns: Vec<Option<Vec<String>>>,
    /// WITH steps, by lower-case name.
    named: HashMap<String, usize>,
    /// Inputs that are read, by place in the catalog; their columns.
    inputs: HashMap<usize, Columns>,
    found: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn plan(mut self) -> Result<Plan, Vec<Diagnostic>> {
        if self.found.is_empty() && self.steps.iter().all(|step| step.into.is_none()) {
            self.found.push(Diagnostic::new(Position { line: 1, column: 1 }, "the script writes to no output"));
        }
        if !self.found.is_empty() {
            return Err(self.found);
        }
        let mut used: Vec<usize> = self.inputs.keys().copied().collect();
        used.sort_unstable();
        let inputs = used.iter().map(|place| InputPlan {
            name: self.catalog.inputs[*place].clone(),
            columns: self.inputs[place].clone(),
            timestamp_by: None,
        });
        let inputs = inputs.collect();
        for step in &mut self.steps {
            if let Source::Input(place) = &mut step.source {
                *place = used.iter().position(|used| used == place).unwrap_or(0);
            }
        }
        Ok(Plan { inputs, steps: self.steps })
    }

    fn statement(&mut self, tokens: Vec<TokenWithSpan>) {
        let dialect = MsSqlDialect {};
        let first = tokens.first().cloned();
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let parsed = parser.parse_statement().and_then(|statement| match parser.peek_token() {
            rest if rest.token == sqlparser::tokenizer::Token::EOF => Ok(statement),
            rest => parser.expected("the end of the statement", rest),
        });
        match parsed {
            Ok(Statement::Query(query)) => self.query(&query, None),
            Ok(other) => {
                let text = other.to_string();
                let name = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
                self.error(first.map_or_else(Position::default, |token| token.span.into()), format!("{name} is not supported yet"), None);
            }
            Err(error) => {
                let (position, message) = tokens::place(&error.to_string(), first.as_ref());
                self.error(position, message, None);
            }
        }
    }

    fn error(&mut self, position: impl Into<Position>, message: impl Into<String>, help: Option<String>) {
        let diagnostic = Diagnostic::new(position, message);
        self.found.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// Compiles a query; `name` is that of the WITH step it is. Without a name its rows go to an output.
    fn query(&mut self, query: &Query, name: Option<&str>) {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let step = cte.alias.name.value.clone();
            if self.named.contains_key(&step.to_lowercase()) {
                self.error(cte.alias.name.span, format!("there are two steps '{step}'"), None);
            }
            self.query(&cte.query, Some(&step));
        }
        match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, name),
            SetExpr::Query(inner) => self.query(inner, name),
            SetExpr::SetOperation { op, .. } => self.error(query.body.span(), format!("{op} is not supported yet"), None),
            other => self.error(other.span(), "a SELECT is expected", None),
        }
        if let Some(order) = &query.order_by {
            self.error(order.span(), "ORDER BY is not part of the language: a stream has no end to sort at", None);
        }
    }

    fn select(&mut self, select: &Select, name: Option<&str>) {
        let position = Position::from(select.select_token.0.span);
        let before = self.found.len();
        let Some((source, scope)) = self.source(&select.from, position) else {
            if let Some(name) = name {
                // Later steps may read it; they are not to be blamed for it.
                self.named.insert(name.to_lowercase(), usize::MAX);
            }
            return;
        };
        let into = self.into(select, name, position);
        if select.distinct.is_some() || select.top.is_some() {
            self.error(position, "SELECT DISTINCT and TOP are not part of the language", None);
        }
        let mut binder = Binder::new(&scope, &self.catalog.functions);
        let filter = {
            let mut within = Binder::new(&scope, &self.catalog.functions);
            let condition = select.selection.as_ref().map(|condition| within.bind(condition, Clause::Where));
            binder.found.append(&mut within.found);
            Filter { calls: within.calls, condition }
        };
        let grouped = group_by(select, &mut binder);
        let items = self.items(select, &mut binder, source, grouped.is_some());
        let having = select.having.as_ref().map(|having| binder.bind(having, Clause::Having));
        let Binder { calls, aggregates, keys, found, .. } = binder;
        self.found.extend(found);
        self.note_reads(source, &filter, &calls, &items, keys.as_deref(), &aggregates, having.as_ref(), &scope);
        let columns = self.columns_of(&items, source);
        let operator = match (grouped, keys) {
            (Some(Some(spec)), Some(keys)) => {
                let keys = keys.into_iter().map(|(_, key)| key).collect();
                let items = items.into_iter().filter_map(|item| match item {
                    Item::Named(name, expression) => Some((name, expression)),
                    Item::Star => None,
                });
                Operator::Window(WindowStep { filter, spec, calls, keys, aggregates, items: items.collect(), having })
            }
            _ => {
                if let Some(having) = &select.having
                    && self.found.len() == before
                {
                    self.error(having.span(), "HAVING needs a GROUP BY with a window", Some("filter rows with WHERE".to_owned()));
                }
                Operator::Project(Project { filter, calls, items })
            }
        };
        if let Some(name) = name {
            self.named.insert(name.to_lowercase(), self.steps.len());
        }
        self.steps.push(Step { name: name.map(str::to_owned), source, operator, into, position });
        self.columns.push(columns);
    }

    fn source(&mut self, from: &[TableWithJoins], position: Position) -> Option<(Source, Scope)> {
        let [table] = from else {
            self.error(
                position,
                if from.is_empty() { "FROM is missing" } else { "several sources in FROM are not part of the language; use JOIN" },
                None,
            );
            return None;
        };
        if let Some(join) = table.joins.first() {
            let text = join.to_string();
            let what = if text.to_uppercase().contains("APPLY") { "APPLY" } else { "JOIN" };
            self.error(join.relation.span(), format!("{what} is not supported yet"), None);
            return None;
        }
        match &table.relation {
            TableFactor::Table { name, alias, .. } => {
                let parts = idents(name);
                let text = parts.last().map(|part| part.value.clone()).unwrap_or_default();
                let alias = alias.as_ref().map_or_else(|| text.clone(), |alias| alias.name.value.clone());
                if let Some(step) = self.named.get(&text.to_lowercase()) {
                    let known = self.columns.get(*step)?.clone();
                    return Some((Source::Step(*step), Scope { alias, columns: known }));
                }
                if let Some(place) = self.catalog.inputs.iter().position(|input| input.eq_ignore_ascii_case(&text)) {
                    self.inputs.entry(place).or_insert_with(|| Columns::Named(Vec::new()));
                    return Some((Source::Input(place), Scope { alias, columns: None }));
                }
                let known: Vec<&str> =
                    self.catalog.inputs.iter().map(String::as_str).chain(self.named.keys().map(String::as_str)).collect();
                let help = suggest(&text, known.iter().copied());
                self.error(name.span(), format!("there is no input or step '{text}'"), Some(help));
                None
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let name = alias.as_ref().map_or_else(|| format!("#{}", self.steps.len()), |alias| alias.name.value.clone());
                let inner = format!("#subquery{}", self.steps.len());
                self.query(subquery, Some(&inner));
                let step = *self.named.get(&inner)?;
                let columns = self.columns.get(step)?.clone();
                Some((Source::Step(step), Scope { alias: name, columns }))
            }
            other => {
                self.error(other.span(), "this form of source is not supported yet", None);
                None
            }
        }
    }

    /// The output of a SELECT; a WITH step has none.
    fn into(&mut self, select: &Select, name: Option<&str>, position: Position) -> Option<String> {
        let target = select.into.as_ref().and_then(|into| into.targets.first());
        if let Some(step) = name {
            if target.is_some() {
                self.error(
                    position,
                    format!("INTO cannot stand in the step '{step}'"),
                    Some("write a SELECT … INTO … FROM it after the WITH".to_owned()),
                );
            }
            return None;
        }
        let (asked, place) = match target {
            Some(Expr::Identifier(ident)) => (ident.value.clone(), Position::from(ident.span)),
            Some(Expr::CompoundIdentifier(parts)) => {
                (parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."), parts[0].span.into())
            }
            Some(other) => (other.to_string(), other.span().into()),
            None => (DEFAULT_OUTPUT.to_owned(), position),
        };
        match &self.catalog.outputs {
            None => Some(asked),
            Some(outputs) => {
                let known = outputs.iter().find(|output| output.eq_ignore_ascii_case(&asked)).cloned();
                if known.is_none() {
                    let help = suggest(&asked, outputs.iter().map(String::as_str));
                    self.error(place, format!("there is no output '{asked}'"), Some(help));
                }
                known
            }
        }
    }

    fn items(&mut self, select: &Select, binder: &mut Binder<'_>, source: Source, grouped: bool) -> Vec<Item> {
        let mut items = Vec::new();
        for (number, item) in select.projection.iter().enumerate() {
            match item {
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), _) => {
                    if grouped {
                        self.error(item.span(), "* cannot stand in a SELECT with GROUP BY", None);
                    }
                    if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                        && !idents(name).last().is_some_and(|part| part.value.eq_ignore_ascii_case(&binder.scope.alias))
                    {
                        self.error(item.span(), format!("{name}.* is not supported yet"), None);
                    }
                    if let Source::Input(place) = source {
                        self.inputs.insert(place, Columns::All);
                    }
                    items.push(Item::Star);
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let bound = binder.bind(expr, Clause::Select);
                    items.push(Item::Named(alias.value.as_str().into(), bound));
                }
                SelectItem::UnnamedExpr(expr) => {
                    let bound = binder.bind(expr, Clause::Select);
                    items.push(Item::Named(name_of(expr, number).into(), bound));
                }
                other => self.error(other.span(), "this form of column is not supported yet", None),
            }
        }
        items
    }

    /// The columns that a step has, when they are known before events come.
    fn columns_of(&self, items: &[Item], source: Source) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for item in items {
            match item {
                Item::Named(name, _) => names.push(name.to_string()),
                Item::Star => match source {
                    Source::Input(_) => return None,
                    Source::Step(step) => {
                        let more = self.columns.get(step)?.as_ref()?;
                        names.extend(
                            more.iter()
                                .filter(|name| !names.iter().any(|known| known.eq_ignore_ascii_case(name)))
                                .cloned()
                                .collect::<Vec<_>>(),
                        );
                    }
                },
            }
        }
        Some(names)
    }

    /// Notes which columns of an input a SELECT reads.
    #[expect(clippy::too_many_arguments, reason = "these are the places of a SELECT that hold expressions")]
    fn note_reads(
        &mut self,
        source: Source,
        filter: &Filter,
        calls: &[super::project::Call],
        items: &[Item],
        keys: Option<&[(Expr, Expression)]>,
        aggregates: &[super::aggregate::Aggregate],
        having: Option<&Expression>,
        scope: &Scope,
    ) {
        let Source::Input(place) = source else { return };
        debug_assert!(scope.columns.is_none());
        let Some(columns) = self.inputs.get_mut(&place) else { return };
        for call in filter.calls.iter().chain(calls) {
            for argument in &call.arguments {
                match argument {
                    CallArgument::Record => *columns = Columns::All,
                    CallArgument::Value(expression) => read(columns, expression),
                }
            }
        }
        filter.condition.iter().chain(having).for_each(|expression| read(columns, expression));
        for item in items {
            if let Item::Named(_, expression) = item {
                read(columns, expression);
            }
        }
        keys.unwrap_or_default().iter().for_each(|(_, key)| read(columns, key));
        aggregates.iter().filter_map(|aggregate| aggregate.argument.as_ref()).for_each(|argument| read(columns, argument));
    }
}

fn read(columns: &mut Columns, expression: &Expression) {
    expression.visit(&mut |inner| match (inner, &mut *columns) {
        (Expression::Row, columns) => *columns = Columns::All,
        (Expression::Column(name, _), Columns::Named(names))
            if !name.starts_with('#') && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) =>
        {
            names.push(name.to_string());
        }
        _ => {}
    });
}

/// The window of a GROUP BY, with the keys noted in the binder: `None` without GROUP BY, `Some(None)` when it is wrong.
fn group_by(select: &Select, binder: &mut Binder<'_>) -> Option<Option<super::plan::WindowSpec>> {
    let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return None };
    if expressions.is_empty() {
        return None;
    }
    let mut windows = Vec::new();
    let mut keys = Vec::new();
    for expr in expressions {
        match expr {
            Expr::Function(function) if WINDOWS.contains(&function.name.to_string().to_uppercase().as_str()) => match window(function) {
                Ok(spec) => windows.push((spec, Position::from(function.name.span()))),
                Err(diagnostic) => {
                    binder.found.push(diagnostic);
                    binder.keys = Some(keys);
                    return Some(None);
                }
            },
            _ => {
                let bound = binder.bind(expr, Clause::GroupBy);
                if matches!(bound, Expression::Timestamp) {
                    binder.found.push(Diagnostic::new(expr.span(), "a snapshot window (GROUP BY System.Timestamp()) is not supported yet"));
                }
                keys.push((expr.clone(), bound));
            }
        }
    }
    binder.keys = Some(keys);
    match windows.as_slice() {
        [(spec, _)] => Some(Some(*spec)),
        [] => {
            let help = "add for example TumblingWindow(second, 10)";
            binder.found.push(Diagnostic::new(expressions[0].span(), "GROUP BY needs a window").help(help));
            Some(None)
        }
        [_, (_, second), ..] => {
            binder.found.push(Diagnostic::new(*second, "GROUP BY takes one window").help("several windows go inside Windows(…)"));
            Some(None)
        }
    }
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
        Expr::Function(function) => idents(&function.name).last().map(|part| part.value.to_lowercase()).unwrap_or_default(),
        _ => format!("Column{}", number + 1),
    }
}
