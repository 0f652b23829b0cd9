//! Arithmetic and comparisons, weighted sums, norms.

use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result, numbers};
use super::proto::NodeProto;
use super::tensor::{Data, Elem, Tensor};
use super::value::{Id, Scalar, Together, Value};
use crate::program::{Binary, Joint, Unary};

fn unary(operator: &str) -> Option<(Unary, Option<Elem>)> {
    Some(match operator {
        "Neg" => (Unary::Neg, None),
        "Abs" => (Unary::Abs, None),
        "Exp" => (Unary::Exp, None),
        "Log" => (Unary::Log, None),
        "Sqrt" => (Unary::Sqrt, None),
        "Floor" => (Unary::Floor, None),
        "Ceil" => (Unary::Ceil, None),
        "Round" => (Unary::Round, None),
        "Sign" => (Unary::Sign, None),
        "Relu" => (Unary::Relu, None),
        "Tanh" => (Unary::Tanh, None),
        "Sigmoid" => (Unary::Logistic, None),
        "Reciprocal" => (Unary::Reciprocal, None),
        "IsNaN" => (Unary::IsNaN, Some(Elem::Bool)),
        "IsInf" => (Unary::IsInf, Some(Elem::Bool)),
        "Not" => (Unary::Not, Some(Elem::Bool)),
        _ => return None,
    })
}

fn binary(operator: &str) -> Option<(Binary, bool)> {
    Some(match operator {
        "Add" | "Sum" => (Binary::Add, false),
        "Sub" => (Binary::Sub, false),
        "Mul" => (Binary::Mul, false),
        "Div" => (Binary::Div, false),
        "Pow" => (Binary::Pow, false),
        "Min" => (Binary::Min, false),
        "Max" => (Binary::Max, false),
        "Equal" => (Binary::Equal, true),
        "Less" => (Binary::Less, true),
        "LessOrEqual" => (Binary::LessOrEqual, true),
        "Greater" => (Binary::Greater, true),
        "GreaterOrEqual" => (Binary::GreaterOrEqual, true),
        "And" => (Binary::And, true),
        "Or" => (Binary::Or, true),
        "Xor" => (Binary::Xor, true),
        _ => return None,
    })
}

impl Compiler {
    pub(super) fn plain(&mut self, attributes: Attributes<'_>) -> Result<Option<Vec<Value>>> {
        let node = attributes.node;
        if let Some((what, elem)) = unary(&node.op_type) {
            let (ids, own, rank) = self.numbers(node, 0)?;
            // The last links are not rounded: nothing is decided by them.
            let round = own == Elem::Float && what != Unary::Logistic;
            let ids = ids.into_iter().map(|id| self.arena.apply(what, id, round)).collect();
            return Ok(Some(vec![numbers(ids, elem.unwrap_or(own), rank)]));
        }
        if let Some((what, compares)) = binary(&node.op_type) {
            let mut value = self.input(node, 0)?;
            for place in 1..node.input.len() {
                let other = self.input(node, place)?;
                value = self.combine(node, what, compares, &value, &other)?;
            }
            return Ok(Some(vec![value]));
        }
        let value = match node.op_type.as_str() {
            "Constant" => constant(attributes)?,
            "Cast" => self.cast(attributes)?,
            "Where" => self.choose(node)?,
            "Clip" => self.clip(attributes)?,
            "MatMul" | "Gemm" => self.weighted(attributes)?,
            "Softmax" | "ReduceSum" | "ReduceMax" | "ReduceL1" | "ReduceL2" | "ReduceMean" | "ReduceSumSquare" => {
                self.reduce(attributes)?
            }
            "ArgMax" => {
                let (inputs, _, rank) = self.numbers(node, 0)?;
                let ids = self.arena.together(Together::Joint { what: Joint::ArgMax, inputs });
                numbers(ids, Elem::Int, if attributes.int("keepdims") == Some(0) { 1 } else { rank })
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![value]))
    }

