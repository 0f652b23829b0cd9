//! Between the language's values and JavaScript's, both ways.
//!
//! | language | JavaScript | back |
//! | --- | --- | --- |
//! | bigint, float | Number | bigint when it is whole and fits, else float |
//! | nvarchar(max) | String | nvarchar(max) |
//! | datetime | Date (milliseconds) | datetime |
//! | bit | Boolean | bit |
//! | record, array | Object, Array | record, array |
//! | null | null | null, from undefined too |

use std::sync::Arc;

use rquickjs::{Array, Atom, Coerced, Filter, Function, Object, String as JsString, Type, Value as Js};

use super::ScriptError;
use super::engine::Scope;
use crate::batch::{Batch, Column, Record, Value};
use crate::time::Timestamp;

/// Converts values for the calls of one batch.
pub(super) struct Values<'js, 's, 'a> {
    scope: &'s Scope<'js, 'a>,
    date: Function<'js>,
    is_date: Function<'js>,
    tag: Function<'js>,
    /// What `{…}` inherits from.
    plain: Object<'js>,
}

/// What is left for a result.
struct Left {
    depth: usize,
    size: usize,
}

impl<'js, 's, 'a> Values<'js, 's, 'a> {
    pub(super) fn new(scope: &'s Scope<'js, 'a>) -> Result<Self, ScriptError> {
        let plain = scope.kept()?.get("plain").map_err(|error| scope.caught(error))?;
        Ok(Self { scope, date: scope.helper("date")?, is_date: scope.helper("isDate")?, tag: scope.helper("tag")?, plain })
    }

