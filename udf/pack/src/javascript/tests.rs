//! Programs of all kinds of steps, native and in QuickJS: the same bits.

use proptest::prelude::*;
use rquickjs::{Context, Runtime};
use serde_json::{Value, json};
use tamis_frame::Signature;
use tamis_model::additive::{Part, Source};
use tamis_model::{Aggregate, Binary, Branch, Cells, Forest, Joint, Kind, Mode, Node, Program, Scorer, Scratch, Step, Tree, Unary};

use super::{JavaScriptError, Options, write};

fn options(function: &str, strict: bool) -> Options {
    Options { name: "model".to_owned(), function: function.to_owned(), strict, sha256: "0".repeat(64) }
}

/// The signature of a regression over `x` (float), `n` (bigint) and `t` (text of a, b, __proto__ and Ü).
fn signature() -> Signature {
    let column = |name: &str, ty: &str| json!({ "name": name, "type": ty, "missing": "reject", "unknown": "accept" });
    let signature = json!({
        "abi": tamis_frame::ABI_VERSION,
        "model": { "name": "m", "version": "1", "sha256": "0" },
        "threshold": 0.5,
        "columns": [column("x", "float"), column("n", "bigint"), column("t", "nvarchar(max)")],
        "functions": [{ "name": "score", "returns": "float", "about": "a number" }],
        "task": "regression",
    });
    Signature::from_json(signature.to_string().as_bytes()).unwrap()
}

const TEXTS: [&str; 4] = ["a", "b", "__proto__", "Ü"];

fn columns() -> Vec<Kind> {
    vec![Kind::Float, Kind::BigInt, Kind::Text { categories: TEXTS.map(str::to_owned).to_vec() }]
}

/// The values that a script gives for rows, in QuickJS: the bits of numbers, `None` for null.
fn evaluate(script: &str, rows: &Value) -> Vec<Option<u64>> {
    let context = Context::full(&Runtime::new().unwrap()).unwrap();
    context.with(|context| {
        let call = format!("{script}; JSON.parse({}).map(main)", json!(rows.to_string()));
        let values: Vec<Option<f64>> = context.eval(call).unwrap_or_else(|error| panic!("{error}: {:?}\n{script}", context.catch()));
        values.into_iter().map(|value| value.map(f64::to_bits)).collect()
    })
}

type Row = (f64, i64, usize);

fn row_json(row: &Row) -> Value {
    json!({ "x": row.0, "n": row.1, "t": TEXTS.get(row.2).copied().unwrap_or("another") })
}

fn native(program: &Program, rows: &[Row]) -> Vec<u64> {
    let scorer = Scorer::new(program.clone()).unwrap();
    let floats: Vec<f64> = rows.iter().map(|row| row.0).collect();
    let integers: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let (mut offsets, mut bytes) = (vec![0], String::new());
    for row in rows {
        bytes += TEXTS.get(row.2).copied().unwrap_or("another");
        offsets.push(bytes.len() as i32);
    }
    let cells = [Cells::Float(&floats), Cells::BigInt(&integers), Cells::Text { offsets: &offsets, bytes: bytes.as_bytes() }];
    let mut scores = vec![0.0; rows.len()];
    scorer.score(&cells, &mut Scratch::default(), &mut scores).unwrap();
    scores.into_iter().map(f64::to_bits).collect()
}

fn finite() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        Just(0.0),
        Just(1e-310),
        Just(f64::MAX),
        Just(f64::from(1.0e-45_f32)),
        (-3_i8..4).prop_map(f64::from),
        (-3_i8..4).prop_map(|value| f64::from(f32::from(value).next_up())),
        (-3_i8..4).prop_map(|value| f64::from(value).next_up()),
        -4.0..4.0,
        -800.0..800.0,
    ]
}

fn row() -> impl Strategy<Value = Row> {
    (finite(), prop_oneof![-5_i64..5, -9_007_199_254_740_992_i64..=9_007_199_254_740_992], 0_usize..6)
}