    /// Both sides as columns of one width; constants are spread over it.
    fn spread(&mut self, node: &NodeProto, left: &Value, right: &Value) -> Result<(Vec<Scalar>, Vec<Scalar>, Elem, usize)> {
        let width = |value: &Value| match value {
            Value::Rows { columns, .. } => Some(columns.len()),
            Value::Fixed(tensor) => Some(tensor.len()),
            _ => None,
        };
        let (Some(a), Some(b)) = (width(left), width(right)) else { return Err(fault(node, "its inputs are not tensors")) };
        let wide = a.max(b);
        if (a != wide && a != 1) || (b != wide && b != 1) {
            return Err(fault(node, format!("its inputs have {a} and {b} columns, which cannot be joined")));
        }
        let mut rank = 1;
        let mut elem = None;
        let mut side = |value: &Value| match value {
            Value::Rows { columns, elem: own, rank: dims } => {
                rank = rank.max(*dims);
                elem = elem.or(Some(*own));
                let spread = if columns.len() == 1 { vec![columns[0].clone(); wide] } else { columns.clone() };
                Ok(spread)
            }
            Value::Fixed(tensor) => {
                if tensor.dims.len() > 1 && tensor.dims[0] != 1 {
                    return Err(fault(node, "a constant with one value a row cannot be compiled"));
                }
                let columns: Vec<Scalar> = match &tensor.data {
                    Data::Numbers(values) => values.iter().map(|value| Scalar::Number(self.arena.constant(*value))).collect(),
                    Data::Texts(texts) => texts.iter().map(|text| Scalar::Text(super::value::Text::Constant(text.clone()))).collect(),
                };
                Ok(if columns.len() == 1 { vec![columns[0].clone(); wide] } else { columns })
            }
            _ => Err(fault(node, "its inputs are not tensors")),
        };
        let (left, right) = (side(left)?, side(right)?);
        let elem = elem.ok_or_else(|| fault(node, "both inputs are constants"))?;
        Ok((left, right, elem, rank.max(if wide > 1 { 2 } else { 1 })))
    }

    fn combine(&mut self, node: &NodeProto, what: Binary, compares: bool, left: &Value, right: &Value) -> Result<Value> {
        if let (Value::Fixed(left), Value::Fixed(right)) = (left, right) {
            return fold(node, what, compares, left, right);
        }
        let (left, right, elem, rank) = self.spread(node, left, right)?;
        let what = if what == Binary::Div && elem == Elem::Int { Binary::DivWhole } else { what };
        let mut columns = Vec::with_capacity(left.len());
        for pair in left.into_iter().zip(right) {
            columns.push(match pair {
                (Scalar::Number(left), Scalar::Number(right)) => self.arena.combine(what, left, right, elem == Elem::Float && !compares),
                (Scalar::Text(text), Scalar::Text(super::value::Text::Constant(other)))
                | (Scalar::Text(super::value::Text::Constant(other)), Scalar::Text(text))
                    if what == Binary::Equal =>
                {
                    self.arena.by_text(&text, &[(other, 1.0)], 0.0)
                }
                _ => return Err(fault(node, "texts can only be compared with constant ones, for equality")),
            });
        }
        Ok(numbers(columns, if compares { Elem::Bool } else { elem }, rank))
    }

    fn choose(&mut self, node: &NodeProto) -> Result<Value> {
        let condition = self.input(node, 0)?;
        let (yes, no) = (self.input(node, 1)?, self.input(node, 2)?);
        let (yes, no, elem, rank) = match (&yes, &no) {
            (Value::Fixed(yes), Value::Fixed(no)) => {
                // Both are constants: spread them over the condition.
                let (_, left, _, rank) = self.spread(node, &condition, &Value::Fixed(yes.clone()))?;
                let (_, right, _, _) = self.spread(node, &condition, &Value::Fixed(no.clone()))?;
                (left, right, yes.elem, rank)
            }
            _ => self.spread(node, &yes, &no)?,
        };
        let Value::Rows { columns: conditions, .. } = condition else {
            return Err(fault(node, "its condition must be made from the model's inputs"));
        };
        let wide = conditions.len().max(yes.len());
        let get = |side: &[Scalar], place: usize| side.get(if side.len() == 1 { 0 } else { place }).cloned();
        let mut ids = Vec::with_capacity(wide);
        for place in 0..wide {
            let (Some(Scalar::Number(condition)), Some(Scalar::Number(yes)), Some(Scalar::Number(no))) =
                (get(&conditions, place), get(&yes, place), get(&no, place))
            else {
                return Err(fault(node, "only numbers of one width can be chosen between"));
            };
            ids.push(self.arena.choose(condition, yes, no));
        }
        Ok(numbers(ids, elem, rank))
    }

