//! The sources of a SELECT, and what a name means among them.

use std::sync::Arc;

use sqlparser::ast::Ident;

use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, suggest};
use crate::query::expression::Expression;

/// The sources of a SELECT.
#[derive(Debug, Clone, Default)]
pub(in crate::query) struct Scope {
    pub(in crate::query) sources: Vec<ScopeSource>,
    /// Whether columns are named `alias.column`: they are, as soon as there are several sources.
    pub(in crate::query) joined: bool,
}

/// One source.
#[derive(Debug, Clone)]
pub(in crate::query) struct ScopeSource {
    /// The name that expressions use for it.
    pub(in crate::query) alias: Arc<str>,
    /// The input or step behind it.
    pub(in crate::query) table: String,
    /// Its columns, when they are known: a step's are, an input's are not.
    pub(in crate::query) columns: Option<Vec<String>>,
    /// Whether it is made by APPLY.
    pub(in crate::query) applied: bool,
}

impl ScopeSource {
    /// Whether it has a column; `None`: that is known only when events come.
    fn has(&self, name: &str) -> Option<bool> {
        self.columns.as_ref().map(|columns| columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
    }
}

/// What a name means.
pub(in crate::query) enum Meaning {
    /// A column, or a path into one.
    Column(Expression),
    /// A source as a whole.
    Source(usize),
}

impl Scope {
    pub(in crate::query) fn of(source: ScopeSource) -> Self {
        Self { sources: vec![source], joined: false }
    }

    pub(in crate::query) fn source(&self, alias: &str) -> Option<usize> {
        self.sources.iter().position(|source| source.alias.eq_ignore_ascii_case(alias))
    }

    /// A column of a source as an expression.
    pub(in crate::query) fn column(&self, source: usize, name: &str, path: Vec<Arc<str>>) -> Expression {
        if self.joined {
            Expression::Column(format!("{}.{name}", self.sources[source].alias).into(), path)
        } else {
            Expression::Column(name.into(), path)
        }
    }

    /// The whole row of a source as an expression.
    pub(in crate::query) fn row(&self, source: usize) -> Expression {
        if self.joined { Expression::Source(Arc::clone(&self.sources[source].alias)) } else { Expression::Row }
    }

    /// The time of a source's row as an expression.
    pub(in crate::query) fn time(&self, source: usize) -> Expression {
        if self.joined { Expression::column(format!("#time.{}", self.sources[source].alias)) } else { Expression::Timestamp }
    }

    /// What a name means: `source.column.field`, `column.field`, or a source.
    pub(in crate::query) fn resolve(&self, parts: &[Ident]) -> Result<Meaning, Diagnostic> {
        let fields = |parts: &[Ident]| parts.iter().map(|part| Arc::from(part.value.as_str())).collect::<Vec<Arc<str>>>();
        let first = &parts[0];
        if let Some(source) = self.source(&first.value) {
            if let Some(column) = parts.get(1) {
                // A column of the same name wins only where the source itself has no such column.
                if self.sources[source].has(&column.value) != Some(false) {
                    return Ok(Meaning::Column(self.column(source, &column.value, fields(&parts[2..]))));
                }
                if self.holder(&first.value).is_none() {
                    return Err(self.unknown(&self.sources[source..=source], column));
                }
            } else if self.holder(&first.value).is_none() {
                return Ok(Meaning::Source(source));
            }
        }
        if let Some(holder) = self.holder(&first.value) {
            return Ok(Meaning::Column(self.column(holder, &first.value, fields(&parts[1..]))));
        }
        // Text in double quotes is a string where no column has that name.
        if parts.len() == 1 && first.quote_style == Some('"') {
            return Ok(Meaning::Column(Expression::Constant(Value::Text(first.value.as_str().into()))));
        }
        if parts.len() == 1
            && first.quote_style.is_none()
            && (first.value.eq_ignore_ascii_case("true") || first.value.eq_ignore_ascii_case("false"))
        {
            return Ok(Meaning::Column(Expression::Constant(Value::Bit(first.value.eq_ignore_ascii_case("true")))));
        }
        if parts.len() > 1
            && let Some(renamed) = self.sources.iter().find(|source| source.table.eq_ignore_ascii_case(&first.value))
        {
            let message = format!("'{}' is called '{}' here", first.value, renamed.alias);
            return Err(Diagnostic::new(first.span, message).help(format!("write {}.{}", renamed.alias, parts[1].value)));
        }
        let open: Vec<usize> = (0..self.sources.len()).filter(|source| self.sources[*source].columns.is_none()).collect();
        match open.as_slice() {
            [] => Err(self.unknown(&self.sources, first)),
            [only] => Ok(Meaning::Column(self.column(*only, &first.value, fields(&parts[1..])))),
            several => {
                let names = several.iter().map(|source| format!("{}.{}", self.sources[*source].alias, first.value).into()).collect();
                Ok(Meaning::Column(Expression::FirstOf(names, fields(&parts[1..]))))
            }
        }
    }

    /// The source that is known to have a column of that name.
    fn holder(&self, name: &str) -> Option<usize> {
        self.sources.iter().position(|source| source.has(name) == Some(true))
    }

    fn unknown(&self, sources: &[ScopeSource], name: &Ident) -> Diagnostic {
        let columns: Vec<&str> = sources.iter().filter_map(|source| source.columns.as_ref()).flatten().map(String::as_str).collect();
        let holder = match sources {
            [only] => format!("'{}' has no column '{}'", only.alias, name.value),
            _ => format!("no source has a column '{}'", name.value),
        };
        let aliases = self.sources.iter().map(|source| &*source.alias);
        let names: Vec<&str> = columns.iter().copied().filter(|column| !column.starts_with('#')).chain(aliases).collect();
        let help = if columns.is_empty() { None } else { Some(suggest(&name.value, names.iter().copied())) };
        let diagnostic = Diagnostic::new(name.span, holder);
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}
