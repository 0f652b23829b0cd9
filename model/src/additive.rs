//! Forests whose trees each read one column collapse to one table a column: the feature's line is cut at every
//! threshold, and each piece carries the sum of all leaves that a feature on it reaches. Exact in all branch modes,
//! because the sums are taken by walking the trees themselves with a feature of each piece.

use serde::{Deserialize, Serialize};

use crate::bins::Bins;
use crate::categories::Categories;
use crate::cells::Cells;
use crate::forest::{Aggregate, Forest, Tree};
use crate::program::{Kind, Register};
use crate::scorer::CHUNK;
use crate::shap;

/// What a part's table is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// The place of a text column's category.
    Place {
        /// The column.
        column: u32,
    },
    /// A number column.
    Number {
        /// The column.
        column: u32,
        /// Whether it is rounded to the nearest 32-bit float before.
        round: bool,
    },
    /// A register that was computed before.
    Register {
        /// The register.
        input: Register,
    },
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is asked with.
    pub source: Source,
    /// Where pieces begin, ascending, no NaN: piece `i` holds what is from `breaks[i - 1]` on, below `breaks[i]`. None for places.
    pub breaks: Vec<f64>,
    /// The sum of each piece and behind them the sum of a NaN; or the sum of each place and of an unknown text.
    pub sums: Vec<f64>,
    /// The mean of the sums over the background: contributions are measured from it.
    pub mean: f64,
}

impl Part {
    pub(crate) fn register(&self) -> Option<Register> {
        if let Source::Register { input } = self.source { Some(input) } else { None }
    }

    pub(crate) fn check(&self, columns: &[Kind]) -> Result<(), &'static str> {
        let sums = match (self.source, self.source_kind(columns)) {
            (Source::Place { .. }, Some(Kind::Text { categories })) if self.breaks.is_empty() => categories.len() + 1,
            (Source::Number { .. }, Some(Kind::Float | Kind::BigInt)) | (Source::Register { .. }, None) => self.breaks.len() + 2,
            _ => return Err("a table reads a column that is not there"),
        };
        if self.sums.len() != sums {
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

    fn source_kind<'a>(&self, columns: &'a [Kind]) -> Option<&'a Kind> {
        match self.source {
            Source::Place { column } | Source::Number { column, .. } => columns.get(column as usize),
            Source::Register { .. } => None,
        }
    }

    /// The sum for a feature: the plain way, for tables that are made once.
    pub fn at(&self, feature: f64) -> f64 {
        match self.source {
            Source::Place { .. } => self.sums[(feature as usize).min(self.sums.len() - 1)],
            _ if feature.is_nan() => self.sums[self.breaks.len() + 1],
            _ => self.sums[self.breaks.partition_point(|at| *at <= feature)],
        }
    }
}

/// What a feature of a forest is.
#[derive(Debug, Clone)]
pub enum Feature<'a> {
    /// A number column.
    Number {
        /// The column.
        column: u32,
        /// Whether it is rounded to the nearest 32-bit float.
        round: bool,
    },
    /// A value for each place of a text column.
    Table {
        /// The column.
        column: u32,
        /// One value a category and one for the unknown ones.
        values: &'a [f64],
    },
    /// Anything else: a register.
    Register(Register),
}

impl Feature<'_> {
    fn source(&self) -> Source {
        match self {
            Self::Number { column, round } => Source::Number { column: *column, round: *round },
            Self::Table { column, .. } => Source::Place { column: *column },
            Self::Register(input) => Source::Register { input: *input },
        }
    }
}

