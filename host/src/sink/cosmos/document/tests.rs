use super::super::{ErrorPolicy, Login};
use super::*;
use crate::batch::{Column, Origin};
use crate::time::Timestamp;

fn settings(partition_key: &str, document_id: Option<&str>) -> CosmosSettings {
    CosmosSettings {
        output: "out".to_owned(),
        file: "Outputs/Local_out.json".to_owned(),
        endpoint: "http://localhost:1/".to_owned(),
        login: Login::key("c2VjcmV0"),
        database: "d".to_owned(),
        container: "c".to_owned(),
        partition_key: partition_key.to_owned(),
        document_id: document_id.map(str::to_owned),
        policy: ErrorPolicy::Retry,
    }
}

fn text_of(text: &str) -> Value {
    Value::Text(text.into())
}

fn batch(columns: &[(&str, &[Value])]) -> Batch {
    let rows = columns[0].1.len();
    Batch {
        names: columns.iter().map(|(name, _)| (*name).into()).collect(),
        columns: columns.iter().map(|(_, values)| Column::from_values(values.iter().cloned())).collect(),
        times: vec![Timestamp(0); rows].into(),
        origin: Origin::Events { input: 0, partition: 3, offsets: (40..40 + rows as u64).collect() },
    }
}

fn shape(partition_key: &str, document_id: Option<&str>) -> Shape {
    Shape::new(&settings(partition_key, document_id), &[]).unwrap()
}

fn made(shape: &Shape, batch: &Batch) -> (Vec<String>, Vec<String>) {
    let (documents, refused) = shape.documents(batch, &DocumentKeys::of(batch, 2));
    let documents = documents.into_iter().map(|document| format!("{}/{} {}", document.partition, document.id, document.body));
    (documents.collect(), refused.into_iter().map(|refused| format!("{}: {}", refused.row, refused.reason)).collect())
}

#[test]
fn without_an_id_the_rows_key_is_the_documents() {
    let rows = batch(&[("region", &[text_of("north"), Value::BigInt(1)]), ("amount", &[Value::Float(95.0), Value::Null])]);
    let (documents, refused) = made(&shape("region", None), &rows);
    assert_eq!(
        documents,
        [
            r#"north/2-0-3-40-0 {"region":"north","amount":95.0,"id":"2-0-3-40-0"}"#,
            r#"1/2-0-3-41-0 {"region":"1","amount":null,"id":"2-0-3-41-0"}"#,
        ]
    );
    assert_eq!(refused, [""; 0]);
}

#[test]
fn partition_keys_of_every_scalar_type_become_text() {
    let values = [Value::BigInt(-7), Value::Float(1.5), Value::Bit(true), Value::DateTime(Timestamp(0)), text_of("")];
    let rows = batch(&[("p", &values)]);
    let (documents, _) = shape("p", None).documents(&rows, &DocumentKeys::of(&rows, 0));
    let partitions: Vec<&str> = documents.iter().map(|document| document.partition.as_str()).collect();
    assert_eq!(partitions[..3], ["-7", "1.5", "true"]);
    assert!(partitions[3].ends_with('Z') && !partitions[3].contains('"'), "{}", partitions[3]);
    assert_eq!(partitions[4], "");
    assert!(documents.iter().all(|document| document.body["p"] == document.partition.as_str()));
}

