//! Random forests, for the tests of the kernels.

use proptest::prelude::*;

use crate::forest::{Aggregate, Branch, Forest, Mode, Node, Tree};

const MODES: [Mode; 6] = [Mode::Leq, Mode::Lt, Mode::Gte, Mode::Gt, Mode::Eq, Mode::Neq];

/// Floats where comparisons are interesting.
pub(crate) fn feature() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::from(f32::MAX)),
        Just(1.0e-45),
        Just(5e-324),
        (-3_i8..4).prop_map(f64::from),
        (-3_i8..4).prop_map(|value| f64::from(value).next_up()),
        -4.0_f64..4.0,
        any::<f32>().prop_map(f64::from),
    ]
}

/// What a tree is made of: for each inner node its feature, threshold, mode and way of NaN, and which of the open ends it takes.
type Parts = Vec<(u32, f64, usize, bool, prop::sample::Index)>;

/// Forests of up to `trees` trees of up to `nodes` nodes; with `one`, each tree reads one feature.
pub(crate) fn forest(features: u32, trees: usize, nodes: usize, targets: u32, one: bool) -> impl Strategy<Value = Forest> {
    let part = (0..features, feature(), 0_usize..6, any::<bool>(), any::<prop::sample::Index>());
    let tree = (prop::collection::vec(part, 0..nodes), prop::collection::btree_set(0..targets, 1..=targets as usize));
    (prop::collection::vec(tree, 1..trees), any::<u64>()).prop_map(move |(trees, seed)| {
        let base = (0..targets).map(|target| f64::from(target) / 4.0).collect();
        let mut forest =
            Forest { nodes: Vec::new(), trees: Vec::new(), weights: Vec::new(), aggregate: Aggregate::Sum, base, covers: None };
        let mut state = seed | 1;
        for (mut parts, targets) in trees {
            if one && let Some(first) = parts.first().map(|part| part.0) {
                parts.iter_mut().for_each(|part| part.0 = first);
            }
            add(&mut forest, &parts, targets.into_iter().collect(), &mut state);
        }
        forest
    })
}

fn add(forest: &mut Forest, parts: &Parts, targets: Vec<u32>, state: &mut u64) {
    let first_leaf = forest.leaves() as u32;
    let first_weight = forest.weights.len() as u32;
    let start = forest.nodes.len();
    // Ends that are not yet a node: of which node, and on which side.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for (number, (feature, threshold, mode, missing_is_true, end)) in parts.iter().enumerate() {
        let at = start + number;
        let leaf = Branch::Leaf(0);
        let mode = MODES[*mode];
        forest.nodes.push(Node {
            feature: *feature,
            threshold: *threshold,
            mode,
            missing_is_true: *missing_is_true,
            when_true: leaf,
            when_false: leaf,
        });
        if number > 0 {
            let (parent, side) = open.swap_remove(end.index(open.len()));
            let child = Branch::Node(at as u32);
            if side { forest.nodes[parent].when_true = child } else { forest.nodes[parent].when_false = child }
        }
        open.extend([(at, true), (at, false)]);
    }
    let leaves = open.len().max(1) as u32;
    for (place, (parent, side)) in open.into_iter().enumerate() {
        let child = Branch::Leaf(first_leaf + place as u32);
        if side { forest.nodes[parent].when_true = child } else { forest.nodes[parent].when_false = child }
    }
    for _ in 0..leaves as usize * targets.len() {
        *state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        forest.weights.push((*state >> 40) as f64 / f64::from(1 << 23) - 1.0);
    }
    let root = if parts.is_empty() { Branch::Leaf(first_leaf) } else { Branch::Node(start as u32) };
    forest.trees.push(Tree { root, first_leaf, leaves, targets, first_weight });
}
