//! Small trees without walking: for each tree and each feature that it reads, a table tells which leaves a feature of
//! each bin can still reach. The leaf of a row is the one bit that all of the row's masks have in common. No branch
//! depends on data, and no load on the one before.

use std::ops::BitAnd;

use crate::bins::Bins;
use crate::forest::{Aggregate, Branch, Forest, Node, Tree};
use crate::scorer::CHUNK;

/// The leaves that can be reached, one bit each.
pub(crate) trait Mask: Copy + Default + BitAnd<Output = Self> + Eq + std::fmt::Debug + Clone {
    fn of(bits: u64) -> Self;
    fn leaf(self) -> usize;
}

impl Mask for u32 {
    fn of(bits: u64) -> Self {
        bits as Self
    }
    #[inline(always)]
    fn leaf(self) -> usize {
        self.trailing_zeros() as usize
    }
}

impl Mask for u64 {
    fn of(bits: u64) -> Self {
        bits
    }
    #[inline(always)]
    fn leaf(self) -> usize {
        self.trailing_zeros() as usize
    }
}

/// A forest of trees with at most `L` leaves, over features with at most `N` bins; both powers of two, so that no
/// access needs a check.
#[derive(Debug, Clone)]
pub(crate) struct Masks<M: Mask, const N: usize, const L: usize> {
    /// The masks of each tree's features, tree after tree.
    tables: Vec<[M; N]>,
    /// The feature of each table.
    features: Vec<u16>,
    /// The tables of each tree: from the end of the one before to here.
    ends: Vec<u32>,
    /// The weights of each tree's leaves, one array a target, and those targets.
    weights: Vec<(u32, [f64; L])>,
    /// The arrays of each tree.
    weight_ends: Vec<u32>,
}

impl<M: Mask, const N: usize, const L: usize> Masks<M, N, L> {
    #[inline]
    pub(crate) fn new(forest: &Forest, bins: &[Bins]) -> Self {
        let mut masks = Self { tables: Vec::new(), features: Vec::new(), ends: Vec::new(), weights: Vec::new(), weight_ends: Vec::new() };
        for tree in &forest.trees {
            let nodes = forest.nodes_of(tree);
            for feature in forest.features_of(&nodes) {
                let own = nodes.iter().map(|place| &forest.nodes[*place as usize]).filter(|node| node.feature == feature);
                masks.tables.push(table(forest, tree, feature, &bins[feature as usize], &own.collect::<Vec<_>>()));
                masks.features.push(feature as u16);
            }
            masks.ends.push(masks.tables.len() as u32);
            for (slot, target) in tree.targets.iter().enumerate() {
                let mut weights = [0.0; L];
                for (place, weight) in weights.iter_mut().enumerate().take(tree.leaves as usize) {
                    *weight = forest.weights(tree, tree.first_leaf + place as u32)[slot];
                }
                masks.weights.push((*target, weights));
            }
            masks.weight_ends.push(masks.weights.len() as u32);
        }
        masks
    }

    /// Adds each tree's leaf to the sums, tree after tree. `bins` and `sums` are planes of [`CHUNK`] rows.
    pub(crate) fn add(&self, aggregate: Aggregate, bins: &[u16], rows: usize, sums: &mut [f64]) {
        let mut masks = [M::default(); CHUNK];
        let masks = &mut masks[..rows];
        let (mut table, mut weight) = (0, 0);
        for (end, weight_end) in self.ends.iter().zip(&self.weight_ends) {
            let (end, weight_end) = (*end as usize, *weight_end as usize);
            self.reach(table, end, bins, masks);
            table = end;
            for (target, weights) in &self.weights[weight..weight_end] {
                let sums = &mut sums[*target as usize * CHUNK..][..rows];
                let leaves = masks.iter().map(|mask| weights[mask.leaf() & (L - 1)]);
                match aggregate {
                    Aggregate::Sum | Aggregate::Average => sums.iter_mut().zip(leaves).for_each(|(sum, leaf)| *sum += leaf),
                    Aggregate::Min => sums.iter_mut().zip(leaves).for_each(|(sum, leaf)| *sum = sum.min(leaf)),
                    Aggregate::Max => sums.iter_mut().zip(leaves).for_each(|(sum, leaf)| *sum = sum.max(leaf)),
                }
            }
            weight = weight_end;
        }
    }

    /// What each row's leaves in a tree are: of its tables, four at a time.
    #[inline(always)]
    fn reach(&self, start: usize, end: usize, bins: &[u16], masks: &mut [M]) {
        if start == end {
            masks.fill(M::of(1));
        }
        let groups = self.tables[start..end].chunks(4).zip(self.features[start..end].chunks(4));
        for (place, (tables, features)) in groups.enumerate() {
            let plane = |slot: usize| &bins[features[slot] as usize * CHUNK..][..CHUNK];
            let first = place == 0;
            match tables {
                [a] => pass(first, masks, [a], [plane(0)]),
                [a, b] => pass(first, masks, [a, b], [plane(0), plane(1)]),
                [a, b, c] => pass(first, masks, [a, b, c], [plane(0), plane(1), plane(2)]),
                [a, b, c, d, ..] => pass(first, masks, [a, b, c, d], [plane(0), plane(1), plane(2), plane(3)]),
                [] => {}
            }
        }
    }
}

#[inline(always)]
fn pass<M: Mask, const N: usize, const K: usize>(first: bool, masks: &mut [M], tables: [&[M; N]; K], bins: [&[u16]; K]) {
    let planes = bins.map(|plane| &plane[..masks.len()]);
    for row in 0..masks.len() {
        let mut mask = tables[0][planes[0][row] as usize & (N - 1)];
        for slot in 1..K {
            mask = mask & tables[slot][planes[slot][row] as usize & (N - 1)];
        }
        masks[row] = if first { mask } else { masks[row] & mask };
    }
}

/// The mask of each bin of one feature of a tree. It changes only where one of the tree's own nodes tells bins apart.
#[inline]
fn table<M: Mask, const N: usize>(forest: &Forest, tree: &Tree, feature: u32, bins: &Bins, own: &[&Node]) -> [M; N] {
    let mut table = [M::default(); N];
    let mut before: Option<(Vec<Branch>, M)> = None;
    for (example, place) in bins.examples().zip(&mut table) {
        let ways: Vec<Branch> = own.iter().map(|node| node.next(example)).collect();
        if before.as_ref().is_none_or(|(other, _)| *other != ways) {
            let reached = reached(forest, tree, tree.root, feature, example);
            before = Some((ways, M::of(reached)));
        }
        *place = before.as_ref().map_or_else(M::default, |(_, mask)| *mask);
    }
    table
}

/// The leaves below `branch` that a row can reach whose feature is as given and whose others are anything.
#[inline]
fn reached(forest: &Forest, tree: &Tree, branch: Branch, feature: u32, value: f64) -> u64 {
    match branch {
        Branch::Leaf(leaf) => 1 << (leaf - tree.first_leaf),
        Branch::Node(place) => {
            let node = &forest.nodes[place as usize];
            if node.feature == feature {
                return reached(forest, tree, node.next(value), feature, value);
            }
            reached(forest, tree, node.when_true, feature, value) | reached(forest, tree, node.when_false, feature, value)
        }
    }
}