    /// The value of a column's row.
    pub(super) fn cell(&self, column: &Column, row: usize) -> Result<Js<'js>, ScriptError> {
        let ctx = || self.scope.ctx.clone();
        if column.is_null(row) {
            return Ok(Js::new_null(ctx()));
        }
        Ok(match column {
            Column::Null(_) => Js::new_null(ctx()),
            Column::Bit(array) => Js::new_bool(ctx(), array.value(row)),
            Column::BigInt(array) => self.integer(array.value(row)),
            Column::Float(array) => Js::new_float(ctx(), array.value(row)),
            Column::Text(array) => self.text(array.value(row))?,
            Column::DateTime(array) => self.moment(Timestamp(array.value(row)))?,
            Column::Mixed(values) => self.value(&values[row])?,
        })
    }

    /// The names of a batch's columns, ready for [`Self::row`]. Those that start with `#` are the engine's own.
    pub(super) fn names(&self, batch: &Batch) -> Result<Vec<Option<Atom<'js>>>, ScriptError> {
        let name = |name: &Arc<str>| (!name.starts_with('#')).then(|| Atom::from_str(self.scope.ctx.clone(), name)).transpose();
        batch.names.iter().map(name).collect::<Result<_, _>>().map_err(|error| self.scope.caught(error))
    }

    /// A row as an Object.
    pub(super) fn row(&self, batch: &Batch, names: &[Option<Atom<'js>>], row: usize) -> Result<Js<'js>, ScriptError> {
        let caught = |error| self.scope.caught(error);
        let object = Object::new(self.scope.ctx.clone()).map_err(caught)?;
        for (name, column) in names.iter().zip(&batch.columns) {
            if let Some(name) = name {
                object.set(name.clone(), self.cell(column, row)?).map_err(caught)?;
            }
        }
        Ok(object.into_value())
    }

    pub(super) fn moment(&self, moment: Timestamp) -> Result<Js<'js>, ScriptError> {
        self.date.call((moment.millis() as f64,)).map_err(|error| self.scope.caught(error))
    }

    fn integer(&self, value: i64) -> Js<'js> {
        match i32::try_from(value) {
            Ok(value) => Js::new_int(self.scope.ctx.clone(), value),
            Err(_) => Js::new_float(self.scope.ctx.clone(), value as f64),
        }
    }

    fn text(&self, text: &str) -> Result<Js<'js>, ScriptError> {
        JsString::from_str(self.scope.ctx.clone(), text).map(JsString::into_value).map_err(|error| self.scope.caught(error))
    }

    fn value(&self, value: &Value) -> Result<Js<'js>, ScriptError> {
        let caught = |error| self.scope.caught(error);
        let ctx = || self.scope.ctx.clone();
        Ok(match value {
            Value::Null | Value::Missing => Js::new_null(ctx()),
            Value::Bit(value) => Js::new_bool(ctx(), *value),
            Value::BigInt(value) => self.integer(*value),
            Value::Float(value) => Js::new_float(ctx(), *value),
            Value::Text(text) => self.text(text)?,
            Value::DateTime(moment) => self.moment(*moment)?,
            Value::Record(fields) => {
                let object = Object::new(ctx()).map_err(caught)?;
                for (name, value) in fields.iter() {
                    object.set(&**name, self.value(value)?).map_err(caught)?;
                }
                object.into_value()
            }
            Value::Array(elements) => {
                let array = Array::new(ctx()).map_err(caught)?;
                for (place, element) in elements.iter().enumerate() {
                    array.set(place, self.value(element)?).map_err(caught)?;
                }
                array.into_value()
            }
        })
    }

    /// What a function returned.
    pub(super) fn result(&self, value: &Js<'js>) -> Result<Value, ScriptError> {
        let mut left = Left { depth: self.scope.limits.depth, size: self.scope.limits.result_size };
        let value = self.back(value, &mut left)?;
        match &self.scope.script.returns {
            Some(ty) => self.declared(value, ty),
            None => Ok(value),
        }
    }

    /// A whole Number is a float where a float is declared; else the types must be the same.
    fn declared(&self, value: Value, ty: &str) -> Result<Value, ScriptError> {
        match (value.type_name(), value) {
            (None, value) => Ok(value),
            (Some(given), value) if given == ty => Ok(value),
            (_, Value::BigInt(value)) if ty == "float" => Ok(Value::Float(value as f64)),
            (Some(given), _) => self.odd(format!("a value of type '{given}', its OutputType is '{ty}'.")),
        }
    }

    fn odd<T>(&self, what: impl Into<String>) -> Result<T, ScriptError> {
        Err(ScriptError::Returned { name: self.scope.script.name.clone(), what: what.into(), arguments: String::new() })
    }

    fn back(&self, value: &Js<'js>, left: &mut Left) -> Result<Value, ScriptError> {
        self.take(left, 1)?;
        match value.type_of() {
            Type::Null | Type::Undefined | Type::Uninitialized => Ok(Value::Null),
            Type::Bool => Ok(Value::Bit(value.as_bool().unwrap_or_default())),
            Type::Int => Ok(Value::BigInt(value.as_int().unwrap_or_default().into())),
            Type::Float => Ok(number(value.as_float().unwrap_or_default())),
            Type::BigInt => self.big(value),
            Type::String => {
                let text = value.as_string().map(JsString::to_string).transpose().map_err(|error| self.scope.caught(error))?;
                let text = text.unwrap_or_default();
                self.take(left, text.len())?;
                Ok(Value::Text(text.into()))
            }
            Type::Array => self.nested(left, |left| self.elements(value, left)),
            Type::Object => self.object(value, left),
            Type::Function | Type::Constructor => self.odd("a function; a value is expected."),
            Type::Exception => self.odd("an Error; throw it, or return a value."),
            other => self.odd(format!("a {}, which is no value of the query language.", other.as_str())),
        }
    }

    fn take(&self, left: &mut Left, size: usize) -> Result<(), ScriptError> {
        match left.size.checked_sub(size) {
            Some(rest) => left.size = rest,
            None => return self.odd(format!("more than {} values and bytes of text.", self.scope.limits.result_size)),
        }
        Ok(())
    }

    fn nested(&self, left: &mut Left, work: impl FnOnce(&mut Left) -> Result<Value, ScriptError>) -> Result<Value, ScriptError> {
        let Some(depth) = left.depth.checked_sub(1) else {
            return self.odd(format!("a value that is nested deeper than {}, or contains itself.", self.scope.limits.depth));
        };
        left.depth = depth;
        let value = work(left);
        left.depth = depth + 1;
        value
    }

    fn big(&self, value: &Js<'js>) -> Result<Value, ScriptError> {
        let digits = value.get::<Coerced<String>>().map_err(|error| self.scope.caught(error))?.0;
        match digits.parse() {
            Ok(value) => Ok(Value::BigInt(value)),
            Err(_) => self.odd("a BigInt that does not fit bigint."),
        }
    }

    fn elements(&self, value: &Js<'js>, left: &mut Left) -> Result<Value, ScriptError> {
        let Some(array) = value.as_array() else { return Ok(Value::Null) };
        self.take(left, array.len())?;
        let mut elements = Vec::with_capacity(array.len());
        for element in array.iter::<Js<'js>>() {
            elements.push(self.back(&element.map_err(|error| self.scope.caught(error))?, left)?);
        }
        Ok(Value::Array(elements.into()))
    }

    fn object(&self, value: &Js<'js>, left: &mut Left) -> Result<Value, ScriptError> {
        let caught = |error| self.scope.caught(error);
        let Some(object) = value.as_object() else { return Ok(Value::Null) };
        if object.get_prototype().is_some_and(|prototype| prototype == self.plain) {
            return self.nested(left, |left| self.fields(object, left));
        }
        let tag: String = self.tag.call((value.clone(),)).map_err(caught)?;
        match tag.as_str() {
            "[object Object]" => self.nested(left, |left| self.fields(object, left)),
            "[object Date]" if self.is_date.call::<_, bool>((value.clone(),)).map_err(caught)? => self.date(value),
            other => self.odd(format!("{other}, which is no value of the query language.")),
        }
    }

    fn fields(&self, object: &Object<'js>, left: &mut Left) -> Result<Value, ScriptError> {
        let mut record = Record::new();
        for property in object.own_props::<String, Js<'js>>(Filter::default()) {
            let (name, value) = property.map_err(|error| self.scope.caught(error))?;
            self.take(left, name.len())?;
            record.push((name.into(), self.back(&value, left)?));
        }
        Ok(Value::Record(Arc::new(record)))
    }

    fn date(&self, value: &Js<'js>) -> Result<Value, ScriptError> {
        let millis = value.get::<Coerced<f64>>().map_err(|error| self.scope.caught(error))?.0;
        if millis.is_finite() { Ok(Value::DateTime(Timestamp::from_millis(millis as i64))) } else { self.odd("an invalid Date.") }
    }
}

/// A bigint when it is whole and fits.
fn number(value: f64) -> Value {
    let fits = value.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if fits { Value::BigInt(value as i64) } else { Value::Float(value) }
}
