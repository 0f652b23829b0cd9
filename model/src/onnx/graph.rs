//! From the tree ensemble back to the inputs: which column each feature is, and how it is encoded.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto, tensor_proto::DataType, tensor_shape_proto, type_proto};

use super::attributes::Attributes;
use super::{Input, Kind, OnnxError, fault};
use crate::Encoder;

const ENSEMBLE: &str = "TreeEnsembleClassifier";

pub(super) struct Walked<'a> {
    pub(super) ensemble: &'a NodeProto,
    pub(super) inputs: Vec<Input>,
    pub(super) encoders: Vec<Encoder>,
    /// The column of each feature.
    pub(super) features: Vec<usize>,
}

/// The tensor types that a column may have.
#[derive(Clone, Copy, PartialEq)]
enum Tensor {
    Float,
    Double,
    Int64,
    String,
}

/// What a value of the graph is: a column on its way to being a feature.
#[derive(Clone)]
struct Feature {
    column: usize,
    tensor: Tensor,
    /// The texts and their values, once a LabelEncoder was met.
    labels: Option<Labels>,
}

#[derive(Clone, PartialEq)]
struct Labels {
    names: Vec<String>,
    values: Vec<f32>,
    unknown: f32,
}

struct Graph<'a> {
    producers: HashMap<&'a str, &'a NodeProto>,
    columns: HashMap<&'a str, (usize, Tensor)>,
    seen: HashSet<*const NodeProto>,
}

pub(super) fn walk(proto: &GraphProto) -> Result<Walked<'_>, OnnxError> {
    let ensembles: Vec<&NodeProto> = proto.node.iter().filter(|node| node.op_type == ENSEMBLE).collect();
    let [ensemble] = ensembles.as_slice() else {
        let operators: Vec<&str> = proto.node.iter().map(|node| node.op_type.as_str()).collect();
        return Err(OnnxError::Graph(format!(
            "{} {ENSEMBLE} nodes, one is needed; its operators are: {}",
            ensembles.len(),
            operators.join(", ")
        )));
    };
    let mut graph = Graph { producers: HashMap::new(), columns: HashMap::new(), seen: HashSet::new() };
    for node in &proto.node {
        graph.producers.extend(node.output.iter().map(|output| (output.as_str(), node)));
    }
    let constants: HashSet<&str> = proto.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let given: Vec<&ValueInfoProto> = proto.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    for (column, input) in given.iter().enumerate() {
        graph.columns.insert(&input.name, (column, tensor_of(input)?));
    }
    graph.seen.insert(*ensemble);
    let features = match ensemble.input.first() {
        Some(input) => graph.features(input, ensemble)?,
        None => return Err(fault(ensemble, "it has no input")),
    };
    graph.check_outputs(proto, ensemble)?;
    if let Some(node) = proto.node.iter().find(|node| !graph.seen.contains(&std::ptr::from_ref(*node))) {
        return Err(fault(node, "it cannot be compiled here: only what leads from the inputs to the tree ensemble can"));
    }
    let mut found: Vec<Option<&Feature>> = vec![None; given.len()];
    for feature in &features {
        match found[feature.column] {
            Some(other) if other.labels != feature.labels => {
                let what = "it is encoded in two ways, which cannot be compiled".to_owned();
                return Err(OnnxError::Input { input: given[feature.column].name.clone(), what });
            }
            _ => found[feature.column] = Some(feature),
        }
    }
    let mut walked = Walked { ensemble, inputs: Vec::new(), encoders: Vec::new(), features: features.iter().map(|f| f.column).collect() };
    for (input, feature) in given.iter().zip(found) {
        let (kind, encoder) = match graph.columns[input.name.as_str()].1 {
            Tensor::Float | Tensor::Double => (Kind::Float, Encoder::Float),
            Tensor::Int64 => (Kind::BigInt, Encoder::BigInt),
            Tensor::String => {
                let labels = feature.and_then(|feature| feature.labels.clone());
                let labels = labels.unwrap_or(Labels { names: Vec::new(), values: Vec::new(), unknown: -1.0 });
                (Kind::Text, Encoder::text(labels.names, labels.values, labels.unknown))
            }
        };
        let categories = match &encoder {
            Encoder::Text { categories, .. } => categories.names().to_vec(),
            _ => Vec::new(),
        };
        walked.inputs.push(Input { name: input.name.clone(), kind, categories });
        walked.encoders.push(encoder);
    }
    Ok(walked)
}

