//! The store's promises.

use super::*;
use crate::batch::{Batch, Column, DocumentKeys, Origin, RowId};
use tempfile::tempdir;

fn events(partition: u32, offsets: std::ops::Range<u64>) -> Batch {
    let rows = usize::try_from(offsets.end - offsets.start).unwrap();
    Batch {
        names: vec!["id".into(), "amount".into(), "place".into()].into(),
        columns: vec![
            Column::BigInt(offsets.clone().map(|offset| i64::try_from(offset).unwrap()).collect::<Vec<_>>().into()),
            Column::Float(vec![95.0; rows].into()),
            Column::Text(vec![Some("caf\u{e9} \"x\""); rows].into()),
        ],
        times: vec![Timestamp(5); rows].into(),
        origin: Origin::Events { input: 0, partition, offsets: offsets.collect() },
    }
}

fn put(store: &mut Store, output: &str, batch: &Batch) -> u64 {
    let mut unit = store.begin().unwrap();
    let new = unit.put_documents(output, &DocumentKeys::of(batch, 0), batch).unwrap();
    unit.commit().unwrap();
    new
}

fn letter(offset: u64, reason: &str) -> DeadLetter {
    DeadLetter {
        input: "in".into(),
        origin: Some(RowId { partition: 1, offset }),
        time: Timestamp(1),
        recorded: Timestamp(2),
        step: "decode".into(),
        reason: reason.into(),
        model: String::new(),
        body: b"\xff not json".to_vec(),
        ..DeadLetter::default()
    }
}

#[test]
fn documents_come_back_in_order_of_arrival_with_output_and_key() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    put(&mut store, "a", &events(1, 0..700));
    put(&mut store, "b", &events(0, 5..6));
    put(&mut store, "a", &events(0, 0..1));
    let reader = Reader::open(directory.path()).unwrap();
    let all: Vec<Document> = reader.documents(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(all.len(), 702);
    assert_eq!(all[700].json(), r#"{"id":5,"amount":95.0,"place":"café \"x\"","_output":"b","_key":"0-0-0-5-0"}"#);
    assert_eq!(reader.documents(Some("A")).unwrap().count(), 701);
    let last: Vec<String> = reader.last_documents(Some("a"), 2).unwrap().iter().map(Document::json).collect();
    assert!(last[0].contains("0-0-0-0-0") && last[1].contains("0-0-1-699-0"), "{last:?}");
    assert_eq!(reader.last_documents(Some("b"), 9).unwrap().len(), 1, "a rare output takes the way through its index");
    assert_eq!(reader.last_documents(None, 3).unwrap().len(), 3);
}

#[test]
fn a_replayed_row_overwrites_itself_and_is_counted_once() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    assert_eq!(put(&mut store, "a", &events(0, 0..100)), 100);
    assert_eq!(put(&mut store, "a", &events(0, 50..150)), 50);
    assert_eq!(put(&mut store, "b", &events(0, 0..10)), 10);
    drop(store);
    let mut store = Store::open(directory.path()).unwrap();
    assert_eq!(put(&mut store, "a", &events(0, 0..151)), 1);
    assert_eq!(store.counts().unwrap(), [("a".to_owned(), 151), ("b".to_owned(), 10)]);
    let reader = Reader::open(directory.path()).unwrap();
    assert_eq!(reader.documents(None).unwrap().count(), 161);
}

#[test]
fn a_unit_that_is_dropped_leaves_no_trace() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let batch = events(0, 0..10);
    let keys = DocumentKeys::of(&batch, 0);
    let mut unit = store.begin().unwrap();
    unit.put_documents("a", &keys, &batch).unwrap();
    unit.put_dead_letters(&[letter(3, "x")]).unwrap();
    unit.set_checkpoint(&Checkpoint::default()).unwrap();
    unit.set_state("page", b"1").unwrap();
    drop(unit);
    assert_eq!(store.counts().unwrap(), []);
    assert_eq!(store.dead_letters().unwrap(), 0);
    assert_eq!(store.checkpoint().unwrap(), None);
    assert_eq!(store.state("page").unwrap(), None);
    assert_eq!(put(&mut store, "a", &batch), 10);
    assert_eq!(store.documents().unwrap(), 10);
}

#[test]
fn documents_and_checkpoint_are_committed_together() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let part = |partition, committed| PartitionCheckpoint { input: "in".into(), partition, committed, replay_from: committed / 2 };
    let checkpoint = Checkpoint { partitions: vec![part(0, 7), part(1, 1 << 62)], watermark: Timestamp::MIN };
    let batch = events(0, 0..7);
    let mut unit = store.begin().unwrap();
    unit.put_documents("a", &DocumentKeys::of(&batch, 0), &batch).unwrap();
    unit.set_checkpoint(&checkpoint).unwrap();
    unit.set_state("page", b"\x00\xff").unwrap();
    unit.commit().unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.checkpoint().unwrap(), Some(checkpoint.clone()));
    assert_eq!(checkpoint.partition("in", 1).map(|part| part.committed), Some(1 << 62));
    assert_eq!(store.state("page").unwrap().as_deref(), Some(&b"\x00\xff"[..]));
}

