//! Inputs, the walk over the nodes, and what every operator shares.

use std::collections::HashMap;

use super::attributes::Attributes;
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::tensor::{Elem, Tensor};
use super::value::{Arena, Id, Scalar, Text, Value};
use super::{Compiled, Input, Kind, Left, OnnxError, fault, foreign, lower, outputs};
use crate::program::Unary;

/// Columns that a model may read.
const MAX_COLUMNS: usize = 1024;
/// Columns of one tensor.
const MAX_WIDTH: usize = 1 << 16;

pub(super) type Result<T> = std::result::Result<T, OnnxError>;

/// The state of one compilation.
pub(super) struct Compiler {
    /// Weighted sums, and all that is made from them, are left to another engine.
    leave_sums: bool,
    pub(super) arena: Arena,
    pub(super) values: HashMap<String, Value>,
    pub(super) inputs: Vec<Input>,
}

pub(super) fn compile(model: &ModelProto, names: Option<&[String]>, left: Left) -> Result<Compiled> {
    let graph = model.graph.as_ref().ok_or_else(|| OnnxError::Graph("no graph".to_owned()))?;
    let metadata: Vec<(String, String)> = model.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    let written = metadata.iter().find(|(key, _)| key == "columns").map(|(_, text)| text.split(',').map(|name| name.trim().to_owned()));
    let written: Option<Vec<String>> = written.map(Iterator::collect);
    let leave_sums = left == Left::Sums;
    let mut compiler = Compiler { leave_sums, arena: Arena::default(), values: HashMap::new(), inputs: Vec::new() };
    for tensor in &graph.initializer {
        let value = Tensor::read(tensor).map_or_else(
            |what| Value::Unknown(OnnxError::Graph(format!("a constant '{}' that cannot be read: {what}", tensor.name))),
            Value::Fixed,
        );
        compiler.values.insert(tensor.name.clone(), value);
    }
    compiler.read_inputs(graph, names.or(written.as_deref()))?;
    for node in &graph.node {
        compiler.node(node);
    }
    let result = match left {
        Left::Nothing => outputs::find(&compiler, graph)?,
        Left::Sums | Left::Unknown => foreign::find(&mut compiler, model, graph)?,
    };
    let (program, covers) = lower::lower(&mut compiler, &result.scores)?;
    for (column, input) in compiler.inputs.iter_mut().enumerate() {
        let column = column as u32;
        input.missing = input.kind == Kind::Float && compiler.arena.missing.contains(&column);
        input.unknown = !compiler.arena.closed.contains(&column);
        if let Some(known) = compiler.arena.categories.get(&column) {
            input.categories.clone_from(&known.names);
        }
    }
    Ok(Compiled { program, inputs: compiler.inputs, classes: result.classes, covers, name: graph.name.clone(), metadata })
}

impl Compiler {
    fn read_inputs(&mut self, graph: &GraphProto, names: Option<&[String]>) -> Result<()> {
        let given: Vec<&ValueInfoProto> = graph.input.iter().filter(|input| !self.values.contains_key(&input.name)).collect();
        for input in &given {
            let wrong = |what: String| OnnxError::Input { input: input.name.clone(), what };
            let tensor = input.ty.as_ref().and_then(|ty| ty.tensor.as_ref()).ok_or_else(|| wrong("it is not a tensor".to_owned()))?;
            let elem = Elem::of(tensor.elem_type);
            let elem = elem.ok_or_else(|| {
                wrong(format!("its type number {} is none of float, double, integers, bool and string", tensor.elem_type))
            })?;
            let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
            let width = match (dims, names) {
                ([_], _) => 1,
                ([_, width], _) if width.value.is_some_and(|width| width > 0) => width.value.unwrap_or(0) as usize,
                ([_, _] | [], Some(names)) if given.len() == 1 => names.len(),
                ([_, _] | [], _) => {
                    return Err(wrong(
                        "how many columns it has is not written in its shape; export it with [None, columns], or name the columns"
                            .to_owned(),
                    ));
                }
                _ => return Err(wrong(format!("it has {} dimensions, a table has 2", dims.len()))),
            };
            if width + self.inputs.len() > MAX_COLUMNS {
                return Err(wrong(format!("with it there are {} columns, at most {MAX_COLUMNS} are allowed", width + self.inputs.len())));
            }
            let names = if given.len() == 1 { names } else { None };
            if let Some(names) = names
                && width > 1
                && names.len() != width
            {
                return Err(wrong(format!("it has {width} columns, {} names were given", names.len())));
            }
            let mut columns = Vec::with_capacity(width);
            for place in 0..width {
                let name = match (width, names) {
                    (1, _) => input.name.clone(),
                    (_, Some(names)) => names[place].clone(),
                    _ if given.len() == 1 => format!("f{place}"),
                    _ => format!("{}_{place}", input.name),
                };
                let column = self.inputs.len() as u32;
                let kind = match elem {
                    Elem::Float | Elem::Double => Kind::Float,
                    Elem::Int => Kind::BigInt,
                    Elem::Bool => Kind::Bit,
                    Elem::Text => Kind::Text,
                };
                self.inputs.push(Input { name, kind, categories: Vec::new(), missing: false, unknown: true });
                columns.push(match elem {
                    Elem::Text => Scalar::Text(Text::Column(column)),
                    _ => Scalar::Number(self.arena.number(column, elem == Elem::Float)),
                });
            }
            self.values.insert(input.name.clone(), Value::Rows { columns, elem, rank: dims.len().max(1) });
        }
        if self.inputs.is_empty() { Err(OnnxError::Graph("no inputs".to_owned())) } else { Ok(()) }
    }

