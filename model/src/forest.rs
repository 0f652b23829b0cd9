//! Trees as data: flat arrays, a child always behind its parent, the leaves of one tree side by side.

use serde::{Deserialize, Serialize};

/// How a node compares its feature with its threshold; a NaN compares as IEEE 754 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// feature <= threshold
    Leq,
    /// feature < threshold
    Lt,
    /// feature >= threshold
    Gte,
    /// feature > threshold
    Gt,
    /// feature == threshold
    Eq,
    /// feature != threshold
    Neq,
}

/// One inner node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The feature that is compared.
    pub feature: u32,
    /// What it is compared with.
    pub threshold: f64,
    /// How.
    pub mode: Mode,
    /// Whether a NaN takes the branch for true, whatever the comparison says.
    pub missing_is_true: bool,
    /// Where to go when the comparison holds.
    pub when_true: Branch,
    /// Where to go when it does not.
    pub when_false: Branch,
}

impl Node {
    /// Where this feature goes.
    #[inline]
    pub fn next(&self, feature: f64) -> Branch {
        let holds = match self.mode {
            Mode::Leq => feature <= self.threshold,
            Mode::Lt => feature < self.threshold,
            Mode::Gte => feature >= self.threshold,
            Mode::Gt => feature > self.threshold,
            Mode::Eq => feature == self.threshold,
            Mode::Neq => feature != self.threshold,
        };
        if holds || (self.missing_is_true && feature.is_nan()) { self.when_true } else { self.when_false }
    }

    /// The features from which on the comparison turns out differently.
    pub(crate) fn breaks(&self) -> impl Iterator<Item = f64> {
        let at = self.threshold + 0.0; // -0 and 0 compare equal
        let (first, second) = match self.mode {
            Mode::Leq | Mode::Gt => (None, Some(at.next_up())),
            Mode::Lt | Mode::Gte => (Some(at), None),
            Mode::Eq | Mode::Neq => (Some(at), Some(at.next_up())),
        };
        // Nothing is below negative infinity, and nothing above the positive one.
        let above = second.filter(|_| at < f64::INFINITY);
        first.into_iter().chain(above).filter(|at| *at > f64::NEG_INFINITY)
    }
}

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Branch {
    /// To the node of that place; always behind the node that it leaves.
    Node(u32),
    /// To the leaf of that place.
    Leaf(u32),
}

/// One tree of a forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Where it starts.
    pub root: Branch,
    /// Its first leaf.
    pub first_leaf: u32,
    /// How many leaves it has.
    pub leaves: u32,
    /// The targets that its leaves have weights for.
    pub targets: Vec<u32>,
    /// Where the weights of its first leaf start; each leaf has one a target.
    pub first_weight: u32,
}

/// How the leaves of all trees come to one number a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum over the number of trees.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// How many training rows each node and leaf saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Covers {
    /// One a node.
    pub nodes: Vec<f64>,
    /// One a leaf.
    pub leaves: Vec<f64>,
}

/// An ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    /// The inner nodes of all trees.
    pub nodes: Vec<Node>,
    /// The trees.
    pub trees: Vec<Tree>,
    /// The weights of all leaves.
    pub weights: Vec<f64>,
    /// How they come together.
    pub aggregate: Aggregate,
    /// What is added in the end, one a target.
    pub base: Vec<f64>,
    /// What reasons are measured from.
    pub covers: Option<Covers>,
}

impl Forest {
    /// How many numbers it gives a row.
    pub fn targets(&self) -> usize {
        self.base.len()
    }

    /// How many leaves all trees have.
    pub fn leaves(&self) -> usize {
        self.trees.last().map_or(0, |tree| (tree.first_leaf + tree.leaves) as usize)
    }

    /// The weights of a leaf of a tree, one for each of the tree's targets.
    pub fn weights(&self, tree: &Tree, leaf: u32) -> &[f64] {
        let start = tree.first_weight as usize + (leaf - tree.first_leaf) as usize * tree.targets.len();
        &self.weights[start..start + tree.targets.len()]
    }

