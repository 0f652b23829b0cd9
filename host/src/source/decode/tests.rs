//! What decoding makes of bodies, good and bad.

use proptest::prelude::*;

use super::*;
use crate::batch::{Column, write_row};
use crate::time::{ManualClock, Timestamp};

const TRANSACTION: &str = r#"{"id": 1001000, "date": "03/03/2025 08:15:00", "amount": 103.2345678901234, "old_balance": -5.5, "income": 2000.0, "credit": 1, "marital_status": 0, "children": 4, "month": 12, "day_of_week": "monday", "category_recipient": "food_store", "transaction_type": "online", "transaction_method": "internet_payement", "foreign_transaction": 0}"#;
const DICT: &str = "{'id': 1001000, 'date': '03/03/2025 08:15:00', 'amount': 103.2345678901234, 'old_balance': -5.5, 'income': 2000.0, 'credit': 1, 'marital_status': 0, 'children': 4, 'month': 12, 'day_of_week': 'monday', 'category_recipient': 'food_store', 'transaction_type': 'online', 'transaction_method': 'internet_payement', 'foreign_transaction': 0}";
const NUMPY: &str = "{'id': 1001000, 'date': '03/03/2025 08:15:00', 'amount': np.float64(103.2345678901234), 'old_balance': np.float64(-5.5), 'income': 2000.0, 'credit': np.int64(1), 'marital_status': np.int64(0), 'children': np.int64(4), 'month': np.int64(12), 'day_of_week': np.str_('monday'), 'category_recipient': np.str_('food_store'), 'transaction_type': np.str_('online'), 'transaction_method': 'internet_payement', 'foreign_transaction': 0}";

fn run(bodies: &[&[u8]]) -> Run {
    let events = bodies.iter().enumerate().map(|(offset, body)| {
        let body = bytes::Bytes::copy_from_slice(body);
        Event { offset: 10 + offset as u64, enqueued: Timestamp(offset as i64), body, key: None, properties: Vec::new() }
    });
    Run { partition: 3, first_offset: 10, events: events.collect() }
}

fn decode_with(wanted: Wanted, format: Format, bodies: &[&str]) -> Decoded {
    let bodies: Vec<&[u8]> = bodies.iter().map(|body| body.as_bytes()).collect();
    Decoder::new(wanted, format, 0).with_clock(ManualClock::new(Timestamp(70))).decode(&run(&bodies))
}

fn decode(bodies: &[&str]) -> Decoded {
    decode_with(Wanted::All, Format::Json, bodies)
}

