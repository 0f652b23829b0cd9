//! Ensembles of trees that read one column each collapse to one table a column: the feature's line is cut at every
//! threshold, and each piece carries the sum of all leaves that a feature on it reaches. Exact in all branch modes,
//! because the sums are taken by walking the trees themselves with a feature of each piece.

use crate::encoder::{Cells, Encoder};
use crate::tree::{Branch, Trees};

/// The table of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Where pieces begin, ascending, no NaN: piece `i` holds the features from `breaks[i - 1]` on, below `breaks[i]`.
    pub breaks: Vec<f32>,
    /// The sum of each piece, one more than breaks, and behind them the sum of a NaN.
    pub sums: Vec<f64>,
}

impl Steps {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.sums.len() != self.breaks.len() + 2 {
            return Err("a table has another number of sums than pieces");
        }
        if !self.sums.iter().all(|sum| sum.is_finite()) {
            return Err("a sum of a table is not finite");
        }
        if self.breaks.iter().any(|at| at.is_nan()) || !self.breaks.is_sorted_by(|a, b| a < b) {
            return Err("the breaks of a table do not ascend");
        }
        Ok(())
    }

    /// The sum for a feature: the plain way, for tables that are made once.
    pub fn at(&self, feature: f32) -> f64 {
        if feature.is_nan() {
            return self.sums[self.breaks.len() + 1];
        }
        self.sums[self.breaks.partition_point(|at| *at <= feature)]
    }
}

/// One table a column, when every tree reads at most one column.
pub(crate) fn collapse(trees: &Trees, columns: usize) -> Option<(f64, Vec<Steps>)> {
    let mut base = 0.0;
    let mut own: Vec<Vec<Branch>> = vec![Vec::new(); columns];
    for root in &trees.roots {
        match trees.columns_of(*root).as_slice() {
            [] => base += trees.walk(*root, |_| f32::NAN),
            [column] => own[*column as usize].push(*root),
            _ => return None,
        }
    }
    Some((base, own.iter().map(|roots| steps(trees, roots)).collect()))
}

fn steps(trees: &Trees, roots: &[Branch]) -> Steps {
    // x <= t is x < the next float, so that "below t" and "below the next" tell all six comparisons apart.
    let thresholds = roots.iter().flat_map(|root| trees.thresholds_of(*root));
    let mut breaks: Vec<f32> = thresholds.flat_map(|at| [at, at.next_up()]).filter(|at| !at.is_nan() && *at > f32::NEG_INFINITY).collect();
    for at in &mut breaks {
        *at += 0.0; // -0 and 0 compare equal
    }
    breaks.sort_by(f32::total_cmp);
    breaks.dedup();
    let sum = |feature: f32| roots.iter().map(|root| trees.walk(*root, |_| feature)).fold(0.0, |sum, leaf| sum + leaf);
    let mut table = Steps { breaks: Vec::new(), sums: vec![sum(f32::NEG_INFINITY)] };
    for at in breaks {
        let value: f64 = sum(at);
        if table.sums.last().is_none_or(|last| last.to_bits() != value.to_bits()) {
            table.breaks.push(at);
            table.sums.push(value);
        }
    }
    table.sums.push(sum(f32::NAN));
    table
}

/// A column's table, laid out for fast lookup. Made from its [`Steps`] when a scorer is made.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// The column says nothing.
    Constant(f64),
    /// By the place of a text among the categories; the last is the unknown one's.
    Category(Vec<f64>),
    /// By an integer from `low` on; what is outside takes the first or last.
    Direct { low: i64, sums: Vec<f64> },
    /// By a grid that tells which breaks are near.
    Grid(Grid),
}

/// Integers this far from 0 are exact as 32-bit floats.
const EXACT: f32 = 16_777_216.0;
const MAX_DIRECT: f32 = 4096.0;

impl Lookup {
    pub(crate) fn new(steps: &Steps, encoder: &Encoder) -> Self {
        if let Encoder::Text { values, .. } = encoder {
            return Self::Category(values.iter().map(|value| steps.at(*value)).collect());
        }
        let (Some(first), Some(last)) = (steps.breaks.first(), steps.breaks.last()) else {
            let nan = steps.sums.get(1) == steps.sums.first();
            return if nan || matches!(encoder, Encoder::BigInt) { Self::Constant(steps.sums[0]) } else { Self::Grid(Grid::new(steps)) };
        };
        if matches!(encoder, Encoder::BigInt) && *first >= -EXACT && *last <= EXACT && last - first <= MAX_DIRECT {
            let (low, high) = (first.floor() as i64 - 1, last.ceil() as i64 + 1);
            return Self::Direct { low, sums: (low..=high).map(|value| steps.at(value as f32)).collect() };
        }
        Self::Grid(Grid::new(steps))
    }

    /// Adds the column's share to each row's sum, from row `start` on.
    pub(crate) fn add(&self, encoder: &Encoder, cells: Cells<'_>, start: usize, sums: &mut [f64]) {
        match (self, cells) {
            (Self::Constant(share), _) => sums.iter_mut().for_each(|sum| *sum += share),
            (Self::Category(shares), Cells::Text { offsets, bytes }) => {
                let Encoder::Text { categories, .. } = encoder else { return };
                let spans = offsets[start..].iter().zip(&offsets[start + 1..]);
                for (sum, (from, to)) in sums.iter_mut().zip(spans) {
                    *sum += shares[categories.find(bytes, *from as usize, *to as usize)];
                }
            }
            (Self::Direct { low, sums: shares }, Cells::BigInt(values)) => {
                let high = low + (shares.len() as i64 - 1);
                for (sum, value) in sums.iter_mut().zip(&values[start..]) {
                    *sum += shares[((*value).clamp(*low, high) - low) as usize];
                }
            }
            (Self::Grid(grid), Cells::Float(values)) => grid.add(values[start..].iter().map(|value| *value as f32), sums),
            (Self::Grid(grid), Cells::BigInt(values)) => grid.add(values[start..].iter().map(|value| *value as f32), sums),
            _ => {}
        }
    }
}

