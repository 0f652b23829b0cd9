//! Calls of a function of a WebAssembly module.

use std::sync::Arc;

use crate::batch::{Batch, Column, Origin};
use crate::fault::Fault;
use crate::query::{Argument, Called};
use crate::time::Timestamp;

use super::live::{Live, Pair};
use crate::pipeline::shadow::Answered;

/// A function that the query can call, and the module's function behind it.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// Its name in the query, after `udf.`.
    pub(crate) name: String,
    /// The module's function: `run`, `score`.
    pub(crate) target: String,
    /// The module, and its challenger.
    pub(crate) live: Live,
}

impl Bound {
    pub(super) fn call(&self, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        let positional;
        let record = match arguments {
            [Argument::Record(batch)] => *batch,
            values => {
                positional = self.by_position(values, rows)?;
                &positional
            }
        };
        let Pair { champion, challenger } = self.live.pair();
        match champion.ask(&self.target, record) {
            Ok(called) => {
                if let Some(answered) = challenger.and_then(|challenger| Answered::ask(&challenger, self, record)) {
                    self.live.keep(answered);
                }
                Ok(Called { column: called.column, rejected: called.rejected, failed: Vec::new() })
            }
            // The module was loaded and had this function when the job started: this is a failing instance, and no
            // reason to stop the job. The rows are dead letters with the reason.
            Err(error) => {
                tracing::error!(function = self.name, %error, rows, "Function cannot be called; its rows are dead letters.");
                let reason = error.to_string();
                let rejected = (0..rows).map(|row| (row, reason.clone())).collect();
                Ok(Called { column: Column::Null(rows), rejected, failed: Vec::new() })
            }
        }
    }

    /// `udf.f(a, b, c)`: the values are the signature's columns, in its order.
    fn by_position(&self, arguments: &[Argument<'_>], rows: usize) -> Result<Batch, Fault> {
        let champion = self.live.pair().champion;
        let expected = &champion.signature().columns;
        if arguments.len() != expected.len() {
            return Err(Fault::job(format!(
                "udf.{} takes one record or its {} columns, {} arguments were given",
                self.name,
                expected.len(),
                arguments.len()
            )));
        }
        let mut columns = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                Argument::Value(column) => columns.push((*column).clone()),
                Argument::Record(_) => {
                    return Err(Fault::job(format!("udf.{} takes one record, or values; not both", self.name)));
                }
            }
        }
        Ok(Batch {
            names: expected.iter().map(|column| Arc::from(column.name.as_str())).collect(),
            columns,
            times: vec![Timestamp::default(); rows].into(),
            origin: Origin::Derived,
        })
    }
}
