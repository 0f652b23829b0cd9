//! What the errors of the compiler say; that scores are right is tested with real exporters' models in `tests/tests/pack.rs`.

use prost::Message;

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::{Kind, compile};
use crate::{Cells, Scorer, Scratch};

const FLOAT: i32 = 1;

fn value(name: &str, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim = dims.iter().map(|value| DimensionProto { value: *value, parameter: None }).collect();
    let tensor = TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), ty: Some(TypeProto { tensor: Some(tensor) }) }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { name: name.into(), floats: floats.to_vec(), ..Default::default() }
}

/// `y = 2 a - b + 0.5`, over one input of two columns.
fn model() -> ModelProto {
    let node = NodeProto {
        op_type: "LinearRegressor".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        attribute: vec![floats("coefficients", &[2.0, -1.0]), floats("intercepts", &[0.5])],
        ..Default::default()
    };
    let graph = GraphProto {
        node: vec![node],
        input: vec![value("x", &[None, Some(2)])],
        output: vec![value("y", &[None, Some(1)])],
        ..Default::default()
    };
    ModelProto { graph: Some(graph), ..Default::default() }
}

fn error(change: impl FnOnce(&mut GraphProto)) -> String {
    let mut model = model();
    change(model.graph.as_mut().unwrap());
    compile(&model.encode_to_vec(), None).unwrap_err().to_string()
}

#[test]
fn a_matrix_becomes_columns_with_the_names_that_are_given() {
    let bytes = model().encode_to_vec();
    let names = |compiled: super::Compiled| compiled.inputs.iter().map(|input| input.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(compile(&bytes, None).unwrap()), ["f0", "f1"]);
    let compiled = compile(&bytes, Some(&["a".to_owned(), "b".to_owned()])).unwrap();
    assert!(compiled.classes.is_empty() && compiled.inputs.iter().all(|input| input.kind == Kind::Float));
    let scorer = Scorer::new(compiled.program.clone()).unwrap();
    let mut scores = [0.0; 2];
    scorer.score(&[Cells::Float(&[1.0, 3.0]), Cells::Float(&[4.0, -1.0])], &mut Scratch::default(), &mut scores).unwrap();
    assert_eq!(scores, [-1.5, 7.5]);
    assert_eq!(names(compiled), ["a", "b"]);
}

#[test]
fn what_cannot_be_compiled_is_named() {
    assert_eq!(
        error(|graph| graph.node[0].op_type = "SVMRegressor".into()),
        "node 'y' (operator SVMRegressor): this operator cannot be compiled"
    );
    assert_eq!(
        error(|graph| graph.node[0].attribute[0].floats.push(1.0)),
        "node 'y' (operator LinearRegressor): it has 3 coefficients for 2 columns and 1 outputs"
    );
    assert_eq!(
        error(|graph| graph.input[0] = value("x", &[None, None])),
        "input 'x': how many columns it has is not written in its shape; export it with [None, columns], or name the columns"
    );
    assert_eq!(error(|graph| graph.input[0] = value("x", &[None, Some(2), Some(2)])), "input 'x': it has 3 dimensions, a table has 2");
    assert_eq!(error(|graph| graph.output.clear()), "the ONNX model has no outputs");
    assert_eq!(error(|graph| graph.input.clear()), "the ONNX model has no inputs");
    assert!(compile(&[0xFF; 100], None).unwrap_err().to_string().starts_with("not an ONNX model: "));
}
