//! What compiles, and what the errors of the rest say.

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_shape_proto, type_proto,
};

use super::{Kind, compile, compile_proto};
use crate::Cells;

const FLOAT: i32 = 1;
const INT64: i32 = 7;
const STRING: i32 = 8;

fn input(name: &str, elem_type: i32, width: i64) -> ValueInfoProto {
    let dim =
        |value| tensor_shape_proto::Dimension { value: Some(tensor_shape_proto::dimension::Value::DimValue(value)), ..Default::default() };
    let shape = Some(TensorShapeProto { dim: vec![dim(-1), dim(width)] });
    let tensor = type_proto::Value::TensorType(type_proto::Tensor { elem_type, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { value: Some(tensor), ..Default::default() }), ..Default::default() }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto { op_type: operator.into(), input: names(inputs), output: names(outputs), attribute, ..Default::default() }
}

fn attribute(name: &str) -> AttributeProto {
    AttributeProto { name: name.into(), ..Default::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name) }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name) }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.to_vec(), ..attribute(name) }
}

fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { s: text.as_bytes().to_vec(), ..attribute(name) }
}

fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto { strings: texts.iter().map(|text| text.as_bytes().to_vec()).collect(), ..attribute(name) }
}

/// Three columns, three stumps, one on each; the features are in another order than the inputs.
fn model() -> ModelProto {
    let ensemble = vec![
        ints("nodes_treeids", &[0, 0, 0, 1, 1, 1, 2, 2, 2]),
        ints("nodes_nodeids", &[0, 1, 2, 0, 1, 2, 0, 1, 2]),
        ints("nodes_featureids", &[0, 0, 0, 1, 0, 0, 2, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]),
        floats("nodes_values", &[0.5, 0.0, 0.0, 10.0, 0.0, 0.0, 2.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 0, 0, 2, 0, 0, 1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0, 1, 0, 0, 2, 0, 0]),
        ints("class_treeids", &[0, 0, 1, 1, 2, 2]),
        ints("class_nodeids", &[1, 2, 1, 2, 1, 2]),
        ints("class_ids", &[0; 6]),
        floats("class_weights", &[0.25, -0.25, 1.0, -1.0, 0.5, -0.5]),
        ints("classlabels_int64s", &[0, 1]),
        text("post_transform", "LOGISTIC"),
    ];
    let label = vec![
        texts("keys_strings", &["low", "high"]),
        floats("values_floats", &[0.0, 1.0]),
        AttributeProto { f: -1.0, ..attribute("default_float") },
    ];
    let graph = GraphProto {
        input: vec![input("amount", FLOAT, 1), input("month", INT64, 1), input("kind", STRING, 1)],
        node: vec![
            node("Cast", &["month"], &["month_float"], vec![int("to", 1)]),
            node("LabelEncoder", &["kind"], &["kind_place"], label),
            node("Concat", &["kind_place", "amount", "month_float"], &["features"], vec![int("axis", 1)]),
            node("TreeEnsembleClassifier", &["features"], &["label", "probabilities"], ensemble),
        ],
        output: ["label", "probabilities"].map(|name| ValueInfoProto { name: name.into(), ..Default::default() }).into(),
        ..Default::default()
    };
    let metadata_props = vec![StringStringEntryProto { key: "name".into(), value: "three".into() }];
    ModelProto { graph: Some(graph), metadata_props, ..Default::default() }
}

fn error(change: impl FnOnce(&mut GraphProto)) -> String {
    let mut model = model();
    change(model.graph.as_mut().unwrap());
    compile_proto(&model).unwrap_err().to_string()
}

/// Sets one attribute of one node.
fn set(graph: &mut GraphProto, node: usize, value: AttributeProto) {
    let node = &mut graph.node[node];
    node.attribute.retain(|attribute| attribute.name != value.name);
    node.attribute.push(value);
}