#[test]
fn a_dead_letter_is_kept_once_with_its_bytes_and_all_reasons() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let derived = DeadLetter { origin: None, input: String::new(), ..letter(0, "window") };
    let letters = [letter(3, "first row"), letter(3, "second row"), letter(4, "x"), derived];
    for new in [3, 0] {
        let mut unit = store.begin().unwrap();
        assert_eq!(unit.put_dead_letters(&letters).unwrap(), new);
        unit.commit().unwrap();
    }
    assert_eq!(store.dead_letters().unwrap(), 3);
    let reader = Reader::open(directory.path()).unwrap();
    let found = reader.last_dead_letters(10).unwrap();
    let first = &found.iter().find(|(_, letter)| letter.origin == Some(RowId { partition: 1, offset: 3 })).unwrap();
    assert_eq!(first.1.reason, "first row; second row");
    assert_eq!(first.1.body, b"\xff not json");
    assert_eq!(reader.dead_letter(first.0).unwrap(), Some(first.1.clone()));
}

#[test]
fn dead_letters_are_found_by_what_they_are_about_and_marked_together_when_the_event_is_sent_again() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let properties = vec![("Kind".to_owned(), "odd".to_owned())];
    let first = DeadLetter { key: Some("k".into()), properties, step: "udf.a".into(), ..letter(7, "x") };
    let other = DeadLetter { step: "udf.b".into(), recorded: Timestamp(9), ..letter(7, "y") };
    let of_output = DeadLetter { input: String::new(), step: "output a".into(), ..letter(7, "z") };
    let mut unit = store.begin().unwrap();
    unit.put_dead_letters(&[first.clone(), other, of_output, letter(8, "w")]).unwrap();
    unit.commit().unwrap();
    let mut letters = Letters::open(directory.path()).unwrap();
    let steps = |letters: &Letters, only: Only| -> Vec<String> {
        letters.list(&only).unwrap().into_iter().map(|(_, letter)| letter.step).collect()
    };
    assert_eq!(steps(&letters, Only::default()).len(), 4);
    assert_eq!(steps(&letters, Only { step: Some("UDF.A".into()), ..Only::default() }), ["udf.a"]);
    assert_eq!(steps(&letters, Only { since: Some(Timestamp(9)), ..Only::default() }), ["udf.b"]);
    assert_eq!(steps(&letters, Only { input: Some("IN".into()), limit: Some(1), ..Only::default() }).len(), 1);
    let (id, found) = letters.list(&Only { step: Some("udf.a".into()), ..Only::default() }).unwrap().remove(0);
    assert_eq!(found, first);
    // While the host holds its own connection.
    assert_eq!(letters.mark_replayed(id, Timestamp(50)).unwrap(), 2, "what two steps rejected of one event");
    assert_eq!(letters.mark_replayed(id, Timestamp(60)).unwrap(), 0);
    assert_eq!((letters.counts().unwrap(), store.dead_letters().unwrap()), ((4, 2), 2));
    assert_eq!(letters.get(id).unwrap().unwrap().replayed, Some(Timestamp(50)));
    let mut open = steps(&letters, Only::default());
    open.sort();
    assert_eq!(open, ["decode", "output a"]);
    assert_eq!(steps(&letters, Only { replayed: true, ..Only::default() }).len(), 4);
    // The same event again, after a crash: it stays marked.
    let mut unit = store.begin().unwrap();
    assert_eq!(unit.put_dead_letters(&[first]).unwrap(), 0);
    unit.commit().unwrap();
    assert_eq!(store.dead_letters().unwrap(), 2);
}

#[test]
fn a_reader_sees_what_is_committed_while_the_writer_goes_on() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    put(&mut store, "a", &events(0, 0..300));
    let reader = Reader::open(directory.path()).unwrap();
    let mut documents = reader.documents(None).unwrap();
    assert!(documents.next().is_some());
    let more = events(0, 300..400);
    let mut unit = store.begin().unwrap();
    unit.put_documents("b", &DocumentKeys::of(&more, 0), &more).unwrap();
    assert_eq!(Reader::open(directory.path()).unwrap().documents(None).unwrap().count(), 300);
    unit.commit().unwrap();
    let rest: Vec<Document> = documents.map(Result::unwrap).collect();
    assert_eq!(rest.len(), 399);
    assert_eq!(&*rest[398].output, "b", "also an output that came later");
}

#[test]
fn printing_writes_json_lines_and_names_the_known_outputs() {
    let directory = tempdir().unwrap();
    assert!(matches!(print_documents(directory.path(), None, &mut Vec::new()), Err(StoreError::Absent { .. })));
    let mut store = Store::open(directory.path()).unwrap();
    put(&mut store, "a", &events(0, 0..3));
    let mut out = Vec::new();
    assert_eq!(print_documents(directory.path(), Some("a"), &mut out).unwrap(), 3);
    let lines: Vec<serde_json::Value> = String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[2]["_output"], "a");
    let error = print_documents(directory.path(), Some("b"), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "no output `b` has documents; known outputs: a");
}

