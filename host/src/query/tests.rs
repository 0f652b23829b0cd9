use std::sync::Arc;

use super::*;
use crate::batch::{Batch, Column, Origin, Value};
use crate::fault::Fault;
use crate::time::Timestamp;

/// Doubles the column `amount`; rejects rows without one.
#[derive(Debug, Default)]
struct Double {
    calls: usize,
}

impl Functions for Double {
    fn call(&mut self, _: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        self.calls += 1;
        let column = match &arguments[0] {
            Argument::Record(batch) => batch.column("amount").cloned().unwrap_or(Column::Null(rows)),
            Argument::Value(column) => (*column).clone(),
        };
        let doubled = (0..rows).map(|row| match column.value(row) {
            Value::BigInt(value) => Value::BigInt(value * 2),
            Value::Float(value) => Value::Float(value * 2.0),
            _ => Value::Null,
        });
        let rejected = (0..rows).filter(|row| column.is_null(*row)).map(|row| (row, "no amount".to_owned())).collect();
        Ok(Called { column: Column::from_values(doubled), rejected, failed: Vec::new() })
    }
}

fn catalog() -> Catalog {
    let column = |name: &str, ty| tamis_frame::Column {
        name: name.to_owned(),
        ty,
        categories: Vec::new(),
        missing: tamis_frame::signature::Policy::Reject,
        unknown: tamis_frame::signature::Policy::Accept,
    };
    let columns = vec![column("amount", tamis_frame::Type::Float), column("category", tamis_frame::Type::Text)];
    Catalog {
        inputs: Some(vec!["payments".into(), "history".into()]),
        references: vec!["limits".into()],
        outputs: Some(vec!["store".into(), "page".into()]),
        functions: vec![FunctionInfo { name: "prediction".into(), columns: Some(columns), returns: Some(tamis_frame::Type::BigInt) }],
        aggregates: vec!["total".into()],
    }
}

