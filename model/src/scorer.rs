//! The whole model: encoders, a kernel, a link.

use crate::additive::{self, Lookup, Steps};
use crate::encoder::{Cells, Encoder};
use crate::tree::Trees;

/// Rows that are summed up before the next ones are looked at: their sums stay in the fastest cache.
const CHUNK: usize = 512;

/// A model, ready to score.
#[derive(Debug, Clone)]
pub struct Scorer {
    pub(crate) encoders: Vec<Encoder>,
    pub(crate) base: f64,
    pub(crate) kernel: Kernel,
}

#[derive(Debug, Clone)]
pub(crate) enum Kernel {
    Additive { steps: Vec<Steps>, lookups: Vec<Lookup> },
    Trees(Trees),
}

/// Why parts do not make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a model: {0}")]
pub struct ModelError(pub(crate) &'static str);

/// Why columns cannot be scored: always an error of the caller, never of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Another number of columns than the model reads.
    #[error("the model reads {expected} columns, {given} were given")]
    Columns {
        /// What the model reads.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// A column of another kind than its encoder reads.
    #[error("column {column} of the model reads {expected}")]
    Kind {
        /// The place of the column.
        column: usize,
        /// What its encoder reads.
        expected: &'static str,
    },
    /// A column of another length than the scores.
    #[error("column {column} has {given} rows, {expected} scores are asked for")]
    Rows {
        /// The place of the column.
        column: usize,
        /// The number of scores.
        expected: usize,
        /// The number of rows.
        given: usize,
    },
}

impl Scorer {
    /// A scorer of a binary classifier: `encoders`, one a column, then `trees` over their features, then `base`
    /// (log-odds). Ensembles whose trees read one column each become tables.
    ///
    /// # Errors
    /// When a place in the trees is out of range or leads backwards, or a weight is not finite.
    pub fn new(encoders: Vec<Encoder>, base: f64, trees: Trees) -> Result<Self, ModelError> {
        trees.check(encoders.len()).map_err(ModelError)?;
        if !base.is_finite() {
            return Err(ModelError("its base is not finite"));
        }
        match additive::collapse(&trees, encoders.len()) {
            Some((rest, steps)) => Self::additive(encoders, base + rest, steps),
            None => Ok(Self { encoders, base, kernel: Kernel::Trees(trees) }),
        }
    }

    pub(crate) fn additive(encoders: Vec<Encoder>, base: f64, steps: Vec<Steps>) -> Result<Self, ModelError> {
        if steps.len() != encoders.len() {
            return Err(ModelError("it has another number of tables than columns"));
        }
        for steps in &steps {
            steps.check().map_err(ModelError)?;
        }
        let lookups = steps.iter().zip(&encoders).map(|(steps, encoder)| Lookup::new(steps, encoder)).collect();
        Ok(Self { encoders, base, kernel: Kernel::Additive { steps, lookups } })
    }

    /// What the model reads, column by column.
    pub fn encoders(&self) -> &[Encoder] {
        &self.encoders
    }

    /// The log-odds before any column is looked at.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The table of each column, when the model is a sum of one share a column. What a column adds to the log-odds
    /// of a row is its table at the row's feature.
    pub fn tables(&self) -> Option<&[Steps]> {
        match &self.kernel {
            Kernel::Additive { steps, .. } => Some(steps),
            Kernel::Trees(_) => None,
        }
    }

    /// Scores the rows: `columns` in the model's order, one score a row into `scores`.
    ///
    /// # Errors
    /// When the columns are not the ones that the model reads, or not as long as `scores`.
    pub fn score(&self, columns: &[Cells<'_>], scores: &mut [f64]) -> Result<(), ScoreError> {
        self.check(columns, scores.len())?;
        match &self.kernel {
            Kernel::Additive { lookups, .. } => {
                for (chunk, sums) in scores.chunks_mut(CHUNK).enumerate() {
                    sums.fill(self.base);
                    for ((lookup, encoder), cells) in lookups.iter().zip(&self.encoders).zip(columns) {
                        lookup.add(encoder, *cells, chunk * CHUNK, sums);
                    }
                    link(sums);
                }
            }
            Kernel::Trees(trees) => {
                let mut features = vec![0.0; self.encoders.len() * CHUNK.min(scores.len())];
                for (chunk, sums) in scores.chunks_mut(CHUNK).enumerate() {
                    let rows = sums.len();
                    for (place, (encoder, cells)) in self.encoders.iter().zip(columns).enumerate() {
                        encoder.encode(*cells, chunk * CHUNK, &mut features[place * rows..(place + 1) * rows]);
                    }
                    sums.fill(self.base);
                    trees.add(&features, sums);
                    link(sums);
                }
            }
        }
        Ok(())
    }

    fn check(&self, columns: &[Cells<'_>], rows: usize) -> Result<(), ScoreError> {
        if columns.len() != self.encoders.len() {
            return Err(ScoreError::Columns { expected: self.encoders.len(), given: columns.len() });
        }
        for (column, (cells, encoder)) in columns.iter().zip(&self.encoders).enumerate() {
            if !cells.fits(encoder) {
                return Err(ScoreError::Kind { column, expected: encoder.reads() });
            }
            if cells.rows() != rows {
                return Err(ScoreError::Rows { column, expected: rows, given: cells.rows() });
            }
        }
        Ok(())
    }
}

/// Log-odds to scores.
fn link(sums: &mut [f64]) {
    for sum in sums {
        // libm on every target: the platforms' own `exp` differ in the last bit.
        *sum = 1.0 / (1.0 + libm::exp(-*sum));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::random::{feature, trees};

    #[test]
    fn columns_of_another_kind_number_or_length_are_errors() {
        let scorer = Scorer::new(vec![Encoder::Float], 0.0, Trees::default()).unwrap();
        let mut scores = [0.0; 2];
        let error = |result: Result<(), ScoreError>| result.unwrap_err().to_string();
        assert_eq!(error(scorer.score(&[], &mut scores)), "the model reads 1 columns, 0 were given");
        assert_eq!(error(scorer.score(&[Cells::BigInt(&[1, 2])], &mut scores)), "column 0 of the model reads floats");
        assert_eq!(error(scorer.score(&[Cells::Float(&[1.0])], &mut scores)), "column 0 has 1 rows, 2 scores are asked for");
        assert_eq!(scorer.score(&[Cells::Float(&[1.0, 2.0])], &mut scores), Ok(()));
        assert_eq!(scores, [0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn deep_trees_are_walked_the_same_in_any_batch(trees in trees(2, false), rows in prop::collection::vec((feature(), -5_i64..5), 1..3)) {
            let scorer = Scorer::new(vec![Encoder::Float, Encoder::BigInt], 0.25, trees.clone()).unwrap();
            let rows: Vec<(f32, i64)> = rows.into_iter().cycle().take(CHUNK + 7).collect();
            let floats: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let integers: Vec<i64> = rows.iter().map(|row| row.1).collect();
            let mut scores = vec![0.0; rows.len()];
            scorer.score(&[Cells::Float(&floats), Cells::BigInt(&integers)], &mut scores).unwrap();
            for (row, score) in scores.iter().enumerate() {
                let mut one = [0.0];
                scorer.score(&[Cells::Float(&floats[row..=row]), Cells::BigInt(&integers[row..=row])], &mut one).unwrap();
                prop_assert_eq!(one[0].to_bits(), score.to_bits());
                let leaves = trees.roots.iter().map(|root| trees.walk(*root, |column| [floats[row] as f32, integers[row] as f32][column]));
                let sum = leaves.fold(0.25, |sum, leaf| sum + leaf);
                prop_assert!((score - 1.0 / (1.0 + libm::exp(-sum))).abs() < 1e-12);
            }
        }
    }
}
