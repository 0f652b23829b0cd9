//! Which feature moved a row's sum by how much: Shapley values of trees, path-dependent (Lundberg and others, "Consistent
//! individualized feature attribution for tree ensembles", algorithm 2). They add up exactly to the row's sum less the mean.

use crate::forest::{Branch, Covers, Forest, Tree};

/// The forest's covers; without any, every leaf counts the same.
pub(crate) fn covers(forest: &Forest) -> Covers {
    forest.covers.clone().unwrap_or_else(|| {
        let mut covers = Covers { nodes: vec![0.0; forest.nodes.len()], leaves: vec![1.0; forest.leaves()] };
        // A child is always behind its parent.
        for place in (0..forest.nodes.len()).rev() {
            let node = &forest.nodes[place];
            covers.nodes[place] = cover(&covers, node.when_true) + cover(&covers, node.when_false);
        }
        covers
    })
}

fn cover(covers: &Covers, branch: Branch) -> f64 {
    match branch {
        Branch::Node(place) => covers.nodes[place as usize],
        Branch::Leaf(place) => covers.leaves[place as usize],
    }
}

/// Which part of the rows at a node goes on to each of its two branches.
fn shares(covers: &Covers, forest: &Forest, place: u32) -> [f64; 2] {
    let node = &forest.nodes[place as usize];
    let (yes, no) = (cover(covers, node.when_true), cover(covers, node.when_false));
    if yes + no > 0.0 { [yes / (yes + no), no / (yes + no)] } else { [0.5, 0.5] }
}

/// The mean of a tree's leaves over the background.
pub(crate) fn expected(forest: &Forest, covers: &Covers, tree: &Tree, slot: usize) -> f64 {
    let (mut sum, mut open) = (0.0, vec![(tree.root, 1.0)]);
    while let Some((branch, part)) = open.pop() {
        match branch {
            Branch::Leaf(leaf) => sum += part * forest.weights(tree, leaf)[slot],
            Branch::Node(place) => {
                let node = &forest.nodes[place as usize];
                let [yes, no] = shares(covers, forest, place);
                open.extend([(node.when_true, part * yes), (node.when_false, part * no)]);
            }
        }
    }
    sum
}

/// One feature on the way from the root to a node.
#[derive(Debug, Clone, Copy)]
struct Step {
    feature: u32,
    /// The part of the background's rows that goes this way.
    zero: f64,
    /// 1 when the row itself goes this way, else 0.
    one: f64,
    weight: f64,
}

const NO_FEATURE: u32 = u32::MAX;

/// Explains one row after the other; keeps its memory between them.
#[derive(Debug)]
pub(crate) struct Explainer<'a> {
    forest: &'a Forest,
    covers: Covers,
    steps: Vec<Step>,
}

impl<'a> Explainer<'a> {
    pub(crate) fn new(forest: &'a Forest) -> Self {
        Self { forest, covers: covers(forest), steps: Vec::new() }
    }

    /// Adds `share` times each feature's contribution to one target of a tree to `add(feature, contribution)`.
    pub(crate) fn add(&mut self, tree: &Tree, slot: usize, feature: &impl Fn(usize) -> f64, add: &mut impl FnMut(usize, f64)) {
        self.steps.clear();
        self.descend(tree, slot, tree.root, 0, Step { feature: NO_FEATURE, zero: 1.0, one: 1.0, weight: 1.0 }, feature, add);
    }

    #[expect(clippy::too_many_arguments, reason = "a recursion, as the paper writes it")]
    fn descend(
        &mut self,
        tree: &Tree,
        slot: usize,
        branch: Branch,
        parent: usize,
        last: Step,
        feature: &impl Fn(usize) -> f64,
        add: &mut impl FnMut(usize, f64),
    ) {
        // This node's own copy of the way here, with one step more.
        let start = self.steps.len();
        self.steps.extend_from_within(parent..start);
        extend(&mut self.steps, start, last);
        match branch {
            Branch::Leaf(leaf) => {
                let weight = self.forest.weights(tree, leaf)[slot];
                let path = &self.steps[start..];
                for place in 1..path.len() {
                    let step = path[place];
                    add(step.feature as usize, unwound_sum(path, place) * (step.one - step.zero) * weight);
                }
            }
            Branch::Node(place) => {
                let node = &self.forest.nodes[place as usize];
                let hot = node.next(feature(node.feature as usize));
                let [yes, no] = shares(&self.covers, self.forest, place);
                let (mut zero, mut one) = (1.0, 1.0);
                if let Some(found) = self.steps[start..].iter().position(|step| step.feature == node.feature) {
                    (zero, one) = (self.steps[start + found].zero, self.steps[start + found].one);
                    unwind(&mut self.steps, start, found);
                }
                let taken = hot == node.when_true;
                for (child, part, goes) in [(node.when_true, yes, taken), (node.when_false, no, !taken)] {
                    let one = if goes { one } else { 0.0 };
                    if part * zero == 0.0 && one == 0.0 {
                        continue;
                    }
                    let end = self.steps.len();
                    let next = Step { feature: node.feature, zero: part * zero, one, weight: 0.0 };
                    self.descend(tree, slot, child, start, next, feature, add);
                    self.steps.truncate(end);
                }
            }
        }
    }
}

fn extend(steps: &mut Vec<Step>, start: usize, last: Step) {
    let depth = steps.len() - start;
    steps.push(Step { weight: if depth == 0 { 1.0 } else { 0.0 }, ..last });
    let path = &mut steps[start..];
    for place in (0..depth).rev() {
        path[place + 1].weight += last.one * path[place].weight * (place + 1) as f64 / (depth + 1) as f64;
        path[place].weight = last.zero * path[place].weight * (depth - place) as f64 / (depth + 1) as f64;
    }
}

/// Takes a step back out of the way.
fn unwind(steps: &mut Vec<Step>, start: usize, taken: usize) {
    let depth = steps.len() - start - 1;
    let path = &mut steps[start..];
    let Step { zero, one, .. } = path[taken];
    let mut next = path[depth].weight;
    for place in (0..depth).rev() {
        if one == 0.0 {
            path[place].weight = path[place].weight * (depth + 1) as f64 / (zero * (depth - place) as f64);
        } else {
            let before = path[place].weight;
            path[place].weight = next * (depth + 1) as f64 / ((place + 1) as f64 * one);
            next = before - path[place].weight * zero * (depth - place) as f64 / (depth + 1) as f64;
        }
    }
    for place in taken..depth {
        let Step { feature, zero, one, .. } = path[place + 1];
        path[place] = Step { feature, zero, one, weight: path[place].weight };
    }
    steps.pop();
}

fn unwound_sum(path: &[Step], taken: usize) -> f64 {
    let depth = path.len() - 1;
    let Step { zero, one, .. } = path[taken];
    let mut next = path[depth].weight;
    let mut total = 0.0;
    for place in (0..depth).rev() {
        if one != 0.0 {
            let part = next * (depth + 1) as f64 / ((place + 1) as f64 * one);
            total += part;
            next = path[place].weight - part * zero * (depth - place) as f64 / (depth + 1) as f64;
        } else if zero != 0.0 {
            total += path[place].weight / zero * (depth + 1) as f64 / (depth - place) as f64;
        }
    }
    total
}