fn lines(decoded: &Decoded) -> Vec<String> {
    let line = |row| {
        let mut out = Vec::new();
        write_row(&decoded.batch, row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..decoded.batch.rows()).map(line).collect()
}

fn reason(body: &str) -> String {
    // Between two good ones, which must not be disturbed.
    let decoded = decode(&[r#"{"a":1}"#, body, r#"{"a":2}"#]);
    assert_eq!(lines(&decoded), [r#"{"a":1}"#, r#"{"a":2}"#], "{body}");
    assert!(matches!(decoded.batch.columns[0], Column::BigInt(_)));
    let [rejected] = &decoded.rejected[..] else { panic!("one is rejected: {body}") };
    assert_eq!((rejected.origin, &*rejected.step), (Some(RowId { partition: 3, offset: 11 }), "decode"));
    rejected.reason.clone()
}

#[test]
fn the_forms_of_a_transaction_give_the_same_row() {
    let json5 = DICT.replace("{'id'", "{/* an id */ id");
    let decoded = decode(&[TRANSACTION, DICT, NUMPY, &json5]);
    assert_eq!(decoded.rejected, []);
    let lines = lines(&decoded);
    assert_eq!(lines[0], TRANSACTION.replace(": ", ":").replace(", ", ","));
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:#?}");
    assert!(decoded.batch.columns.iter().all(|column| column.array().is_some()), "every column is an array");
}

#[test]
fn floats_are_read_to_the_last_bit() {
    for text in
        ["103.23456789012345", "0.1", "2.2250738585072014e-308", "179769313486231570000.5", "123456789012345678.0", "9007199254740993.0"]
    {
        let decoded = decode(&[&format!("{{\"x\": {text}}}"), &format!("{{'x': {text}}}")]);
        let expected = Value::Float(text.parse().unwrap());
        assert_eq!((decoded.batch.columns[0].value(0), decoded.batch.columns[0].value(1)), (expected.clone(), expected), "{text}");
    }
}

#[test]
fn only_the_wanted_columns_are_read_and_names_match_without_regard_to_case() {
    let wanted = Wanted::Columns(vec!["Amount".to_owned(), "missing".to_owned(), "id".to_owned()]);
    let decoded = decode_with(wanted, Format::Json, &[TRANSACTION, r#"{"ID": 2, "AMOUNT": null, "x": [1, {"y": 2}]}"#, "{}"]);
    assert_eq!(
        lines(&decoded),
        [
            r#"{"Amount":103.2345678901234,"missing":null,"id":1001000}"#,
            r#"{"Amount":null,"missing":null,"id":2}"#,
            r#"{"Amount":null,"missing":null,"id":null}"#
        ]
    );
    assert_eq!(&*decoded.batch.times, [Timestamp(0), Timestamp(1), Timestamp(2)]);
    assert_eq!(decoded.batch.row_id(2), Some(RowId { partition: 3, offset: 12 }));
}

#[test]
fn system_columns_are_filled_where_the_event_has_none() {
    let wanted = ["EventEnqueuedUtcTime", "eventprocessedutctime", "PartitionId"].map(str::to_owned);
    let decoded = decode_with(Wanted::Columns(wanted.to_vec()), Format::Json, &["{}", r#"{"partitionid": 9}"#]);
    let row = |row| decoded.batch.columns.iter().map(|column| column.value(row)).collect::<Vec<_>>();
    assert_eq!(row(0), [Value::DateTime(Timestamp(0)), Value::DateTime(Timestamp(70)), Value::BigInt(3)]);
    assert_eq!(row(1), [Value::DateTime(Timestamp(1)), Value::DateTime(Timestamp(70)), Value::BigInt(9)]);
    assert!(decode(&["{\"a\":1}"]).batch.column("PartitionId").is_none());
}

#[test]
fn one_event_may_hold_several_rows() {
    let decoded = decode(&[
        "[{\"a\":1},{\"a\":2}]",
        "{\"a\":3}\n{\"a\":4}\r\n",
        " {\"a\":5} [{\"a\":6}] ",
        "[{'a': 7}, {'a': 8},]",
        "{'a': 9}\n{'a': 10}",
    ]);
    assert_eq!(decoded.rejected, []);
    assert_eq!(decoded.batch.columns[0], Column::BigInt((1..=10).collect::<Vec<_>>().into()));
    let offsets: Vec<u64> = (0..10).map(|row| decoded.batch.row_id(row).unwrap().offset).collect();
    assert_eq!(offsets, [10, 10, 11, 11, 12, 12, 13, 13, 14, 14]);
}

#[test]
fn values_keep_their_types_and_the_last_of_a_name_counts() {
    let body = r#"{"n": null, "t": true, "s": "a\"b\u00e9\ud83d\ude00\n", "r": {"x": [1, 2.0, {"y": "z"}], "e": {}, "e": 5}, "d": 1, "D": 2, "big": 9223372036854775807}"#;
    let decoded = decode(&[body]);
    assert_eq!(
        lines(&decoded),
        [r#"{"n":null,"t":true,"s":"a\"bé😀\n","r":{"x":[1,2.0,{"y":"z"}],"e":5},"d":2,"big":9223372036854775807}"#]
    );
    let mixed = decode(&[r#"{"a": 1}"#, r#"{"a": "x", "b": 1.5}"#, r#"{"b": false}"#]);
    assert_eq!(lines(&mixed), [r#"{"a":1}"#, r#"{"a":"x","b":1.5}"#, r#"{"b":false}"#]);
}

#[test]
fn what_is_no_row_is_rejected_with_a_reason_and_disturbs_no_other() {
    let cases = [
        ("", "the event is empty"),
        (" \n", "the event is empty"),
        ("12", "a JSON object is expected, a number was given"),
        ("\"text\"", "a JSON object is expected, a text was given"),
        ("null", "a JSON object is expected, null was given"),
        ("[]", "a JSON object is expected, an empty array was given"),
        ("[1, 2]", "a JSON object is expected, an array of numbers was given"),
        ("[{\"a\":7}, [1]]", "a JSON object is expected, an array of arrays was given"),
        ("{\"a\":7} 8", "a JSON object is expected, a number was given"),
        ("not json", "not JSON: expected ident at line 1 column 2"),
        ("{\"a\": 7", "not JSON: EOF while parsing an object at line 1 column 7"),
        ("{\"a\": 7 \"b\": 8}", "not JSON: expected `,` or `}` at line 1 column 9"),
        ("{'a': 7", "not JSON, and not a Python dict: unexpected end at byte 8"),
        ("{'a': 7, 'b': <x>}", "not JSON, and not a Python dict: unexpected '<' at byte 15"),
        ("{\"a\": NaN}", "column 'a': NaN is not a value"),
        ("{'a': 7, 'b': nan}", "column 'b': NaN is not a value"),
        ("{'a': 7, 'b': np.float64(-inf)}", "column 'b': -Infinity is not a value"),
        ("{\"a\": 1e999}", "column 'a': Infinity is not a value"),
        ("{a: Infinity}", "column 'a': Infinity is not a value"),
        ("{\"a\": 9223372036854775808}", "column 'a': integer 9223372036854775808 does not fit bigint"),
        ("{\"a\": -9223372036854775809}", "column 'a': integer -9223372036854775809 does not fit bigint"),
        ("{\"a\": 7, \"b\": {\"c\": [100000000000000000000]}}", "column 'b': integer 100000000000000000000 does not fit bigint"),
        ("[{\"a\": 1}, {\"b\": 100000000000000000000}]", "column 'b': integer 100000000000000000000 does not fit bigint"),
        ("{'a': 100000000000000000000}", "column 'a': integer 100000000000000000000 does not fit bigint"),
        ("{a: 100000000000000000000}", "integer 100000000000000000000 does not fit bigint"),
    ];
    for (body, expected) in cases {
        assert_eq!(reason(body), expected, "{body}");
    }
    assert_eq!(lines(&decode(&["{\"a\": 1e20}"])), ["{\"a\":1e+20}"]);
}

#[test]
fn bytes_that_are_no_text_are_rejected() {
    for body in [&b"{\"a\": \"\xFF\"}"[..], b"{'a': '\xFF'}", b"\xFF\xFE{\0}\0", b"\0\0\0"] {
        let decoded = Decoder::new(Wanted::All, Format::Json, 0).decode(&run(&[body]));
        assert_eq!((decoded.batch.rows(), decoded.rejected.len()), (0, 1), "{body:?}");
    }
    assert_eq!(lines(&decode(&["\u{FEFF}{\"a\":1}"])), ["{\"a\":1}"]);
}

#[test]
fn deep_nesting_and_many_rows_and_columns_are_limited() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{'a':", "}"), ("{a:", "}"), ("(", ")"), ("[[],", "]")] {
        for depth in [200, 100_000] {
            let body = format!("{{\"a\": {}1{}}}", open.repeat(depth), close.repeat(depth));
            assert_eq!(decode(&[&body]).rejected.len(), 1, "{open} {depth}");
            let body = format!("{{a: {}1{}}}", open.repeat(depth), close.repeat(depth));
            assert_eq!(decode(&[&body]).rejected.len(), 1, "{open} {depth}");
        }
    }
    let rows = format!("[{}]", vec!["{}"; 10_001].join(","));
    assert_eq!(reason(&rows), "an event may hold at most 10000 rows");
    let fields: Vec<String> = (0..1100).map(|field| format!("\"f{field}\": 1")).collect();
    assert!(reason(&format!("{{{}}}", fields.join(","))).contains("at most 1024 columns"));
    // The next batch starts afresh.
    let mut decoder = Decoder::new(Wanted::All, Format::Json, 0);
    for half in fields.chunks(1000) {
        let body = format!("{{{}}}", half.join(","));
        assert_eq!(decoder.decode(&run(&[body.as_bytes()])).rejected, []);
    }
}

#[test]
fn separated_values_are_text() {
    let csv = |header| Format::Csv { header, delimiter: b';' };
    let decoded = decode_with(Wanted::All, csv(Header::First), &["a;b\n1;\"x;\"\"y\"\n;2\n", "a;b\n5\n", "b;a\n7;8"]);
    assert_eq!(lines(&decoded), [r#"{"a":"1","b":"x;\"y"}"#, r#"{"a":"","b":"2"}"#, r#"{"a":"8","b":"7"}"#]);
    assert_eq!(decoded.rejected[0].reason, "the record has 1 values, the header has 2 names");
    let decoded = decode_with(Wanted::Columns(vec!["COL2".to_owned()]), csv(Header::None), &["1;2", "3"]);
    assert_eq!(lines(&decoded), [r#"{"COL2":"2"}"#, r#"{"COL2":null}"#]);
    let names = Header::Names(["a", "b", "c", "d"].map(str::to_owned).to_vec().into());
    let decoded = decode_with(Wanted::All, csv(names), &["1;0.5;;x\n-7;1e3; ;inf"]);
    assert_eq!(lines(&decoded), [r#"{"a":"1","b":"0.5","c":"","d":"x"}"#, r#"{"a":"-7","b":"1e3","c":" ","d":"inf"}"#]);
    assert_eq!(decode_with(Wanted::All, csv(Header::First), &["a;b\n"]).rejected.len(), 1);
}

fn python_value() -> impl Strategy<Value = py_literal::Value> {
    use py_literal::Value as Py;
    let scalar = prop_oneof![
        any::<String>().prop_map(Py::String),
        "[ -~]{0,8}".prop_map(Py::String),
        any::<i64>().prop_map(|number| Py::Integer(number.into())),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Py::Float),
        any::<bool>().prop_map(Py::Boolean),
        Just(Py::None),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Py::List),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Py::Tuple),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|fields| Py::Dict(fields.into_iter().map(|(name, value)| (Py::String(name), value)).collect())),
        ]
    })
}

/// What a Python value is in JSON.
fn expected(value: &py_literal::Value) -> serde_json::Value {
    use py_literal::Value as Py;
    match value {
        Py::String(text) => text.clone().into(),
        Py::Integer(number) => number.to_string().parse::<i64>().unwrap().into(),
        Py::Float(number) => (*number).into(),
        Py::Boolean(bit) => (*bit).into(),
        Py::None => serde_json::Value::Null,
        Py::List(values) | Py::Tuple(values) => values.iter().map(expected).collect(),
        Py::Dict(fields) => fields.iter().map(|(name, value)| (name.as_string().unwrap().clone(), expected(value))).collect(),
        other => panic!("not made: {other:?}"),
    }
}

/// Prints as Python's `repr` does: letters beyond ASCII as they are.
fn printed(value: &py_literal::Value) -> String {
    use py_literal::Value as Py;
    let list = |values: &[Py]| values.iter().map(printed).collect::<Vec<_>>().join(", ");
    match value {
        Py::String(text) => {
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            let mut out = String::from(quote);
            for letter in text.chars() {
                match letter {
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '\\' => out.push_str("\\\\"),
                    letter if letter == quote => out.extend(['\\', letter]),
                    letter if letter < ' ' || ('\x7f'..='\u{a0}').contains(&letter) => out.push_str(&format!("\\x{:02x}", letter as u32)),
                    letter => out.push(letter),
                }
            }
            out.push(quote);
            out
        }
        Py::List(values) => format!("[{}]", list(values)),
        Py::Tuple(values) if values.len() == 1 => format!("({},)", list(values)),
        Py::Tuple(values) => format!("({})", list(values)),
        Py::Dict(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}: {}", printed(name), printed(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn every_dict_that_python_prints_is_read_as_the_same_values(value in python_value()) {
        let wanted = expected(&value);
        for text in [value.to_string(), printed(&value)] {
            let mut json = Vec::new();
            prop_assert_eq!(python::to_json(&text, &mut json), Ok(()), "{}", text);
            let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(&read, &wanted, "{}", text);
            // The other reader of Python's literals agrees.
            let reference: py_literal::Value = text.parse().unwrap();
            prop_assert_eq!(&expected(&reference), &wanted);
        }
    }

    #[test]
    fn a_rewritten_text_that_is_json_means_the_same_to_python(text in "[{}\\[\\](),:'\"\\\\ntTruefalsNo0-9.eE+ -]{0,24}") {
        let mut json = Vec::new();
        if python::to_json(&text, &mut json).is_ok()
            && let Ok(read) = serde_json::from_slice::<serde_json::Value>(&json)
            && let Ok(reference) = text.parse::<py_literal::Value>()
            && !matches!(reference, py_literal::Value::Complex(_) | py_literal::Value::Set(_) | py_literal::Value::Bytes(_))
            && !reference.to_string().contains(['j', 'b'])
        {
            prop_assert_eq!(read, expected(&reference), "{}", text);
        }
    }

    #[test]
    fn any_body_is_rows_or_rejected(bodies in proptest::collection::vec(prop_oneof![".{0,40}", "[{}\\[\\]:,'\"a1. -]{0,30}"], 1..5)) {
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let decoded = decode(&bodies);
        let rows = decoded.batch.rows();
        prop_assert!(decoded.batch.columns.iter().all(|column| column.len() == rows));
        prop_assert!(rows + decoded.rejected.len() >= bodies.len());
    }

    #[test]
    fn strict_json_is_read_as_the_json_library_reads_it(numbers in proptest::collection::vec((any::<i64>(), any::<f64>(), any::<String>()), 1..6)) {
        let bodies: Vec<String> =
            numbers.iter().map(|(a, b, c)| serde_json::json!({"a": a, "b": if b.is_finite() { *b } else { 0.0 }, "c": c}).to_string()).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let decoded = decode(&bodies);
        prop_assert_eq!(&decoded.rejected, &[]);
        for (line, body) in lines(&decoded).iter().zip(&bodies) {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap(), serde_json::from_str::<serde_json::Value>(body).unwrap());
        }
    }
}
