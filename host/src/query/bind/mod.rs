//! From syntax to bound expressions: names are resolved, functions found, their arguments counted.
//!
//! - `scope`: which sources a SELECT has, and what a name means there
//! - `expression`: operators, CASE, literals
//! - `function`: built-in functions and `udf.…`
//! - `aggregate`, `analytic`: functions over several rows
//! - `window`: what stands in GROUP BY
//! - `join`: what a condition after ON says about keys and times
//! - `pattern`: MATCH_RECOGNIZE

mod aggregate;
mod analytic;
pub(super) mod constant;
mod expression;
mod function;
pub(super) mod join;
pub(super) mod pattern;
pub(super) mod scope;
pub(super) mod window;

use std::sync::Arc;

use sqlparser::ast::Expr;

pub(super) use analytic::Placed;
pub(super) use scope::{Scope, ScopeSource};

use super::AggregateSpec;
use super::diagnostic::Diagnostic;
use super::expression::{Call, Expression};
use super::plan::Catalog;
use super::tokens::Overs;
use super::windowed::WindowForm;
use crate::batch::Value;

/// Where an expression stands; it decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    Where,
    Having,
    GroupBy,
    Time,
    On,
    Apply,
}

pub(super) type Bound = Result<Expression, Diagnostic>;

/// What binders share: the names of the job, and what was lifted out of OVER.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) overs: &'a Overs,
}

/// GROUP BY of a SELECT.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) keys: Vec<Expression>,
    pub(super) windows: Vec<(Option<Arc<str>>, WindowForm)>,
}

/// Binds the expressions of one SELECT.
pub(super) struct Binder<'a> {
    pub(super) names: Names<'a>,
    pub(super) scope: &'a Scope,
    /// `Some` in a SELECT with GROUP BY.
    pub(super) groups: Option<Groups>,
    /// What HAVING may name: aliases of the SELECT list.
    pub(super) aliases: Vec<(Arc<str>, Expression)>,
    /// The calls so far, so that the same call is made once.
    calls: Vec<Arc<Call>>,
    pub(super) aggregates: Vec<AggregateSpec>,
    pub(super) analytics: Vec<Placed>,
    pub(super) found: Vec<Diagnostic>,
    /// Inside an aggregate, a key or an analytic function: names mean the columns of single rows.
    rows: bool,
    in_aggregate: bool,
    in_analytic: bool,
}

impl<'a> Binder<'a> {
    pub(super) fn new(names: Names<'a>, scope: &'a Scope) -> Self {
        Self {
            names,
            scope,
            groups: None,
            aliases: Vec::new(),
            calls: Vec::new(),
            aggregates: Vec::new(),
            analytics: Vec::new(),
            found: Vec::new(),
            rows: false,
            in_aggregate: false,
            in_analytic: false,
        }
    }

    /// Binds an expression; what is wrong is noted and stands as null.
    pub(super) fn bind(&mut self, expr: &Expr, clause: Clause) -> Expression {
        match self.expr(expr, clause) {
            Ok(bound) => bound,
            Err(diagnostic) => {
                self.found.push(diagnostic);
                Expression::Constant(Value::Null)
            }
        }
    }

    /// Binds an expression over single rows, also in a SELECT with GROUP BY.
    fn row(&mut self, expr: &Expr, clause: Clause) -> Bound {
        let before = std::mem::replace(&mut self.rows, true);
        let bound = self.expr(expr, clause);
        self.rows = before;
        bound
    }
}
