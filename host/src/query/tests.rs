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
        inputs: vec!["payments".into(), "history".into()],
        outputs: Some(vec!["store".into(), "page".into()]),
        functions: vec![FunctionInfo { name: "prediction".into(), columns: Some(columns), returns: Some(tamis_frame::Type::BigInt) }],
        aggregates: Vec::new(),
    }
}

fn compiled(text: &str) -> Plan {
    compile(Script { file: "q.asaql", text }, &catalog()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    compile(Script { file: "q.asaql", text }, &catalog()).unwrap_err().to_string()
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

/// Runs a one-step script over the payments.
fn run(text: &str) -> Vec<String> {
    let plan = compiled(text);
    let mut functions = Double::default();
    let mut batch = payments();
    for step in &plan.steps {
        batch = match &step.operator {
            Operator::Project(project) => project.run(&batch, &mut functions).unwrap().batch,
            Operator::Window(window) => {
                let rows = window.filter(&batch, &mut functions).unwrap().batch;
                window.aggregate(&rows, Timestamp(100_000_000), &mut functions).unwrap().batch
            }
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
    assert_eq!(run("SELECT id INTO store FROM payments WHERE amount > 8"), [r#"{"id":1}"#, r#"{"id":3}"#]);
    assert_eq!(run("SELECT id INTO store FROM payments WHERE category <> 'food'"), [r#"{"id":2}"#]);
    assert_eq!(run("SELECT id INTO store FROM payments WHERE category IS NULL OR amount IS NULL"), [r#"{"id":2}"#, r#"{"id":4}"#]);
    assert_eq!(run("SELECT id INTO store FROM payments p WHERE p.id BETWEEN 2 AND 3 AND p.category IN ('tech', 'x')"), [r#"{"id":2}"#]);
    assert_eq!(run("SELECT id INTO store FROM payments WHERE category LIKE 'f%d'"), [r#"{"id":1}"#, r#"{"id":3}"#]);
}

#[test]
fn case_guards_a_conversion() {
    assert_eq!(
        run(
            "SELECT CASE WHEN category = \"food\" THEN CAST(id AS nvarchar(max)) WHEN category IS NULL THEN 'none' ELSE CONCAT(category, '-', id) END AS x INTO store FROM payments"
        ),
        [r#"{"x":"1"}"#, r#"{"x":"tech-2"}"#, r#"{"x":"3"}"#, r#"{"x":"none"}"#]
    );
    assert_eq!(run("SELECT TRY_CAST(category AS bigint) AS x INTO store FROM payments WHERE id = 1"), [r#"{"x":null}"#]);
}

#[test]
fn a_function_is_called_once_a_batch_and_a_row_it_rejects_is_left_out() {
    let plan = compiled(
        "WITH d AS (SELECT id, amount, category FROM payments)
         SELECT id, udf.prediction(d) AS p, UDF.Prediction(d) AS again INTO store FROM d WHERE d IS NOT NULL",
    );
    let mut functions = Double::default();
    let Operator::Project(first) = &plan.steps[0].operator else { panic!("a projection") };
    let Operator::Project(second) = &plan.steps[1].operator else { panic!("a projection") };
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
fn a_window_groups_and_calls_functions_inside_aggregates_once() {
    assert_eq!(
        run("SELECT category, COUNT(*) AS n, COUNT(amount) AS known, SUM(amount) AS total, AVG(id) AS mean, MAX(id) AS last, System.Timestamp() AS t
             INTO page FROM payments GROUP BY category, TumblingWindow(second, 10)"),
        [
            r#"{"category":"food","n":2,"known":2,"total":40.5,"mean":2.0,"last":3,"t":"1970-01-01T00:00:10.0000000Z"}"#,
            r#"{"category":"tech","n":1,"known":0,"total":null,"mean":2.0,"last":2,"t":"1970-01-01T00:00:10.0000000Z"}"#,
            r#"{"category":null,"n":1,"known":1,"total":7,"mean":4.0,"last":4,"t":"1970-01-01T00:00:10.0000000Z"}"#,
        ]
    );
    assert_eq!(
        run(
            "SELECT SUM(udf.prediction(payments)) AS s INTO page FROM payments GROUP BY Tumbling(Duration(second, 10), Offset(second, 2)) HAVING COUNT(*) > 2"
        ),
        [r#"{"s":95.0}"#]
    );
}

#[test]
fn several_statements_share_steps_and_read_only_what_they_need() {
    let plan = compiled(
        "WITH d AS (SELECT id, amount AS a FROM payments TIMESTAMP BY DATEADD(second, at, '1970-01-01') PARTITION BY PartitionId)
         SELECT * INTO store FROM d -- a comment
         SELECT * INTO page FROM history SELECT a INTO page FROM d",
    );
    let read: Vec<_> = plan.inputs.iter().map(|input| (input.name.as_str(), input.columns.clone(), input.timestamp_by.is_some())).collect();
    assert_eq!(
        read,
        [("payments", Columns::Named(vec!["id".into(), "amount".into(), "at".into()]), true), ("history", Columns::All, false)]
    );
    assert_eq!(plan.steps.iter().map(|step| step.into.as_deref()).collect::<Vec<_>>(), [None, Some("store"), Some("page"), Some("page")]);
}

#[test]
fn errors_point_at_the_place_and_say_what_to_do() {
    insta::assert_snapshot!(refused("WITH d AS (SELECT id, amuont FROM payments)\nSELECT id, amount INTO store FROM d"), @"");
    insta::assert_snapshot!(refused("SELECT prediction(payments) INTO stoer FROM paiments"), @"");
    insta::assert_snapshot!(refused("WITH d AS (SELECT id, category, amounts FROM payments)\nSELECT udf.prediction(d) AS p INTO store FROM d"), @"");
    insta::assert_snapshot!(refused("SELECT prediction(p), SUMM(id), udf.predict(p) INTO store FROM payments p"), @"");
    insta::assert_snapshot!(refused("SELECT COUNT(*) INTO store FROM payments WHERE SUM(id) > 3"), @"");
    insta::assert_snapshot!(refused("SELECT id INTO store FROM payments GROUP BY id"), @"");
    insta::assert_snapshot!(refused("SELECT amount, COUNT(*) AS n INTO store FROM payments GROUP BY id, TumblingWindow(day, 8)"), @"");
    insta::assert_snapshot!(refused("SELECT id INTO store FROM payments,"), @"");
    insta::assert_snapshot!(refused("SELECT id FROM payments p JOIN history h ON p.id = h.id"), @"");
    insta::assert_snapshot!(refused("SELECT LAG(id) OVER (LIMIT DURATION(hour, 1)) AS x INTO store FROM payments"), @"");
    insta::assert_snapshot!(refused("SELECT 'open INTO store FROM payments"), @"");
    insta::assert_snapshot!(refused(""), @"");
}
