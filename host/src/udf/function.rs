//! A loaded module: its signature, its hash, its pool of instances, and the one call a batch.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Array, Float64Array, Int64Array, StringArray};
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tamis_frame::{ColumnView, REJECTED, RESULT, Reply, Signature, Values};
use wasmtime::InstancePre;

use super::columns::Fit;
use super::error::shortened;
use super::instance::{Instance, State};
use super::{Limits, Sandbox, UdfError, bisect};
use crate::batch::{Batch, Column, ColumnBuilder};

/// One value a row, and why some rows have none.
#[derive(Debug)]
pub struct Called {
    /// One value a row; null where the row is rejected.
    pub column: Column,
    /// Row and reason, rows ascending.
    pub rejected: Vec<(usize, String)>,
}

/// A loaded module. Cloning is cheap; clones share the instances.
#[derive(Clone)]
pub struct Function {
    shared: Arc<Shared>,
}

struct Shared {
    pre: InstancePre<State>,
    name: String,
    signature: Signature,
    sha256: String,
    bytes: Bytes,
    sandbox: Sandbox,
    idle: Mutex<Vec<Instance>>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("name", &self.shared.name).field("sha256", &self.shared.sha256).finish_non_exhaustive()
    }
}

impl Function {
    pub(super) fn new(pre: InstancePre<State>, wasm: &[u8], name: &str, sandbox: Sandbox) -> Result<Self, UdfError> {
        let mut instance = Instance::new(&pre, name, &sandbox)?;
        let text = instance.signature(&pre, name)?;
        let signature =
            Signature::from_json(&text).map_err(|error| UdfError::Signature { name: name.to_owned(), what: error.to_string() })?;
        let sha256 = Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect();
        let idle = Mutex::new(vec![instance]);
        let bytes = Bytes::copy_from_slice(wasm);
        Ok(Self { shared: Arc::new(Shared { pre, name: name.to_owned(), signature, sha256, bytes, sandbox, idle }) })
    }

    /// What the module says of itself.
    pub fn signature(&self) -> &Signature {
        &self.shared.signature
    }

    /// SHA-256 of its bytes, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.shared.sha256
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.shared.bytes
    }

    /// The names of what it imports and of what it exports.
    pub fn doors(&self) -> (Vec<String>, Vec<String>) {
        let module = self.shared.pre.module();
        let imports = module.imports().map(|import| import.name().to_owned()).collect();
        (imports, module.exports().map(|export| export.name().to_owned()).collect())
    }

    /// Calls a function of the module over the rows of a batch; its columns are found by name.
    /// A row that does not fit, or makes the function fail, is rejected; the others get their values.
    ///
    /// # Errors
    /// Only when there is no such function, or no instance can be made.
    pub fn call(&self, function: &str, rows: &Batch) -> Result<Called, UdfError> {
        let Some((number, _)) = self.signature().function(function) else {
            let known = self.signature().functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(UdfError::Unknown { asked: function.to_owned(), known });
        };
        let limit = self.shared.sandbox.limits().max_rows;
        if rows.rows() <= limit {
            return self.call_within(number, rows);
        }
        let all: Vec<u32> = (0..rows.rows() as u32).collect();
        let (mut columns, mut rejected) = (Vec::new(), Vec::new());
        for (part, chosen) in all.chunks(limit).enumerate() {
            let called = self.call_within(number, &rows.take(chosen))?;
            columns.push(called.column);
            rejected.extend(called.rejected.into_iter().map(|(row, reason)| (part * limit + row, reason)));
        }
        Ok(Called { column: Column::concat(&columns.iter().collect::<Vec<_>>()), rejected })
    }

    /// Like [`Function::call`]; a function whose text is JSON answers the records or arrays that it spells.
    ///
    /// # Errors
    /// As [`Function::call`].
    pub fn ask(&self, function: &str, rows: &Batch) -> Result<Called, UdfError> {
        let called = self.call(function, rows)?;
        let json = self.signature().function(function).is_some_and(|(_, function)| function.json);
        Ok(if json { Called { column: called.column.spelled(), ..called } } else { called })
    }

    fn call_within(&self, number: u32, batch: &Batch) -> Result<Called, UdfError> {
        let rows = batch.rows();
        if rows == 0 {
            return Ok(Called { column: Column::Null(0), rejected: Vec::new() });
        }
        let fit = Fit::new(self.signature(), batch);
        if fit.rejected.is_empty() {
            let started = Instant::now();
            return match self.once(number, &fit, rows) {
                Ok(called) => Ok(called),
                // It is the module that does not start; no row is at fault more than another.
                Err(error @ UdfError::Start { .. }) => Err(error),
                Err(error) => bisect::find(self, number, batch, &error, started.elapsed()),
            };
        }
        // Rows that do not fit are left out; the others are called on their own.
        let kept: Vec<u32> = (0..rows as u32).filter(|row| !fit.rejected.contains_key(&(*row as usize))).collect();
        let called = self.call_within(number, &batch.take(&kept))?;
        let mut rejected: Vec<(usize, String)> = fit.rejected.into_iter().collect();
        rejected.extend(called.rejected.into_iter().map(|(row, reason)| (kept[row] as usize, reason)));
        rejected.sort_by_key(|(row, _)| *row);
        let mut column = ColumnBuilder::with_capacity(rows);
        let mut next = kept.iter().enumerate().peekable();
        for row in 0..rows {
            match next.next_if(|(_, kept)| **kept as usize == row) {
                Some((place, _)) => column.push(called.column.value(place)),
                None => column.push_null(),
            }
        }
        Ok(Called { column: column.finish(), rejected })
    }

    /// Calls over a batch whose rows fit, in an instance that was never called: what fails is the rows' fault. Any failure
    /// is for the whole.
    pub(super) fn once_over(&self, number: u32, batch: &Batch) -> Result<Called, UdfError> {
        self.once_in(self.fresh()?, number, &Fit::new(self.signature(), batch), batch.rows())
    }

    /// Calls in an instance that is at hand. One that was called before may fail for what is left in it: then a fresh one is
    /// asked, so that no row suffers from those before it.
    fn once(&self, number: u32, fit: &Fit<'_>, rows: usize) -> Result<Called, UdfError> {
        let idle = self.shared.idle.lock().pop();
        if let Some(idle) = idle {
            let used = idle.calls > 0;
            match self.once_in(idle, number, fit, rows) {
                Err(error) if used => tracing::debug!(%error, "A used instance failed; a fresh one is asked."),
                done => return done,
            }
        }
        self.once_in(self.fresh()?, number, fit, rows)
    }

    fn once_in(&self, mut instance: Instance, number: u32, fit: &Fit<'_>, rows: usize) -> Result<Called, UdfError> {
        let promised = self.signature().functions.get(number as usize).map(|function| function.returns);
        let most = self.limits().max_text_bytes;
        let called = instance.call(number, &fit.refs(), rows, |reply| match Reply::parse_for(reply, rows)? {
            Reply::Columns(frame) => {
                let result = frame.column(RESULT).ok_or_else(|| UdfError::Reply(format!("it has no column '{RESULT}'")))?;
                match promised {
                    Some(promised) if promised != result.ty() => {
                        Err(UdfError::Reply(format!("its result is {}, the signature says {promised}", result.ty())))
                    }
                    _ => read(result, frame.column(REJECTED), rows, most),
                }
            }
            Reply::Error(message) => Err(UdfError::Failed(shortened(message))),
        })?;
        // Only an instance whose call went well is used again, and no more of them wait than can be at work.
        let mut idle = self.shared.idle.lock();
        if instance.is_fresh_enough() && idle.len() < self.limits().idle {
            idle.push(instance);
        }
        drop(idle);
        Ok(called)
    }

    fn fresh(&self) -> Result<Instance, UdfError> {
        Instance::new(&self.shared.pre, &self.shared.name, &self.shared.sandbox)
    }

    pub(super) fn limits(&self) -> &Limits {
        self.shared.sandbox.limits()
    }
}

