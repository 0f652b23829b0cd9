//! Encoders, scalers, imputers and norms of ai.onnx.ml.

use std::rc::Rc;

use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result, numbers};
use super::tensor::{Data, Elem};
use super::value::{Id, Scalar, Text, Together, Value};
use crate::program::{Binary, Joint, Unary};

/// The keys or values of a LabelEncoder.
enum List {
    Texts(Vec<String>),
    Numbers(Vec<f64>, Elem),
}

impl List {
    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Numbers(numbers, _) => numbers.len(),
        }
    }
}

impl Compiler {
    pub(super) fn encode(&mut self, attributes: Attributes<'_>) -> Result<Option<Vec<Value>>> {
        let value = match attributes.node.op_type.as_str() {
            "OneHotEncoder" => self.one_hot(attributes)?,
            "LabelEncoder" => self.label(attributes)?,
            "CategoryMapper" => self.category(attributes)?,
            "Scaler" => self.scale(attributes)?,
            "Imputer" => self.impute(attributes)?,
            "Normalizer" => self.normalize(attributes)?,
            "Binarizer" => {
                let (ids, rank) = self.floats(attributes.node, 0)?;
                let at = self.arena.constant(attributes.float("threshold").unwrap_or(0.0));
                let ids = ids.into_iter().map(|id| self.arena.combine(Binary::Greater, id, at, false)).collect();
                numbers(ids, Elem::Float, rank)
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![value]))
    }

    /// One column a category: 1 where the value is it, else 0.
    fn one_hot(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (columns, elem, _) = self.rows(node, 0)?;
        let (texts, ints) = (attributes.texts("cats_strings")?, attributes.ints("cats_int64s"));
        let zeros = attributes.int("zeros").unwrap_or(1) != 0;
        let mut out = Vec::new();
        // One table a column. Of a single column, joining along any axis but the rows' gives the same order.
        let rank = if columns.len() == 1 { 3 } else { 4 };
        for column in columns {
            match column {
                Scalar::Text(text) => {
                    if !zeros && let Text::Column(column) | Text::Mapped { column, .. } = &text {
                        self.arena.closed.insert(*column);
                    }
                    for category in &texts {
                        out.push(self.arena.by_text(&text, &[((*category).to_owned(), 1.0)], 0.0));
                    }
                }
                Scalar::Number(id) => {
                    if ints.is_empty() {
                        return Err(fault(node, "it has texts as categories, and numbers to look up"));
                    }
                    let id = if elem == Elem::Int { id } else { self.arena.apply(Unary::Truncate, id, false) };
                    for category in ints {
                        let category = self.arena.constant(*category as f64);
                        out.push(self.arena.combine(Binary::Equal, id, category, false));
                    }
                }
            }
        }
        Ok(numbers(out, Elem::Float, rank))
    }

    fn label(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (columns, elem, rank) = self.rows(node, 0)?;
        let classes = attributes.texts("classes_strings")?;
        if !classes.is_empty() {
            // Version 1: a text to its place, or a place to its text.
            let texts: Vec<String> = classes.into_iter().map(str::to_owned).collect();
            let places = (0..texts.len()).map(|place| place as f64).collect();
            let default = attributes.int("default_int64").unwrap_or(-1) as f64;
            return if elem == Elem::Text {
                self.labels(attributes, columns, rank, &List::Texts(texts), &List::Numbers(places, Elem::Int), default, "")
            } else {
                let other = attributes.text("default_string")?.unwrap_or("_Unused").to_owned();
                self.labels(attributes, columns, rank, &List::Numbers(places, Elem::Int), &List::Texts(texts), 0.0, &other)
            };
        }
        let (keys, values) = (list(attributes, "keys")?, list(attributes, "values")?);
        let (Some(keys), Some(values)) = (keys, values) else { return Err(fault(node, "its keys or values are missing")) };
        let given = attributes.tensor("default_tensor")?;
        let default = match &values {
            _ if given.as_ref().is_some_and(|tensor| tensor.numbers().is_some_and(|values| !values.is_empty())) => {
                given.as_ref().and_then(|tensor| tensor.numbers()).map_or(0.0, |values| values[0])
            }
            List::Numbers(_, Elem::Int) => attributes.int("default_int64").unwrap_or(-1) as f64,
            _ => attributes.float("default_float").unwrap_or(-0.0),
        };
        let text = match given.as_ref().and_then(|tensor| tensor.texts()) {
            Some([text, ..]) => text.clone(),
            _ => attributes.text("default_string")?.unwrap_or("_Unused").to_owned(),
        };
        self.labels(attributes, columns, rank, &keys, &values, default, &text)
    }