    /// Whether all places are in range and every walk ends.
    pub(crate) fn check(&self, features: usize) -> Result<(), &'static str> {
        if !self.weights.iter().chain(&self.base).all(|weight| weight.is_finite()) {
            return Err("the weight of a leaf is not finite");
        }
        if self.base.is_empty() || self.trees.is_empty() {
            return Err("trees without a target, or no trees");
        }
        let (mut leaf, mut weight) = (0_u64, 0_u64);
        for tree in &self.trees {
            if u64::from(tree.first_leaf) != leaf || u64::from(tree.first_weight) != weight {
                return Err("the leaves of the trees are not side by side");
            }
            leaf += u64::from(tree.leaves);
            weight += u64::from(tree.leaves) * tree.targets.len() as u64;
            if tree.leaves == 0 || tree.targets.iter().any(|target| *target as usize >= self.base.len()) {
                return Err("a tree has no leaf, or a target that is not there");
            }
        }
        if weight != self.weights.len() as u64 || leaf > u64::from(u32::MAX) {
            return Err("another number of weights than leaves");
        }
        let fits = |covers: &Covers| covers.nodes.len() == self.nodes.len() && covers.leaves.len() as u64 == leaf;
        if !self.covers.as_ref().is_none_or(fits) {
            return Err("another number of covers than nodes");
        }
        self.check_branches(features)
    }

    fn check_branches(&self, features: usize) -> Result<(), &'static str> {
        let mut owner = vec![u32::MAX; self.nodes.len()];
        for (number, tree) in self.trees.iter().enumerate() {
            let mut open = vec![(tree.root, 0)];
            while let Some((branch, least)) = open.pop() {
                match branch {
                    Branch::Leaf(leaf) if leaf < tree.first_leaf || leaf - tree.first_leaf >= tree.leaves => {
                        return Err("a branch leads to a leaf of another tree");
                    }
                    Branch::Leaf(_) => {}
                    Branch::Node(place) => {
                        let node = self.nodes.get(place as usize).ok_or("a branch leads out of the tree")?;
                        if place < least || node.feature as usize >= features {
                            return Err("a branch leads backwards, or a node reads a feature that is not there");
                        }
                        if owner[place as usize] != number as u32 {
                            owner[place as usize] = number as u32;
                            open.extend([(node.when_true, place + 1), (node.when_false, place + 1)]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The leaf that a tree gives for the features that `feature` reads.
    #[inline]
    pub fn walk(&self, tree: &Tree, feature: impl Fn(usize) -> f64) -> u32 {
        let mut at = tree.root;
        loop {
            match at {
                Branch::Leaf(leaf) => return leaf,
                Branch::Node(node) => {
                    let node = &self.nodes[node as usize];
                    at = node.next(feature(node.feature as usize));
                }
            }
        }
    }

    /// The nodes of a tree, each once, parents first.
    pub fn nodes_of(&self, tree: &Tree) -> Vec<u32> {
        let (mut found, mut open) = (Vec::new(), vec![tree.root]);
        while let Some(branch) = open.pop() {
            let Branch::Node(place) = branch else { continue };
            if insert(&mut found, place) {
                let node = &self.nodes[place as usize];
                open.extend([node.when_true, node.when_false]);
            }
        }
        found
    }

    /// The features that some nodes read, ascending, each once.
    pub(crate) fn features_of(&self, nodes: &[u32]) -> Vec<u32> {
        let mut found = Vec::new();
        for place in nodes {
            insert(&mut found, self.nodes[*place as usize].feature);
        }
        found
    }

    /// Whether each of a tree's branches leads to a place of its own. A set of members is written as a chain of nodes
    /// that share one end.
    pub fn is_shared(&self, tree: &Tree) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        self.nodes_of(tree).iter().any(|place| {
            let node = &self.nodes[*place as usize];
            [node.when_true, node.when_false].into_iter().any(|branch| match branch {
                Branch::Node(child) => !seen.insert((true, child)),
                Branch::Leaf(child) => !seen.insert((false, child)),
            })
        })
    }

    /// Starts, combines and finishes one target's number, as [`Aggregate`] says.
    #[inline]
    pub(crate) fn start(&self, target: usize) -> f64 {
        match self.aggregate {
            Aggregate::Sum => self.base[target],
            Aggregate::Average => 0.0,
            Aggregate::Min => f64::INFINITY,
            Aggregate::Max => f64::NEG_INFINITY,
        }
    }

    #[inline]
    pub(crate) fn finish(&self, target: usize, sum: f64) -> f64 {
        match self.aggregate {
            Aggregate::Sum => sum,
            Aggregate::Average => sum / self.trees.len() as f64 + self.base[target],
            Aggregate::Min | Aggregate::Max => sum + self.base[target],
        }
    }
}

/// Adds a number to an ascending list; whether it was not there. What comes later is mostly greater, so that little is moved
/// (and a guest carries no set of its own for it).
fn insert(list: &mut Vec<u32>, number: u32) -> bool {
    let place = list.binary_search(&number);
    if let Err(place) = place {
        list.insert(place, number);
    }
    place.is_err()
}
