//! What happened to an event's time, for people: the windows that it falls into.

use std::sync::Arc;

use crate::query::{Operator, Plan, Source, WindowForm};
use crate::time::Timestamp;
use crate::window::WindowKind;
use crate::window::time::Explained;

/// What happened to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedEvent {
    /// Its input.
    pub input: String,
    /// Its times, the policy that was applied and the watermark.
    pub times: Explained,
    /// The windows that it falls into, if the query has any behind its input. A filter before them may still drop it.
    pub windows: Vec<Windows>,
}

/// The windows of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// The step, or the output.
    pub step: Arc<str>,
    /// `tumbling`, `hopping`, `sliding`, `session` or `snapshot`.
    pub kind: &'static str,
    /// Start (exclusive) and end (inclusive) of each. Sliding: the event is in each window that ends at or after the first time and
    /// before the second. Session: none, for it depends on the events after it.
    pub spans: Vec<(Timestamp, Timestamp)>,
}

/// The windows that rows of each feed come to with the time they entered with.
pub(super) fn windows(plan: &Plan) -> Vec<Vec<(Arc<str>, WindowForm)>> {
    let mut of_feeds = vec![Vec::new(); plan.feeds.len()];
    // The feeds whose rows reach a step with their own time.
    let mut reach: Vec<Vec<usize>> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let feeds: Vec<usize> = step
            .sources
            .iter()
            .flat_map(|source| match source {
                Source::Feed(feed) => vec![*feed],
                Source::Step(before) => reach[*before].clone(),
            })
            .collect();
        let keeps_time = match &step.operator {
            Operator::Window(windowed) => {
                for feed in &feeds {
                    of_feeds[*feed].extend(windowed.windows().map(|form| (Arc::clone(&step.name), form.clone())));
                }
                false
            }
            Operator::Join(_) | Operator::Match(_) => false,
            Operator::Project(_) | Operator::Apply(_) | Operator::Union(_) | Operator::Lookup(..) | Operator::Analytic(_) => true,
        };
        reach.push(if keeps_time { feeds } else { Vec::new() });
    }
    of_feeds
}

/// The windows of a form that an event of that time is in.
pub(super) fn holding(step: &Arc<str>, form: &WindowForm, time: Timestamp) -> Windows {
    let (kind, spans) = match form {
        WindowForm::Hopping { size, hop, offset } => {
            let kind = if size == hop { "tumbling" } else { "hopping" };
            (kind, WindowKind::Hopping { size: *size, hop: *hop, offset: *offset }.holding(time).unwrap_or_default())
        }
        WindowForm::Snapshot => ("snapshot", WindowKind::Snapshot.holding(time).unwrap_or_default()),
        WindowForm::Sliding { size } => ("sliding", vec![(time, Timestamp(time.0.saturating_add(*size)))]),
        WindowForm::Session { .. } => ("session", Vec::new()),
    };
    Windows { step: Arc::clone(step), kind, spans }
}
