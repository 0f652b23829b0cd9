//! The page's figures are exact and survive a restart.

use super::*;
use crate::batch::Value;
use crate::batch::{Column, Origin};
use serde_json::json;

fn settings() -> PageSettings {
    serde_json::from_value(json!({
        "Predictions": {"Output": "live", "Flag": "prediction", "Score": "score"},
        "Histogram": {"From": 0, "To": 1, "Bins": 4},
        "Breakdowns": [
            {"Title": "By day", "Column": "day", "Labels": ["mon", "tue"]},
            {"Title": "By amount", "Column": "amount", "Edges": [0, 25, 50]},
            {"Title": "By month", "Column": "month", "Labels": [1, 2]}
        ],
        "Latest": {"Rows": 2, "Columns": ["day", "score"]},
        "Series": [{"Output": "windows", "Title": "Per 10 s", "Time": "window_end", "Key": "day", "Value": "frauds", "Windows": 2}]
    }))
    .unwrap()
}

fn live(days: &[&str], flags: &[i64]) -> Batch {
    let rows = days.len();
    let numbers = |scale: f64| (0..rows).map(|row| f64::from(u8::try_from(row).unwrap()) * scale).collect::<Vec<_>>();
    Batch {
        names: vec!["day".into(), "amount".into(), "month".into(), "score".into(), "prediction".into()].into(),
        columns: vec![
            Column::Text(days.iter().map(Some).collect()),
            Column::Float(numbers(25.0).into()),
            Column::BigInt(vec![2; rows].into()),
            Column::Float(numbers(0.5).into()),
            Column::BigInt(flags.to_vec().into()),
        ],
        times: vec![Timestamp(0); rows].into(),
        origin: Origin::Derived,
    }
}

fn window(end: i64, frauds: &[i64]) -> Batch {
    let rows = frauds.len();
    Batch {
        names: vec!["window_end".into(), "day".into(), "frauds".into()].into(),
        columns: vec![
            Column::DateTime(vec![end * crate::time::TICKS_PER_SECOND; rows].into()),
            Column::Text(["mon", "tue"][..rows].iter().map(Some).collect()),
            Column::BigInt(frauds.to_vec().into()),
        ],
        times: vec![Timestamp(end); rows].into(),
        origin: Origin::Derived,
    }
}

#[test]
fn a_batch_is_counted_by_total_label_bin_and_window() {
    let mut feed = Feed::new(settings()).unwrap();
    feed.add("live", &live(&["mon", "tue", "mon"], &[1, 0, 1]));
    feed.add("elsewhere", &live(&["mon"], &[1]));
    for (end, frauds) in [(10, vec![1, 2]), (20, vec![3]), (30, vec![4, 5]), (30, vec![6, 5])] {
        feed.add("windows", &window(end, &frauds));
    }
    feed.publish(&Around::default());
    let state = serde_json::to_value(&**feed.state().borrow()).unwrap();
    assert_eq!(state["seq"], 11);
    assert_eq!(state["totals"], json!({"predictions": 3, "flagged": 2, "share": 2.0 / 3.0}));
    let by = &state["breakdowns"];
    assert_eq!(by[0], json!({"title": "By day", "column": "day", "labels": ["mon", "tue"], "all": [2, 1], "flagged": [2, 0]}));
    assert_eq!(by[1]["labels"], json!(["0\u{2013}25", "25\u{2013}50", "50 and more"]), "a lower edge belongs to its bin");
    assert_eq!(by[1]["all"], json!([1, 1, 1]));
    assert_eq!(by[2], json!({"title": "By month", "column": "month", "labels": ["1", "2"], "all": [0, 3], "flagged": [0, 2]}));
    assert_eq!(state["histogram"], json!({"column": "score", "edges": [0.0, 0.25, 0.5, 0.75, 1.0], "counts": [1, 0, 1, 1]}));
    assert_eq!(state["latest"], json!([{"day": "mon", "score": 1.0}, {"day": "tue", "score": 0.5}]), "newest first");
    let series = &state["series"][0];
    assert_eq!(series["keys"], json!(["mon", "tue"]));
    assert_eq!(
        series["points"],
        json!([
            {"time": "1970-01-01T00:00:20.0000000Z", "values": {"mon": 3}},
            {"time": "1970-01-01T00:00:30.0000000Z", "values": {"mon": 6, "tue": 5}}
        ]),
        "the last two windows; one that comes again replaces itself"
    );
}

