//! From syntax to a plan: every SELECT becomes one or several steps, every name is resolved, all findings are collected.
//!
//! - `select`: one SELECT: its sources, then joins, then its filter, windows and columns
//! - `source`: what stands in FROM
//! - `reads`: which columns of the inputs are needed

mod reads;
mod select;
mod source;

use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast::Ident;

use super::bind::Names;
use super::diagnostic::{Diagnostic, Diagnostics, Position, suggest};
use super::plan::{Catalog, Columns, Operator, Plan, Script, Source, Step};
use super::syntax::{self, Part, Query, Table};
use super::tokens::{self, Overs};

const DEFAULT_OUTPUT: &str = "output";
/// The compiler's stack: a deep script must not overflow it.
const STACK: usize = 64 << 20;

/// Compiles a script.
///
/// # Errors
/// [`Diagnostics`]: everything that is wrong, with places.
pub fn compile(script: Script<'_>, catalog: &Catalog) -> Result<Plan, Diagnostics> {
    let run = || compiled(script, catalog).map_err(|found| Diagnostics::new(script.file, script.text, found));
    std::thread::scope(|scope| match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => {
            let found = Diagnostic::new(Position { line: 1, column: 1 }, format!("the compiler cannot start a thread: {error}"));
            Err(Diagnostics::new(script.file, script.text, vec![found]))
        }
    })
}

fn compiled(script: Script<'_>, catalog: &Catalog) -> Result<Plan, Vec<Diagnostic>> {
    let (tokens, overs) = tokens::read(script.text).map_err(|found| vec![found])?;
    let syntax = syntax::parse(tokens).map_err(|found| vec![found])?;
    let mut compiler = Compiler {
        catalog,
        overs: &overs,
        plan: Plan { file: script.file.to_owned(), text: script.text.to_owned(), ..Plan::default() },
        steps: HashMap::new(),
        tables: HashMap::new(),
        found: Vec::new(),
    };
    for table in syntax.tables {
        compiler.table(table);
    }
    for part in &syntax.parts {
        match part {
            Part::Step(name, query) => compiler.step(name, query),
            Part::Statement(query) => compiler.statement(query),
        }
    }
    compiler.finish()
}

/// Rows that a query makes, or that an input gives.
#[derive(Debug, Clone)]
struct Made {
    source: Source,
    /// The columns, when they are known before events come.
    columns: Option<Vec<String>>,
    /// The input that the rows are, unchanged: `SELECT * FROM input PARTITION BY key`.
    same_as: Option<String>,
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    overs: &'a Overs,
    plan: Plan,
    /// WITH steps, by lower-case name; `None`: it is wrong, and what reads it is not to be blamed.
    steps: HashMap<String, Option<Made>>,
    tables: HashMap<String, Table>,
    found: Vec<Diagnostic>,
}

