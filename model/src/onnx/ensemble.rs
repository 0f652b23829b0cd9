//! The lists of the newer TreeEnsemble operator (ai.onnx.ml 5): inner nodes and leaves apart, sets of members.

use super::attributes::Attributes;
use super::fault;
use super::graph::Result;
use super::trees::{Entry, Source};
use crate::forest::Mode;

const MEMBER: i64 = 6;

pub(super) fn read(attributes: Attributes<'_>) -> Result<Source> {
    let node = attributes.node;
    let numbers = |name: &str| -> Result<Vec<f64>> {
        Ok(attributes.tensor(name)?.and_then(|tensor| tensor.numbers().map(<[f64]>::to_vec)).unwrap_or_default())
    };
    let (features, splits) = (attributes.ints("nodes_featureids"), numbers("nodes_splits")?);
    let modes: Vec<i64> = numbers("nodes_modes")?.into_iter().map(|mode| mode as i64).collect();
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let (yes_leaf, no_leaf) = (attributes.ints("nodes_trueleafs"), attributes.ints("nodes_falseleafs"));
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    let count = features.len();
    if [splits.len(), modes.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len()].iter().any(|len| *len != count) {
        return Err(fault(node, "its lists of nodes differ in length"));
    }
    let (targets, weights) = (attributes.ints("leaf_targetids"), numbers("leaf_weights")?);
    if targets.len() != weights.len() {
        return Err(fault(node, "its lists of leaves differ in length"));
    }
    let mut sets = members(&numbers("membership_values")?).into_iter();
    // Leaves may be shared between branches; each branch gets its own.
    let mut entries: Vec<Entry> = (0..count).map(|_| Entry::Leaf(Vec::new())).collect();
    let leaf = |at: i64, entries: &mut Vec<Entry>| -> Result<usize> {
        let place = usize::try_from(at).ok().filter(|place| *place < weights.len());
        let place = place.ok_or_else(|| fault(node, format!("a branch leads to leaf {at}, of {}", weights.len())))?;
        let target = u32::try_from(targets[place]).map_err(|_| fault(node, "a leaf's target is negative"))?;
        entries.push(Entry::Leaf(vec![(target, weights[place])]));
        Ok(entries.len() - 1)
    };
    for place in 0..count {
        let inner = |at: i64| {
            let found = usize::try_from(at).ok().filter(|at| *at < count);
            found.ok_or_else(|| fault(node, format!("a branch leads to node {at}, of {count}")))
        };
        let when_true = if yes_leaf[place] != 0 { leaf(yes[place], &mut entries)? } else { inner(yes[place])? };
        let when_false = if no_leaf[place] != 0 { leaf(no[place], &mut entries)? } else { inner(no[place])? };
        let tests = match modes[place] {
            0 => vec![(Mode::Leq, splits[place])],
            1 => vec![(Mode::Lt, splits[place])],
            2 => vec![(Mode::Gte, splits[place])],
            3 => vec![(Mode::Gt, splits[place])],
            4 => vec![(Mode::Eq, splits[place])],
            5 => vec![(Mode::Neq, splits[place])],
            MEMBER => {
                let set = sets.next().filter(|set| !set.is_empty());
                let set = set.ok_or_else(|| fault(node, "a set of members is missing or empty"))?;
                set.into_iter().map(|member| (Mode::Eq, member)).collect()
            }
            other => return Err(fault(node, format!("mode {other} of a node is unknown"))),
        };
        let feature = u32::try_from(features[place]).unwrap_or(u32::MAX);
        let missing_is_true = missing.get(place).is_some_and(|tracks| *tracks != 0);
        entries[place] = Entry::Split { feature, tests, missing_is_true, when_true, when_false };
    }
    let roots = attributes.ints("tree_roots").iter().map(|root| {
        let found = usize::try_from(*root).ok().filter(|root| *root < count);
        found.ok_or_else(|| fault(node, format!("a tree starts at node {root}, of {count}")))
    });
    let mut hits = numbers("nodes_hitrates")?;
    hits.resize(entries.len(), f64::NAN);
    Ok(Source { roots: roots.collect::<Result<_>>()?, entries, hits })
}

/// Sets of members, each closed by a NaN.
fn members(values: &[f64]) -> Vec<Vec<f64>> {
    let mut sets: Vec<Vec<f64>> = values.split(|value| value.is_nan()).map(<[f64]>::to_vec).collect();
    if sets.last().is_some_and(Vec::is_empty) {
        sets.pop();
    }
    sets
}
