//! The syntax tree of a script. Statements, sources and patterns are Stream Analytics' own and read here; expressions
//! are read by sqlparser.

mod parse;
mod pattern;
mod source;

use sqlparser::ast::{Expr, Ident};
use sqlparser::tokenizer::TokenWithSpan;

pub(super) use parse::{expression, parse};

use super::diagnostic::Position;

/// A whole script.
#[derive(Debug, Default)]
pub(super) struct Syntax {
    pub(super) tables: Vec<Table>,
    /// Steps and statements in their order.
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) enum Part {
    /// `WITH name AS (query)`.
    Step(Ident, Query),
    /// An outermost query.
    Statement(Query),
}

/// `CREATE TABLE name (column type, …)`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: Ident,
    pub(super) columns: Vec<(Ident, Ident)>,
}

#[derive(Debug)]
pub(super) enum Query {
    Select(Box<Select>),
    Union(Vec<Self>),
}

impl Query {
    /// The first SELECT.
    pub(super) fn first(&self) -> Option<&Select> {
        match self {
            Self::Select(select) => Some(select),
            Self::Union(queries) => queries.first().and_then(Self::first),
        }
    }
}

#[derive(Debug)]
pub(super) struct Select {
    pub(super) position: Position,
    pub(super) items: Vec<SelectItem>,
    /// The parts of the output's name.
    pub(super) into: Option<Vec<Ident>>,
    pub(super) from: Source,
    pub(super) joins: Vec<Joined>,
    pub(super) filter: Option<Expr>,
    pub(super) group_by: Vec<Expr>,
    pub(super) having: Option<Expr>,
}

#[derive(Debug)]
pub(super) enum SelectItem {
    /// `*`
    Star(Position),
    /// `source.*`, `record.*`, `source.record.*`
    StarOf(Vec<Ident>),
    Expr {
        expr: Box<Expr>,
        alias: Option<Ident>,
    },
}

/// What stands in FROM or JOIN.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) position: Position,
    pub(super) what: SourceKind,
    pub(super) alias: Option<Ident>,
    pub(super) timestamp: Option<TimestampBy>,
    pub(super) partition_by: Vec<Expr>,
    pub(super) pattern: Option<Box<MatchRecognize>>,
}

#[derive(Debug)]
pub(super) enum SourceKind {
    /// An input or a step.
    Named(Ident),
    /// `(SELECT …)`
    Query(Box<Query>),
}

#[derive(Debug)]
pub(super) struct TimestampBy {
    pub(super) by: Expr,
    pub(super) over: Vec<Expr>,
}

#[derive(Debug)]
pub(super) enum Joined {
    Join { position: Position, left: bool, source: Box<Source>, on: Box<Expr> },
    Apply { position: Position, outer: bool, function: Box<Expr>, alias: Option<Ident> },
}

/// `MATCH_RECOGNIZE (…) AS alias`.
#[derive(Debug)]
pub(super) struct MatchRecognize {
    pub(super) position: Position,
    /// What stands between the parentheses of `LIMIT DURATION (…)`.
    pub(super) limit: Option<Vec<TokenWithSpan>>,
    pub(super) partition_by: Vec<Expr>,
    pub(super) measures: Vec<(Expr, Option<Ident>)>,
    pub(super) pattern: Option<PatternTree>,
    pub(super) define: Vec<(Ident, Expr)>,
    pub(super) alias: Option<Ident>,
}

/// `PATTERN (A+ (B | C) .)`.
#[derive(Debug, Clone)]
pub(super) enum PatternTree {
    Name(Ident),
    Any,
    Sequence(Vec<Self>),
    Either(Vec<Self>),
    Repeat(Box<Self>, char),
}
