//! What is left to another engine: the part of a graph from what could be compiled to the scores, as a graph of its own, an
//! ONNX file again. Its inputs are the tensors that the compiler made, one row a row.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use prost::Message;

use super::graph::{Compiler, Result};
use super::outputs::{self, Scores};
use super::proto::{DimensionProto, GraphProto, ModelProto, NodeProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto};
use super::tensor::Elem;
use super::value::{Id, Scalar, Together, Value};
use super::{OnnxError, fault};

/// The part that is left, while it is gathered.
struct Part<'a> {
    graph: &'a GraphProto,
    makers: HashMap<&'a str, usize>,
    nodes: HashSet<usize>,
    constants: HashSet<&'a str>,
    /// Name, columns and type of each tensor that it reads.
    feeds: Vec<(&'a str, Vec<Id>, Elem, usize)>,
}

/// The scores as the outputs of one joint operation.
pub(super) fn find(compiler: &mut Compiler, model: &ModelProto, graph: &GraphProto) -> Result<Scores> {
    let wanted = outputs::declared(compiler, graph)?;
    let makers = graph.node.iter().enumerate().flat_map(|(place, node)| node.output.iter().map(move |name| (name.as_str(), place)));
    let mut part = Part { graph, makers: makers.collect(), nodes: HashSet::new(), constants: HashSet::new(), feeds: Vec::new() };
    part.gather(compiler, wanted.tensor)?;
    if part.feeds.is_empty() {
        return Err(OnnxError::Graph(format!("an output '{}' that is made from no input", wanted.tensor)));
    }
    let bytes = part.write(model, wanted.tensor).encode_to_vec();
    let widths = part.feeds.iter().map(|(_, ids, ..)| ids.len() as u32).collect();
    let inputs = part.feeds.iter().flat_map(|(_, ids, ..)| ids.iter().copied()).collect();
    let graph = Together::Graph { inputs, widths, graph: Rc::new(bytes), outputs: wanted.columns as u32 };
    let mut scores = compiler.arena.together(graph);
    if scores.len() == 2 {
        scores.remove(0);
    }
    Ok(Scores { scores, classes: wanted.classes })
}

impl<'a> Part<'a> {
    /// Takes in all nodes that lead to a tensor, back to what was compiled.
    fn gather(&mut self, compiler: &Compiler, tensor: &'a str) -> Result<()> {
        let mut open = vec![(tensor, None)];
        let mut seen = HashSet::new();
        while let Some((name, reader)) = open.pop() {
            if name.is_empty() || !seen.insert(name) {
                continue;
            }
            let maker = self.makers.get(name).copied();
            match compiler.values.get(name) {
                // More dimensions than rows and columns have no form here: what makes them is left, too.
                Some(Value::Rows { columns, elem, rank }) if *rank <= 2 || maker.is_none() => {
                    let ids = columns.iter().map(|column| if let Scalar::Number(id) = column { Some(*id) } else { None });
                    let texts = || {
                        let what = format!("its input '{name}' is texts, which only encoders (ai.onnx.ml) can take");
                        let unread = || OnnxError::Graph(format!("texts as its result '{name}'"));
                        reader.map_or_else(unread, |place: usize| fault(&self.graph.node[place], what))
                    };
                    let ids = ids.collect::<Option<Vec<Id>>>().ok_or_else(texts)?;
                    self.feeds.push((name, ids, *elem, *rank));
                }
                Some(Value::Fixed(_)) if maker.is_none() => {
                    self.constants.insert(name);
                }
                None if maker.is_none() => {
                    let what = format!("its input '{name}' is neither an input of the model nor made by a node before");
                    let unmade = || OnnxError::Graph(format!("an output '{name}' that no node makes"));
                    return Err(reader.map_or_else(unmade, |place: usize| fault(&self.graph.node[place], what)));
                }
                Some(Value::Unknown(error)) if maker.is_none() => return Err(error.clone()),
                _ => {
                    let Some(place) = maker else { continue };
                    if self.nodes.insert(place) {
                        let node = &self.graph.node[place];
                        open.extend(node.input.iter().map(|name| (name.as_str(), Some(place))));
                        // What a graph inside (of an If, a Loop) reads from outside.
                        let known = |name: &&str| self.makers.contains_key(name) || compiler.values.contains_key(*name);
                        open.extend(inner(node).into_iter().filter(known).map(|name| (name, Some(place))));
                    }
                }
            }
        }
        // In an order that does not depend on how sets are laid out.
        self.feeds.sort_by_key(|(name, ..)| *name);
        Ok(())
    }

    fn write(&self, model: &ModelProto, tensor: &str) -> ModelProto {
        let kept = self.graph.node.iter().enumerate().filter(|(place, _)| self.nodes.contains(place));
        let graph = GraphProto {
            name: self.graph.name.clone(),
            node: kept.map(|(_, node)| node.clone()).collect(),
            initializer: self
                .graph
                .initializer
                .iter()
                .filter(|constant| self.constants.contains(constant.name.as_str()))
                .cloned()
                .collect(),
            input: self.feeds.iter().map(|(name, ids, elem, rank)| self.input(name, ids.len(), *elem, *rank)).collect(),
            output: vec![ValueInfoProto { name: tensor.to_owned(), ty: None }],
            value_info: Vec::new(),
        };
        ModelProto {
            ir_version: model.ir_version,
            graph: Some(graph),
            opset_import: model.opset_import.clone(),
            metadata_props: Vec::new(),
        }
    }

    fn input(&self, name: &str, width: usize, elem: Elem, rank: usize) -> ValueInfoProto {
        let declared = self.graph.input.iter().chain(&self.graph.value_info).find(|value| value.name == name);
        let declared = declared.and_then(|value| value.ty.as_ref()?.tensor.as_ref()).map(|tensor| tensor.elem_type);
        let usual = match elem {
            Elem::Float | Elem::Text => 1,
            Elem::Double => 11,
            Elem::Int => 7,
            Elem::Bool => 9,
        };
        let rows = DimensionProto { value: None, parameter: Some("N".to_owned()) };
        let columns = DimensionProto { value: Some(width as i64), parameter: None };
        let dim = if rank == 1 { vec![rows] } else { vec![rows, columns] };
        let elem_type = declared.filter(|code| Elem::of(*code) == Some(elem)).unwrap_or(usual);
        let tensor = TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) };
        ValueInfoProto { name: name.to_owned(), ty: Some(TypeProto { tensor: Some(tensor) }) }
    }
}

/// The names that the graphs in a node's attributes read.
fn inner(node: &NodeProto) -> Vec<&str> {
    let mut open = vec![node];
    let mut names = Vec::new();
    while let Some(node) = open.pop() {
        for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            for own in &graph.node {
                names.extend(own.input.iter().map(String::as_str));
                open.push(own);
            }
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }
    names
}
