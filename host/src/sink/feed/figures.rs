//! All figures of the page, counted from whole batches.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::Array;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::breakdown::Breakdown;
use super::series::Series;
use super::settings::{HistogramSettings, PageSettings};
use super::state::{Around, HistogramState, PageState, Totals};
use crate::batch::{Batch, Column, Value, write_row};
use crate::fault::Fault;

/// The figures: what is saved with the checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Rows added so far, of all feed outputs.
    pub(super) seq: u64,
    predictions: u64,
    flagged: u64,
    histogram: Vec<u64>,
    range: (f64, f64),
    breakdowns: Vec<Breakdown>,
    series: Vec<Series>,
    latest: VecDeque<Box<RawValue>>,
}

impl Figures {
    pub(super) fn new(settings: &PageSettings) -> Result<Self, Fault> {
        let HistogramSettings { from, to, bins } = settings.histogram;
        if !(from.is_finite() && to.is_finite() && from < to && (1..=1000).contains(&bins)) {
            return Err(Fault::job("Page: `Histogram` needs `From` below `To` and 1 to 1000 `Bins`"));
        }
        Ok(Self {
            seq: 0,
            predictions: 0,
            flagged: 0,
            histogram: vec![0; bins],
            range: (from, to),
            breakdowns: settings.breakdowns.iter().map(Breakdown::new).collect::<Result<_, _>>()?,
            series: settings.series.iter().map(Series::new).collect(),
            latest: VecDeque::new(),
        })
    }

    /// Takes over what was saved, as far as it is still asked for.
    pub(super) fn take_over(&mut self, saved: Self) {
        self.seq = saved.seq;
        self.predictions = saved.predictions;
        self.flagged = saved.flagged;
        self.latest = saved.latest;
        if saved.histogram.len() == self.histogram.len() && saved.range == self.range {
            self.histogram = saved.histogram;
        }
        for old in saved.breakdowns {
            if let Some(known) = self.breakdowns.iter_mut().find(|known| known.column == old.column && known.labels == old.labels) {
                known.take_over(old);
            }
        }
        for old in &saved.series {
            self.series.iter_mut().for_each(|known| known.take_over(old));
        }
    }

    pub(super) fn add(&mut self, settings: &PageSettings, output: &str, batch: &Batch) {
        self.seq += batch.rows() as u64;
        for (series, settings) in self.series.iter_mut().zip(&settings.series) {
            if series.output.eq_ignore_ascii_case(output) {
                series.add(settings, batch);
            }
        }
        if !settings.predictions.output.eq_ignore_ascii_case(output) {
            return;
        }
        let flags = flags(batch.column(&settings.predictions.flag), batch.rows());
        self.predictions += flags.iter().flatten().count() as u64;
        self.flagged += flags.iter().flatten().filter(|flag| **flag).count() as u64;
        for breakdown in &mut self.breakdowns {
            breakdown.add(batch.column(&breakdown.column), &flags);
        }
        if let Some(column) = settings.predictions.score.as_deref().and_then(|name| batch.column(name)) {
            self.add_scores(column);
        }
        self.add_latest(settings, batch);
    }

    fn add_scores(&mut self, column: &Column) {
        match column {
            Column::Float(array) => array.iter().flatten().for_each(|score| self.add_score(score)),
            column => (0..column.len()).for_each(|row| match column.value(row) {
                Value::Float(score) => self.add_score(score),
                #[expect(clippy::cast_precision_loss, reason = "a histogram's bin needs no 64 bits")]
                Value::BigInt(score) => self.add_score(score as f64),
                _ => {}
            }),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped to the bins")]
    fn add_score(&mut self, score: f64) {
        if score.is_nan() {
            return;
        }
        let (from, to) = self.range;
        let place = (score - from) / (to - from) * self.histogram.len() as f64;
        let last = self.histogram.len() - 1;
        self.histogram[(place.max(0.0) as usize).min(last)] += 1;
    }

    fn add_latest(&mut self, settings: &PageSettings, batch: &Batch) {
        let first = batch.rows().saturating_sub(settings.latest.rows);
        let chosen = chosen_columns(&settings.latest.columns, batch);
        for row in first..batch.rows() {
            let mut text = Vec::new();
            write_row(&chosen, row, &mut text);
            let raw = String::from_utf8(text).ok().and_then(|text| RawValue::from_string(text).ok());
            self.latest.extend(raw);
        }
        let over = self.latest.len().saturating_sub(settings.latest.rows);
        self.latest.drain(..over);
    }

    pub(super) fn state(&self, settings: &PageSettings, around: &Around) -> PageState {
        let share = if self.predictions == 0 { 0.0 } else { ratio(self.flagged, self.predictions) };
        let edges = || {
            let (from, to) = self.range;
            let bins = self.histogram.len() as u64;
            // Rounded so that 0.15000000000000002 reads 0.15.
            (0..=bins).map(|edge| ((from + (to - from) * ratio(edge, bins)) * 1e9).round() / 1e9).collect()
        };
        PageState {
            seq: self.seq,
            time: super::moment(around.time),
            title: settings.title.clone(),
            words: settings.words.clone(),
            job: around.job.clone(),
            model: around.model.clone(),
            totals: Totals { predictions: self.predictions, flagged: self.flagged, share },
            rates: around.rates,
            outputs: around.outputs.clone(),
            breakdowns: self.breakdowns.iter().zip(&settings.breakdowns).map(|(counts, settings)| counts.state(&settings.title)).collect(),
            histogram: settings.predictions.score.clone().map(|column| HistogramState {
                column,
                edges: edges(),
                counts: self.histogram.clone(),
            }),
            series: self.series.iter().zip(&settings.series).map(|(series, settings)| series.state(settings)).collect(),
            latest: self.latest.iter().rev().cloned().collect(),
        }
    }
}

/// Whether each row is flagged; `None` where it has no prediction.
fn flags(column: Option<&Column>, rows: usize) -> Vec<Option<bool>> {
    match column {
        None => vec![None; rows],
        Some(Column::BigInt(array)) if array.null_count() == 0 => array.values().iter().map(|flag| Some(*flag != 0)).collect(),
        Some(Column::Bit(array)) => array.iter().collect(),
        Some(column) => (0..rows)
            .map(|row| match column.value(row) {
                Value::Bit(flag) => Some(flag),
                Value::BigInt(flag) => Some(flag != 0),
                Value::Float(flag) => Some(flag != 0.0),
                _ => None,
            })
            .collect(),
    }
}

/// The batch with only these columns, in this order; a column that is not there is left out.
fn chosen_columns(columns: &[String], batch: &Batch) -> Batch {
    if columns.is_empty() {
        return batch.clone();
    }
    let places: Vec<usize> = columns.iter().filter_map(|name| batch.position(name)).collect();
    Batch {
        names: places.iter().map(|place| Arc::clone(&batch.names[*place])).collect(),
        columns: places.iter().map(|place| batch.columns[*place].clone()).collect(),
        times: Arc::clone(&batch.times),
        origin: batch.origin.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