/// Buckets of equal width over the breaks. A bucket's number never falls when the feature rises, whatever is rounded,
/// so that only the breaks of the feature's own bucket need a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    low: f32,
    scale: f32,
    /// Breaks before each bucket.
    before: Vec<u32>,
    /// Most breaks in one bucket.
    most: usize,
    /// The breaks, and behind them as many NaN as a bucket may ask for.
    breaks: Vec<f32>,
    sums: Vec<f64>,
}

const BUCKETS: usize = 2048;

impl Grid {
    fn new(steps: &Steps) -> Self {
        let low = steps.breaks.first().copied().unwrap_or(0.0);
        let high = steps.breaks.last().copied().unwrap_or(0.0);
        let scale = BUCKETS as f32 / (high - low);
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let mut grid = Self { low, scale, before: vec![0; BUCKETS], most: 0, breaks: steps.breaks.clone(), sums: steps.sums.clone() };
        let mut counts = vec![0_usize; BUCKETS];
        for at in &steps.breaks {
            counts[grid.bucket(*at)] += 1;
        }
        let mut before = 0_usize;
        for (place, count) in grid.before.iter_mut().zip(&counts) {
            *place = before as u32;
            before += count;
        }
        grid.most = counts.into_iter().max().unwrap_or(0);
        grid.breaks.resize(steps.breaks.len() + grid.most, f32::NAN);
        grid
    }

    #[inline]
    fn bucket(&self, feature: f32) -> usize {
        // The cast takes what is below 0, and NaN, to 0, and what is above all integers to the greatest.
        (((feature - self.low) * self.scale) as u32 as usize).min(BUCKETS - 1)
    }

    fn add(&self, features: impl Iterator<Item = f32>, sums: &mut [f64]) {
        match self.most {
            0 => self.add_up_to::<0>(features, sums),
            1 => self.add_up_to::<1>(features, sums),
            2 => self.add_up_to::<2>(features, sums),
            3 => self.add_up_to::<3>(features, sums),
            4 => self.add_up_to::<4>(features, sums),
            _ => self.add_by_search(features, sums),
        }
    }

    #[inline]
    fn add_up_to<const MOST: usize>(&self, features: impl Iterator<Item = f32>, sums: &mut [f64]) {
        let nan = self.sums.len() - 1;
        for (sum, feature) in sums.iter_mut().zip(features) {
            let mut place = self.before[self.bucket(feature)] as usize;
            for _ in 0..MOST {
                place += usize::from(feature >= self.breaks[place]);
            }
            *sum += self.sums[if feature.is_nan() { nan } else { place }];
        }
    }

    fn add_by_search(&self, features: impl Iterator<Item = f32>, sums: &mut [f64]) {
        let nan = self.sums.len() - 1;
        for (sum, feature) in sums.iter_mut().zip(features) {
            let start = self.before[self.bucket(feature)] as usize;
            let near = &self.breaks[start..start + self.most];
            let place = start + near.partition_point(|at| *at <= feature);
            *sum += self.sums[if feature.is_nan() { nan } else { place }];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Scorer;
    use crate::tree::random::{feature, trees};

    /// The sum of all trees, tree by tree and column by column, as the tables must give it.
    fn walked(trees: &Trees, features: &[f32]) -> f64 {
        let mut sum = 0.0;
        for column in 0..features.len() as u32 {
            let own = trees.roots.iter().filter(|root| trees.columns_of(**root) == [column]);
            sum += own.map(|root| trees.walk(*root, |place| features[place])).fold(0.0, |sum, leaf| sum + leaf);
        }
        sum
    }

    proptest! {
        #[test]
        fn tables_give_the_bits_of_the_trees(trees in trees(2, true), rows in prop::collection::vec((feature(), any::<i64>(), -5_i64..5), 1..40)) {
            let scorer = Scorer::new(vec![Encoder::Float, Encoder::BigInt], 0.0, trees.clone()).unwrap();
            prop_assert!(scorer.tables().is_some());
            let floats: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            for integers in [rows.iter().map(|row| row.1).collect::<Vec<_>>(), rows.iter().map(|row| row.2).collect()] {
                let mut scores = vec![0.0; rows.len()];
                scorer.score(&[Cells::Float(&floats), Cells::BigInt(&integers)], &mut scores).unwrap();
                for (row, score) in scores.iter().enumerate() {
                    let sum = walked(&trees, &[floats[row] as f32, integers[row] as f32]);
                    prop_assert_eq!(score.to_bits(), (1.0 / (1.0 + libm::exp(-sum))).to_bits(), "row {}", row);
                }
            }
        }

        #[test]
        fn a_grid_finds_what_a_plain_search_finds(mut breaks in prop::collection::vec(feature(), 0..200), features in prop::collection::vec(feature(), 1..100)) {
            breaks.retain(|at| !at.is_nan());
            breaks.iter_mut().for_each(|at| *at += 0.0);
            breaks.sort_by(f32::total_cmp);
            breaks.dedup();
            let steps = Steps { sums: (0..breaks.len() + 2).map(|place| place as f64).collect(), breaks };
            steps.check().unwrap();
            let mut sums = vec![0.0; features.len()];
            Grid::new(&steps).add(features.iter().copied(), &mut sums);
            for (feature, sum) in features.iter().zip(sums) {
                prop_assert_eq!(sum, steps.at(*feature), "{}", feature);
            }
        }
    }
}
