//! What a challenger answers: the same rows as the champion, in the same call; its answers decide nothing and are
//! stored beside the documents.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::{Batch, Column, Origin, write_value};
use crate::udf::Function;

use super::functions::{Bound, label};

/// A challenger's answers to the rows of one call.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    origin: Origin,
    function: String,
    model: Arc<str>,
    column: Column,
}

impl Answered {
    /// Asks a challenger what the champion was asked; `None` where the rows cannot be told again, or it fails as a whole.
    pub(super) fn ask(challenger: &Function, bound: &Bound, record: &Batch) -> Option<Self> {
        if record.origin == Origin::Derived {
            return None;
        }
        match challenger.ask(&bound.target, record) {
            Ok(called) => Some(Self {
                origin: record.origin.clone(),
                function: bound.name.clone(),
                model: label(challenger).into(),
                column: called.column,
            }),
            Err(error) => {
                tracing::warn!(function = bound.name, %error, "Challenger cannot be called; its answers are missing.");
                None
            }
        }
    }
}

/// An event: input, partition, offset.
type Event = (usize, u32, u64);

/// The answers to the rows of one unit of work, found by event.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    answers: Vec<Answered>,
    places: HashMap<Event, Vec<(usize, usize)>>,
}

impl Shadow {
    pub(super) fn new(answers: Vec<Answered>) -> Self {
        let mut places: HashMap<Event, Vec<(usize, usize)>> = HashMap::new();
        for (number, answer) in answers.iter().enumerate() {
            let Origin::Events { input, partition, offsets } = &answer.origin else { continue };
            for (row, offset) in offsets.iter().enumerate() {
                places.entry((*input, *partition, *offset)).or_default().push((number, row));
            }
        }
        Self { answers, places }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// What was answered to a row, as a JSON object: the model, and each function's value.
    pub(super) fn json(&self, origin: &Origin, row: usize) -> Option<String> {
        let Origin::Events { input, partition, offsets } = origin else { return None };
        let found = self.places.get(&(*input, *partition, *offsets.get(row)?))?;
        let mut text = Vec::from(*b"{\"model\":");
        let first = &self.answers[found.first()?.0];
        text.extend(serde_json::Value::from(&*first.model).to_string().into_bytes());
        for (number, row) in found {
            let answer = &self.answers[*number];
            text.push(b',');
            text.extend(serde_json::Value::from(answer.function.as_str()).to_string().into_bytes());
            text.push(b':');
            write_value(&answer.column.value(*row), &mut text);
        }
        text.push(b'}');
        String::from_utf8(text).ok()
    }
}
