//! Why a row has its score: what each column added to the log-odds (or the score) beside the background's mean.
//! Exact: the base and the contributions add up to the row's value.

use crate::cells::Cells;
use crate::forest::{Aggregate, Branch, Covers, Forest};
use crate::program::{Head, Program, Step};
use crate::scorer::{CHUNK, ModelError, ScoreError, Scorer, Scratch};
use crate::shap::{self, Explainer};

impl Scorer {
    /// The mean value over the background, from which contributions are measured; `None` when there is nothing to explain.
    pub fn explained_base(&self) -> Option<f64> {
        let head = self.program.head.as_ref()?;
        match &self.program.steps[head.step as usize] {
            Step::Additive { base, parts, .. } => Some(base + parts.iter().map(|part| part.mean).sum::<f64>()),
            Step::Linear { weights, bias, .. } => {
                let weights = weights_of(weights, head);
                Some(bias[head.output as usize] + weights.iter().zip(&head.means).map(|(weight, mean)| weight * mean).sum::<f64>())
            }
            Step::Trees { forest, .. } => {
                let covers = shap::covers(forest);
                let share = share(forest)?;
                let mut base = forest.base[head.output as usize];
                for tree in &forest.trees {
                    if let Some(slot) = tree.targets.iter().position(|target| *target == head.output) {
                        base += share * shap::expected(forest, &covers, tree, slot);
                    }
                }
                Some(base)
            }
            _ => None,
        }
    }

    /// For each row, its value (log-odds or score, as the head says) into `values` and what each column added into
    /// `contributions`, row after row.
    ///
    /// # Errors
    /// When the columns are not the ones that the model reads, or the model has no head.
    pub fn explain(
        &self,
        columns: &[Cells<'_>],
        scratch: &mut Scratch,
        values: &mut [f64],
        contributions: &mut [f64],
    ) -> Result<(), ScoreError> {
        let rows = values.len();
        self.check(columns, rows)?;
        let head = self.program.head.as_ref().ok_or(ScoreError::Unexplained)?;
        let step = &self.program.steps[head.step as usize];
        let width = columns.len();
        contributions.fill(0.0);
        let mut explainer = if let Step::Trees { forest, .. } = step { Some(Explainer::new(forest)) } else { None };
        for start in (0..rows).step_by(CHUNK) {
            let count = CHUNK.min(rows - start);
            self.run(columns, start, count, scratch)?;
            let out = (step.writes().0 + head.output) as usize * CHUNK;
            values[start..start + count].copy_from_slice(&scratch.registers[out..out + count]);
            for (row, contributions) in contributions[start * width..].chunks_exact_mut(width.max(1)).enumerate().take(count) {
                let register = |register: u32| scratch.registers[register as usize * CHUNK + row];
                let mut add = |input: usize, share: f64| contributions[head.columns[input] as usize] += share;
                match (step, &mut explainer) {
                    (Step::Additive { parts, .. }, _) => {
                        for (place, part) in parts.iter().enumerate() {
                            add(place, part.at(self.feature(part, columns, start + row, &register)) - part.mean);
                        }
                    }
                    (Step::Linear { inputs, weights, .. }, _) => {
                        for (place, (input, weight)) in inputs.iter().zip(weights_of(weights, head)).enumerate() {
                            add(place, weight * (register(*input) - head.means[place]));
                        }
                    }
                    (Step::Trees { inputs, forest, .. }, Some(explainer)) => {
                        let share = share(forest).ok_or(ScoreError::Unexplained)?;
                        for tree in &forest.trees {
                            if let Some(slot) = tree.targets.iter().position(|target| *target == head.output) {
                                explainer
                                    .add(tree, slot, &|feature| register(inputs[feature]), &mut |input, part| add(input, share * part));
                            }
                        }
                    }
                    _ => return Err(ScoreError::Unexplained),
                }
            }
        }
        Ok(())
    }

    fn feature(&self, part: &crate::additive::Part, columns: &[Cells<'_>], row: usize, register: &impl Fn(u32) -> f64) -> f64 {
        use crate::additive::Source;
        match part.source {
            Source::Register { input } => register(input),
            Source::Place { column } => {
                let column = column as usize;
                let (Cells::Text { offsets, bytes }, Some(categories)) = (columns[column], &self.categories[column]) else { return 0.0 };
                categories.find(bytes, offsets[row] as usize, offsets[row + 1] as usize) as f64
            }
            Source::Number { column, round } => {
                let value = match columns[column as usize] {
                    Cells::Float(values) => values[row],
                    Cells::BigInt(values) if round => return f64::from(values[row] as f32),
                    Cells::BigInt(values) => values[row] as f64,
                    Cells::Text { .. } => f64::NAN,
                };
                if round { f64::from(value as f32) } else { value }
            }
        }
    }
}

fn weights_of<'a>(weights: &'a [f64], head: &Head) -> &'a [f64] {
    &weights[head.output as usize * head.means.len()..][..head.means.len()]
}