fn compiled(text: &str) -> Plan {
    compile(Script { file: "q.asaql", text }, &catalog()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    match compile(Script { file: "q.asaql", text }, &catalog()) {
        Ok(plan) => panic!("{text} is accepted: {plan:#?}"),
        Err(error) => error.to_string(),
    }
}

fn payments() -> Batch {
    let json: [(&str, Vec<Value>); 3] = [
        ("id", vec![Value::BigInt(1), Value::BigInt(2), Value::BigInt(3), Value::BigInt(4)]),
        ("amount", vec![Value::Float(10.0), Value::Null, Value::Float(30.5), Value::BigInt(7)]),
        ("category", vec![Value::Text("food".into()), Value::Text("tech".into()), Value::Text("food".into()), Value::Null]),
    ];
    Batch {
        names: json.iter().map(|(name, _)| Arc::from(*name)).collect(),
        columns: json.into_iter().map(|(_, values)| Column::from_values(values)).collect(),
        times: (1..=4).map(|second| Timestamp(second * 10_000_000)).collect(),
        origin: Origin::Events { input: 0, partition: 0, offsets: [10, 11, 12, 13].into() },
    }
}

fn lines(batch: &Batch) -> Vec<String> {
    let line = |row| {
        let mut out = Vec::new();
        crate::batch::write_row(batch, row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..batch.rows()).map(line).collect()
}

/// Runs the projections of a script over the payments, one after the other.
fn run(text: &str) -> Vec<String> {
    let plan = compiled(text);
    let mut functions = Double::default();
    let mut batch = payments();
    for step in &plan.steps {
        batch = match &step.operator {
            Operator::Project(project) => project.run(&batch, &mut functions).unwrap().batch,
            Operator::Apply(apply) => apply.run(&batch, &mut functions).unwrap().batch,
            other => panic!("no projection: {other:?}"),
        };
    }
    lines(&batch)
}

#[test]
fn columns_expressions_and_star_are_projected() {
    assert_eq!(
        run("SELECT UPPER(category) AS category, net = amount - 0.5, *, System.Timestamp() AS t INTO store FROM payments WHERE id <= 2"),
        [
            r#"{"category":"FOOD","net":9.5,"id":1,"amount":10.0,"t":"1970-01-01T00:00:01.0000000Z"}"#,
            r#"{"category":"TECH","net":null,"id":2,"amount":null,"t":"1970-01-01T00:00:02.0000000Z"}"#,
        ]
    );
}

#[test]
fn a_comparison_with_null_is_false_either_way() {
    let ids = |condition: &str| run(&format!("SELECT id INTO store FROM payments p WHERE {condition}")).join(" ");
    assert_eq!(ids("amount > 8"), r#"{"id":1} {"id":3}"#);
    assert_eq!(ids("category <> 'food'"), r#"{"id":2}"#);
    assert_eq!(ids("category !< 'food'"), r#"{"id":1} {"id":2} {"id":3}"#);
    assert_eq!(ids("category IS NULL OR amount IS NULL"), r#"{"id":2} {"id":4}"#);
    assert_eq!(ids("p.id BETWEEN 2 AND 3 AND p.category IN ('tech', 'x')"), r#"{"id":2}"#);
    assert_eq!(ids("category LIKE 'f%d'"), r#"{"id":1} {"id":3}"#);
    assert_eq!(ids("category NOT LIKE 'f%d'"), r#"{"id":2}"#);
    assert_eq!(ids("category NOT IN ('food')"), r#"{"id":2}"#);
    assert_eq!(ids("amount NOT BETWEEN 8 AND 20"), r#"{"id":3} {"id":4}"#);
    assert_eq!(ids("NOT (category = 'food')"), r#"{"id":2} {"id":4}"#);
    assert_eq!(ids("CAST(amount AS bit) AND NOT (id = 1)"), r#"{"id":3} {"id":4}"#);
}

#[test]
fn case_and_the_left_side_of_and_guard_a_conversion() {
    assert_eq!(
        run(
            "SELECT CASE WHEN category = \"food\" THEN CAST(id AS nvarchar(max)) WHEN category IS NULL THEN 'none' ELSE CONCAT(category, '-', id) END AS x INTO store FROM payments"
        ),
        [r#"{"x":"1"}"#, r#"{"x":"tech-2"}"#, r#"{"x":"3"}"#, r#"{"x":"none"}"#]
    );
    assert_eq!(run("SELECT TRY_CAST(category AS bigint) AS x INTO store FROM payments WHERE id = 1"), [r#"{"x":null}"#]);
    assert_eq!(run("SELECT id INTO store FROM payments WHERE id > 3 AND CAST(COALESCE(category, '1') AS bigint) = 1"), [r#"{"id":4}"#]);
    assert_eq!(
        run("SELECT CASE id WHEN 1 THEN amount WHEN 2 THEN category ELSE id END AS x INTO store FROM payments WHERE id < 4"),
        [r#"{"x":10.0}"#, r#"{"x":"tech"}"#, r#"{"x":3}"#]
    );
}

#[test]
fn a_function_is_called_once_a_batch_and_a_row_it_rejects_is_left_out() {
    let plan = compiled(
        "WITH d AS (SELECT id, amount, category FROM payments)
         SELECT id, udf.prediction(d) AS p, UDF.Prediction(d) AS again INTO store FROM d WHERE d IS NOT NULL",
    );
    let mut functions = Double::default();
    let [Operator::Project(first), Operator::Project(second)] = [&plan.steps[0].operator, &plan.steps[1].operator] else {
        panic!("two projections")
    };
    let batch = first.run(&payments(), &mut functions).unwrap().batch;
    let output = second.run(&batch, &mut functions).unwrap();
    assert_eq!(functions.calls, 1);
    assert_eq!(
        lines(&output.batch),
        [r#"{"id":1,"p":20.0,"again":20.0}"#, r#"{"id":3,"p":61.0,"again":61.0}"#, r#"{"id":4,"p":14,"again":14}"#]
    );
    assert_eq!(output.rejected.len(), 1);
    assert_eq!(output.rejected[0].origin.unwrap().offset, 11);
    assert_eq!((output.rejected[0].step.as_str(), output.rejected[0].reason.as_str()), ("udf.prediction", "no amount"));
}

#[test]
fn a_function_is_called_only_for_the_rows_that_need_it() {
    let plan =
        compiled("SELECT id, CASE WHEN amount IS NULL THEN -1 ELSE udf.prediction(amount) END AS p INTO store FROM payments WHERE id < 4");
    let Operator::Project(project) = &plan.steps[0].operator else { panic!("a projection") };
    let output = project.run(&payments(), &mut Double::default()).unwrap();
    assert_eq!(lines(&output.batch), [r#"{"id":1,"p":20.0}"#, r#"{"id":2,"p":-1}"#, r#"{"id":3,"p":61.0}"#]);
    assert_eq!(output.rejected, []);
}

#[test]
fn several_statements_share_steps_and_read_only_what_they_need() {
    let plan = compiled(
        "WITH d AS (SELECT id, amount AS a FROM payments TIMESTAMP BY DATEADD(second, at, '1970-01-01') PARTITION BY PartitionId)
         SELECT * INTO store FROM d -- a comment
         SELECT * INTO page FROM history SELECT a INTO page FROM d /* another */;",
    );
    let read: Vec<_> = plan.inputs.iter().map(|input| (input.name.as_str(), input.columns.clone())).collect();
    let named = Columns::Named(["at", "PartitionId", "id", "amount"].map(str::to_owned).to_vec());
    assert_eq!(read, [("payments", named), ("history", Columns::All)]);
    assert_eq!(plan.feeds.iter().map(|feed| (feed.input, feed.timestamp_by.is_some())).collect::<Vec<_>>(), [(0, true), (1, false)]);
    assert_eq!(plan.outputs, ["store", "page"]);
    assert_eq!(plan.steps.iter().map(|step| step.into).collect::<Vec<_>>(), [None, Some(0), Some(1), Some(1)]);
}

#[test]
fn the_same_input_with_two_times_is_two_feeds() {
    let plan = compiled(
        "SELECT a.id INTO store FROM payments a TIMESTAMP BY opened JOIN payments b TIMESTAMP BY closed
         ON a.id = b.id AND DATEDIFF(second, a, b) BETWEEN 0 AND 10",
    );
    assert_eq!(plan.inputs.len(), 1);
    assert_eq!(plan.feeds.len(), 2);
    let Operator::Join(join) = &plan.steps[0].operator else { panic!("a join") };
    assert_eq!((join.keys.len(), join.within, join.unmatched_after), (1, (-9_999_999, 109_999_999), 100_000_000));
    assert_eq!(plan.inputs[0].columns, Columns::Named(["opened", "closed", "id"].map(str::to_owned).to_vec()));
}

#[test]
fn bounds_of_a_join_are_found_in_any_form() {
    let bounds = |on: &str| {
        let plan = compiled(&format!("SELECT a.id INTO store FROM payments a JOIN history b ON a.id = b.id AND {on}"));
        let Operator::Join(join) = &plan.steps[0].operator else { panic!("a join") };
        (join.within.0 / 10_000_000, join.within.1 / 10_000_000, join.unmatched_after / 10_000_000)
    };
    assert_eq!(bounds("DATEDIFF(second, a, b) >= 2 AND DATEDIFF(second, a, b) < 5"), (1, 4, 4));
    assert_eq!(bounds("DATEDIFF(second, b, a) BETWEEN 1 AND 3"), (-3, -0, -1));
    assert_eq!(bounds("DATEDIFF(minute, a, b) = 0 AND DATEDIFF(second, a, b) BETWEEN -90 AND 90"), (-59, 59, 0));
    assert_eq!(bounds("5 > DATEDIFF(second, a, b) AND 0 <= DATEDIFF(second, a, b)"), (0, 4, 4));
}

#[test]
fn analytic_functions_stand_before_the_joins_of_their_own_source() {
    let plan = compiled(
        "SELECT p.id, LAG(p.amount) OVER (PARTITION BY p.card LIMIT DURATION(hour, 1) WHEN p.amount > 3) AS before
         INTO store FROM payments p JOIN limits l ON p.card = l.card WHERE LAG(p.amount) OVER (PARTITION BY p.card LIMIT DURATION(hour, 1) WHEN p.amount > 3) > 2",
    );
    let [Operator::Analytic(specs), Operator::Lookup(lookup, 0), Operator::Project(_)] =
        [&plan.steps[0].operator, &plan.steps[1].operator, &plan.steps[2].operator]
    else {
        panic!("{plan:#?}")
    };
    assert_eq!(specs.len(), 1);
    assert!(matches!(&specs[0].partition_by[..], [Expression::Column(name, _)] if &**name == "card"));
    assert_eq!(lookup.keys.len(), 1);
    assert_eq!(plan.references, [("limits".to_owned(), Columns::Named(vec!["card".to_owned()]))]);
}

#[test]
fn rows_become_several_and_absent_fields_stay_absent() {
    let record =
        |fields: &[(&str, Value)]| Value::Record(Arc::new(fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect()));
    let batch = Batch {
        names: ["id", "r", "a"].map(Arc::from).into(),
        columns: vec![
            Column::from_values([Value::BigInt(1), Value::BigInt(2)]),
            Column::from_values([record(&[("x", Value::BigInt(7)), ("y", Value::Null)]), record(&[("x", Value::BigInt(8))])]),
            Column::from_values([Value::Array([Value::BigInt(5), Value::Null].into()), Value::Null]),
        ],
        times: vec![Timestamp(0); 2].into(),
        origin: Origin::Derived,
    };
    let run = |text: &str| {
        let plan = compiled(text);
        let made = plan.steps.iter().fold(batch.clone(), |batch, step| match &step.operator {
            Operator::Project(project) => project.run(&batch, &mut Double::default()).unwrap().batch,
            Operator::Apply(apply) => apply.run(&batch, &mut Double::default()).unwrap().batch,
            other => panic!("no projection: {other:?}"),
        });
        lines(&made)
    };
    assert_eq!(run("SELECT id, r.* INTO store FROM payments"), [r#"{"id":1,"x":7,"y":null}"#, r#"{"id":2,"x":8}"#]);
    assert_eq!(
        run("SELECT id, e.ArrayIndex, e.ArrayValue AS v INTO store FROM payments OUTER APPLY GetArrayElements(a) AS e"),
        [r#"{"id":1,"ArrayIndex":0,"v":5}"#, r#"{"id":1,"ArrayIndex":1,"v":null}"#, r#"{"id":2,"ArrayIndex":null,"v":null}"#]
    );
    assert_eq!(
        run("SELECT p.id, q.* INTO store FROM payments p CROSS APPLY GetRecordProperties(p.r) q WHERE q.PropertyValue IS NOT NULL"),
        [r#"{"id":1,"PropertyName":"x","PropertyValue":7}"#, r#"{"id":2,"PropertyName":"x","PropertyValue":8}"#]
    );
}

#[test]
fn errors_point_at_the_place_and_say_what_to_do() {
    let scripts = [
        "WITH d AS (SELECT id, amuont FROM payments)\nSELECT id, amount INTO store FROM d",
        "SELECT prediction(payments) INTO stoer FROM paiments",
        "WITH d AS (SELECT id, category, amounts FROM payments)\nSELECT udf.prediction(d) AS p INTO store FROM d",
        "SELECT prediction(p), SUMM(id), udf.predict(p), total(id), udf.total(id) INTO store FROM payments p",
        "SELECT id INTO store FROM payments WHERE SUM(id) > 3",
        "SELECT id INTO store FROM payments GROUP BY id",
        "SELECT amount, COUNT(*) AS n INTO store FROM payments GROUP BY id, TumblingWindow(day, 8)",
        "SELECT amount, COUNT(*) AS n INTO store FROM payments GROUP BY id, TumblingWindow(day, 7)",
        "SELECT id INTO store FROM payments,",
        "SELECT p.id INTO store FROM payments p JOIN history h ON p.id = h.id",
        "SELECT LAG(id) AS x INTO store FROM payments",
        "SELECT AnomalyDetection_SpikeAndDip(id, 95, 120, 'spikes') OVER (LIMIT DURATION(hour, 1)) AS x INTO store FROM payments",
        "SELECT 'open INTO store FROM payments",
        "SELEC id INTO store FROM payments",
        "SELECT id FROM payments p WHERE payments.id = 3 INTO store",
        "SELECT id INTO store FROM payments WHERE id =",
        "CREATE TABLE payments(at datetme)\nSELECT at INTO store FROM payments",
        "SELECT DATEDIFF(secund, a, b) AS d, SUBSTRING(a) AS s INTO store FROM payments",
        "",
    ];
    let told: Vec<String> = scripts.iter().map(|script| refused(script)).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_long_chain_is_compiled_or_refused_and_overflows_no_stack() {
    let of = |operator: &str, count: usize, operand: &str| vec![operand; count].join(operator);
    let ids = run(&format!("SELECT id INTO store FROM payments WHERE {}", of(" OR ", 20_000, "id = 3")));
    assert_eq!(ids, [r#"{"id":3}"#]);
    assert_eq!(run(&format!("SELECT {} AS n INTO store FROM payments WHERE id = 1", of(" + ", 200, "id"))), [r#"{"n":200}"#]);
    for long in [of(" + ", 30_000, "id"), format!("id{}", " IS NULL".repeat(20_000)), format!("{}1{}", "(".repeat(3000), ")".repeat(3000))]
    {
        let told = refused(&format!("SELECT {long} AS n INTO store FROM payments"));
        assert!(told.contains("too long") || told.contains("too deeply"), "{}", &told[..200]);
    }
    let told = refused(&format!("SELECT a INTO store FROM {}", "(SELECT a FROM ".repeat(500)));
    assert!(told.contains("too deeply"), "{}", &told[..200]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    #[test]
    fn any_words_are_compiled_or_refused_without_a_panic(words in proptest::collection::vec(0..WORDS.len(), 0..60), any in ".{0,80}") {
        let text: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
        let _compiled = compile(Script { file: "q.asaql", text: &text.join(" ") }, &catalog());
        let _compiled = compile(Script { file: "q.asaql", text: &format!("SELECT {} INTO store FROM payments", text.join(" ")) }, &catalog());
        let _compiled = compile(Script { file: "q.asaql", text: &any }, &catalog());
    }
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "INTO",
    "AS",
    "JOIN",
    "LEFT",
    "ON",
    "UNION",
    "ALL",
    "WITH",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "TRY_CAST(",
    "AND",
    "OR",
    "NOT",
    "IS",
    "NULL",
    "IN",
    "LIKE",
    "BETWEEN",
    "PARTITION",
    "ORDER",
    "TIMESTAMP",
    "OVER",
    "OVER (",
    "LIMIT",
    "DURATION",
    "CROSS",
    "OUTER",
    "APPLY",
    "GetArrayElements(",
    "MATCH_RECOGNIZE",
    "MATCH_RECOGNIZE (",
    "PATTERN (",
    "DEFINE",
    "MEASURES",
    "CREATE",
    "TABLE",
    "payments",
    "history",
    "limits",
    "p",
    "d",
    "id",
    "amount",
    "[x y]",
    "\"q\"",
    "'text'",
    "1",
    "2.5",
    "*",
    "(",
    ")",
    ",",
    ";",
    ".",
    "=",
    "<>",
    "!<",
    "+",
    "-",
    "~",
    "%",
    "|",
    "?",
    "COUNT(",
    "LAG(",
    "udf.prediction(",
    "uda.total(",
    "System.Timestamp()",
    "System.Window().Id",
    "TumblingWindow(",
    "Windows(",
    "second",
    "DATEDIFF(",
    "TopOne()",
    "--",
    "/*",
    "*/",
    "nvarchar(max)",
];
