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
