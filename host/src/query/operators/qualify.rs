//! Names in a joined batch: `alias.column`, and the source's own time as the hidden `#time.alias`.

use std::sync::Arc;

use crate::batch::{Batch, Column};

/// Renames the columns of one source.
#[derive(Debug)]
pub(super) struct Qualifier {
    /// `None`: the names are qualified already.
    alias: Option<Arc<str>>,
    /// The last names that came and what they became.
    known: Option<[Arc<[Arc<str>]>; 2]>,
}

impl Qualifier {
    pub(super) fn new(alias: Option<Arc<str>>) -> Self {
        Self { alias, known: None }
    }

    /// The batch with `alias.` before each column that is not hidden, and the column `#time.alias`.
    pub(super) fn qualify(&mut self, batch: &Batch) -> Batch {
        let mut batch = batch.clone();
        let Some(alias) = &self.alias else { return batch };
        let names = match &self.known {
            Some([known, names]) if Arc::ptr_eq(known, &batch.names) || *known == batch.names => Arc::clone(names),
            _ => {
                let qualified = batch.names.iter().map(|name| match name.starts_with('#') {
                    true => Arc::clone(name),
                    false => Arc::from(format!("{alias}.{name}")),
                });
                let names: Arc<[Arc<str>]> = qualified.chain([Arc::from(format!("#time.{alias}"))]).collect();
                self.known = Some([Arc::clone(&batch.names), Arc::clone(&names)]);
                names
            }
        };
        batch.names = names;
        batch.columns.push(Column::DateTime(batch.times.iter().map(|time| time.0).collect::<Vec<_>>().into()));
        batch
    }
}

/// The batch with these columns before its own, so that they go with its rows.
pub(super) fn with_front(front: Vec<(Arc<str>, Column)>, batch: Batch) -> Batch {
    if front.is_empty() {
        return batch;
    }
    let (names, mut columns): (Vec<_>, Vec<_>) = front.into_iter().unzip();
    columns.extend(batch.columns);
    Batch { names: names.into_iter().chain(batch.names.iter().cloned()).collect(), columns, ..batch }
}
