//! The last windows of a windowed output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::settings::SeriesSettings;
use super::state::{Point, SeriesState};
use crate::batch::{Batch, Value};
use crate::time::Timestamp;

/// Windows by time, each with its figures by key. A window that comes again replaces its figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) output: String,
    title: String,
    keys: Vec<String>,
    windows: BTreeMap<i64, BTreeMap<String, serde_json::Value>>,
}

/// More keys than this are not told apart.
const MOST_KEYS: usize = 100;

impl Series {
    pub(super) fn new(settings: &SeriesSettings) -> Self {
        Self { output: settings.output.clone(), title: settings.title.clone(), keys: settings.keys.clone(), windows: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, settings: &SeriesSettings, batch: &Batch) {
        let (key, value) = (batch.column(&settings.key), batch.column(&settings.value));
        let time = settings.time.as_deref().and_then(|name| batch.column(name));
        for row in 0..batch.rows() {
            let moment = match time.map(|column| column.value(row)) {
                Some(Value::DateTime(moment)) => moment,
                Some(Value::Text(text)) => Timestamp::parse(&text).unwrap_or(batch.times[row]),
                _ => batch.times[row],
            };
            let number = match value.map(|column| column.value(row)) {
                Some(Value::BigInt(value)) => value.into(),
                Some(Value::Float(value)) if value.is_finite() => value.into(),
                Some(Value::Bit(value)) => i64::from(value).into(),
                _ => continue,
            };
            let name = match key.map(|column| column.value(row)) {
                Some(Value::Text(text)) => text.to_string(),
                Some(Value::BigInt(value)) => value.to_string(),
                Some(Value::Float(value)) => value.to_string(),
                Some(Value::Bit(value)) => value.to_string(),
                _ => "other".to_owned(),
            };
            if !self.keys.contains(&name) {
                if self.keys.len() >= MOST_KEYS {
                    continue;
                }
                self.keys.push(name.clone());
            }
            self.windows.entry(moment.0).or_default().insert(name, number);
        }
        while self.windows.len() > settings.windows {
            self.windows.pop_first();
        }
    }

    /// Takes over the same series as it was saved.
    pub(super) fn take_over(&mut self, saved: &Self) {
        if saved.output == self.output && saved.title == self.title {
            let extra = saved.keys.iter().filter(|key| !self.keys.contains(key)).cloned().collect::<Vec<_>>();
            self.keys.extend(extra);
            self.windows.clone_from(&saved.windows);
        }
    }

    pub(super) fn state(&self, settings: &SeriesSettings) -> SeriesState {
        let point = |(time, values): (&i64, &BTreeMap<String, serde_json::Value>)| Point {
            time: super::moment(Timestamp(*time)),
            values: values.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        };
        SeriesState {
            output: settings.output.clone(),
            title: settings.title.clone(),
            time: settings.time.clone().unwrap_or_else(|| "System.Timestamp()".into()),
            key: settings.key.clone(),
            value: settings.value.clone(),
            keys: self.keys.clone(),
            points: self.windows.iter().map(point).collect(),
        }
    }
}
