//! The engine's state: timelines, held rows, and what each stateful step keeps.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::fault::Fault;
use crate::time::Timestamp;
use crate::window::time::Timeline;

use super::Engine;
use super::node::Running;

/// What is saved. Steps and feeds are those of the plan, by their places.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// Tells a state of another query.
    shape: String,
    timelines: Vec<Timeline>,
    nodes: Vec<(Timestamp, Timestamp, Option<Vec<u8>>)>,
    held: Vec<(usize, Batch)>,
}

impl Engine {
    /// The whole state. A new engine of the same plan that restores it goes on exactly from here.
    ///
    /// # Errors
    /// A [`Fault`] of this program.
    pub fn save(&self) -> Result<Vec<u8>, Fault> {
        let nodes = self.nodes.iter().map(|node| {
            let state = match &node.running {
                Running::Stateful(operator) => Some(operator.save()?),
                _ => None,
            };
            Ok((node.watermark, node.settled, state))
        });
        let saved = Saved {
            shape: self.shape(),
            timelines: self.entrances.iter().map(|entrance| entrance.timeline.clone()).collect(),
            nodes: nodes.collect::<Result<Vec<_>, Fault>>()?,
            held: self.held.clone(),
        };
        postcard::to_stdvec(&saved).map_err(|error| Fault::internal(format!("the state cannot be saved: {error}")))
    }

    /// Takes up a saved state; called before any row. `false`: it is of another query, or of other partitions, and nothing
    /// was taken up.
    ///
    /// # Errors
    /// A [`Fault`] when the state is damaged.
    pub fn restore(&mut self, saved: &[u8]) -> Result<bool, Fault> {
        let saved: Saved = postcard::from_bytes(saved).map_err(|error| Fault::job(format!("the saved state cannot be read: {error}")))?;
        if saved.shape != self.shape() || saved.nodes.len() != self.nodes.len() || saved.timelines.len() != self.entrances.len() {
            return Ok(false);
        }
        for (entrance, timeline) in self.entrances.iter_mut().zip(saved.timelines) {
            entrance.timeline = timeline;
        }
        for (node, (watermark, settled, state)) in self.nodes.iter_mut().zip(saved.nodes) {
            (node.watermark, node.settled) = (watermark, settled);
            if let (Running::Stateful(operator), Some(state)) = (&mut node.running, state) {
                operator.restore(&state)?;
            }
        }
        self.held = saved.held;
        Ok(true)
    }

    /// Whether it keeps anything between batches but its timelines.
    pub fn is_stateless(&self) -> bool {
        self.held.is_empty() && !self.nodes.iter().any(|node| matches!(node.running, Running::Stateful(_)))
    }

    /// The script, and how it is cut: a state fits no other.
    fn shape(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = format!("{:?} {:?}", self.plan.text, self.settings.partitions);
        Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
