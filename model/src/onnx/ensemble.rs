//! A TreeEnsembleClassifier's attributes to flat trees.

use std::collections::HashMap;

use tract_onnx::pb::NodeProto;

use super::attributes::Attributes;
use super::{OnnxError, fault};
use crate::{Branch, Mode, Node, Trees};

const KNOWN: [&str; 17] = [
    "base_values",
    "class_ids",
    "class_nodeids",
    "class_treeids",
    "class_weights",
    "classlabels_int64s",
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
    "post_transform",
    "domain",
];

/// The node's place in the ONNX lists, by tree and node.
type Places = HashMap<(i64, i64), usize>;

struct Reader<'a> {
    node: &'a NodeProto,
    modes: Vec<&'a str>,
    trees: &'a [i64],
    nodes: &'a [i64],
    whens: [&'a [i64]; 2],
    columns: Vec<u32>,
    thresholds: &'a [f32],
    missing: &'a [i64],
    places: Places,
    weights: HashMap<(i64, i64), f64>,
    out: Trees,
}

/// The base and the trees; `features` tells the column of each feature.
pub(super) fn read(node: &NodeProto, features: &[usize]) -> Result<(f64, Trees), OnnxError> {
    let attributes = Attributes::of(node, &KNOWN)?;
    let post = attributes.text("post_transform")?.unwrap_or("NONE");
    if post != "LOGISTIC" {
        return Err(fault(node, format!("post_transform {post} cannot be compiled; LOGISTIC can")));
    }
    if attributes.ints("classlabels_int64s").len() != 2 {
        return Err(fault(node, "only two classes with integer labels (classlabels_int64s) can be compiled"));
    }
    let classes = attributes.ints("class_ids");
    if classes.windows(2).any(|pair| pair[0] != pair[1]) || !matches!(classes.first(), Some(0 | 1)) {
        return Err(fault(node, "only weights of one class (class_ids all 0 or all 1) can be compiled"));
    }
    let base = match attributes.floats("base_values") {
        [] => 0.0,
        [base] if classes.first() == Some(&0) => f64::from(*base),
        _ => return Err(fault(node, "only one base value, with class_ids all 0, can be compiled")),
    };
    let mut reader = Reader::new(node, &attributes, features)?;
    let mut roots: Vec<i64> = Vec::new();
    for tree in reader.trees {
        if roots.last() != Some(tree) && !roots.contains(tree) {
            roots.push(*tree);
        }
    }
    for tree in roots {
        let root = reader.root(tree)?;
        reader.out.roots.push(root);
    }
    Ok((base, reader.out))
}

impl<'a> Reader<'a> {
    fn new(node: &'a NodeProto, attributes: &Attributes<'a>, features: &[usize]) -> Result<Self, OnnxError> {
        let (trees, nodes) = (attributes.ints("nodes_treeids"), attributes.ints("nodes_nodeids"));
        let modes = attributes.texts("nodes_modes")?;
        let whens = [attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids")];
        let thresholds = attributes.floats("nodes_values");
        let lengths =
            [nodes.len(), modes.len(), whens[0].len(), whens[1].len(), thresholds.len(), attributes.ints("nodes_featureids").len()];
        if lengths.iter().any(|len| *len != trees.len()) {
            return Err(fault(node, "its lists of nodes differ in length"));
        }
        let columns = attributes.ints("nodes_featureids").iter().zip(&modes).map(|(feature, mode)| {
            let column = usize::try_from(*feature).ok().and_then(|feature| features.get(feature));
            match column {
                Some(column) => Ok(*column as u32),
                None if *mode == "LEAF" => Ok(0),
                None => Err(fault(node, format!("it reads feature {feature}, of {}", features.len()))),
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let places: Places = trees.iter().zip(nodes).enumerate().map(|(place, (tree, id))| ((*tree, *id), place)).collect();
        if places.len() != trees.len() {
            return Err(fault(node, "a node is listed twice"));
        }
        let (class_trees, class_nodes) = (attributes.ints("class_treeids"), attributes.ints("class_nodeids"));
        let class_weights = attributes.floats("class_weights");
        let lengths = [class_nodes.len(), class_weights.len(), attributes.ints("class_ids").len()];
        if lengths.iter().any(|len| *len != class_trees.len()) {
            return Err(fault(node, "its lists of weights differ in length"));
        }
        let mut weights = HashMap::new();
        for ((tree, id), weight) in class_trees.iter().zip(class_nodes).zip(class_weights) {
            *weights.entry((*tree, *id)).or_insert(0.0) += f64::from(*weight);
        }
        let missing = attributes.ints("nodes_missing_value_tracks_true");
        Ok(Self { node, modes, trees, nodes, whens, columns, thresholds, missing, places, weights, out: Trees::default() })
    }

    /// The first node listed that no other node of its tree leads to is the root: by ONNX, the first of the tree.
    fn root(&mut self, tree: i64) -> Result<Branch, OnnxError> {
        let place = self.trees.iter().position(|of| *of == tree).unwrap_or(0);
        let limit = self.out.nodes.len() + self.trees.iter().filter(|of| **of == tree).count();
        // Parents are written before their children; each entry is a place and where the branch to it is kept.
        let root = self.branch(place)?;
        let mut open = vec![(place, root)];
        while let Some((place, branch)) = open.pop() {
            let Branch::Node(at) = branch else { continue };
            if self.out.nodes.len() > limit {
                return Err(fault(self.node, format!("tree {tree} is not a tree: a node is reached twice")));
            }
            let mut ends = [branch; 2];
            for (end, when) in ends.iter_mut().zip(self.whens) {
                let id = when[place];
                let child = self.places.get(&(tree, id)).copied();
                let child =
                    child.ok_or_else(|| fault(self.node, format!("tree {tree}: a branch leads to node {id}, which is not there")))?;
                *end = self.branch(child)?;
                open.push((child, *end));
            }
            self.out.nodes[at as usize].when_true = ends[0];
            self.out.nodes[at as usize].when_false = ends[1];
        }
        Ok(root)
    }

    /// Writes the node or leaf at `place`; a node's branches are still to be filled in.
    fn branch(&mut self, place: usize) -> Result<Branch, OnnxError> {
        let mode = match self.modes[place] {
            "LEAF" => {
                let weight = self.weights.get(&(self.trees[place], self.nodes[place])).copied().unwrap_or(0.0);
                self.out.leaves.push(weight);
                return Ok(Branch::Leaf(self.out.leaves.len() as u32 - 1));
            }
            "BRANCH_LEQ" => Mode::Leq,
            "BRANCH_LT" => Mode::Lt,
            "BRANCH_GTE" => Mode::Gte,
            "BRANCH_GT" => Mode::Gt,
            "BRANCH_EQ" => Mode::Eq,
            "BRANCH_NEQ" => Mode::Neq,
            other => return Err(fault(self.node, format!("mode '{other}' of a node is unknown"))),
        };
        let at = self.out.nodes.len() as u32;
        let nowhere = Branch::Leaf(u32::MAX >> 1);
        self.out.nodes.push(Node {
            feature: self.columns[place],
            threshold: self.thresholds[place],
            mode,
            missing_is_true: self.missing.get(place).is_some_and(|tracks| *tracks != 0),
            when_true: nowhere,
            when_false: nowhere,
        });
        Ok(Branch::Node(at))
    }
}