#[test]
fn the_columns_stay_in_the_order_of_the_inputs() {
    let compiled = compile_proto(&model()).unwrap();
    let inputs: Vec<_> = compiled.inputs.iter().map(|input| (input.name.as_str(), input.kind)).collect();
    assert_eq!(inputs, [("amount", Kind::Float), ("month", Kind::BigInt), ("kind", Kind::Text)]);
    assert_eq!(compiled.inputs[2].categories, ["low", "high"]);
    assert_eq!(compiled.metadata("name"), Some("three"));
    assert_eq!(compiled.metadata("version"), None);
}

#[test]
fn the_scores_are_the_sums_of_the_leaves() {
    let scorer = compile_proto(&model()).unwrap().scorer;
    assert!(scorer.tables().is_some());
    let mut scores = [0.0; 4];
    let kind = Cells::Text { offsets: &[0, 3, 7, 9, 9], bytes: b"lowhigh??" };
    scorer.score(&[Cells::Float(&[9.5, 10.0, 9.5, f64::MAX]), Cells::BigInt(&[2, 3, -5, i64::MAX]), kind], &mut scores).unwrap();
    let expected: [f64; 4] = [0.25 - 1.0 + 0.5, -0.25 + 1.0 - 0.5, 0.25 - 1.0 + 0.5, 0.25 + 1.0 - 0.5];
    assert_eq!(scores, expected.map(|sum| 1.0 / (1.0 + libm::exp(-sum))));
}

#[test]
fn a_base_value_is_added() {
    let mut model = model();
    set(model.graph.as_mut().unwrap(), 3, floats("base_values", &[0.75]));
    assert_eq!(compile_proto(&model).unwrap().scorer.base(), 0.75);
}

#[test]
fn trees_that_read_two_columns_are_walked() {
    let mut model = model();
    let graph = model.graph.as_mut().unwrap();
    // The first tree's true branch leads to a second node, over another feature.
    set(graph, 3, ints("nodes_treeids", &[0, 0, 0, 0, 0, 1, 2, 2, 2]));
    set(graph, 3, ints("nodes_nodeids", &[0, 1, 2, 3, 4, 0, 0, 1, 2]));
    set(graph, 3, ints("nodes_featureids", &[0, 1, 0, 0, 0, 0, 2, 0, 0]));
    set(graph, 3, texts("nodes_modes", &["BRANCH_LEQ", "BRANCH_GT", "LEAF", "LEAF", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]));
    set(graph, 3, ints("nodes_truenodeids", &[1, 3, 0, 0, 0, 0, 1, 0, 0]));
    set(graph, 3, ints("nodes_falsenodeids", &[2, 4, 0, 0, 0, 0, 2, 0, 0]));
    set(graph, 3, floats("nodes_values", &[0.5, 10.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0]));
    set(graph, 3, ints("class_treeids", &[0, 0, 0, 1, 2, 2]));
    set(graph, 3, ints("class_nodeids", &[2, 3, 4, 0, 1, 2]));
    let scorer = compile_proto(&model).unwrap().scorer;
    assert!(scorer.tables().is_none());
    let mut scores = [0.0; 3];
    let kind = Cells::Text { offsets: &[0, 3, 6, 10], bytes: b"lowlowhigh" };
    scorer.score(&[Cells::Float(&[11.0, 10.0, 11.0]), Cells::BigInt(&[2, 2, 3]), kind], &mut scores).unwrap();
    let expected: [f64; 3] = [-0.25 - 1.0 + 0.5, 1.0 - 1.0 + 0.5, 0.25 - 1.0 - 0.5];
    assert_eq!(scores, expected.map(|sum| 1.0 / (1.0 + libm::exp(-sum))));
}

#[test]
fn an_error_names_the_node_and_its_operator() {
    let named = error(|graph| {
        graph.node[0].name = "months".into();
        graph.node[0].op_type = "Scaler".into();
    });
    assert_eq!(
        named,
        "node 'months' (operator Scaler): it cannot be compiled; Concat, Cast, LabelEncoder and Identity can, before a tree ensemble"
    );
    let unnamed = error(|graph| graph.node[0].op_type = "OneHotEncoder".into());
    assert!(unnamed.starts_with("node 'month_float' (operator OneHotEncoder): "), "{unnamed}");
}

