//! Large trees, walked eight rows at a time: a node is one word, its children lie side by side, and which one a row
//! takes is one comparison of small integers, so that eight walks wait for memory together instead of one by one.

use crate::bins::Bins;
use crate::forest::{Aggregate, Branch, Forest, Mode, Node, Tree};
use crate::scorer::CHUNK;

/// Rows that are walked together.
const LANES: usize = 8;
const PLANE_BITS: u32 = 14;
const CHILD_BITS: u32 = 26;
/// A number that no bin reaches.
const NEVER: u64 = (1 << (64 - PLANE_BITS - CHILD_BITS)) - 1;

/// A node: plane | first child | the least bin that takes the second child.
fn word(plane: usize, child: usize, least: u64) -> u64 {
    plane as u64 | (child as u64) << PLANE_BITS | least << (PLANE_BITS + CHILD_BITS)
}

#[derive(Debug, Clone)]
struct Walk {
    root: u32,
    /// The most steps from the root to a leaf.
    depth: u32,
    targets: Vec<u32>,
    first_leaf: u32,
    first_weight: u32,
}

/// A forest, laid out for walking.
#[derive(Debug, Clone)]
pub(crate) struct Walker {
    nodes: Vec<u64>,
    /// The leaf at each node that is one.
    leaves: Vec<u32>,
    trees: Vec<Walk>,
    weights: Vec<f64>,
    /// The feature of each plane, and whether NaN is below all else there; else it is above.
    planes: Vec<(u32, bool)>,
}

impl Walker {
    /// `None` when there are too many nodes, planes or bins.
    #[inline]
    pub(crate) fn new(forest: &Forest, bins: &[Bins]) -> Option<Self> {
        let mut walker =
            Self { nodes: Vec::new(), leaves: Vec::new(), trees: Vec::new(), weights: forest.weights.clone(), planes: Vec::new() };
        if bins.iter().any(|bins| bins.count() as u64 + 1 >= NEVER) {
            return None;
        }
        for tree in &forest.trees {
            let root = walker.room(1);
            let depth = walker.place(forest, bins, tree.root, root)?;
            let Tree { targets, first_leaf, first_weight, .. } = tree.clone();
            walker.trees.push(Walk { root: root as u32, depth, targets, first_leaf, first_weight });
        }
        Some(walker)
    }

    fn room(&mut self, count: usize) -> usize {
        let start = self.nodes.len();
        self.nodes.resize(start + count, 0);
        self.leaves.resize(start + count, u32::MAX);
        start
    }

    /// Writes what `branch` leads to at `at`, and all below; answers how deep that is.
    fn place(&mut self, forest: &Forest, bins: &[Bins], branch: Branch, at: usize) -> Option<u32> {
        let mut open = vec![(branch, at, 0)];
        let mut deepest = 0;
        while let Some((branch, at, depth)) = open.pop() {
            deepest = deepest.max(depth);
            let node = match branch {
                Branch::Leaf(leaf) => {
                    // A leaf leads to itself, whatever the row.
                    self.nodes[at] = word(0, at, NEVER);
                    self.leaves[at] = leaf;
                    continue;
                }
                Branch::Node(place) => &forest.nodes[place as usize],
            };
            let ways = split(node, &bins[node.feature as usize]);
            let mut at = at;
            for (place, way) in ways.iter().enumerate() {
                let child = self.room(2);
                let plane = self.plane(node.feature, way.nan_first)?;
                if child + 2 >= 1 << CHILD_BITS {
                    return None;
                }
                self.nodes[at] = word(plane, child, way.least as u64 + u64::from(way.nan_first));
                // The second of two nodes for one comparison hangs on the first.
                let last = place + 1 == ways.len();
                open.push((way.below, child, depth + 1 + place as u32));
                if last {
                    open.push((way.above, child + 1, depth + 1 + place as u32));
                }
                at = child + 1;
            }
        }
        Some(deepest)
    }

    fn plane(&mut self, feature: u32, nan_first: bool) -> Option<usize> {
        let wanted = (feature, nan_first);
        let found = self.planes.iter().position(|plane| *plane == wanted);
        let plane = found.unwrap_or_else(|| {
            self.planes.push(wanted);
            self.planes.len() - 1
        });
        (plane < 1 << PLANE_BITS).then_some(plane)
    }