    fn clip(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (mut ids, elem, rank) = self.numbers(node, 0)?;
        for (place, name, what) in [(1, "min", Binary::Max), (2, "max", Binary::Min)] {
            let bound = if Self::has(node, place) {
                self.fixed(node, place)?.numbers().and_then(|values| values.first().copied())
            } else {
                attributes.float(name)
            };
            if let Some(bound) = bound {
                let bound = self.arena.constant(bound);
                ids = ids.into_iter().map(|id| self.arena.combine(what, id, bound, false)).collect();
            }
        }
        Ok(numbers(ids, elem, rank))
    }

    /// MatMul and Gemm with constant weights.
    fn weighted(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (ids, elem, _) = self.numbers(node, 0)?;
        let weights = self.fixed(node, 1)?;
        let gemm = node.op_type == "Gemm";
        let flag = |name: &str| gemm && attributes.int(name).unwrap_or(0) != 0;
        let (inputs, outputs) = match *weights.dims.as_slice() {
            [inputs, outputs] => {
                if flag("transB") {
                    (outputs, inputs)
                } else {
                    (inputs, outputs)
                }
            }
            [inputs] => (inputs, 1),
            _ => return Err(fault(node, "its weights must be a matrix")),
        };
        if inputs != ids.len() || flag("transA") {
            return Err(fault(node, format!("its weights are for {inputs} columns, it gets {}", ids.len())));
        }
        let values = weights.numbers().ok_or_else(|| fault(node, "its weights are texts"))?;
        let scale = if gemm { attributes.float("alpha").unwrap_or(1.0) } else { 1.0 };
        let at = |input: usize, output: usize| {
            scale * if flag("transB") { values[output * inputs + input] } else { values[input * outputs + output] }
        };
        let weights = (0..outputs).flat_map(|output| (0..inputs).map(move |input| (input, output))).map(|(i, o)| at(i, o)).collect();
        let mut bias = vec![0.0; outputs];
        if gemm && Self::has(node, 2) {
            let given = self.fixed(node, 2)?;
            let values = given.numbers().filter(|values| values.len() == outputs || values.len() == 1);
            let values = values.ok_or_else(|| fault(node, "its third input must be one number an output"))?;
            let beta = attributes.float("beta").unwrap_or(1.0);
            bias.iter_mut().enumerate().for_each(|(place, bias)| *bias = beta * values[if values.len() == 1 { 0 } else { place }]);
        }
        let rank = if weights_are_a_vector(&self.fixed(node, 1)?) { 1 } else { 2 };
        Ok(numbers(self.arena.together(Together::Linear { inputs: ids, weights, bias }), elem, rank))
    }

    fn reduce(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (inputs, elem, rank) = self.numbers(node, 0)?;
        let mut axes = attributes.ints("axes").to_vec();
        if node.op_type != "Softmax" && Self::has(node, 1) {
            axes = self.fixed(node, 1)?.whole().unwrap_or_default();
        }
        axes.extend(attributes.int("axis"));
        if axes.iter().any(|axis| !matches!(axis, 1 | -1)) || (axes.is_empty() && node.op_type != "Softmax") || rank > 2 {
            return Err(fault(node, "only what is done along the columns (axis 1) can be compiled"));
        }
        let count = inputs.len() as f64;
        let each = |compiler: &mut Self, ids: &[Id], what: Unary| ids.iter().map(|id| compiler.arena.apply(what, *id, false)).collect();
        let squares =
            |compiler: &mut Self| -> Vec<Id> { inputs.iter().map(|id| compiler.arena.combine(Binary::Mul, *id, *id, false)).collect() };
        let sum = |compiler: &mut Self, inputs: Vec<Id>| compiler.arena.together(Together::Joint { what: Joint::Sum, inputs });
        let ids = match node.op_type.as_str() {
            "Softmax" => return Ok(numbers(self.arena.together(Together::Joint { what: Joint::Softmax, inputs }), elem, rank)),
            "ReduceMax" => self.arena.together(Together::Joint { what: Joint::Max, inputs }),
            "ReduceL1" => {
                let inputs = each(self, &inputs, Unary::Abs);
                sum(self, inputs)
            }
            "ReduceSumSquare" => {
                let inputs = squares(self);
                sum(self, inputs)
            }
            "ReduceL2" => {
                let inputs = squares(self);
                let ids = sum(self, inputs);
                each(self, &ids, Unary::Sqrt)
            }
            "ReduceMean" => {
                let ids = sum(self, inputs);
                let count = self.arena.constant(count);
                ids.into_iter().map(|id| self.arena.combine(Binary::Div, id, count, false)).collect()
            }
            _ => sum(self, inputs),
        };
        Ok(numbers(ids, elem, if attributes.int("keepdims") == Some(0) { 1 } else { 2 }))
    }

