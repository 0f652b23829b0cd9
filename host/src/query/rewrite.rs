//! Expressions turned into others.

use std::sync::Arc;

use super::expression::{Call, Expression};

impl Expression {
    /// The expression with each of its columns, rows, times and so on turned into another; `None` where `leaf` answers so.
    fn rebuilt(&self, leaf: &impl Fn(&Self) -> Option<Self>) -> Option<Self> {
        let one = |inner: &Self| inner.rebuilt(leaf).map(Box::new);
        let all = |list: &[Self]| list.iter().map(|inner| inner.rebuilt(leaf)).collect::<Option<Vec<_>>>();
        Some(match self {
            Self::Field(inner, name) => Self::Field(one(inner)?, Arc::clone(name)),
            Self::Call(call) => {
                Self::Call(Arc::new(Call { number: call.number, name: call.name.clone(), arguments: all(&call.arguments)? }))
            }
            Self::Binary(operator, left, right) => Self::Binary(*operator, one(left)?, one(right)?),
            Self::Not(inner) => Self::Not(one(inner)?),
            Self::Negate(inner) => Self::Negate(one(inner)?),
            Self::Flip(inner) => Self::Flip(one(inner)?),
            Self::IsNull(inner) => Self::IsNull(one(inner)?),
            Self::In(value, list) => Self::In(one(value)?, all(list)?),
            Self::Like(value, like) => Self::Like(one(value)?, Arc::clone(like)),
            Self::Case(branches, otherwise) => {
                let branches = branches
                    .iter()
                    .map(|(condition, value)| Some((condition.rebuilt(leaf)?, value.rebuilt(leaf)?)))
                    .collect::<Option<Vec<_>>>()?;
                let otherwise = match otherwise {
                    Some(otherwise) => Some(one(otherwise)?),
                    None => None,
                };
                Self::Case(branches, otherwise)
            }
            Self::Function(function, arguments) => Self::Function(*function, all(arguments)?),
            Self::Column(..)
            | Self::FirstOf(..)
            | Self::Constant(_)
            | Self::Timestamp
            | Self::Row
            | Self::Source(_)
            | Self::Metadata(_) => leaf(self)?,
        })
    }

    /// An expression over a join's rows as one over the rows of its source `alias`; `None` when it reads another source.
    pub(super) fn localized(&self, alias: &str) -> Option<Self> {
        let time = format!("#time.{alias}");
        self.rebuilt(&|leaf| match leaf {
            Self::Column(name, _) if name.eq_ignore_ascii_case(&time) => Some(Self::Timestamp),
            Self::Column(name, path) => Some(Self::Column(own(name, alias)?, path.clone())),
            Self::FirstOf(names, path) => Some(Self::Column(names.iter().find_map(|name| own(name, alias))?, path.clone())),
            Self::Source(source) if source.eq_ignore_ascii_case(alias) => Some(Self::Row),
            Self::Source(_) => None,
            other => Some(other.clone()),
        })
    }

    /// The aliases of the sources that an expression over a join's rows reads; `None` when that is not known.
    pub(super) fn aliases(&self) -> Option<Vec<Arc<str>>> {
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut known = true;
        self.visit(&mut |inner| match inner {
            Self::Column(name, _) => {
                let name = name.strip_prefix("#time.").unwrap_or_else(|| name.split('.').next().unwrap_or_default());
                found.push(name.into());
            }
            Self::Source(alias) => found.push(Arc::clone(alias)),
            Self::FirstOf(..) | Self::Row | Self::Timestamp | Self::Metadata(_) | Self::Call(_) => known = false,
            _ => {}
        });
        known.then_some(found)
    }
}

/// The column's own name, when it is one of this source.
fn own(name: &str, alias: &str) -> Option<Arc<str>> {
    let head = name.get(..alias.len())?;
    let rest = name.get(alias.len()..)?.strip_prefix('.')?;
    head.eq_ignore_ascii_case(alias).then(|| rest.into())
}
