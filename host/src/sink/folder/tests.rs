//! What is written, and that each row is there once whenever the sink ends and wherever the last mark stands.

use arrow_array::RecordBatchReader;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::batch::{Column, Origin, Value};
use crate::time::Timestamp;

fn settings(folder: &Path, format: FileFormat, pattern: &str) -> FolderSettings {
    FolderSettings {
        output: "out".into(),
        folder: folder.to_owned(),
        pattern: PathPattern::new(pattern, "YYYY-MM-DD", "HH").unwrap(),
        format,
        max_rows: 5,
        max_age: Duration::from_secs(3600),
        policy: ErrorPolicy::Drop,
    }
}

fn rows(columns: Vec<(&str, Vec<Value>)>) -> Batch {
    let count = columns[0].1.len();
    Batch {
        names: columns.iter().map(|(name, _)| (*name).into()).collect(),
        columns: columns.into_iter().map(|(_, values)| Column::from_values(values)).collect(),
        times: vec![Timestamp(0); count].into(),
        origin: Origin::Derived,
    }
}

fn numbers(range: std::ops::Range<i64>) -> Batch {
    let group = range.clone().map(|number| Value::Text(format!("g{}", number % 3).into())).collect();
    rows(vec![("a", range.map(Value::BigInt).collect()), ("g", group)])
}

fn write(sink: &mut FolderSink, batch: &Batch) -> Vec<Refused> {
    let refused = sink.write(batch, &DocumentKeys::of(batch, 0)).unwrap();
    sink.flush().unwrap();
    refused
}

/// The files below a folder that one sees, with their folders.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                continue;
            }
            if path.is_dir() { open.push(path) } else { found.push((next.strip_prefix(folder).unwrap().display().to_string(), path)) }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn each_format_is_what_it_says_and_rows_go_to_their_folders() {
    let directory = TempDir::new().unwrap();
    let open = |format| FolderSink::open(settings(directory.path(), format, "{g}/{date}"), None).unwrap();
    let batch = rows(vec![
        ("a", vec![Value::BigInt(1), Value::Float(2.5), Value::Null]),
        ("g", vec![Value::Text("x".into()), Value::Text("y".into()), Value::Text("x".into())]),
        ("t", vec![Value::Text("q\"; \n".into()), Value::Array(vec![Value::Bit(true)].into()), Value::DateTime(Timestamp(0))]),
    ]);
    let mut lines = open(FileFormat::JsonLines);
    write(&mut lines, &batch);
    write(&mut lines, &batch.slice(0, 1));
    let known = files(directory.path());
    assert_eq!(known.iter().map(|(folder, _)| folder.as_str()).collect::<Vec<_>>(), ["x/1970-01-01", "y/1970-01-01"]);
    let first = r#"{"a":1,"g":"x","t":"q\"; \n"}"#;
    assert_eq!(text(&known[0].1), format!("{first}\n{{\"a\":null,\"g\":\"x\",\"t\":\"1970-01-01T00:00:00.0000000Z\"}}\n{first}\n"));

    let directory = TempDir::new().unwrap();
    let mut array = FolderSink::open(settings(directory.path(), FileFormat::JsonArray, ""), None).unwrap();
    for expected in [3, 6] {
        write(&mut array, &batch);
        let whole: Vec<serde_json::Value> = serde_json::from_str(&text(&files(directory.path())[0].1)).unwrap();
        assert_eq!(whole.len(), expected, "it is an array after each write");
    }

    let directory = TempDir::new().unwrap();
    let mut csv = FolderSink::open(settings(directory.path(), FileFormat::Csv(b';'), ""), None).unwrap();
    write(&mut csv, &batch);
    write(&mut csv, &batch.slice(1, 1));
    write(&mut csv, &numbers(0..1));
    let mut found: Vec<String> = files(directory.path()).iter().map(|(_, path)| text(path)).collect();
    found.sort();
    // Rows of other columns are in another file.
    assert_eq!(found, ["a;g\n0;g0\n", "a;g;t\n1;x;\"q\"\"; \n\"\n2.5;y;[true]\n;x;1970-01-01T00:00:00.0000000Z\n2.5;y;[true]\n"]);
}

fn table(path: &Path) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    reader.flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[test]
fn a_parquet_file_comes_once_it_is_full_and_a_checkpoint_covers_it() {
    let directory = TempDir::new().unwrap();
    let mut sink = FolderSink::open(settings(directory.path(), FileFormat::Parquet, ""), None).unwrap();
    write(&mut sink, &numbers(0..3));
    let early = sink.mark().unwrap();
    write(&mut sink, &numbers(3..6));
    write(&mut sink, &numbers(6..8));
    sink.kept(&early).unwrap();
    assert_eq!(files(directory.path()), [], "full, but behind the checkpoint");
    let mark = sink.mark().unwrap();
    sink.kept(&mark).unwrap();
    let found = files(directory.path());
    assert_eq!(found.len(), 1);
    assert_eq!(table(&found[0].1), [0, 1, 2, 3, 4, 5]);
    sink.finish().unwrap();
    let found = files(directory.path());
    assert_eq!(table(&found[1].1), [6, 7], "the rest at the end");
    assert_eq!(std::fs::read_dir(sink.hidden()).unwrap().count(), 0);
    // Killed before the last mark: whole files stay, once.
    let sink = FolderSink::open(settings(directory.path(), FileFormat::Parquet, ""), Some(&mark)).unwrap();
    assert_eq!((files(directory.path()), sink.spools.len()), (found, 0));
}

