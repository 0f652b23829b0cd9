//! Which way a forest's trees are evaluated: by masks where its trees are small, else by walking.

use crate::bins::Bins;
use crate::forest::{Aggregate, Forest};
use crate::masks::Masks;
use crate::program::Register;
use crate::scorer::CHUNK;
use crate::walk::Walker;

/// Bytes that tables of masks may take; above, trees are walked.
const MAX_TABLES: usize = 4 << 20;

/// A forest, laid out.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    bins: Vec<Bins>,
    /// Whether a node reads the feature.
    used: Vec<bool>,
    layout: Layout,
}

#[derive(Debug, Clone)]
enum Layout {
    /// Up to 256 bins and 32 leaves.
    Small(Masks<u32, 256, 32>),
    /// Up to 1024 bins and 32 leaves.
    Fine(Masks<u32, 1024, 32>),
    /// Up to 256 bins and 64 leaves.
    Wide(Masks<u64, 256, 64>),
    /// Anything else.
    Walk(Walker),
}

impl Kernel {
    /// `None` when the forest is too large.
    #[inline]
    pub(crate) fn new(forest: &Forest, features: usize) -> Option<Self> {
        let mut breaks: Vec<Vec<f64>> = vec![Vec::new(); features];
        let mut used = vec![false; features];
        for node in &forest.nodes {
            used[node.feature as usize] = true;
            breaks[node.feature as usize].extend(node.breaks());
        }
        let bins: Vec<Bins> = breaks.into_iter().map(Bins::new).collect();
        let most = bins.iter().map(Bins::count).max().unwrap_or(0);
        let leaves = forest.trees.iter().map(|tree| tree.leaves).max().unwrap_or(0);
        let reads = |tree| forest.features_of(&forest.nodes_of(tree)).len();
        let tables = || forest.trees.iter().map(reads).sum::<usize>();
        let layout = match (most, leaves) {
            _ if features > usize::from(u16::MAX) => None,
            (0..=256, 0..=32) if tables() * 1024 <= MAX_TABLES => Some(Layout::Small(Masks::new(forest, &bins))),
            (0..=1024, 0..=32) if tables() * 4096 <= MAX_TABLES => Some(Layout::Fine(Masks::new(forest, &bins))),
            (0..=256, 0..=64) if tables() * 2048 <= MAX_TABLES => Some(Layout::Wide(Masks::new(forest, &bins))),
            _ => None,
        };
        let layout = match layout {
            Some(layout) => layout,
            None => Layout::Walk(Walker::new(forest, &bins)?),
        };
        Some(Self { bins, used, layout })
    }

    /// One number a row and target into `out`, planes of [`CHUNK`] rows as `done`.
    pub(crate) fn run(&self, forest: &Forest, inputs: &[Register], done: &[f64], room: &mut Vec<u32>, rows: usize, out: &mut [f64]) {
        let targets = || 0..forest.targets();
        for target in targets() {
            out[target * CHUNK..][..rows].fill(forest.start(target));
        }
        let feature = |place: usize| &done[inputs[place] as usize * CHUNK..][..rows];
        match &self.layout {
            Layout::Small(masks) => self.run_masks(masks, forest.aggregate, feature, room, rows, out),
            Layout::Fine(masks) => self.run_masks(masks, forest.aggregate, feature, room, rows, out),
            Layout::Wide(masks) => self.run_masks(masks, forest.aggregate, feature, room, rows, out),
            Layout::Walk(walker) => {
                room.resize(room.len().max(walker.room_for()), 0);
                walker.add(forest.aggregate, &self.bins, feature, room, rows, out);
            }
        }
        if forest.aggregate != Aggregate::Sum {
            for target in targets() {
                out[target * CHUNK..][..rows].iter_mut().for_each(|sum| *sum = forest.finish(target, *sum));
            }
        }
    }

    fn run_masks<'a, M: crate::masks::Mask, const N: usize, const L: usize>(
        &self,
        masks: &Masks<M, N, L>,
        aggregate: Aggregate,
        feature: impl Fn(usize) -> &'a [f64],
        room: &mut Vec<u32>,
        rows: usize,
        out: &mut [f64],
    ) {
        // Planes of 16-bit numbers, two in a word.
        room.resize(room.len().max(self.bins.len() * CHUNK / 2), 0);
        let planes: &mut [u16] = bytemuck::cast_slice_mut(room.as_mut_slice());
        for (place, (bins, plane)) in self.bins.iter().zip(planes.chunks_exact_mut(CHUNK)).enumerate() {
            if self.used[place] {
                bins.each(feature(place).iter().copied(), plane.iter_mut(), |out, bin| *out = bin as u16);
            }
        }
        masks.add(aggregate, planes, rows, out);
    }
}