    fn cast(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let to = attributes.int("to").and_then(|to| i32::try_from(to).ok()).and_then(Elem::of);
        let to = to.ok_or_else(|| fault(node, "only a Cast to float, double, integers, bool or string can be compiled"))?;
        let (columns, from, rank) = match self.input(node, 0)? {
            Value::Fixed(Tensor { dims, elem, data }) if elem != Elem::Text && to != Elem::Text => {
                let Data::Numbers(values) = data else { return Err(fault(node, "texts cannot be cast")) };
                let cast = |value: f64| match to {
                    Elem::Float => f64::from(value as f32),
                    Elem::Int => libm::trunc(value),
                    Elem::Bool => f64::from(u8::from(value != 0.0)),
                    _ => value,
                };
                return Ok(Value::Fixed(Tensor { dims, elem: to, data: Data::Numbers(values.into_iter().map(cast).collect()) }));
            }
            Value::Rows { columns, elem, rank } => (columns, elem, rank),
            _ => return Err(fault(node, "this cannot be cast")),
        };
        let mut out = Vec::with_capacity(columns.len());
        for column in columns {
            out.push(match (column, to) {
                (text @ Scalar::Text(_), Elem::Text) => text,
                (Scalar::Number(id), Elem::Text) if from == Elem::Int => Scalar::Text(super::value::Text::Whole(id)),
                (Scalar::Number(id), Elem::Float) => Scalar::Number(self.rounded(id, from)),
                (Scalar::Number(id), Elem::Int) if matches!(from, Elem::Float | Elem::Double) => {
                    Scalar::Number(self.arena.apply(Unary::Truncate, id, false))
                }
                (Scalar::Number(id), Elem::Bool) if from != Elem::Bool => {
                    let zero = self.arena.apply(Unary::Not, id, false);
                    Scalar::Number(self.arena.apply(Unary::Not, zero, false))
                }
                (number @ Scalar::Number(_), Elem::Double | Elem::Int | Elem::Bool) => number,
                _ => return Err(fault(node, format!("a Cast from {} to {} cannot be compiled", from.name(), to.name()))),
            });
        }
        Ok(Value::Rows { columns: out, elem: to, rank })
    }
}

fn weights_are_a_vector(weights: &Tensor) -> bool {
    weights.dims.len() == 1
}

/// Two constants.
fn fold(node: &NodeProto, what: Binary, compares: bool, left: &Tensor, right: &Tensor) -> Result<Value> {
    let (Some(a), Some(b)) = (left.numbers(), right.numbers()) else { return Err(fault(node, "its constants are texts")) };
    let wide = a.len().max(b.len());
    if (a.len() != wide && a.len() != 1) || (b.len() != wide && b.len() != 1) {
        return Err(fault(node, "its constants have other shapes"));
    }
    let get = |side: &[f64], place: usize| side[if side.len() == 1 { 0 } else { place }];
    let values = (0..wide).map(|place| crate::ops::binary(what, get(a, place), get(b, place)));
    let dims = if a.len() == wide { left.dims.clone() } else { right.dims.clone() };
    let elem = if compares { Elem::Bool } else { left.elem };
    Ok(Value::Fixed(Tensor { dims, elem, data: Data::Numbers(values.collect()) }))
}

fn constant(attributes: Attributes<'_>) -> Result<Value> {
    if let Some(tensor) = attributes.tensor("value")? {
        return Ok(Value::Fixed(tensor));
    }
    if let Some(value) = attributes.float("value_float") {
        return Ok(Value::Fixed(Tensor::of(vec![value], Elem::Float)));
    }
    if let Some(value) = attributes.int("value_int") {
        return Ok(Value::Fixed(Tensor::of(vec![value as f64], Elem::Int)));
    }
    let (floats, ints) = (attributes.floats("value_floats"), attributes.ints("value_ints"));
    if !floats.is_empty() {
        return Ok(Value::Fixed(Tensor::of(floats, Elem::Float)));
    }
    if !ints.is_empty() {
        return Ok(Value::Fixed(Tensor::of(ints.iter().map(|value| *value as f64).collect(), Elem::Int)));
    }
    Err(fault(attributes.node, "this kind of constant cannot be compiled"))
}
