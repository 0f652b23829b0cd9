//! A feature's line, cut into bins: all that a tree can tell of a feature is between which of its thresholds it lies.
//! Features become the numbers of their bins once, and everything behind works on these small integers.

/// The bins of one feature: bin `i` holds what is from `breaks[i - 1]` on and below `breaks[i]`; behind them is one for NaN.
#[derive(Debug, Clone)]
pub(crate) struct Bins {
    low: f64,
    scale: f64,
    /// Breaks before each bucket of the grid.
    before: Vec<u32>,
    /// Most breaks in one bucket.
    most: usize,
    /// The breaks, and behind them as many NaN as a bucket may ask for.
    padded: Vec<f64>,
    count: usize,
}

/// Buckets of a grid over many breaks.
const BUCKETS: usize = 2048;

impl Bins {
    /// `breaks` in any order, without NaN.
    #[inline]
    pub(crate) fn new(mut breaks: Vec<f64>) -> Self {
        breaks.iter_mut().for_each(|at| *at += 0.0); // -0 and 0 compare equal
        breaks.sort_unstable_by(f64::total_cmp);
        breaks.dedup();
        let count = breaks.len();
        let low = breaks.first().copied().unwrap_or(0.0);
        let high = breaks.last().copied().unwrap_or(0.0);
        let buckets = (count * 16).next_power_of_two().clamp(1, BUCKETS);
        let scale = buckets as f64 / (high - low);
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let mut bins = Self { low, scale, before: vec![0; buckets], most: 0, padded: breaks, count };
        let mut counts = vec![0_usize; buckets];
        for at in &bins.padded {
            counts[bins.bucket(*at)] += 1;
        }
        let mut before = 0_usize;
        for (place, count) in bins.before.iter_mut().zip(&counts) {
            *place = before as u32;
            before += count;
        }
        bins.most = counts.into_iter().max().unwrap_or(0);
        bins.padded.resize(count + bins.most.max(4), f64::NAN);
        bins
    }

    /// How many bins there are, the one for NaN included.
    pub(crate) fn count(&self) -> usize {
        self.count + 2
    }

    /// The bin of NaN.
    pub(crate) fn nan(&self) -> usize {
        self.count + 1
    }

    /// One feature of each bin, in order; the last is NaN.
    pub(crate) fn examples(&self) -> impl Iterator<Item = f64> {
        [f64::NEG_INFINITY].into_iter().chain(self.padded[..self.count].iter().copied()).chain([f64::NAN])
    }

    /// The bin of one feature.
    pub(crate) fn bin(&self, feature: f64) -> usize {
        if feature.is_nan() { self.nan() } else { self.padded[..self.count].partition_point(|at| *at <= feature) }
    }

    /// Buckets of equal width. A bucket's number never falls when the feature rises, whatever is rounded, so that only
    /// the breaks of the feature's own bucket need a comparison.
    #[inline(always)]
    fn bucket(&self, feature: f64) -> usize {
        // The cast takes what is below 0, and NaN, to 0, and what is above all integers to the greatest.
        (((feature - self.low) * self.scale) as u32 as usize).min(self.before.len() - 1)
    }

    /// Gives each of `outs` the bin of its feature.
    #[inline(always)]
    pub(crate) fn each<T>(&self, features: impl Iterator<Item = f64>, outs: impl Iterator<Item = T>, each: impl FnMut(T, usize)) {
        let rows = features.zip(outs);
        match self.most {
            0 => self.each_up_to::<0, T>(rows, each),
            1 => self.each_up_to::<1, T>(rows, each),
            2 => self.each_up_to::<2, T>(rows, each),
            3 | 4 => self.each_up_to::<4, T>(rows, each),
            _ => self.each_by_search(rows, each),
        }
    }

    #[inline(always)]
    fn each_up_to<const MOST: usize, T>(&self, rows: impl Iterator<Item = (f64, T)>, mut each: impl FnMut(T, usize)) {
        let nan = self.nan();
        for (feature, out) in rows {
            let mut place = self.before[self.bucket(feature)] as usize;
            for _ in 0..MOST {
                place += usize::from(feature >= self.padded[place]);
            }
            each(out, if feature.is_nan() { nan } else { place });
        }
    }

    #[inline(always)]
    fn each_by_search<T>(&self, rows: impl Iterator<Item = (f64, T)>, mut each: impl FnMut(T, usize)) {
        let nan = self.nan();
        for (feature, out) in rows {
            let start = self.before[self.bucket(feature)] as usize;
            let near = &self.padded[start..start + self.most];
            let place = start + near.partition_point(|at| *at <= feature);
            each(out, if feature.is_nan() { nan } else { place });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::feature;

    proptest! {
        #[test]
        fn a_grid_finds_what_a_plain_search_finds(mut breaks in prop::collection::vec(feature(), 0..200), features in prop::collection::vec(feature(), 1..100)) {
            breaks.retain(|at| !at.is_nan());
            let bins = Bins::new(breaks.clone());
            let mut found = Vec::new();
            bins.each(features.iter().copied(), std::iter::repeat(()), |(), bin| found.push(bin));
            breaks.iter_mut().for_each(|at| *at += 0.0);
            breaks.sort_by(f64::total_cmp);
            breaks.dedup();
            for (feature, bin) in features.iter().zip(found) {
                let expected = if feature.is_nan() { breaks.len() + 1 } else { breaks.partition_point(|at| *at <= *feature) };
                prop_assert_eq!(bin, expected, "{}", feature);
            }
            for (place, example) in bins.examples().enumerate() {
                bins.each([example].into_iter(), [()].into_iter(), |(), bin| assert_eq!(bin, if place == 0 && breaks.first() == Some(&f64::NEG_INFINITY) { 1 } else { place }));
            }
        }
    }
}