    fn category(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (columns, elem, rank) = self.rows(node, 0)?;
        let texts = List::Texts(attributes.texts("cats_strings")?.into_iter().map(str::to_owned).collect());
        let ints = List::Numbers(attributes.ints("cats_int64s").iter().map(|value| *value as f64).collect(), Elem::Int);
        let default = attributes.int("default_int64").unwrap_or(-1) as f64;
        let text = attributes.text("default_string")?.unwrap_or("_Unused").to_owned();
        let (keys, values) = if elem == Elem::Text { (&texts, &ints) } else { (&ints, &texts) };
        let _ = node;
        self.labels(attributes, columns, rank, keys, values, default, &text)
    }

    #[expect(clippy::too_many_arguments, reason = "what a LabelEncoder is made of")]
    fn labels(
        &mut self,
        attributes: Attributes<'_>,
        columns: Vec<Scalar>,
        rank: usize,
        keys: &List,
        values: &List,
        default: f64,
        text: &str,
    ) -> Result<Value> {
        let node = attributes.node;
        if keys.len() != values.len() || keys.len() == 0 {
            return Err(fault(node, format!("it has {} keys and {} values", keys.len(), values.len())));
        }
        let mut out = Vec::with_capacity(columns.len());
        for column in columns {
            out.push(match (column, keys, values) {
                (Scalar::Text(own), List::Texts(keys), List::Numbers(values, _)) => {
                    let pairs: Vec<(String, f64)> = keys.iter().cloned().zip(values.iter().copied()).collect();
                    Scalar::Number(self.arena.by_text(&own, &pairs, default))
                }
                (Scalar::Text(Text::Column(column)), List::Texts(keys), List::Texts(values)) => {
                    let pairs = Rc::new(keys.iter().cloned().zip(values.iter().cloned()).collect());
                    Scalar::Text(Text::Mapped { column, pairs, default: text.to_owned() })
                }
                (Scalar::Number(id), List::Numbers(keys, _), List::Numbers(values, _)) => {
                    let at_nan = keys.iter().zip(values).find(|(key, _)| key.is_nan()).map(|(_, value)| *value);
                    if at_nan.is_some() {
                        self.arena.apply(Unary::IsNaN, id, false);
                    }
                    let pairs = keys.iter().copied().zip(values.iter().copied()).filter(|(key, _)| !key.is_nan()).collect();
                    Scalar::Number(self.arena.lookup(id, pairs, at_nan.unwrap_or(default), default))
                }
                _ => return Err(fault(node, "these kinds of keys and values cannot be compiled here")),
            });
        }
        let elem = match values {
            List::Texts(_) => Elem::Text,
            List::Numbers(_, elem) => *elem,
        };
        Ok(Value::Rows { columns: out, elem, rank })
    }

    fn scale(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (ids, rank) = self.floats(node, 0)?;
        let (offset, scale) = (attributes.floats("offset"), attributes.floats("scale"));
        let fits = |list: &[f64]| list.len() == 1 || list.len() == ids.len();
        if !fits(&offset) || !fits(&scale) {
            return Err(fault(node, format!("it has {} offsets and {} scales for {} columns", offset.len(), scale.len(), ids.len())));
        }
        let get = |list: &[f64], place: usize| list[if list.len() == 1 { 0 } else { place }];
        let mut out = Vec::with_capacity(ids.len());
        for (place, id) in ids.into_iter().enumerate() {
            let (offset, scale) = (self.arena.constant(get(&offset, place)), self.arena.constant(get(&scale, place)));
            let moved = self.arena.combine(Binary::Sub, id, offset, true);
            out.push(self.arena.combine(Binary::Mul, moved, scale, true));
        }
        Ok(numbers(out, Elem::Float, rank))
    }

