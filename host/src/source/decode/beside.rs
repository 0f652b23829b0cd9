//! Hidden columns of what stands beside an event's body: `#key`, the partition key; `#user`, a record of the sender's own
//! properties; `#user.NAME`, one of them. Names are compared without regard to case: HTTP does not keep it.

use std::sync::Arc;

use crate::batch::{Column, ColumnBuilder, Value};
use crate::source::log::Event;

/// The columns that are asked for, as they grow.
#[derive(Debug, Default)]
pub(super) struct Beside {
    columns: Vec<(Arc<str>, What, ColumnBuilder)>,
}

#[derive(Debug)]
enum What {
    Key,
    All,
    One(String),
}

impl Beside {
    pub(super) fn new(names: &[String]) -> Self {
        let what = |name: &str| match name.split_once('.') {
            Some((_, property)) => What::One(plain(property)),
            None if name == "#key" => What::Key,
            None => What::All,
        };
        Self { columns: names.iter().map(|name| (Arc::from(name.as_str()), what(name), ColumnBuilder::with_capacity(0))).collect() }
    }

    /// Takes an event that has brought so many rows.
    pub(super) fn take(&mut self, event: &Event, rows: usize) {
        for (_, what, builder) in &mut self.columns {
            let value = match what {
                What::Key => event.key.as_deref().map_or(Value::Null, |key| Value::Text(key.into())),
                What::All => {
                    let field = |(name, value): &(String, String)| (Arc::from(name.as_str()), Value::Text(value.as_str().into()));
                    Value::Record(Arc::new(event.properties.iter().map(field).collect()))
                }
                What::One(wanted) => {
                    let known = event.properties.iter().find(|(name, _)| plain(name) == *wanted);
                    known.map_or(Value::Null, |(_, value)| Value::Text(value.as_str().into()))
                }
            };
            (0..rows).for_each(|_| builder.push(value.clone()));
        }
    }

    /// The batch's columns and these.
    pub(super) fn finish(&mut self, (names, mut columns): (Arc<[Arc<str>]>, Vec<Column>)) -> (Arc<[Arc<str>]>, Vec<Column>) {
        if self.columns.is_empty() {
            return (names, columns);
        }
        let own: Vec<Arc<str>> = self.columns.iter().map(|(name, _, _)| Arc::clone(name)).collect();
        columns.extend(self.columns.iter_mut().map(|(_, _, builder)| std::mem::take(builder).finish()));
        (names.iter().cloned().chain(own).collect(), columns)
    }
}

/// A name as the query's own are compared: in small letters, without blanks and brackets.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| !"[] ".contains(*letter)).collect::<String>().to_ascii_lowercase()
}