#[test]
fn the_rows_own_id_is_the_documents_and_the_last_row_of_an_id_counts() {
    let rows = batch(&[
        ("id", &[Value::BigInt(7), text_of("b"), text_of("7"), text_of("7")]),
        ("p", &[text_of("x"), text_of("x"), text_of("x"), text_of("y")]),
        ("n", &[Value::BigInt(1), Value::BigInt(2), Value::BigInt(3), Value::BigInt(4)]),
    ]);
    let (documents, refused) = made(&shape("p", None), &rows);
    assert_eq!(
        documents,
        [r#"x/b {"id":"b","p":"x","n":2}"#, r#"x/7 {"id":"7","p":"x","n":3}"#, r#"y/7 {"id":"7","p":"y","n":4}"#],
        "an id is unique within its partition key"
    );
    assert_eq!(refused, [""; 0]);
}

#[test]
fn the_document_id_column_is_the_id_and_another_id_is_refused() {
    let rows = batch(&[("card", &[text_of("c1"), text_of("c2")]), ("p", &[text_of("x"), text_of("x")])]);
    let (documents, _) = made(&shape("p", Some("card")), &rows);
    assert_eq!(documents[0], r#"x/c1 {"card":"c1","p":"x","id":"c1"}"#);
    let rows =
        batch(&[("card", &[text_of("c1"), text_of("c2")]), ("p", &[text_of("x"), text_of("x")]), ("id", &[Value::BigInt(1), Value::Null])]);
    let (documents, refused) = made(&shape("p", Some("card")), &rows);
    assert_eq!(documents, [r#"x/c2 {"card":"c2","p":"x","id":"c2"}"#]);
    assert!(refused[0].starts_with("0: the document's id is the column 'card'"), "{refused:?}");
    // Both names of one column are no contradiction.
    let (documents, _) = made(&shape("p", Some("id")), &batch(&[("id", &[text_of("c1")]), ("p", &[text_of("x")])]));
    assert_eq!(documents, [r#"x/c1 {"id":"c1","p":"x"}"#]);
}

#[test]
fn ids_that_the_service_does_not_take_are_refused_with_the_reason() {
    let long = "é".repeat(256);
    let ids = [
        (text_of(""), "empty"),
        (text_of("a/b"), "'/'"),
        (text_of("a\\b"), "'\\\\'"),
        (text_of("a?"), "'?'"),
        (text_of("#"), "'#'"),
        (text_of("a\nb"), "'\\n'"),
        (text_of("a "), "ends with a space"),
        (text_of(&long), "256 characters"),
        (Value::Null, "is null"),
        (Value::Array(vec![Value::BigInt(1)].into()), "is an array"),
        (Value::Record(vec![].into()), "is a record"),
    ];
    let rows = batch(&[("id", &ids.clone().map(|(id, _)| id)), ("p", &ids.clone().map(|_| text_of("x")))]);
    let (documents, refused) = made(&shape("p", None), &rows);
    assert_eq!(documents, [""; 0]);
    for (row, (_, reason)) in ids.iter().enumerate() {
        assert!(refused[row].starts_with(&format!("{row}: ")) && refused[row].contains(reason), "{}", refused[row]);
    }
    let fits = batch(&[("id", &[text_of(&"é".repeat(255)), text_of("a b+c=d%")]), ("p", &[text_of("x"), text_of("x")])]);
    assert_eq!(made(&shape("p", None), &fits).1, [""; 0]);
}

#[test]
fn a_row_without_its_partition_key_is_refused_and_case_matters() {
    let rows = batch(&[("Region", &[text_of("north")]), ("n", &[Value::BigInt(1)])]);
    let (_, refused) = made(&shape("region", None), &rows);
    assert!(refused[0].contains("no column 'region', only 'Region'"), "{refused:?}");
    let (_, refused) = made(&shape("town", None), &rows);
    assert!(refused[0].contains("it has Region, n"), "{refused:?}");
    let rows = batch(&[("p", &[Value::Null, Value::Array(vec![].into()), text_of("x")])]);
    let (documents, refused) = made(&shape("p", None), &rows);
    assert_eq!((documents.len(), refused.len()), (1, 2));
    assert!(refused[0].contains("'p' is null") && refused[1].contains("'p' is an array"), "{refused:?}");
}

#[test]
fn a_document_over_two_megabytes_is_refused() {
    let rows =
        batch(&[("p", &[text_of("x"), text_of("x")]), ("long", &[text_of(&"a".repeat(MAX_BYTES)), text_of(&"a".repeat(MAX_BYTES - 100))])]);
    let (documents, refused) = made(&shape("p", None), &rows);
    assert_eq!(documents.len(), 1);
    assert!(refused[0].starts_with("0: the document has 2097") && refused[0].contains("2097152"), "{refused:?}");
}

#[test]
fn what_the_script_fixes_is_checked_before_the_first_row() {
    let check = |partition_key: &str, id: Option<&str>, columns: &[&str]| {
        let columns = vec![columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
        Shape::new(&settings(partition_key, id), &columns).map(drop).map_err(|fault| fault.to_string())
    };
    assert_eq!(check("p", None, &["id", "p"]), Ok(()));
    assert_eq!(check("p", Some("card"), &["card", "p"]), Ok(()));
    let error = check("P", None, &["id", "p"]).unwrap_err();
    assert!(error.starts_with("Outputs/Local_out.json: output 'out': ") && error.contains("only 'p'"), "{error}");
    assert!(check("p", Some("card"), &["p"]).unwrap_err().contains("no column 'card'"));
    assert!(check("p", Some("card"), &["card", "id", "p"]).unwrap_err().contains("another column 'id'"));
    assert!(check("a/b", None, &["a"]).unwrap_err().contains("not a path"));
}