    /// Values that [`Walker::add`] needs room for.
    pub(crate) fn room_for(&self) -> usize {
        self.planes.len() * CHUNK
    }

    /// Adds each tree's leaf to the sums, tree after tree. `features` and `sums` are planes of [`CHUNK`] rows.
    pub(crate) fn add<'a>(
        &self,
        aggregate: Aggregate,
        bins: &[Bins],
        feature: impl Fn(usize) -> &'a [f64],
        room: &mut [u32],
        rows: usize,
        sums: &mut [f64],
    ) {
        // Tiles of eight rows: in each, plane after plane.
        let stride = self.planes.len() * LANES;
        let tiles = rows.div_ceil(LANES);
        room[..tiles * stride].fill(0);
        for (plane, (of, nan_first)) in self.planes.iter().enumerate() {
            let own = &bins[*of as usize];
            let nan = own.nan();
            let mut row = 0;
            let shift = u32::from(*nan_first);
            own.each(feature(*of as usize)[..rows].iter().copied(), std::iter::repeat(()), |(), bin| {
                let value = if *nan_first && bin == nan { 0 } else { bin as u32 + shift };
                room[row / LANES * stride + plane * LANES + row % LANES] = value;
                row += 1;
            });
        }
        for tree in &self.trees {
            for tile in 0..tiles {
                let values = &room[tile * stride..][..stride];
                let leaves = self.leaves_of(tree, values);
                let first = tile * LANES;
                for (lane, leaf) in leaves.into_iter().enumerate().take(rows - first) {
                    let width = tree.targets.len();
                    let weights = &self.weights[tree.first_weight as usize + (leaf - tree.first_leaf) as usize * width..][..width];
                    for (target, weight) in tree.targets.iter().zip(weights) {
                        let sum = &mut sums[*target as usize * CHUNK + first + lane];
                        *sum = match aggregate {
                            Aggregate::Sum | Aggregate::Average => *sum + weight,
                            Aggregate::Min => sum.min(*weight),
                            Aggregate::Max => sum.max(*weight),
                        };
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn leaves_of(&self, tree: &Walk, values: &[u32]) -> [u32; LANES] {
        let mut at = [tree.root as usize; LANES];
        for _ in 0..tree.depth {
            let mut moved = 0;
            for (lane, at) in at.iter_mut().enumerate() {
                let node = self.nodes[*at];
                let plane = node as usize & ((1 << PLANE_BITS) - 1);
                let child = (node >> PLANE_BITS) as usize & ((1 << CHILD_BITS) - 1);
                let least = (node >> (PLANE_BITS + CHILD_BITS)) as u32;
                let next = child + usize::from(values[plane * LANES + lane] >= least);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                break;
            }
        }
        at.map(|at| self.leaves[at])
    }
}

/// One comparison of bins.
struct Way {
    /// The least bin that goes to `above`.
    least: usize,
    below: Branch,
    above: Branch,
    /// Whether NaN goes to `below`.
    nan_first: bool,
}

/// A node as one comparison of bins, or two in a row: what is not below the first one's least bin goes on to the second.
fn split(node: &Node, bins: &Bins) -> Vec<Way> {
    let (yes, no, at) = (node.when_true, node.when_false, node.threshold);
    let nan = node.next(f64::NAN);
    // The bins that are below the threshold, and those that are not above it; nothing is either to a NaN.
    let (below, up_to) = if at.is_nan() { (0, 0) } else { (bins.bin(at), bins.bin(at) + 1) };
    let way = |least, below, above| Way { least, below, above, nan_first: nan == below };
    match node.mode {
        Mode::Leq => vec![way(up_to, yes, no)],
        Mode::Lt => vec![way(below, yes, no)],
        Mode::Gte | Mode::Gt if at.is_nan() => vec![way(bins.nan(), no, yes)],
        Mode::Gte => vec![way(below, no, yes)],
        Mode::Gt => vec![way(up_to, no, yes)],
        Mode::Eq | Mode::Neq => {
            let (equal, other) = if node.mode == Mode::Eq { (yes, no) } else { (no, yes) };
            // Both of the first one's ways lead to `other` for NaN; only its way down is used.
            vec![way(below, other, equal), way(up_to, equal, other)]
        }
    }
}
