//! What the query asks of the outside: the job's functions.

use std::ops::Range;

use crate::batch::{Batch, Column};
use crate::fault::Fault;
use crate::time::Timestamp;

/// What the query calls for `udf.…` and `uda.…`; the pipeline answers it.
pub trait Functions: Send {
    /// Calls a function over `rows` rows.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job. Trouble with a row is not one: it is in [`Called::rejected`].
    fn call(&mut self, name: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault>;

    /// The same functions for another thread; `None`: they are called by one thread at a time.
    fn fork(&self) -> Option<Box<dyn Functions>> {
        None
    }

    /// Runs an aggregate function, `uda.NAME`, from its start over each group: the group's values with their times, in
    /// that order. Group number `g` has the rows from `ends[g - 1]` (0 for the first) up to `ends[g]`.
    /// The answer has one value a group.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job, also when there is no such function.
    fn aggregate(&mut self, name: &str, values: &Column, times: &[Timestamp], ends: &[usize]) -> Result<Column, Fault> {
        let _unused = (values, times, ends);
        Err(Fault::job(format!("there is no aggregate function 'uda.{name}'")))
    }
}

/// One argument of a call.
#[derive(Debug)]
pub enum Argument<'a> {
    /// The whole rows of a source.
    Record(&'a Batch),
    /// One value a row.
    Value(&'a Column),
}

/// What a call answered.
#[derive(Debug)]
pub struct Called {
    /// One value a row; null where there is none.
    pub column: Column,
    /// Rows that do not fit the function, and why, rows ascending: they go to the dead letter.
    pub rejected: Vec<(usize, String)>,
    /// Rows whose call failed in a way that stops a job in Stream Analytics, rows ascending.
    pub failed: Vec<Failed>,
}

/// A call that failed: a script that threw, an endpoint that refused. What follows is the job's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The rows of the call.
    pub rows: Range<usize>,
    /// Why.
    pub fault: Fault,
}

impl std::fmt::Debug for dyn Functions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Functions")
    }
}
