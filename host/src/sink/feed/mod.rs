//! The live page's side: figures that grow with each batch, and the last rows.
//!
//! In: the batches of the page's outputs ([`Feed::add`]), and once a batch of work is committed, [`Feed::publish`].
//! Out: a [`PageState`] through a watch channel, and the last 10,000 rows through [`Rows`].
//!
//! What is counted comes from the job's [`PageSettings`]; nothing here knows what the rows are about. The figures are
//! exact: they are saved in the same transaction as the checkpoint ([`Feed::save`]) and come back with it.

mod breakdown;
mod figures;
mod rate;
mod rows;
mod series;
mod settings;
mod state;

use std::sync::Arc;

use tokio::sync::watch;

pub use rate::RateMeter;
pub use rows::{FeedRow, Rows, Run};
pub use settings::{BreakdownSettings, HistogramSettings, LatestSettings, PageSettings, PredictionSettings, SeriesSettings, Words};
pub use state::{Around, BreakdownState, HistogramState, JobState, ModelState, OutputState, PageState, Point, Rates, SeriesState, Totals};

use crate::batch::Batch;
use crate::fault::Fault;
use crate::time::Timestamp;
use figures::Figures;

/// Collects what the live page shows.
#[derive(Debug)]
pub struct Feed {
    settings: Arc<PageSettings>,
    figures: Figures,
    /// Rows that are counted but not yet committed.
    pending: Vec<(Arc<str>, Batch)>,
    rows: Rows,
    sender: watch::Sender<Arc<PageState>>,
}

impl Feed {
    /// A feed that starts from nothing.
    pub fn new(settings: PageSettings) -> Result<Self, Fault> {
        let figures = Figures::new(&settings)?;
        Self::from_parts(settings, figures)
    }

    /// A feed that goes on from what [`Feed::save`] gave. Figures that the settings no longer ask for are dropped,
    /// and new ones start from nothing.
    pub fn restore(settings: PageSettings, saved: &[u8]) -> Result<Self, Fault> {
        let saved: Figures =
            serde_json::from_slice(saved).map_err(|error| Fault::internal(format!("the page's saved figures cannot be read: {error}")))?;
        let mut figures = Figures::new(&settings)?;
        figures.take_over(saved);
        Self::from_parts(settings, figures)
    }

    fn from_parts(settings: PageSettings, figures: Figures) -> Result<Self, Fault> {
        let rows = Rows::new(figures.seq);
        let state = figures.state(&settings, &Around::default());
        Ok(Self { settings: Arc::new(settings), figures, pending: Vec::new(), rows, sender: watch::Sender::new(Arc::new(state)) })
    }

    /// Counts the rows that were written into that output. Outputs that the page does not show only go to the row ring.
    pub fn add(&mut self, output: &str, batch: &Batch) {
        if batch.rows() == 0 {
            return;
        }
        self.figures.add(&self.settings, output, batch);
        let output =
            self.pending.iter().find(|(known, _)| **known == *output).map_or_else(|| output.into(), |(known, _)| Arc::clone(known));
        self.pending.push((output, batch.clone()));
    }

    /// The figures as bytes, to be kept in the transaction that also holds the checkpoint.
    pub fn save(&self) -> Vec<u8> {
        serde_json::to_vec(&self.figures).unwrap_or_default()
    }

    /// Shows what was added, with what the pipeline knows besides. To be called after the commit, and now and then when
    /// nothing arrives, so that rates fall.
    pub fn publish(&mut self, around: &Around) {
        for (output, batch) in self.pending.drain(..) {
            self.rows.push(output, batch);
        }
        let state = self.figures.state(&self.settings, around);
        self.sender.send_replace(Arc::new(state));
    }

    /// The page's state as it changes.
    pub fn state(&self) -> watch::Receiver<Arc<PageState>> {
        self.sender.subscribe()
    }

    /// The last rows.
    pub fn rows(&self) -> Rows {
        self.rows.clone()
    }

    /// What the page is to show.
    pub fn settings(&self) -> &PageSettings {
        &self.settings
    }
}

fn moment(time: Timestamp) -> String {
    time.to_string()
}

#[cfg(test)]
mod tests;