/// What a leaf's weight counts for in the sum; `None` where leaves are not summed.
fn share(forest: &Forest) -> Option<f64> {
    match forest.aggregate {
        Aggregate::Sum => Some(1.0),
        Aggregate::Average => Some(1.0 / forest.trees.len() as f64),
        Aggregate::Min | Aggregate::Max => None,
    }
}

/// Makes the given rows the background that contributions are measured from.
///
/// # Errors
/// When the program's parts do not fit together, or the columns do not fit it.
pub fn with_background(program: Program, columns: &[Cells<'_>], rows: usize) -> Result<Program, ModelError> {
    let scorer = Scorer::new(program)?;
    scorer.check(columns, rows).map_err(|_| ModelError("the background's columns are not the model's"))?;
    let mut program = scorer.program.clone();
    let Some(head) = program.head.clone().filter(|_| rows > 0) else { return Ok(program) };
    let mut scratch = Scratch::default();
    let mut means = vec![0.0; head.columns.len()];
    let mut covers = match &program.steps[head.step as usize] {
        Step::Trees { forest, .. } => Covers { nodes: vec![0.0; forest.nodes.len()], leaves: vec![0.0; forest.leaves()] },
        _ => Covers { nodes: Vec::new(), leaves: Vec::new() },
    };
    for start in (0..rows).step_by(CHUNK) {
        let count = CHUNK.min(rows - start);
        scorer.run(columns, start, count, &mut scratch).map_err(|_| ModelError("the background cannot be scored"))?;
        for row in 0..count {
            let register = |register: u32| scratch.registers[register as usize * CHUNK + row];
            match &program.steps[head.step as usize] {
                Step::Additive { parts, .. } => {
                    for (mean, part) in means.iter_mut().zip(parts) {
                        *mean += part.at(scorer.feature(part, columns, start + row, &register)) / rows as f64;
                    }
                }
                Step::Linear { inputs, .. } => {
                    means.iter_mut().zip(inputs).for_each(|(mean, input)| *mean += register(*input) / rows as f64);
                }
                Step::Trees { inputs, forest, .. } => count_row(forest, &mut covers, |feature| register(inputs[feature])),
                _ => {}
            }
        }
    }
    match program.steps.get_mut(head.step as usize) {
        Some(Step::Additive { parts, .. }) => parts.iter_mut().zip(means).for_each(|(part, mean)| part.mean = mean),
        Some(Step::Trees { forest, .. }) => forest.covers = Some(covers),
        Some(Step::Linear { .. }) => program.head = Some(Head { means, ..head }),
        _ => {}
    }
    Ok(program)
}

fn count_row(forest: &Forest, covers: &mut Covers, feature: impl Fn(usize) -> f64) {
    for tree in &forest.trees {
        let mut at = tree.root;
        while let Branch::Node(place) = at {
            covers.nodes[place as usize] += 1.0;
            let node = &forest.nodes[place as usize];
            at = node.next(feature(node.feature as usize));
        }
        if let Branch::Leaf(leaf) = at {
            covers.leaves[leaf as usize] += 1.0;
        }
    }
}