    /// Computes a node's outputs; what cannot be is remembered with its reason, which counts only if it is asked for.
    fn node(&mut self, node: &NodeProto) {
        let result = self.operator(node).and_then(|values| {
            let wide = values.iter().any(|value| matches!(value, Value::Rows { columns, .. } if columns.len() > MAX_WIDTH));
            if wide { Err(fault(node, format!("a result has more than {MAX_WIDTH} columns"))) } else { Ok(values) }
        });
        match result {
            Ok(values) => {
                for (name, value) in node.output.iter().zip(values) {
                    self.values.insert(name.clone(), value);
                }
            }
            Err(error) => {
                for name in &node.output {
                    self.values.insert(name.clone(), Value::Unknown(error.clone()));
                }
            }
        }
    }

    fn operator(&mut self, node: &NodeProto) -> Result<Vec<Value>> {
        let attributes = Attributes { node };
        if self.leave_sums && matches!(node.op_type.as_str(), "MatMul" | "Gemm") {
            return Err(fault(node, "this operator is left to the general guest"));
        }
        for found in [Self::plain, Self::shapes, Self::encode, Self::linear, Self::trees] {
            if let Some(values) = found(self, attributes)? {
                return Ok(values);
            }
        }
        Err(fault(node, "this operator cannot be compiled"))
    }

    /// The node's input number `place`.
    pub(super) fn input(&self, node: &NodeProto, place: usize) -> Result<Value> {
        let name = node.input.get(place).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| fault(node, format!("its input {place} is missing")))?;
        match self.values.get(name) {
            Some(Value::Unknown(error)) => Err(error.clone()),
            Some(value) => Ok(value.clone()),
            None => Err(fault(node, format!("its input '{name}' is neither an input of the model nor made by a node before"))),
        }
    }

    pub(super) fn has(node: &NodeProto, place: usize) -> bool {
        node.input.get(place).is_some_and(|name| !name.is_empty())
    }

    /// An input that must be constant.
    pub(super) fn fixed(&self, node: &NodeProto, place: usize) -> Result<Tensor> {
        match self.input(node, place)? {
            Value::Fixed(tensor) => Ok(tensor),
            _ => Err(fault(node, format!("its input {place} must be a constant to be compiled"))),
        }
    }

    /// An input's columns.
    pub(super) fn rows(&self, node: &NodeProto, place: usize) -> Result<(Vec<Scalar>, Elem, usize)> {
        match self.input(node, place)? {
            Value::Rows { columns, elem, rank } => Ok((columns, elem, rank)),
            _ => Err(fault(node, format!("its input {place} must be made from the model's inputs"))),
        }
    }

    /// An input's columns, which must be numbers.
    pub(super) fn numbers(&self, node: &NodeProto, place: usize) -> Result<(Vec<Id>, Elem, usize)> {
        let (columns, elem, rank) = self.rows(node, place)?;
        let ids = columns.into_iter().map(|column| match column {
            Scalar::Number(id) => Ok(id),
            Scalar::Text(_) => Err(fault(node, format!("its input {place} must be numbers, not texts"))),
        });
        Ok((ids.collect::<Result<_>>()?, elem, rank))
    }

    /// An input's columns as 32-bit floats, whatever numbers they are.
    pub(super) fn floats(&mut self, node: &NodeProto, place: usize) -> Result<(Vec<Id>, usize)> {
        let (ids, elem, rank) = self.numbers(node, place)?;
        Ok((ids.into_iter().map(|id| self.rounded(id, elem)).collect(), rank))
    }

    pub(super) fn rounded(&mut self, id: Id, elem: Elem) -> Id {
        if matches!(elem, Elem::Double | Elem::Int) { self.arena.apply(Unary::Single, id, true) } else { id }
    }
}

/// Numbers as a value.
pub(super) fn numbers(ids: Vec<Id>, elem: Elem, rank: usize) -> Value {
    Value::Rows { columns: ids.into_iter().map(Scalar::Number).collect(), elem, rank }
}