const UNARY: [Unary; 16] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Exp,
    Unary::Sqrt,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::Sign,
    Unary::Relu,
    Unary::Reciprocal,
    Unary::IsNaN,
    Unary::IsInf,
    Unary::Not,
    Unary::Logistic,
    Unary::Single,
    Unary::Truncate,
];
const BINARY: [Binary; 15] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Min,
    Binary::Max,
    Binary::Equal,
    Binary::Less,
    Binary::LessOrEqual,
    Binary::Greater,
    Binary::GreaterOrEqual,
    Binary::And,
    Binary::Or,
    Binary::Xor,
    Binary::DivWhole,
];
const JOINT: [Joint; 8] = [Joint::Softmax, Joint::SoftmaxZero, Joint::L1, Joint::L2, Joint::MaxNorm, Joint::Sum, Joint::Max, Joint::ArgMax];
const MODES: [Mode; 6] = [Mode::Leq, Mode::Lt, Mode::Gte, Mode::Gt, Mode::Eq, Mode::Neq];

/// A tree of two levels over two features, each leaf with one weight.
fn forest() -> impl Strategy<Value = Forest> {
    let node = (0_u32..2, finite(), 0_usize..6, any::<bool>());
    let tree = (prop::array::uniform3(node), prop::array::uniform4(-2.0..2.0), any::<bool>());
    let aggregate = prop::sample::select(vec![Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max]);
    (prop::collection::vec(tree, 1..8), aggregate, prop::array::uniform2(-1.0..1.0)).prop_map(|(list, aggregate, base)| {
        let (mut nodes, mut trees, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (parts, leaves, deep)) in list.into_iter().enumerate() {
            let (at, leaf) = (nodes.len() as u32, weights.len() as u32);
            let make = |(feature, threshold, mode, missing_is_true): (u32, f64, usize, bool), when_true, when_false| Node {
                feature,
                threshold,
                mode: MODES[mode],
                missing_is_true,
                when_true,
                when_false,
            };
            let [first, second, third] = parts;
            if deep {
                nodes.push(make(first, Branch::Node(at + 1), Branch::Node(at + 2)));
                nodes.push(make(second, Branch::Leaf(leaf), Branch::Leaf(leaf + 1)));
                nodes.push(make(third, Branch::Leaf(leaf + 2), Branch::Leaf(leaf + 3)));
            }
            let root = if deep { Branch::Node(at) } else { Branch::Leaf(leaf) };
            trees.push(Tree { root, first_leaf: leaf, leaves: 4, targets: vec![number as u32 % 2], first_weight: leaf });
            weights.extend(leaves);
        }
        Forest { nodes, trees, weights, aggregate, base: base.to_vec(), covers: None }
    })
}

fn part(source: Source, mut breaks: Vec<f64>, values: &[f64]) -> Part {
    if let Source::Place { .. } = source {
        breaks.clear();
    }
    breaks.sort_by(f64::total_cmp);
    breaks.dedup();
    let count = if breaks.is_empty() && matches!(source, Source::Place { .. }) { TEXTS.len() + 1 } else { breaks.len() + 2 };
    Part { source, breaks, sums: values.iter().copied().cycle().take(count).collect(), mean: 0.0 }
}

/// What a program is made from.
#[derive(Debug, Clone)]
struct Made {
    round: [bool; 3],
    unary: Vec<(usize, u32, bool)>,
    binary: Vec<(usize, u32, u32, bool)>,
    joint: usize,
    forest: Forest,
    numbers: Vec<f64>,
    breaks: Vec<f64>,
    pick: prop::sample::Index,
}

