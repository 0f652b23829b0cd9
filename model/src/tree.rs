//! Ensembles of trees of any depth, walked one by one: flat arrays, a child always behind its parent.

/// How a node compares its feature with its threshold; a NaN compares as IEEE 754 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Mode {
    pub(crate) const ALL: [Self; 6] = [Self::Leq, Self::Lt, Self::Gte, Self::Gt, Self::Eq, Self::Neq];
}

/// One inner node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// The column whose feature is compared.
    pub feature: u32,
    /// What it is compared with.
    pub threshold: f32,
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
    pub(crate) fn next(&self, feature: f32) -> Branch {
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
}

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// To the node of that place; always behind the node that it leaves.
    Node(u32),
    /// To the leaf of that place.
    Leaf(u32),
}

/// An ensemble: the sum of one leaf of each tree.
#[derive(Debug, Clone, Default)]
pub struct Trees {
    /// The inner nodes of all trees.
    pub nodes: Vec<Node>,
    /// The weights of all leaves.
    pub leaves: Vec<f64>,
    /// Where each tree starts.
    pub roots: Vec<Branch>,
}

impl Trees {
    /// Whether all places are in range and every walk ends.
    pub(crate) fn check(&self, columns: usize) -> Result<(), &'static str> {
        let in_range = |branch: Branch, from: Option<usize>| match branch {
            Branch::Leaf(leaf) => (leaf as usize) < self.leaves.len(),
            Branch::Node(node) => (node as usize) < self.nodes.len() && from.is_none_or(|from| node as usize > from),
        };
        if !self.roots.iter().all(|root| in_range(*root, None)) {
            return Err("a tree starts outside of the nodes");
        }
        if !self.leaves.iter().all(|leaf| leaf.is_finite()) {
            return Err("the weight of a leaf is not finite");
        }
        for (place, node) in self.nodes.iter().enumerate() {
            if node.feature as usize >= columns {
                return Err("a node reads a column that is not there");
            }
            if !in_range(node.when_true, Some(place)) || !in_range(node.when_false, Some(place)) {
                return Err("a branch leads backwards or out of the tree");
            }
        }
        Ok(())
    }

    /// The leaf that tree `root` gives for the features that `feature` reads.
    #[inline]
    pub(crate) fn walk(&self, root: Branch, feature: impl Fn(usize) -> f32) -> f64 {
        let mut at = root;
        loop {
            match at {
                Branch::Leaf(leaf) => return self.leaves[leaf as usize],
                Branch::Node(node) => {
                    let node = &self.nodes[node as usize];
                    at = node.next(feature(node.feature as usize));
                }
            }
        }
    }

    /// The columns that tree `root` reads, each once.
    pub(crate) fn columns_of(&self, root: Branch) -> Vec<u32> {
        let (mut found, mut open) = (Vec::new(), vec![root]);
        while let Some(branch) = open.pop() {
            let Branch::Node(node) = branch else { continue };
            let node = &self.nodes[node as usize];
            if !found.contains(&node.feature) {
                found.push(node.feature);
            }
            open.extend([node.when_true, node.when_false]);
        }
        found
    }

    /// The thresholds of tree `root`.
    pub(crate) fn thresholds_of(&self, root: Branch) -> Vec<f32> {
        let (mut found, mut open) = (Vec::new(), vec![root]);
        while let Some(branch) = open.pop() {
            let Branch::Node(node) = branch else { continue };
            let node = &self.nodes[node as usize];
            found.push(node.threshold);
            open.extend([node.when_true, node.when_false]);
        }
        found
    }

    /// Adds every tree's leaf to each row's sum, tree after tree. `features` holds the columns one after the other,
    /// `sums.len()` rows each.
    pub(crate) fn add(&self, features: &[f32], sums: &mut [f64]) {
        let rows = sums.len();
        for root in &self.roots {
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum += self.walk(*root, |column| features[column * rows + row]);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod random {
    //! Random ensembles, for the tests of the kernels.

    use proptest::prelude::*;

    use super::*;

    /// Floats where comparisons are interesting.
    pub(crate) fn feature() -> impl Strategy<Value = f32> + Clone {
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f32::NAN),
            Just(f32::INFINITY),
            Just(f32::NEG_INFINITY),
            Just(f32::MAX),
            Just(1.0e-45),
            (-3_i8..4).prop_map(f32::from),
            (-3_i8..4).prop_map(|value| f32::from(value).next_up()),
            -4.0_f32..4.0,
            any::<f32>(),
        ]
    }

    /// Trees of one inner node (or two, over the same column or another one).
    pub(crate) fn trees(columns: u32, same_column: bool) -> impl Strategy<Value = Trees> {
        let node = (0..columns, feature(), 0_usize..6, any::<bool>());
        prop::collection::vec((node.clone(), node, prop::array::uniform3(-2.0_f32..2.0), any::<bool>()), 0..30).prop_map(move |list| {
            let mut trees = Trees::default();
            for (first, second, leaves, deep) in list {
                let (at, leaf) = (trees.nodes.len() as u32, trees.leaves.len() as u32);
                let make = |(feature, threshold, mode, missing_is_true): (u32, f32, usize, bool), when_true, when_false| Node {
                    feature,
                    threshold,
                    mode: Mode::ALL[mode],
                    missing_is_true,
                    when_true,
                    when_false,
                };
                let other = if deep { Branch::Node(at + 1) } else { Branch::Leaf(leaf + 1) };
                trees.nodes.push(make(first, Branch::Leaf(leaf), other));
                if deep {
                    let second = if same_column { (first.0, second.1, second.2, second.3) } else { second };
                    trees.nodes.push(make(second, Branch::Leaf(leaf + 1), Branch::Leaf(leaf + 2)));
                }
                trees.leaves.extend(leaves.map(f64::from));
                trees.roots.push(Branch::Node(at));
            }
            trees
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(mode: Mode, missing_is_true: bool) -> Node {
        Node { feature: 0, threshold: 0.5, mode, missing_is_true, when_true: Branch::Leaf(1), when_false: Branch::Leaf(0) }
    }

    /// The answers of onnxruntime 1.2x for features 0, 0.5, 1 and NaN.
    #[test]
    fn branch_modes_compare_as_onnxruntime_does() {
        let expected = [
            (Mode::Leq, [true, true, false, false]),
            (Mode::Lt, [true, false, false, false]),
            (Mode::Gte, [false, true, true, false]),
            (Mode::Gt, [false, false, true, false]),
            (Mode::Eq, [false, true, false, false]),
            (Mode::Neq, [true, false, true, true]),
        ];
        for (mode, holds) in expected {
            for (feature, holds) in [0.0, 0.5, 1.0, f32::NAN].into_iter().zip(holds) {
                assert_eq!(node(mode, false).next(feature), Branch::Leaf(u32::from(holds)), "{mode:?} {feature}");
                assert_eq!(node(mode, true).next(feature), Branch::Leaf(u32::from(holds || feature.is_nan())), "{mode:?} {feature}");
            }
        }
    }

    #[test]
    fn a_branch_backwards_or_out_of_range_is_refused() {
        let ends = |when_true| Trees {
            nodes: vec![Node { when_true, ..node(Mode::Leq, false) }],
            leaves: vec![0.0; 2],
            roots: vec![Branch::Node(0)],
        };
        assert!(ends(Branch::Leaf(1)).check(1).is_ok());
        assert!(ends(Branch::Leaf(2)).check(1).is_err());
        assert!(ends(Branch::Node(0)).check(1).is_err());
        assert!(ends(Branch::Node(1)).check(1).is_err());
        assert!(ends(Branch::Leaf(1)).check(0).is_err());
    }
}
