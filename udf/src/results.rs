//! What each function answers, as one column.

use serde::{Serialize, Serializer};
use tamis_frame::Data;
use tamis_frame::signature::{Class, Task as Kind};
use tamis_model::Cells;

use crate::call::Memory;
use crate::model::{Model, Task};
use crate::reasons;

/// One value a row.
pub(crate) enum Results<'m> {
    /// Scores where they were computed.
    Scores(&'m [f64]),
    Floats(Vec<f64>),
    BigInts(Vec<i64>),
    Texts {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
}

impl<'m> Results<'m> {
    /// Runs a task over fitted columns. Rows that were rejected get any value.
    pub(crate) fn of(model: &Model, memory: &'m mut Memory, task: Task, cells: &[Cells<'_>], rows: usize) -> Result<Self, String> {
        if task == Task::Explain {
            let reasons = reasons::explain(model, memory, cells, rows)?;
            return texts(rows, reasons.iter().map(|reasons| serde_json::to_string(reasons).unwrap_or_default()));
        }
        let scores = scores(model, memory, cells, rows)?;
        let contract = &model.contract;
        match (task, contract.task) {
            (Task::Score, Kind::Multiclass) => Ok(Self::Floats((0..rows).map(|row| best(scores, rows, row).1).collect())),
            (Task::Score, _) | (Task::Run, Kind::Regression) => Ok(Self::Scores(scores)),
            (Task::Run, kind) => {
                let class = |row: usize| match kind {
                    Kind::Multiclass => best(scores, rows, row).0,
                    _ => usize::from(scores[row] >= contract.threshold),
                };
                let named = |row: usize| contract.classes.get(class(row));
                if contract.classes.iter().any(|class| matches!(class, Class::Text(_))) {
                    return texts(rows, (0..rows).map(|row| named(row).map_or_else(String::new, ToString::to_string)));
                }
                let number = |row: usize| if let Some(Class::BigInt(class)) = named(row) { *class } else { class(row) as i64 };
                Ok(Self::BigInts((0..rows).map(number).collect()))
            }
            (Task::Probabilities | Task::Explain, _) => texts(
                rows,
                (0..rows).map(|row| {
                    serde_json::to_string(&Probabilities { classes: &contract.classes, scores: &scores[row..], rows }).unwrap_or_default()
                }),
            ),
        }
    }

    pub(crate) fn data(&self) -> Data<'_> {
        match self {
            Self::Scores(values) => Data::Float(values),
            Self::Floats(values) => Data::Float(values),
            Self::BigInts(values) => Data::BigInt(values),
            Self::Texts { offsets, bytes } => Data::Text { offsets, bytes },
        }
    }
}

/// All outputs of all rows, output after output.
pub(crate) fn scores<'m>(model: &Model, memory: &'m mut Memory, cells: &[Cells<'_>], rows: usize) -> Result<&'m [f64], String> {
    let Memory { scratch, scores } = memory;
    scores.resize(rows * model.scorer.outputs(), 0.0);
    model.scorer.score(cells, scratch, scores).map_err(|error| error.to_string())?;
    Ok(scores)
}

/// The likeliest class of a row and its probability; of equal ones the first.
fn best(scores: &[f64], rows: usize, row: usize) -> (usize, f64) {
    let all = scores[row..].iter().step_by(rows.max(1)).copied().enumerate();
    all.fold((0, f64::NEG_INFINITY), |best, (class, score)| if score > best.1 { (class, score) } else { best })
}

/// Each class's probability of one row, by its name: a record.
pub(crate) struct Probabilities<'m> {
    pub(crate) classes: &'m [Class],
    /// The row's scores begin at its place and are `rows` apart.
    pub(crate) scores: &'m [f64],
    pub(crate) rows: usize,
}

impl Serialize for Probabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scores = self.scores.iter().step_by(self.rows.max(1));
        serializer.collect_map(self.classes.iter().map(ToString::to_string).zip(scores))
    }
}

fn texts(rows: usize, texts: impl Iterator<Item = String>) -> Result<Results<'static>, String> {
    let (mut offsets, mut bytes) = (Vec::with_capacity(rows + 1), Vec::new());
    offsets.push(0);
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        offsets.push(i32::try_from(bytes.len()).map_err(|_| "the results take too much room; send fewer rows".to_owned())?);
    }
    Ok(Results::Texts { offsets, bytes })
}
