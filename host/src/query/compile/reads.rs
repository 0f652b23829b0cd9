//! Which columns of inputs and reference inputs an expression reads.

use super::Compiler;
use super::source::Rows;
use crate::query::bind::Scope;
use crate::query::expression::{Expression, Metadata};
use crate::query::metadata::{ENQUEUED, is_beside};
use crate::query::plan::{Columns, Source};

impl Compiler<'_> {
    /// Notes what an expression over the rows of a SELECT's sources reads. `rows`: where each source's rows come from.
    pub(super) fn reads(&mut self, expression: &Expression, scope: &Scope, rows: &[Rows]) {
        let mut named: Vec<(usize, String)> = Vec::new();
        let mut all: Vec<usize> = Vec::new();
        let mut enqueued = false;
        let mut beside: Vec<String> = Vec::new();
        let mut note = |name: &str| {
            if !scope.joined {
                named.push((0, name.to_owned()));
                return;
            }
            for (place, source) in scope.sources.iter().enumerate() {
                let alias = &source.alias;
                let head = name.get(..alias.len()).is_some_and(|head| head.eq_ignore_ascii_case(alias));
                if head && let Some(column) = name.get(alias.len()..).and_then(|rest| rest.strip_prefix('.')) {
                    named.push((place, column.to_owned()));
                }
            }
        };
        expression.visit(&mut |inner| match inner {
            Expression::Column(name, _) if &**name == ENQUEUED => enqueued = true,
            Expression::Metadata(Metadata::All) => enqueued = true,
            Expression::Column(name, _) if is_beside(name) => beside.push(name.to_string()),
            Expression::Column(name, _) => note(name),
            Expression::FirstOf(names, _) => names.iter().for_each(|name| note(name)),
            Expression::Row => all.push(0),
            Expression::Source(alias) => all.extend(scope.source(alias)),
            _ => {}
        });
        for (place, name) in named {
            if let Some(columns) = rows.get(place).and_then(|rows| self.columns_of(*rows)) {
                columns.read(&name);
            }
        }
        all.into_iter().for_each(|place| self.reads_all(rows.get(place).copied()));
        for name in beside {
            for rows in rows {
                if let Rows::Stream(Source::Feed(feed)) = rows {
                    let input = self.plan.feeds[*feed].input;
                    let known = &mut self.plan.inputs[input].beside;
                    if !known.contains(&name) {
                        known.push(name.clone());
                    }
                }
            }
        }
        if enqueued {
            for rows in rows {
                if let Rows::Stream(Source::Feed(feed)) = rows {
                    self.plan.feeds[*feed].enqueued = true;
                }
            }
        }
    }

    /// Notes that every column is read.
    pub(super) fn reads_all(&mut self, rows: Option<Rows>) {
        if let Some(columns) = rows.and_then(|rows| self.columns_of(rows)) {
            *columns = Columns::All;
        }
    }

    fn columns_of(&mut self, rows: Rows) -> Option<&mut Columns> {
        match rows {
            Rows::Stream(Source::Feed(feed)) => {
                let input = self.plan.feeds.get(feed)?.input;
                self.plan.inputs.get_mut(input).map(|input| &mut input.columns)
            }
            Rows::Stream(Source::Step(_)) => None,
            Rows::Reference(place) => self.plan.references.get_mut(place).map(|(_, columns)| columns),
        }
    }
}