#[test]
fn what_is_not_supported_is_an_error() {
    let cases: [(&str, String); 16] = [
        ("it must join floats only", error(|graph| graph.node[2].input[2] = "month".into())),
        ("axis 0 cannot be compiled", error(|graph| set(graph, 2, int("axis", 0)))),
        ("only a Cast of numbers to float", error(|graph| set(graph, 0, int("to", 7)))),
        ("attribute 'keys_int64s' cannot be compiled", error(|graph| set(graph, 1, ints("keys_int64s", &[1])))),
        ("a text is among its keys twice", error(|graph| set(graph, 1, texts("keys_strings", &["low", "low"])))),
        ("post_transform SOFTMAX cannot be compiled", error(|graph| set(graph, 3, text("post_transform", "SOFTMAX")))),
        ("only weights of one class", error(|graph| set(graph, 3, ints("class_ids", &[0, 1, 0, 1, 0, 1])))),
        ("only two classes", error(|graph| set(graph, 3, ints("classlabels_int64s", &[0, 1, 2])))),
        ("only one base value", error(|graph| set(graph, 3, floats("base_values", &[0.1, 0.2])))),
        (
            "mode 'BRANCH_MEMBER' of a node is unknown",
            error(|graph| {
                set(
                    graph,
                    3,
                    texts("nodes_modes", &["BRANCH_MEMBER", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]),
                );
            }),
        ),
        ("lists of nodes differ in length", error(|graph| set(graph, 3, floats("nodes_values", &[0.5])))),
        ("it reads feature 7, of 3", error(|graph| set(graph, 3, ints("nodes_featureids", &[7, 0, 0, 1, 0, 0, 2, 0, 0])))),
        ("a branch leads to node 9", error(|graph| set(graph, 3, ints("nodes_truenodeids", &[9, 0, 0, 2, 0, 0, 1, 0, 0])))),
        ("tree 0 is not a tree", error(|graph| set(graph, 3, ints("nodes_truenodeids", &[0, 0, 0, 2, 0, 0, 1, 0, 0])))),
        ("input 'amount': it has 12 columns", error(|graph| graph.input[0] = input("amount", FLOAT, 12))),
        ("input 'amount': its type is BOOL", error(|graph| graph.input[0] = input("amount", 9, 1))),
    ];
    for (expected, given) in cases {
        assert!(given.contains(expected), "expected '{expected}', got '{given}'");
    }
}

#[test]
fn a_node_that_leads_nowhere_or_behind_the_ensemble_is_an_error() {
    let zipmap = error(|graph| {
        graph.node.push(node("ZipMap", &["probabilities"], &["map"], Vec::new()));
        graph.output[1].name = "map".into();
    });
    assert_eq!(zipmap, "node 'map' (operator ZipMap): it cannot be compiled behind a tree ensemble; export with zipmap off");
    let aside = error(|graph| graph.node.push(node("Cast", &["amount"], &["aside"], vec![int("to", 1)])));
    assert!(aside.starts_with("node 'aside' (operator Cast): it cannot be compiled here"), "{aside}");
    let itself = error(|graph| graph.node[0].input[0] = "month_float".into());
    assert!(itself.contains("it depends on itself"), "{itself}");
    let two_ways = error(|graph| {
        graph.node.push(node("LabelEncoder", &["kind"], &["other"], vec![texts("keys_strings", &["a"]), floats("values_floats", &[1.0])]));
        graph.node[2].input.push("other".into());
    });
    assert_eq!(two_ways, "input 'kind': it is encoded in two ways, which cannot be compiled");
    let none = error(|graph| graph.node.truncate(3));
    assert_eq!(none, "the ONNX model has 0 TreeEnsembleClassifier nodes, one is needed; its operators are: Cast, LabelEncoder, Concat");
}

#[test]
fn bytes_that_are_not_onnx_are_an_error() {
    assert!(compile(b"PK not a model").unwrap_err().to_string().starts_with("not an ONNX model: "));
    assert_eq!(compile(&[]).unwrap_err().to_string(), "the ONNX model has no graph");
}