#[test]
fn an_object_without_columns_is_still_json_with_output_and_key() {
    let document = Document { output: "a".into(), key: vec![9], body: "{}".into(), model: None, challenger: None };
    assert_eq!(document.json(), r#"{"_output":"a","_key":"x09"}"#);
}

#[test]
fn a_document_says_who_scored_it_and_what_the_challenger_said() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let batch = events(0, 0..2);
    let keys = DocumentKeys::of(&batch, 0);
    let challenger = |row: usize| (row == 1).then(|| r#"{"model":"b","score":0.5}"#.to_owned());
    let mut unit = store.begin().unwrap();
    let scored = Scored { model: Some("fraud 1.0.0"), challenger: Some(&challenger) };
    unit.put_scored_documents("a", &keys, &batch, scored).unwrap();
    unit.commit().unwrap();
    let mut printed = Vec::new();
    print_documents(directory.path(), Some("a"), &mut printed).unwrap();
    let lines: Vec<serde_json::Value> =
        String::from_utf8(printed).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["_model"], &lines[0]["_challenger"]), (&"fraud 1.0.0".into(), &serde_json::Value::Null));
    assert_eq!(lines[1]["_challenger"]["score"], 0.5);
}

#[test]
fn a_file_of_the_first_layout_is_brought_to_this_one() {
    let directory = tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    put(&mut store, "a", &events(0, 0..3));
    let first = "ALTER TABLE documents DROP COLUMN model; ALTER TABLE documents DROP COLUMN challenger; DROP TABLE models;
        DROP TABLE outbox; ALTER TABLE dead_letters DROP COLUMN key; ALTER TABLE dead_letters DROP COLUMN properties;
        ALTER TABLE dead_letters DROP COLUMN replayed; DELETE FROM totals WHERE name = 'replayed'; PRAGMA user_version = 1";
    store.connection.execute_batch(first).unwrap();
    drop(store);
    // Also by those who only look at dead letters.
    assert_eq!(Letters::open(directory.path()).unwrap().counts().unwrap(), (0, 0));
    let mut store = Store::open(directory.path()).unwrap();
    put(&mut store, "a", &events(0, 3..4));
    assert_eq!(Reader::open(directory.path()).unwrap().documents(None).unwrap().count(), 4);
    assert_eq!(store.waiting("a").unwrap(), Waiting::default());
}

#[test]
fn a_second_host_a_newer_file_and_a_foreign_file_are_refused() {
    let directory = tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert!(matches!(Store::open(directory.path()), Err(StoreError::InUse { .. })));
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = Store::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("layout is version 99") && error.contains("newer tamis"), "{error}");
    assert!(matches!(Reader::open(directory.path()), Err(StoreError::Newer { .. })));

    let other = tempdir().unwrap();
    rusqlite::Connection::open(other.path().join(FILE)).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(Store::open(other.path()), Err(StoreError::Foreign { .. })));
    let noise = tempdir().unwrap();
    std::fs::write(noise.path().join(FILE), vec![7; 40_000]).unwrap();
    assert!(matches!(Store::open(noise.path()), Err(StoreError::Damaged(_))));
}

/// Not a test: `cargo test --release -p tamis documents_a_second -- --ignored --nocapture` prints the store's speed here.
#[test]
#[ignore = "a measurement"]
fn documents_a_second() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let columns =
        ["income", "credit", "children", "month", "day_of_week", "category_recipient", "transaction_type", "transaction_method", "score"];
    let mut commits = Vec::new();
    let start = std::time::Instant::now();
    let (mut documents, per) = (0, 1000);
    for round in 0..100_u64 {
        let mut unit = store.begin().unwrap();
        for partition in 0..4 {
            let mut batch = events(partition, round * per..(round + 1) * per);
            batch.names = batch.names.iter().cloned().chain(columns.map(Into::into)).collect();
            for column in 0..columns.len() {
                let rows = usize::try_from(per).unwrap();
                batch.columns.push(match column {
                    0 | 8 => Column::Float((0..per).map(|row| 1.0 / f64::from(u32::try_from(row + 3).unwrap())).collect::<Vec<_>>().into()),
                    1..=3 => Column::BigInt(vec![3; rows].into()),
                    _ => Column::Text(vec![Some("card_without_contact"); rows].into()),
                });
            }
            documents += unit.put_documents("a", &DocumentKeys::of(&batch, 0), &batch).unwrap();
        }
        let commit = std::time::Instant::now();
        unit.commit().unwrap();
        commits.push(commit.elapsed());
    }
    let rate = f64::from(u32::try_from(documents).unwrap()) / start.elapsed().as_secs_f64();
    commits.sort();
    println!("{rate:.0} documents/s, commit p50 {:?}, p99 {:?}", commits[50], commits[98]);
}