    fn impute(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (ids, elem, rank) = self.numbers(node, 0)?;
        let whole = elem == Elem::Int;
        let imputed = if whole {
            attributes.ints("imputed_value_int64s").iter().map(|value| *value as f64).collect()
        } else {
            attributes.floats("imputed_value_floats")
        };
        let replaced = if whole {
            attributes.int("replaced_value_int64").unwrap_or(0) as f64
        } else {
            attributes.float("replaced_value_float").unwrap_or(0.0)
        };
        if imputed.len() != 1 && imputed.len() != ids.len() {
            return Err(fault(node, format!("it has {} values for {} columns", imputed.len(), ids.len())));
        }
        let mut out = Vec::with_capacity(ids.len());
        for (place, id) in ids.into_iter().enumerate() {
            let value = self.arena.constant(imputed[if imputed.len() == 1 { 0 } else { place }]);
            let missing = if replaced.is_nan() {
                self.arena.apply(Unary::IsNaN, id, false)
            } else {
                let replaced = self.arena.constant(replaced);
                self.arena.combine(Binary::Equal, id, replaced, false)
            };
            out.push(self.arena.choose(missing, value, id));
        }
        Ok(numbers(out, elem, rank))
    }

    fn normalize(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (inputs, rank) = self.floats(node, 0)?;
        let what = match attributes.text("norm")?.unwrap_or("MAX") {
            "L1" => Joint::L1,
            "L2" => Joint::L2,
            "MAX" => Joint::MaxNorm,
            other => return Err(fault(node, format!("norm '{other}' is unknown"))),
        };
        if what == Joint::L1 && self.adds_up_to_one(&inputs) {
            return Ok(numbers(inputs, Elem::Float, rank));
        }
        Ok(numbers(self.arena.together(Together::Joint { what, inputs }), Elem::Float, rank))
    }

    /// Whether two values are a probability and its opposite, so that their sum is 1 as they are.
    fn adds_up_to_one(&self, ids: &[Id]) -> bool {
        let [a, b] = ids else { return false };
        let logistic = |id: Id| match &self.arena.exprs[id as usize] {
            super::value::Expr::Apply { what: Unary::Logistic, input, .. } => Some(*input),
            _ => None,
        };
        let (Some(a), Some(b)) = (logistic(*a), logistic(*b)) else { return false };
        let part = |id: Id| match &self.arena.exprs[id as usize] {
            super::value::Expr::Part { joint, output } => Some((*joint as usize, *output as usize)),
            _ => None,
        };
        let (Some((first, a)), Some((second, b))) = (part(a), part(b)) else { return false };
        match (&self.arena.together[first], &self.arena.together[second]) {
            (Together::Linear { inputs, weights, bias }, Together::Linear { .. }) if first == second => {
                let row = |output: usize| &weights[output * inputs.len()..][..inputs.len()];
                bias[a] == -bias[b] && row(a).iter().zip(row(b)).all(|(a, b)| *a == -*b)
            }
            _ => false,
        }
    }
}

fn list(attributes: Attributes<'_>, name: &str) -> Result<Option<List>> {
    if let Some(tensor) = attributes.tensor(&format!("{name}_tensor"))? {
        let elem = tensor.elem;
        return Ok(Some(match tensor.data {
            Data::Texts(texts) => List::Texts(texts),
            Data::Numbers(numbers) => List::Numbers(numbers, elem),
        }));
    }
    let texts = attributes.texts(&format!("{name}_strings"))?;
    let ints = attributes.ints(&format!("{name}_int64s"));
    let floats = attributes.floats(&format!("{name}_floats"));
    Ok(if !texts.is_empty() {
        Some(List::Texts(texts.into_iter().map(str::to_owned).collect()))
    } else if !ints.is_empty() {
        Some(List::Numbers(ints.iter().map(|value| *value as f64).collect(), Elem::Int))
    } else if !floats.is_empty() {
        Some(List::Numbers(floats, Elem::Float))
    } else {
        None
    })
}
