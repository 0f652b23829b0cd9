//! Which output holds the scores, and what the classes are called.

use std::collections::HashSet;

use super::attributes::Attributes;
use super::graph::{Compiler, Result};
use super::proto::{GraphProto, NodeProto};
use super::tensor::{Elem, Tensor};
use super::value::{Id, Scalar, Value};
use super::{Class, OnnxError};

pub(super) struct Scores {
    /// The second class's score of two, each class's of more, or a regression's number.
    pub(super) scores: Vec<Id>,
    pub(super) classes: Vec<Class>,
}

/// Finds the output of floats. When there is another one, it is the label's, and the scores are of classes.
pub(super) fn find(compiler: &Compiler, graph: &GraphProto) -> Result<Scores> {
    if graph.output.is_empty() {
        return Err(OnnxError::Graph("no outputs".to_owned()));
    }
    let mut label: Option<&str> = None;
    let mut found: Option<(Vec<Id>, Option<Tensor>)> = None;
    let mut error = None;
    for output in &graph.output {
        let ids = |columns: &[Scalar]| {
            let ids = columns.iter().map(|column| if let Scalar::Number(id) = column { Some(*id) } else { None });
            ids.collect::<Option<Vec<Id>>>()
        };
        match compiler.values.get(&output.name) {
            Some(Value::Zipped { scores, classes }) => found = Some((scores.clone(), Some(classes.clone()))),
            Some(Value::Rows { columns, elem: Elem::Float | Elem::Double, .. }) if found.is_none() => {
                found = ids(columns).map(|ids| (ids, None));
            }
            Some(Value::Unknown(reason)) => {
                if is_label(graph, &output.name) {
                    label = Some(&output.name);
                } else {
                    error = error.or_else(|| Some(reason.clone()));
                }
            }
            Some(_) => label = Some(&output.name),
            None => return Err(OnnxError::Graph(format!("an output '{}' that no node makes", output.name))),
        }
    }
    let Some((scores, zipped)) = found else {
        let none = || OnnxError::Graph("no output of floats; export a classifier with its probabilities".to_owned());
        return Err(error.unwrap_or_else(none));
    };
    let classifies = label.is_some() || zipped.is_some() || makes_labels(graph);
    match (classifies, scores.len()) {
        (_, 0) => Err(OnnxError::Graph("an output without columns".to_owned())),
        (false, 1) => Ok(Scores { scores, classes: Vec::new() }),
        (false, several) => {
            Err(OnnxError::Graph(format!("{several} numbers a row as its result; one, or classes with a label, can be packed")))
        }
        (true, count) => {
            let count = count.max(2);
            let classes = zipped
                .and_then(|classes| labels(&classes))
                .or_else(|| label_names(compiler, graph, label))
                .filter(|classes| classes.len() == count);
            let classes = classes.unwrap_or_else(|| (0..count as i64).map(Class::BigInt).collect());
            let scores = if scores.len() == 2 { vec![scores[1]] } else { scores };
            Ok(Scores { scores, classes })
        }
    }
}

/// Which tensor holds the scores of a graph that was not compiled to its end, how many columns it has, and the classes.
pub(super) struct Wanted<'a> {
    pub(super) tensor: &'a str,
    pub(super) columns: usize,
    pub(super) classes: Vec<Class>,
}