fn made() -> impl Strategy<Value = Made> {
    (
        prop::array::uniform3(any::<bool>()),
        prop::collection::vec((0..UNARY.len(), any::<u32>(), any::<bool>()), 1..8),
        prop::collection::vec((0..BINARY.len(), any::<u32>(), any::<u32>(), any::<bool>()), 1..8),
        0..JOINT.len(),
        forest(),
        prop::collection::vec(-3.0..3.0, 4..9),
        prop::collection::vec(finite(), 0..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(round, unary, binary, joint, forest, numbers, breaks, pick)| Made {
            round,
            unary,
            binary,
            joint,
            forest,
            numbers,
            breaks,
            pick,
        })
}

/// A program of every kind of step; its result is one of the registers.
fn program(made: &Made) -> Program {
    let mut steps = Vec::new();
    let mut next = 0_u32;
    let mut push = |step: Step, next: &mut u32| {
        let (out, count) = step.writes();
        assert_eq!(out, *next);
        *next += count as u32;
        steps.push(step);
        out
    };
    let x = push(Step::Number { column: 0, round: made.round[0], out: next }, &mut next);
    let n = push(Step::Number { column: 1, round: made.round[1], out: next }, &mut next);
    let t = push(Step::Place { column: 2, out: next }, &mut next);
    push(Step::Constant { value: made.numbers[0], out: next }, &mut next);
    let values = made.numbers.iter().copied().cycle().take(TEXTS.len() + 1).collect();
    push(Step::Table { input: t, values, out: next }, &mut next);
    let mut keys = made.breaks.clone();
    keys.sort_by(f64::total_cmp);
    keys.dedup();
    let values = made.numbers.iter().copied().cycle().take(keys.len()).collect();
    push(Step::Lookup { input: x, keys, values, nan: -7.0, default: 0.25, out: next }, &mut next);
    for (what, input, round) in &made.unary {
        push(Step::Apply { what: UNARY[*what], input: input % next, round: *round, out: next }, &mut next);
    }
    for (what, left, right, round) in &made.binary {
        push(Step::Combine { what: BINARY[*what], left: left % next, right: right % next, round: *round, out: next }, &mut next);
    }
    push(Step::Choose { condition: next - 1, yes: x, no: next - 2, out: next }, &mut next);
    push(Step::Together { what: JOINT[made.joint], inputs: vec![x, next - 1, next - 2, n], out: next }, &mut next);
    let weights = made.numbers.iter().copied().cycle().take(6).collect();
    push(Step::Linear { inputs: vec![x, next - 1, n], weights, bias: vec![0.5, made.numbers[1]], out: next }, &mut next);
    let sources = [
        Source::Number { column: 0, round: made.round[2] },
        Source::Number { column: 1, round: made.round[0] },
        Source::Place { column: 2 },
        Source::Register { input: next - 1 },
    ];
    let parts = sources.map(|source| part(source, made.breaks.clone(), &made.numbers)).to_vec();
    push(Step::Additive { base: made.numbers[2], parts, out: next }, &mut next);
    push(Step::Trees { inputs: vec![x, next - 1], forest: made.forest.clone(), out: next }, &mut next);
    push(Step::Apply { what: Unary::Logistic, input: next - 1, round: false, out: next }, &mut next);
    let first = made.pick.index(next as usize) as u32;
    Program { columns: columns(), steps, registers: next, scores: vec![first], head: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn quickjs_gives_the_native_bits_of_any_program(made in made(), rows in prop::collection::vec(row(), 1..20)) {
        let program = program(&made);
        let written = write(&program, &signature(), &options("score", false)).unwrap();
        let json: Vec<Value> = rows.iter().map(row_json).collect();
        let values = evaluate(&written.script, &json.into());
        for ((row, value), native) in rows.iter().zip(values).zip(native(&program, &rows)) {
            let number = f64::from_bits(native);
            // JavaScript's door has one kind of zero for what is whole.
            let expected = number.is_finite().then_some(native);
            let same = value == expected || (number == 0.0 && value == Some((-number).to_bits()));
            prop_assert!(same, "{row:?}: {value:?} is not {native} ({number})\n{}", written.script);
        }
    }
}

#[test]
fn exp_has_libms_bits_everywhere() {
    let text = super::write::part(super::steps::Needed::Exp);
    let mut values: Vec<f64> =
        vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 709.782712893384, 709.7827128933841, -745.133219101941, -745.2];
    for half in [0x3fd6_2e42_u64, 0x3fd6_2e43, 0x3ff0_a2b1, 0x3ff0_a2b2, 0x3e30_0000, 0x3e30_0001, 0x4086_232b, 0x4086_232a] {
        values.extend([half << 32, (half << 32) + 1, (half << 32 | 0xFFFF_FFFF)].map(f64::from_bits));
    }
    // Also where the result is subnormal.
    values.extend((0..40_000).map(|step| f64::from(step).mul_add(0.04, -800.0)));
    values.extend((1..2000).map(|step| 1.0 / f64::from(step * step * step)));
    let values: Vec<f64> = values.iter().flat_map(|value| [*value, -value]).collect();
    let list = super::literal::numbers(values.iter().copied());
    let context = Context::full(&Runtime::new().unwrap()).unwrap();
    let results: Vec<f64> = context.with(|context| context.eval(format!("{text}; {list}.map(exp)")).unwrap());
    for (value, result) in values.iter().zip(results) {
        assert!(result.to_bits() == libm::exp(*value).to_bits() || result.is_nan() && value.is_nan(), "exp({value:e}) is not {result:e}");
    }
}

#[test]
fn odd_rows_are_null_or_thrown_with_the_words_of_the_other_runners() {
    let program = Program {
        columns: columns(),
        steps: vec![Step::Number { column: 0, round: false, out: 0 }],
        registers: 1,
        scores: vec![0],
        head: None,
    };
    let mut signature = signature();
    signature.columns[2].unknown = tamis_frame::signature::Policy::Reject;
    let large = format!("column 'n': bigint is expected, float {} was given", 1e300);
    let cases = [
        ("{n: 1, t: 'a'}", Err("column 'x': float is expected, no value was given")),
        ("{x: null, n: 1, t: 'a'}", Err("column 'x': float is expected, no value was given")),
        ("{x: '12', n: 1, t: 'a'}", Err("column 'x': float is expected, text '12' was given")),
        ("{x: NaN, n: 1, t: 'a'}", Err("column 'x': float is expected, float NaN was given")),
        ("{x: -1/0, n: 1, t: 'a'}", Err("column 'x': float is expected, float -inf was given")),
        ("{x: true, n: 1, t: 'a'}", Err("column 'x': float is expected, bit true was given")),
        ("{x: [1], n: 1, t: 'a'}", Err("column 'x': float is expected, array was given")),
        ("{x: {}, n: 1, t: 'a'}", Err("column 'x': float is expected, record was given")),
        ("{x: new Date(), n: 1, t: 'a'}", Err("column 'x': float is expected, datetime was given")),
        ("{x: function () {}, n: 1, t: 'a'}", Err("column 'x': float is expected, function was given")),
        ("{x: 1, n: 2.5, t: 'a'}", Err("column 'n': bigint is expected, float 2.5 was given")),
        ("{x: 1, n: 1e300, t: 'a'}", Err(large.as_str())),
        ("{x: 1, n: 1.5e-7, t: 'a'}", Err("column 'n': bigint is expected, float 0.00000015 was given")),
        ("{x: 1, n: -1.25e21, t: 'a'}", Err("column 'n': bigint is expected, float -1250000000000000000000 was given")),
        ("{x: 1, n: 1, t: 5}", Err("column 't': nvarchar(max) is expected, bigint 5 was given")),
        ("{x: 1, n: 1, t: -0}", Err("column 't': nvarchar(max) is expected, bigint 0 was given")),
        ("{x: 1, n: 1, t: 'Ünbekannt'}", Err("column 't': 'Ünbekannt' is not one of a, b, __proto__, Ü")),
        ("{x: 1, n: 1, t: 'toString'}", Err("column 't': 'toString' is not one of a, b, __proto__, Ü")),
        ("{x: 1, n: 1, t: '🙂'.repeat(41)}", Err(SHORT)),
        ("{x: 1, n: 'x', t: 5}", Err("column 'n': bigint is expected, text 'x' was given")),
        ("null", Err("a row is expected, no value was given")),
        ("undefined", Err("a row is expected, no value was given")),
        ("5", Err("a row is expected, bigint 5 was given")),
        ("[1, 1, 'a']", Err("a row is expected, array was given")),
        ("{x: 1.5, n: 1, t: 'a'}", Ok(1.5)),
        ("{X: 1.5, N: 1, T: '__proto__', more: {}}", Ok(1.5)),
        ("{X: 1, x: 1.5, n: 1, t: 'Ü'}", Ok(1.5)),
        ("{x: undefined, X: 1.5, n: 1, t: 'a'}", Err("column 'x': float is expected, no value was given")),
    ];
    let [open, strict] = [false, true].map(|strict| write(&program, &signature, &options("score", strict)).unwrap().script);
    for (row, expected) in cases {
        let context = Context::full(&Runtime::new().unwrap()).unwrap();
        context.with(|context| {
            let value: Option<f64> = context.eval(format!("{open}; main({row})")).unwrap();
            assert_eq!(value, expected.ok(), "{row}");
            let said: String = context.eval(format!("{strict}; try {{ String(main({row})) }} catch (error) {{ error.message }}")).unwrap();
            let expected = expected.map_or_else(str::to_owned, |value: f64| value.to_string());
            assert_eq!(said, expected, "{row}");
        });
    }
}

#[test]
fn missing_values_are_what_the_guest_makes_of_them_where_the_model_has_a_meaning_for_them() {
    let mut signature = signature();
    signature.columns.iter_mut().for_each(|column| column.missing = tamis_frame::signature::Policy::Accept);
    signature.columns[2].unknown = tamis_frame::signature::Policy::Reject;
    let steps = vec![
        Step::Lookup { input: 3, keys: vec![1.0], values: vec![2.0], nan: -1.0, default: 5.0, out: 4 },
        Step::Number { column: 0, round: true, out: 3 },
        Step::Place { column: 2, out: 2 },
        Step::Number { column: 1, round: false, out: 1 },
        Step::Constant { value: 0.0, out: 0 },
    ];
    let mut program = Program { columns: columns(), steps: steps.into_iter().rev().collect(), registers: 5, scores: vec![4], head: None };
    for (register, row, expected) in [
        (4, "{x: null, n: 1, t: 'a'}", "-1"),
        (4, "{x: NaN, n: 1, t: 'a'}", "-1"),
        (4, "{x: 1/0, n: 1, t: 'a'}", "column 'x': float is expected, float inf was given"),
        (4, "{x: 1, n: 1, t: 'a'}", "2"),
        (1, "{}", "0"),
        (1, "{n: NaN}", "0"),
        (2, "{}", "4"),
        (2, "{t: 'x'}", "column 't': 'x' is not one of a, b, __proto__, Ü"),
    ] {
        program.scores = vec![register];
        let script = write(&program, &signature, &options("score", true)).unwrap().script;
        let context = Context::full(&Runtime::new().unwrap()).unwrap();
        let call = format!("{script}; try {{ String(main({row})) }} catch (error) {{ error.message }}");
        let said: String = context.with(|context| context.eval(call)).unwrap();
        assert_eq!(said, expected, "{row}");
    }
}

const SHORT: &str =
    "column 't': '🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂…' is not one of a, b, __proto__, Ü";

#[test]
fn classes_are_told_as_the_model_names_them() {
    let number = |column, out| Step::Number { column, round: false, out };
    let mut program = Program { columns: columns(), steps: vec![number(0, 0), number(1, 1)], registers: 2, scores: vec![0, 1], head: None };
    let mut said = serde_json::to_value(signature()).unwrap();
    said["task"] = json!("multiclass");
    said["classes"] = json!(["no \"\n", "Ü"]);
    said["functions"] = json!([{ "name": "run", "returns": "nvarchar(max)", "about": "the class\n*/" }, { "name": "score", "returns": "float", "about": "" }]);
    let evaluate = |program: &Program, said: &Value, function: &str, row: &str| {
        let signature = Signature::from_json(said.to_string().as_bytes()).unwrap();
        let written = write(program, &signature, &options(function, true)).unwrap();
        let context = Context::full(&Runtime::new().unwrap()).unwrap();
        let result: String = context.with(|context| context.eval(format!("{}; JSON.stringify(main({row}))", written.script)).unwrap());
        let description: Value = serde_json::from_str(&written.description).unwrap();
        (serde_json::from_str::<Value>(&result).unwrap(), description["OutputType"].as_str().unwrap().to_owned())
    };
    assert_eq!(evaluate(&program, &said, "run", "{x: 1, n: 2, t: 'a'}"), (json!("Ü"), "nvarchar(max)".to_owned()));
    assert_eq!(evaluate(&program, &said, "run", "{x: 2, n: 2, t: 'a'}"), (json!("no \"\n"), "nvarchar(max)".to_owned()));
    assert_eq!(evaluate(&program, &said, "score", "{x: 1, n: 2, t: 'a'}"), (json!(2), "float".to_owned()));
    program.scores = vec![0];
    said["task"] = json!("binary");
    said["classes"] = json!([10, 20]);
    assert_eq!(evaluate(&program, &said, "RUN", "{x: 0.5, n: 2, t: 'a'}").0, json!(20));
    assert_eq!(evaluate(&program, &said, "run", "{x: 0.4999, n: 2, t: 'a'}").0, json!(10));
    let signature = Signature::from_json(said.to_string().as_bytes()).unwrap();
    let error = |program: &Program, options: &Options| write(program, &signature, options).unwrap_err();
    assert!(matches!(error(&program, &options("explain", false)), JavaScriptError::Function { .. }));
    for name in ["", "a-b", "1a", "x y", "ü"] {
        assert!(matches!(error(&program, &Options { name: name.to_owned(), ..options("run", false) }), JavaScriptError::Name(_)));
    }
    program.steps.push(Step::Apply { what: Unary::Tanh, input: 0, round: false, out: 2 });
    program.registers = 3;
    assert_eq!(error(&program, &options("run", false)), JavaScriptError::Step("tanh".to_owned()));
    program.steps.pop();
    program.columns[0] = Kind::BigInt;
    assert!(matches!(error(&program, &options("run", false)), JavaScriptError::Differ(_)));
}