#[test]
fn values_without_a_place_and_rows_without_a_prediction_have_a_defined_outcome() {
    let mut feed = Feed::new(settings()).unwrap();
    let mut odd = live(&["mon", "someday", "mon", "mon"], &[1, 1, 0, 0]);
    odd.columns[1] = Column::Mixed(vec![Value::Float(-1.0), Value::Null, Value::Text("x".into()), Value::BigInt(30)].into());
    odd.columns[3] = Column::Mixed(vec![Value::Float(-3.0), Value::Float(f64::NAN), Value::Null, Value::BigInt(9)].into());
    odd.columns[4] = Column::Mixed(vec![Value::Bit(true), Value::Float(1.0), Value::BigInt(0), Value::Null].into());
    feed.add("LIVE", &odd);
    feed.publish(&Around::default());
    let state = serde_json::to_value(&**feed.state().borrow()).unwrap();
    assert_eq!(state["totals"]["predictions"], 3, "the row without a prediction is not counted");
    assert_eq!(state["totals"]["flagged"], 2);
    assert_eq!(state["breakdowns"][0]["labels"], json!(["mon", "tue", "other"]));
    assert_eq!(state["breakdowns"][0]["all"], json!([2, 0, 1]));
    assert_eq!(state["breakdowns"][1]["labels"], json!(["under 0", "0\u{2013}25", "25\u{2013}50", "other"]));
    assert_eq!(state["histogram"]["counts"], json!([1, 0, 0, 1]), "scores outside the range count at its ends, NaN nowhere");
}

#[test]
fn saved_figures_come_back_and_go_on() {
    let mut feed = Feed::new(settings()).unwrap();
    feed.add("live", &live(&["mon", "tue"], &[1, 0]));
    feed.add("windows", &window(10, &[1, 2]));
    let mut restored = Feed::restore(settings(), &feed.save()).unwrap();
    for feed in [&mut feed, &mut restored] {
        feed.add("live", &live(&["tue"], &[1]));
        feed.publish(&Around::default());
    }
    let text = |feed: &Feed| serde_json::to_string(&**feed.state().borrow()).unwrap();
    assert_eq!(text(&feed), text(&restored));
    let mut changed = settings();
    changed.breakdowns.remove(0);
    changed.histogram.bins = 5;
    let changed = Feed::restore(changed, &feed.save()).unwrap();
    let state = Arc::clone(&changed.state().borrow());
    assert_eq!(state.totals.predictions, 3);
    assert_eq!(state.breakdowns[1].all, [0, 3], "kept by column and labels, not by place");
    assert_eq!(state.histogram.as_ref().unwrap().counts, [0; 5], "other bins start from nothing");
    assert!(Feed::restore(settings(), b"{").is_err());
}

#[test]
fn rows_are_shown_only_after_the_commit_and_can_be_resumed() {
    let mut feed = Feed::new(settings()).unwrap();
    let rows = feed.rows();
    feed.add("live", &live(&["mon", "tue", "mon"], &[1, 0, 1]));
    assert_eq!(rows.after(0, 10), Run { gap: false, rows: vec![] });
    feed.publish(&Around::default());
    let run = rows.after(1, 10);
    assert_eq!(run.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(run.rows[0].json, r#"{"output":"live","row":{"day":"tue","amount":25.0,"month":2,"score":0.5,"prediction":0}}"#);
    assert_eq!(rows.after(0, 1).rows.len(), 1);
    assert!(rows.after(99, 10).gap, "a number from another life of the host");
    let restored = Feed::restore(settings(), &feed.save()).unwrap();
    assert!(restored.rows().after(1, 10).gap, "rows from before a restart are gone");
    assert!(!restored.rows().after(3, 10).gap);
}

#[test]
fn the_ring_keeps_the_last_ten_thousand_rows() {
    let mut feed = Feed::new(settings()).unwrap();
    for _ in 0..300 {
        feed.add("live", &live(&["mon"; 100], &[0; 100]));
        feed.publish(&Around::default());
    }
    let run = feed.rows().after(5, usize::MAX);
    assert!(run.gap);
    assert_eq!((run.rows.len(), run.rows[0].seq), (10_000, 20_001));
    assert!(!feed.rows().after(20_000, 1).gap);
}

#[test]
fn page_settings_that_make_no_sense_are_refused_with_the_column() {
    for (breakdown, part) in [
        (json!({"Title": "t", "Column": "c"}), "needs `Labels`"),
        (json!({"Title": "t", "Column": "c", "Labels": ["a"], "Edges": [1, 2]}), "both"),
        (json!({"Title": "t", "Column": "c", "Edges": [2, 1]}), "greater"),
        (json!({"Title": "t", "Column": "c", "Labels": [[]]}), "label"),
    ] {
        let mut settings = settings();
        settings.breakdowns = vec![serde_json::from_value(breakdown).unwrap()];
        let error = Feed::new(settings).unwrap_err().to_string();
        assert!(error.contains("`c`") && error.contains(part), "{error}");
    }
    let mut settings = settings();
    settings.histogram.bins = 0;
    assert!(Feed::new(settings).is_err());
    assert!(serde_json::from_value::<PageSettings>(json!({"Predictions": {"Output": "a", "Flag": "b"}, "Breakdown": []})).is_err());
}