/// Finds them by what the file declares.
pub(super) fn declared<'a>(compiler: &Compiler, graph: &'a GraphProto) -> Result<Wanted<'a>> {
    let (mut label, mut found, mut zipped) = (None, None, None);
    for output in &graph.output {
        let tensor = output.ty.as_ref().and_then(|ty| ty.tensor.as_ref());
        let maker = graph.node.iter().find(|node| node.op_type == "ZipMap" && node.output.contains(&output.name));
        match (maker, tensor.and_then(|tensor| Elem::of(tensor.elem_type))) {
            (Some(node), _) => {
                found = node.input.first().map(|name| (name.as_str(), None));
                zipped = classes_of(compiler, node);
            }
            (None, Some(Elem::Float | Elem::Double)) if found.is_none() => {
                let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
                let columns = match dims {
                    [_] => Some(1),
                    [_, columns] => columns.value,
                    _ => None,
                };
                found = Some((output.name.as_str(), columns));
            }
            _ => label = label.or(Some(output.name.as_str())),
        }
    }
    let none = || OnnxError::Graph("no output of floats; export a classifier with its probabilities".to_owned());
    let (tensor, columns) = found.ok_or_else(none)?;
    let named = zipped.or_else(|| label_names(compiler, graph, label));
    let columns = columns.and_then(|columns| usize::try_from(columns).ok()).filter(|columns| *columns > 0);
    let columns = columns.or_else(|| named.as_ref().map(Vec::len)).ok_or_else(|| {
        let what = "how many columns it has is not written in its shape; export it with [None, columns]";
        OnnxError::Graph(format!("an output '{tensor}': {what}"))
    })?;
    let classes = match (label.is_some() || named.is_some() || makes_labels(graph), columns) {
        (false, 1) => Vec::new(),
        (false, several) => {
            return Err(OnnxError::Graph(format!("{several} numbers a row as its result; one, or classes with a label, can be packed")));
        }
        (true, count) => {
            let count = count.max(2);
            let named = named.filter(|classes| classes.len() == count);
            named.unwrap_or_else(|| (0..count as i64).map(Class::BigInt).collect())
        }
    };
    Ok(Wanted { tensor, columns, classes })
}

/// Whether an output holds whole numbers or texts, by its declared type.
fn is_label(graph: &GraphProto, name: &str) -> bool {
    let ty = graph.output.iter().find(|output| output.name == name).and_then(|output| output.ty.as_ref()?.tensor.as_ref());
    ty.is_some_and(|ty| matches!(Elem::of(ty.elem_type), Some(Elem::Int | Elem::Text | Elem::Bool)))
}

fn makes_labels(graph: &GraphProto) -> bool {
    graph.node.iter().any(|node| matches!(node.op_type.as_str(), "TreeEnsembleClassifier" | "LinearClassifier" | "ZipMap"))
}

fn labels(tensor: &Tensor) -> Option<Vec<Class>> {
    match (tensor.texts(), tensor.whole()) {
        (Some(texts), _) => Some(texts.iter().cloned().map(Class::Text).collect()),
        (None, Some(whole)) => Some(whole.into_iter().map(Class::BigInt).collect()),
        _ => None,
    }
}

/// The classes' names, from what leads to the label: the last encoder or list of classes before it, else the classifier's own.
fn label_names(compiler: &Compiler, graph: &GraphProto, label: Option<&str>) -> Option<Vec<Class>> {
    let mut open: Vec<&str> = label.into_iter().collect();
    let mut seen = HashSet::new();
    while let Some(name) = open.pop() {
        let Some(node) = graph.node.iter().find(|node| node.output.iter().any(|output| output == name)) else { continue };
        if !seen.insert(name) {
            continue;
        }
        if let Some(classes) = classes_of(compiler, node) {
            return Some(classes);
        }
        open.extend(node.input.iter().map(String::as_str));
    }
    graph.node.iter().rev().find_map(|node| classes_of(compiler, node).filter(|_| node.op_type.ends_with("Classifier")))
}

fn classes_of(compiler: &Compiler, node: &NodeProto) -> Option<Vec<Class>> {
    let attributes = Attributes { node };
    let lists = match node.op_type.as_str() {
        "TreeEnsembleClassifier" => ("classlabels_strings", "classlabels_int64s"),
        "LinearClassifier" => ("classlabels_strings", "classlabels_ints"),
        "LabelEncoder" => ("values_strings", "values_int64s"),
        "ZipMap" => ("classlabels_strings", "classlabels_int64s"),
        "ArrayFeatureExtractor" => {
            let classes = node.input.first().and_then(|name| compiler.values.get(name));
            return if let Some(Value::Fixed(classes)) = classes { labels(classes) } else { None };
        }
        _ => return None,
    };
    let texts = attributes.texts(lists.0).ok()?;
    let ints = attributes.ints(lists.1);
    match (texts.is_empty(), ints.is_empty()) {
        (false, _) => Some(texts.into_iter().map(|text| Class::Text(text.to_owned())).collect()),
        (true, false) => Some(ints.iter().map(|class| Class::BigInt(*class)).collect()),
        (true, true) => None,
    }
}