impl<'a> Compiler<'a> {
    fn names(&self) -> Names<'a> {
        Names { catalog: self.catalog, overs: self.overs }
    }

    fn error(&mut self, position: impl Into<Position>, message: impl Into<String>, help: Option<String>) {
        let diagnostic = Diagnostic::new(position, message);
        self.found.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    fn table(&mut self, table: Table) {
        if let Some(inputs) = &self.catalog.inputs
            && !inputs.iter().chain(&self.catalog.references).any(|input| input.eq_ignore_ascii_case(&table.name.value))
        {
            let help = suggest(&table.name.value, inputs.iter().map(String::as_str).collect::<Vec<_>>());
            return self.error(table.name.span, format!("there is no input '{}'", table.name.value), Some(help));
        }
        let mut seen: Vec<String> = Vec::new();
        for (column, _) in &table.columns {
            if seen.contains(&column.value.to_lowercase()) {
                self.error(column.span, format!("there are two columns '{}'", column.value), None);
            }
            seen.push(column.value.to_lowercase());
        }
        if self.tables.contains_key(&table.name.value.to_lowercase()) {
            self.error(table.name.span, format!("there are two CREATE TABLE '{}'", table.name.value), None);
        }
        self.tables.insert(table.name.value.to_lowercase(), table);
    }

    fn step(&mut self, name: &Ident, query: &Query) {
        let key = name.value.to_lowercase();
        if self.steps.contains_key(&key) {
            self.error(name.span, format!("there are two steps '{}'", name.value), None);
        }
        let into = into_of(query);
        if let Some(first) = into.and_then(|parts| parts.first()) {
            let help = "write a SELECT … INTO … FROM it after the WITH";
            self.error(first.span, format!("INTO cannot stand in the step '{}'", name.value), Some(help.to_owned()));
        }
        let before = self.found.len();
        let made = self.query(query, &name.value.as_str().into());
        self.steps.insert(key, made.filter(|_| self.found.len() == before));
    }

    fn statement(&mut self, query: &Query) {
        let position = query.first().map_or_else(Position::default, |select| select.position);
        let (asked, place) = match into_of(query) {
            Some(parts) => {
                let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
                (name, parts.first().map_or(position, |part| part.span.into()))
            }
            None => (DEFAULT_OUTPUT.to_owned(), position),
        };
        let made = self.query(query, &asked.as_str().into());
        let output = match &self.catalog.outputs {
            None => asked,
            Some(outputs) => match outputs.iter().find(|output| output.eq_ignore_ascii_case(&asked)) {
                Some(known) => known.clone(),
                None => {
                    let help = suggest(&asked, outputs.iter().map(String::as_str).collect::<Vec<_>>());
                    return self.error(place, format!("there is no output '{asked}'"), Some(help));
                }
            },
        };
        let place = self.plan.outputs.iter().position(|known| known.eq_ignore_ascii_case(&output)).unwrap_or_else(|| {
            self.plan.outputs.push(output);
            self.plan.outputs.len() - 1
        });
        if let Some(Made { source: Source::Step(step), .. }) = made {
            self.plan.steps[step].into = Some(place);
        }
    }

    fn query(&mut self, query: &Query, name: &Arc<str>) -> Option<Made> {
        match query {
            Query::Select(select) => self.select(select, name),
            Query::Union(queries) => self.union(queries, name),
        }
    }

    fn union(&mut self, queries: &[Query], name: &Arc<str>) -> Option<Made> {
        let position = queries.first().and_then(Query::first).map_or_else(Position::default, |select| select.position);
        let all: Vec<Option<Made>> = queries.iter().map(|query| self.query(query, name)).collect();
        let made: Vec<Made> = all.into_iter().collect::<Option<_>>()?;
        let first = made.first()?.columns.clone();
        for (part, query) in made.iter().zip(queries).skip(1) {
            if let (Some(first), Some(columns)) = (&first, &part.columns)
                && first.len() != columns.len()
            {
                let position = query.first().map_or(position, |select| select.position);
                let message = format!("the queries of a UNION have the same number of columns: {} and {}", first.len(), columns.len());
                self.error(position, message, None);
                return None;
            }
        }
        let names = made.iter().all(|part| part.columns.is_some()).then(|| first.clone()).flatten();
        let names = names.map(|names| names.iter().map(|name| Arc::from(name.as_str())).collect());
        let sources = made.iter().map(|part| part.source).collect();
        Some(Made { source: self.push(name, sources, Operator::Union(names), position), columns: first, same_as: None })
    }

    /// Adds a step to the plan.
    fn push(&mut self, name: &Arc<str>, sources: Vec<Source>, operator: Operator, position: Position) -> Source {
        self.plan.steps.push(Step { name: Arc::clone(name), sources, operator, into: None, position });
        Source::Step(self.plan.steps.len() - 1)
    }

    fn finish(mut self) -> Result<Plan, Vec<Diagnostic>> {
        if self.found.is_empty() && self.plan.outputs.is_empty() {
            self.found.push(Diagnostic::new(Position { line: 1, column: 1 }, "the script writes to no output"));
        }
        let over = self.plan.feeds.iter().filter(|feed| !feed.over.is_empty()).count();
        if over > 0 && over < self.plan.feeds.len() {
            let message = "TIMESTAMP BY … OVER must be used for all inputs or for none";
            self.found.push(Diagnostic::new(Position { line: 1, column: 1 }, message));
        }
        if self.found.is_empty() { Ok(self.plan) } else { Err(self.found) }
    }
}

/// The output that a query names, in its first SELECT.
fn into_of(query: &Query) -> Option<&Vec<Ident>> {
    match query {
        Query::Select(select) => select.into.as_ref(),
        Query::Union(queries) => queries.iter().find_map(into_of),
    }
}

impl Columns {
    /// Adds a column to those that are read.
    fn read(&mut self, name: &str) {
        if let Self::Named(names) = self
            && !name.starts_with('#')
            && !names.iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            names.push(name.to_owned());
        }
    }
}