/// The base and tables of one target, when every tree reads one source at most.
pub fn collapse(forest: &Forest, features: &[Feature<'_>], target: u32) -> Option<(f64, Vec<Part>)> {
    if !matches!(forest.aggregate, Aggregate::Sum | Aggregate::Average) {
        return None;
    }
    let mut base = forest.base[target as usize];
    let share = if forest.aggregate == Aggregate::Average { 1.0 / forest.trees.len() as f64 } else { 1.0 };
    let mut groups: std::collections::BTreeMap<Source, Vec<(&Tree, usize)>> = std::collections::BTreeMap::new();
    for tree in &forest.trees {
        let mut sources: Vec<Source> =
            forest.nodes_of(tree).iter().map(|place| features[forest.nodes[*place as usize].feature as usize].source()).collect();
        sources.sort_unstable();
        sources.dedup();
        let slot = tree.targets.iter().position(|of| *of == target);
        match (sources.as_slice(), slot) {
            ([], Some(slot)) => base += forest.weights(tree, forest.walk(tree, |_| f64::NAN))[slot] * share,
            ([source], Some(slot)) => groups.entry(*source).or_default().push((tree, slot)),
            ([] | [_], None) => {}
            _ => return None,
        }
    }
    let covers = shap::covers(forest);
    let part = |(source, trees): (&Source, &Vec<(&Tree, usize)>)| {
        let mut part = part(forest, features, *source, trees, share);
        part.mean = trees.iter().map(|(tree, slot)| shap::expected(forest, &covers, tree, *slot) * share).sum();
        part
    };
    Some((base, groups.iter().map(part).collect()))
}

fn part(forest: &Forest, features: &[Feature<'_>], source: Source, trees: &[(&Tree, usize)], share: f64) -> Part {
    let sum = |value: &dyn Fn(usize) -> f64| {
        let leaves = trees.iter().map(|(tree, slot)| forest.weights(tree, forest.walk(tree, value))[*slot] * share);
        leaves.fold(0.0, |sum, leaf| sum + leaf)
    };
    if let Source::Place { .. } = source {
        let places = features.iter().map(|feature| if let Feature::Table { values, .. } = feature { values.len() } else { 0 });
        let of = |feature: &Feature<'_>| feature.source() == source;
        let places = features.iter().zip(places).filter(|(feature, _)| of(feature)).map(|(_, places)| places).max().unwrap_or(1);
        let value = |feature: usize, place: usize| match &features[feature] {
            Feature::Table { values, .. } => values.get(place).copied().unwrap_or(f64::NAN),
            _ => f64::NAN,
        };
        let sums = (0..places).map(|place| sum(&|feature| value(feature, place))).collect();
        return Part { source, breaks: Vec::new(), sums, mean: 0.0 };
    }
    let nodes = trees.iter().flat_map(|(tree, _)| forest.nodes_of(tree));
    let mut breaks: Vec<f64> = nodes.flat_map(|place| forest.nodes[place as usize].breaks()).collect();
    breaks.sort_by(f64::total_cmp);
    breaks.dedup();
    let mut part = Part { source, breaks: Vec::new(), sums: vec![sum(&|_| f64::NEG_INFINITY)], mean: 0.0 };
    for at in breaks {
        let value = sum(&|_| at);
        if part.sums.last().is_none_or(|last| last.to_bits() != value.to_bits()) {
            part.breaks.push(at);
            part.sums.push(value);
        }
    }
    part.sums.push(sum(&|_| f64::NAN));
    part
}

/// A part's table, laid out for fast lookup.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// It says the same of everything.
    Constant(f64),
    /// By the place of a text among the categories; the last is the unknown one's.
    Place { column: usize, sums: Vec<f64> },
    /// By an integer from `low` on; what is outside takes the first or last.
    Direct { column: usize, low: i64, sums: Vec<f64> },
    /// By the bins of a number column.
    Column { column: usize, round: bool, bins: Bins, sums: Vec<f64> },
    /// By the bins of a register.
    Register { input: usize, bins: Bins, sums: Vec<f64> },
}

/// Integers this far from 0 are exact as 32-bit floats.
const EXACT: f64 = 16_777_216.0;
const MAX_DIRECT: f64 = 4096.0;

impl Lookup {
    #[inline]
    pub(crate) fn new(part: &Part, columns: &[Kind]) -> Self {
        let same = part.sums.iter().all(|sum| sum.to_bits() == part.sums[0].to_bits());
        if same {
            return Self::Constant(part.sums[0]);
        }
        let sums = part.sums.clone();
        match part.source {
            Source::Place { column } => Self::Place { column: column as usize, sums },
            Source::Register { input } => Self::Register { input: input as usize, bins: Bins::new(part.breaks.clone()), sums },
            Source::Number { column, round } => {
                let integers = columns.get(column as usize) == Some(&Kind::BigInt);
                if let (true, Some(first), Some(last)) = (integers, part.breaks.first(), part.breaks.last())
                    && *first >= -EXACT
                    && *last <= EXACT
                    && last - first <= MAX_DIRECT
                {
                    let (low, high) = (first.floor() as i64 - 1, last.ceil() as i64 + 1);
                    let sums = (low..=high).map(|value| part.at(value as f64)).collect();
                    return Self::Direct { column: column as usize, low, sums };
                }
                Self::Column { column: column as usize, round, bins: Bins::new(part.breaks.clone()), sums }
            }
        }
    }

    /// Adds the part's share to each row's sum, from row `start` on. `done` holds the registers of these rows.
    pub(crate) fn add(&self, columns: &[Cells<'_>], categories: &[Option<Categories>], done: &[f64], start: usize, sums: &mut [f64]) {
        match self {
            Self::Constant(share) => sums.iter_mut().for_each(|sum| *sum += share),
            Self::Place { column, sums: shares } => {
                let (Cells::Text { offsets, bytes }, Some(categories)) = (columns[*column], &categories[*column]) else { return };
                let spans = offsets[start..].iter().zip(&offsets[start + 1..]);
                for (sum, (from, to)) in sums.iter_mut().zip(spans) {
                    *sum += shares[categories.find(bytes, *from as usize, *to as usize)];
                }
            }
            Self::Direct { column, low, sums: shares } => {
                let Cells::BigInt(values) = columns[*column] else { return };
                let high = low + (shares.len() as i64 - 1);
                for (sum, value) in sums.iter_mut().zip(&values[start..]) {
                    *sum += shares[((*value).clamp(*low, high) - low) as usize];
                }
            }
            Self::Column { column, round, bins, sums: shares } => match (columns[*column], round) {
                (Cells::Float(values), true) => add(bins, shares, values[start..].iter().map(|value| f64::from(*value as f32)), sums),
                (Cells::Float(values), false) => add(bins, shares, values[start..].iter().copied(), sums),
                (Cells::BigInt(values), true) => add(bins, shares, values[start..].iter().map(|value| f64::from(*value as f32)), sums),
                (Cells::BigInt(values), false) => add(bins, shares, values[start..].iter().map(|value| *value as f64), sums),
                (Cells::Text { .. }, _) => {}
            },
            Self::Register { input, bins, sums: shares } => add(bins, shares, done[input * CHUNK..].iter().copied(), sums),
        }
    }
}

#[inline(always)]
fn add(bins: &Bins, shares: &[f64], features: impl Iterator<Item = f64>, sums: &mut [f64]) {
    bins.each(features, sums.iter_mut(), |sum, bin| *sum += shares[bin]);
}