fn tensor_of(input: &ValueInfoProto) -> Result<Tensor, OnnxError> {
    let wrong = |what: String| OnnxError::Input { input: input.name.clone(), what };
    let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_ref().and_then(|ty| ty.value.as_ref()) else {
        return Err(wrong("it is not a tensor".to_owned()));
    };
    let width = tensor.shape.as_ref().and_then(|shape| shape.dim.get(1)).and_then(|dim| dim.value.as_ref());
    if let Some(tensor_shape_proto::dimension::Value::DimValue(width)) = width
        && *width != 1
    {
        return Err(wrong(format!("it has {width} columns; one input per column can be compiled")));
    }
    match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float) => Ok(Tensor::Float),
        Ok(DataType::Double) => Ok(Tensor::Double),
        Ok(DataType::Int64) => Ok(Tensor::Int64),
        Ok(DataType::String) => Ok(Tensor::String),
        Ok(other) => Err(wrong(format!("its type is {}; float, double, int64 and string can be compiled", other.as_str_name()))),
        Err(_) => Err(wrong("its type is unknown".to_owned())),
    }
}

impl<'a> Graph<'a> {
    /// The features that the value `name` holds, asked for by `reader`.
    fn features(&mut self, name: &str, reader: &NodeProto) -> Result<Vec<Feature>, OnnxError> {
        let concat = self.producers.get(name).copied().filter(|node| node.op_type == "Concat");
        let Some(node) = concat else { return Ok(vec![self.feature(name, reader, 0)?]) };
        self.seen.insert(node);
        let axis = Attributes::of(node, &["axis"])?.int("axis");
        if !matches!(axis, Some(1 | -1)) {
            return Err(fault(node, format!("axis {} cannot be compiled; axis 1 can", axis.unwrap_or(0))));
        }
        node.input.iter().map(|input| self.feature(input, node, 0)).collect::<Result<Vec<_>, _>>().and_then(|features| {
            match features.iter().find(|feature| feature.tensor != Tensor::Float) {
                Some(_) => Err(fault(node, "it must join floats only; a Cast or LabelEncoder is missing before it")),
                None => Ok(features),
            }
        })
    }

    /// The one feature that the value `name` holds.
    fn feature(&mut self, name: &str, reader: &NodeProto, depth: usize) -> Result<Feature, OnnxError> {
        if let Some((column, tensor)) = self.columns.get(name) {
            return Ok(Feature { column: *column, tensor: *tensor, labels: None });
        }
        let Some(node) = self.producers.get(name).copied() else {
            return Err(fault(reader, format!("its input '{name}' is neither an input of the model nor made by a node")));
        };
        if depth > self.producers.len() {
            return Err(fault(node, "it depends on itself"));
        }
        self.seen.insert(node);
        let [input] = node.input.as_slice() else {
            return Err(fault(node, "it cannot be compiled; Concat, Cast, LabelEncoder and Identity can, before a tree ensemble"));
        };
        let from = self.feature(input, node, depth + 1)?;
        match node.op_type.as_str() {
            "Identity" => Ok(from),
            "Cast" => cast(node, from),
            "LabelEncoder" => label(node, from),
            _ => Err(fault(node, "it cannot be compiled; Concat, Cast, LabelEncoder and Identity can, before a tree ensemble")),
        }
    }

    /// The outputs must be the ensemble's own, as they are.
    fn check_outputs(&mut self, proto: &GraphProto, ensemble: &NodeProto) -> Result<(), OnnxError> {
        for output in &proto.output {
            let mut name = output.name.as_str();
            let mut steps = 0;
            loop {
                let Some(node) = self.producers.get(name).copied() else {
                    return Err(OnnxError::Graph(format!("an output '{name}' that no node makes")));
                };
                if std::ptr::eq(node, ensemble) {
                    break;
                }
                self.seen.insert(node);
                steps += 1;
                if node.op_type != "Identity" || steps > self.producers.len() {
                    return Err(fault(node, "it cannot be compiled behind a tree ensemble; export with zipmap off"));
                }
                name = node.input.first().map_or("", String::as_str);
            }
        }
        Ok(())
    }
}

fn cast(node: &NodeProto, from: Feature) -> Result<Feature, OnnxError> {
    let to = Attributes::of(node, &["to", "saturate"])?.int("to");
    if to != Some(DataType::Float as i64) || from.tensor == Tensor::String {
        return Err(fault(node, "only a Cast of numbers to float can be compiled"));
    }
    Ok(Feature { tensor: Tensor::Float, ..from })
}

fn label(node: &NodeProto, from: Feature) -> Result<Feature, OnnxError> {
    let attributes = Attributes::of(node, &["keys_strings", "values_floats", "default_float"])?;
    let names: Vec<String> = attributes.texts("keys_strings")?.into_iter().map(str::to_owned).collect();
    let values = attributes.floats("values_floats").to_vec();
    if from.tensor != Tensor::String || names.is_empty() || names.len() != values.len() {
        return Err(fault(node, "only a LabelEncoder of texts to floats (keys_strings, values_floats) can be compiled"));
    }
    let unique: HashSet<&String> = names.iter().collect();
    if unique.len() != names.len() {
        return Err(fault(node, "a text is among its keys twice"));
    }
    let unknown = attributes.float("default_float").unwrap_or(-0.0);
    Ok(Feature { tensor: Tensor::Float, labels: Some(Labels { names, values, unknown }), column: from.column })
}