/// Copies the results out of the guest's memory; a value that is not a number rejects its row.
fn read(result: &ColumnView<'_>, reasons: Option<&ColumnView<'_>>, rows: usize, most: usize) -> Result<Called, UdfError> {
    let reason = |row: usize| shortened(reasons.and_then(|reasons| reasons.text(row)).unwrap_or("the function gave no value"));
    let mut rejected: Vec<(usize, String)> = if result.validity.is_some() {
        (0..rows).filter(|row| !result.is_valid(*row)).map(|row| (row, reason(row))).collect()
    } else {
        Vec::new()
    };
    if let Values::Float(values) = result.values
        && !values.iter().all(|value| value.is_finite())
    {
        let odd = values.iter().enumerate().filter(|(row, value)| !value.is_finite() && result.is_valid(*row));
        rejected.extend(odd.map(|(row, value)| (row, format!("the function's result is {value}"))));
        rejected.sort_by_key(|(row, _)| *row);
    }
    if let Values::Text { offsets, .. } = result.values {
        let long = offsets.windows(2).enumerate().map(|(row, span)| (row, (span[1] - span[0]) as usize));
        let long = long.filter(|(row, bytes)| *bytes > most && result.is_valid(*row));
        rejected.extend(long.map(|(row, bytes)| (row, format!("the function's result has {bytes} bytes, at most {most} are allowed"))));
        rejected.sort_by_key(|(row, _)| *row);
    }
    let nulls = (!rejected.is_empty()).then(|| {
        let mut valid = vec![true; rows];
        rejected.iter().for_each(|(row, _)| valid[*row] = false);
        arrow_buffer::NullBuffer::from(valid)
    });
    let column = match result.values {
        Values::Float(values) => Column::Float(Float64Array::new(values.to_vec().into(), nulls)),
        Values::BigInt(values) => Column::BigInt(Int64Array::new(values.to_vec().into(), nulls)),
        Values::Bit(bits) => Column::Bit(
            (0..rows)
                .map(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then(|| tamis_frame::frame::bit(bits, row)))
                .collect(),
        ),
        Values::Text { .. } => {
            let valid = |row: &usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
            let texts: StringArray = (0..rows).map(|row| Some(row).filter(valid).and_then(|row| result.text(row))).collect();
            if texts.null_count() > rejected.len() {
                return Err(UdfError::Reply("a text is not UTF-8".to_owned()));
            }
            Column::Text(texts)
        }
    };
    Ok(Called { column, rejected })
}