#[test]
fn the_columns_of_a_parquet_file_are_what_all_rows_have_in_common() {
    let directory = TempDir::new().unwrap();
    let mut sink = FolderSink::open(settings(directory.path(), FileFormat::Parquet, ""), None).unwrap();
    let time = Value::DateTime(Timestamp(15));
    write(&mut sink, &rows(vec![("n", vec![Value::BigInt(1)]), ("t", vec![time]), ("m", vec![Value::Bit(true)])]));
    write(&mut sink, &rows(vec![("n", vec![Value::Float(0.5)]), ("m", vec![Value::Text("x".into())]), ("o", vec![Value::Null])]));
    sink.finish().unwrap();
    let found = files(directory.path());
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&found[0].1).unwrap()).unwrap().build().unwrap();
    let kinds: Vec<(String, DataType)> =
        reader.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    let utc = DataType::Timestamp(arrow_schema::TimeUnit::Nanosecond, Some("UTC".into()));
    let expected = [("n", DataType::Float64), ("t", utc), ("m", DataType::Utf8), ("o", DataType::Utf8)];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    let batch = reader.next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<arrow_array::types::Float64Type>().values()[..], [1.0, 0.5]);
    let times = batch.column(1).as_primitive::<arrow_array::types::TimestampNanosecondType>();
    assert_eq!(times.iter().collect::<Vec<_>>(), [Some(1500), None]);
    assert_eq!(batch.column(2).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("true"), Some("x")]);
}

#[test]
fn rows_without_a_folder_are_refused_and_a_file_that_was_taken_away_begins_anew() {
    let directory = TempDir::new().unwrap();
    let mut sink = FolderSink::open(settings(directory.path(), FileFormat::JsonArray, "{g}"), None).unwrap();
    let batch =
        rows(vec![("a", vec![Value::BigInt(1), Value::BigInt(2)]), ("g", vec![Value::Array(Vec::new().into()), Value::Text("x".into())])]);
    let refused = write(&mut sink, &batch);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].row == 0 && refused[0].reason.contains("cast it"), "{refused:?}");
    std::fs::remove_file(&files(directory.path())[0].1).unwrap();
    write(&mut sink, &batch);
    assert_eq!(text(&files(directory.path())[0].1), "[\n{\"a\":2,\"g\":\"x\"}\n]\n");
    let stop = FolderSettings { policy: ErrorPolicy::Stop, ..settings(directory.path(), FileFormat::JsonLines, "{g}") };
    let mut sink = FolderSink::open(stop, None).unwrap();
    assert_eq!(sink.write(&batch, &DocumentKeys::of(&batch, 0)).unwrap_err().retry, crate::fault::Retry::Never);
}

/// All rows that are there, by format.
fn read(folder: &Path, format: FileFormat) -> Vec<i64> {
    let mut found: Vec<i64> = Vec::new();
    for (_, path) in files(folder) {
        let of_json = |json: &serde_json::Value| json["a"].as_i64().unwrap();
        match format {
            FileFormat::JsonLines => found.extend(text(&path).lines().map(|line| of_json(&serde_json::from_str(line).unwrap()))),
            FileFormat::JsonArray => {
                found.extend(serde_json::from_str::<Vec<serde_json::Value>>(&text(&path)).unwrap().iter().map(of_json));
            }
            FileFormat::Csv(_) => {
                found.extend(text(&path).lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<i64>().unwrap()));
            }
            FileFormat::Parquet => found.extend(table(&path)),
        }
    }
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Units are written, some with a checkpoint; at any of them the sink is killed, and what no checkpoint covers comes again.
    #[test]
    fn each_row_is_there_once_wherever_it_is_killed(
        steps in prop::collection::vec((1_i64..8, any::<bool>(), prop::bool::weighted(0.3), any::<bool>()), 1..14),
        format in prop::sample::select(vec![FileFormat::JsonLines, FileFormat::JsonArray, FileFormat::Csv(b','), FileFormat::Parquet]),
    ) {
        let directory = TempDir::new().unwrap();
        let open = |mark: Option<&[u8]>| FolderSink::open(settings(directory.path(), format, "{g}"), mark).unwrap();
        let mut sink = open(None);
        // Where an output stood at first is kept before its first row.
        let mut mark = sink.mark().unwrap();
        let (mut next, mut covered) = (0, 0);
        for (rows, checkpoint, kill, flushed) in steps {
            let batch = numbers(next..next + rows);
            sink.write(&batch, &DocumentKeys::of(&batch, 0)).unwrap();
            if kill && !flushed {
                sink.write_out(false).unwrap();
            } else {
                sink.flush().unwrap();
                next += rows;
                if checkpoint {
                    mark = sink.mark().unwrap();
                    covered = next;
                    sink.kept(&mark).unwrap();
                }
            }
            if kill {
                drop(sink);
                sink = open(Some(&mark));
                next = covered;
            }
        }
        let batch = numbers(next..next + 1);
        write(&mut sink, &batch);
        let mark = sink.mark().unwrap();
        sink.kept(&mark).unwrap();
        sink.finish().unwrap();
        prop_assert_eq!(read(directory.path(), format), (0..=next).collect::<Vec<_>>());
    }
}
