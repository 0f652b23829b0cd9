//! TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble, to flat trees and what follows them.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result, numbers};
use super::linear::labels_follow;
use super::post::Post;
use super::tensor::Elem;
use super::value::{Expr, Id, Together, Value};
use crate::forest::{Aggregate, Branch, Covers, Forest, Mode, Node, Tree};

/// One node of a file's tree, by its place in the file's lists.
pub(super) enum Entry {
    /// The targets and weights of a leaf.
    Leaf(Vec<(u32, f64)>),
    /// Comparisons one after the other: the first that holds leads to `when_true`. All but set members have one.
    Split { feature: u32, tests: Vec<(Mode, f64)>, missing_is_true: bool, when_true: usize, when_false: usize },
}

/// A file's trees.
pub(super) struct Source {
    pub(super) entries: Vec<Entry>,
    pub(super) roots: Vec<usize>,
    /// How many training rows each entry saw; empty when the file does not say.
    pub(super) hits: Vec<f64>,
}

impl Compiler {
    pub(super) fn trees(&mut self, attributes: Attributes<'_>) -> Result<Option<Vec<Value>>> {
        let node = attributes.node;
        match node.op_type.as_str() {
            "TreeEnsembleClassifier" => {
                let scores = self.classifier(attributes)?;
                Ok(Some(vec![Value::Unknown(labels_follow(attributes)), numbers(scores, Elem::Float, 2)]))
            }
            "TreeEnsembleRegressor" => {
                let source = classic(attributes, "target")?;
                let targets = usize::try_from(attributes.int("n_targets").unwrap_or(1)).unwrap_or(0).max(1);
                let aggregate = match attributes.text("aggregate_function")?.unwrap_or("SUM") {
                    "SUM" => Aggregate::Sum,
                    "AVERAGE" => Aggregate::Average,
                    "MIN" => Aggregate::Min,
                    "MAX" => Aggregate::Max,
                    other => return Err(fault(node, format!("aggregate_function '{other}' is unknown"))),
                };
                let base = attributes.numbers("base_values")?;
                let base = if base.len() == targets { base } else { vec![base.first().copied().unwrap_or(0.0); targets] };
                let sums = self.forest(attributes, &source, aggregate, base)?;
                let post = Post::of(attributes)?;
                // Of a single target, onnxruntime applies PROBIT and no other transform.
                let scores = if targets == 1 && post != Post::Probit { sums } else { self.post(post, sums) };
                Ok(Some(vec![numbers(scores, Elem::Float, 2)]))
            }
            "TreeEnsemble" => {
                let source = super::ensemble::read(attributes)?;
                let targets = usize::try_from(attributes.int("n_targets").unwrap_or(1)).unwrap_or(0).max(1);
                let aggregate = match attributes.int("aggregate_function").unwrap_or(1) {
                    0 => Aggregate::Average,
                    1 => Aggregate::Sum,
                    2 => Aggregate::Min,
                    3 => Aggregate::Max,
                    other => return Err(fault(node, format!("aggregate_function {other} is unknown"))),
                };
                let post = match attributes.int("post_transform").unwrap_or(0) {
                    0 => Post::None,
                    1 => Post::Softmax,
                    2 => Post::Logistic,
                    3 => Post::SoftmaxZero,
                    4 => Post::Probit,
                    other => return Err(fault(node, format!("post_transform {other} is unknown"))),
                };
                let sums = self.forest(attributes, &source, aggregate, vec![0.0; targets])?;
                let scores = if targets == 1 && post != Post::Probit { sums } else { self.post(post, sums) };
                let elem = self.numbers(node, 0)?.1;
                Ok(Some(vec![numbers(scores, elem, 2)]))
            }
            _ => Ok(None),
        }
    }

    fn classifier(&mut self, attributes: Attributes<'_>) -> Result<Vec<Id>> {
        let node = attributes.node;
        let labels = attributes.texts("classlabels_strings")?.len().max(attributes.ints("classlabels_int64s").len());
        if labels < 2 {
            return Err(fault(node, format!("it has {labels} classes, at least 2 are needed")));
        }
        let source = classic(attributes, "class")?;
        let post = Post::of(attributes)?;
        let base = attributes.numbers("base_values")?;
        let classes: BTreeSet<i64> = attributes.ints("class_ids").iter().copied().collect();
        let positive = attributes.numbers("class_weights")?.iter().all(|weight| *weight >= 0.0);
        if labels > 2 {
            let bases = if base.len() == labels { base } else { vec![0.0; labels] };
            let sums = self.forest(attributes, &source, Aggregate::Sum, bases)?;
            return Ok(self.post(post, sums));
        }
        // Two classes, as onnxruntime finishes them: weights of one class alone are spread over both.
        let second = classes.contains(&1);
        let sums = match (base.as_slice(), second) {
            ([_, base], true) => {
                let sums = self.forest(attributes, &source, Aggregate::Sum, vec![*base, *base])?;
                let sum = if classes.len() == 1 { sums[1] } else { sums[0] };
                return Ok(match self.two_sided(sum, false).as_slice() {
                    [a, b] => {
                        let both = vec![*a, *b];
                        self.post(post, both)
                    }
                    _ => Vec::new(),
                });
            }
            ([first, base], false) => self.forest(attributes, &source, Aggregate::Sum, vec![*first, *base])?,
            ([base], _) => self.forest(attributes, &source, Aggregate::Sum, vec![*base, 0.0])?,
            ([], _) => self.forest(attributes, &source, Aggregate::Sum, vec![0.0, 0.0])?,
            _ => return Err(fault(node, format!("it has {} base values for 2 classes", base.len()))),
        };
        if second || base.len() == 2 {
            return Ok(self.post(post, sums));
        }
        match (classes.len() == 1 && positive, post) {
            (_, Post::Probit) => Err(fault(node, "post_transform PROBIT of a single class cannot be compiled")),
            (true, _) => Ok(self.opposite(sums[0])),
            (false, post) => Ok(self.two_sided(sums[0], post == Post::Logistic)),
        }
    }

    /// The sums of the trees, one a target.
    fn forest(&mut self, attributes: Attributes<'_>, source: &Source, aggregate: Aggregate, base: Vec<f64>) -> Result<Vec<Id>> {
        let node = attributes.node;
        let (ids, elem, _) = self.numbers(node, 0)?;
        let inputs: Vec<Id> = if elem == Elem::Int { self.floats(node, 0)?.0 } else { ids };
        let forest = build(source, aggregate, base, inputs.len()).map_err(|what| fault(node, what))?;
        for tree in forest.nodes.iter().filter(|node| node.missing_is_true) {
            if let Expr::Number { column, .. } = self.arena.exprs[inputs[tree.feature as usize] as usize] {
                self.arena.missing.insert(column);
            }
        }
        Ok(self.arena.together(Together::Trees { inputs, forest: Rc::new(forest) }))
    }
}

fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "BRANCH_LEQ" => Mode::Leq,
        "BRANCH_LT" => Mode::Lt,
        "BRANCH_GTE" => Mode::Gte,
        "BRANCH_GT" => Mode::Gt,
        "BRANCH_EQ" => Mode::Eq,
        "BRANCH_NEQ" => Mode::Neq,
        _ => return None,
    })
}

/// The lists of a classifier (`class_…`) or regressor (`target_…`).
fn classic(attributes: Attributes<'_>, leaves: &str) -> Result<Source> {
    let node = attributes.node;
    let (trees, ids) = (attributes.ints("nodes_treeids"), attributes.ints("nodes_nodeids"));
    let modes = attributes.texts("nodes_modes")?;
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let features = attributes.ints("nodes_featureids");
    let thresholds = attributes.numbers("nodes_values")?;
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    if [ids.len(), modes.len(), yes.len(), no.len(), thresholds.len(), features.len()].iter().any(|len| *len != trees.len()) {
        return Err(fault(node, "its lists of nodes differ in length"));
    }
    let mut places: HashMap<(i64, i64), usize> = HashMap::with_capacity(trees.len());
    for (place, key) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
        if places.insert(key, place).is_some() {
            return Err(fault(node, format!("node {} of tree {} is listed twice", key.1, key.0)));
        }
    }
    let list = |name: &str| attributes.ints(&format!("{leaves}_{name}"));
    let weights = attributes.numbers(&format!("{leaves}_weights"))?;
    if [list("treeids").len(), list("nodeids").len(), list("ids").len()].iter().any(|len| *len != weights.len()) {
        return Err(fault(node, "its lists of weights differ in length"));
    }
    let mut own: HashMap<usize, Vec<(u32, f64)>> = HashMap::new();
    for (((tree, id), target), weight) in list("treeids").iter().zip(list("nodeids")).zip(list("ids")).zip(weights) {
        let place =
            places.get(&(*tree, *id)).ok_or_else(|| fault(node, format!("node {id} of tree {tree} has a weight and is not there")))?;
        let target = u32::try_from(*target).map_err(|_| fault(node, "a weight's class or target is negative"))?;
        own.entry(*place).or_default().push((target, weight));
    }
    let mut entries = Vec::with_capacity(trees.len());
    let mut roots = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for place in 0..trees.len() {
        if seen.insert(trees[place]) {
            roots.push(place);
        }
        if modes[place] == "LEAF" {
            entries.push(Entry::Leaf(own.remove(&place).unwrap_or_default()));
            continue;
        }
        let mode = mode(modes[place]).ok_or_else(|| fault(node, format!("mode '{}' of a node is unknown", modes[place])))?;
        let child = |id: i64| {
            let missing = || fault(node, format!("tree {}: a branch leads to node {id}, which is not there", trees[place]));
            places.get(&(trees[place], id)).copied().ok_or_else(missing)
        };
        entries.push(Entry::Split {
            feature: u32::try_from(features[place]).unwrap_or(u32::MAX),
            tests: vec![(mode, thresholds[place])],
            missing_is_true: missing.get(place).is_some_and(|tracks| *tracks != 0),
            when_true: child(yes[place])?,
            when_false: child(no[place])?,
        });
    }
    Ok(Source { entries, roots, hits: attributes.numbers("nodes_hitrates")? })
}

/// Flat trees: children behind their parents, the leaves of a tree side by side.
fn build(source: &Source, aggregate: Aggregate, base: Vec<f64>, features: usize) -> std::result::Result<Forest, String> {
    let targets = base.len();
    let mut forest = Forest { nodes: Vec::new(), trees: Vec::new(), weights: Vec::new(), aggregate, base, covers: None };
    let mut covers = Covers { nodes: Vec::new(), leaves: Vec::new() };
    let hits = |place: usize| source.hits.get(place).copied().unwrap_or(f64::NAN);
    let mut reached = vec![false; source.entries.len()];
    for (number, root) in source.roots.iter().enumerate() {
        let (first_leaf, first_weight) = (forest.leaves() as u32, forest.weights.len() as u32);
        let mut leaves: Vec<&Vec<(u32, f64)>> = Vec::new();
        // What is to be placed, and the branches that lead to it.
        let mut open: Vec<(usize, Vec<(usize, bool)>)> = vec![(*root, Vec::new())];
        let mut start = None;
        while let Some((place, parents)) = open.pop() {
            if std::mem::replace(&mut reached[place], true) {
                return Err(format!("tree {number} is not a tree: a node is reached twice"));
            }
            let branch = match &source.entries[place] {
                Entry::Leaf(weights) => {
                    covers.leaves.push(hits(place));
                    leaves.push(weights);
                    Branch::Leaf(first_leaf + leaves.len() as u32 - 1)
                }
                Entry::Split { feature, tests, missing_is_true, when_true, when_false } => {
                    if *feature as usize >= features {
                        return Err(format!("it reads feature {feature}, of {features}"));
                    }
                    let at = forest.nodes.len();
                    for (test, (mode, threshold)) in tests.iter().enumerate() {
                        let next = Branch::Node((at + test + 1) as u32);
                        forest.nodes.push(Node {
                            feature: *feature,
                            threshold: *threshold,
                            mode: *mode,
                            missing_is_true: *missing_is_true,
                            when_true: next,
                            when_false: next,
                        });
                        covers.nodes.push(hits(place));
                    }
                    let last = forest.nodes.len() - 1;
                    let shared = (at..=last).map(|node| (node, true)).collect();
                    if when_true == when_false {
                        let all: Vec<(usize, bool)> = (at..=last).map(|node| (node, true)).chain([(last, false)]).collect();
                        open.push((*when_true, all));
                    } else {
                        open.push((*when_false, vec![(last, false)]));
                        open.push((*when_true, shared));
                    }
                    Branch::Node(at as u32)
                }
            };
            for (parent, side) in parents {
                let node = &mut forest.nodes[parent];
                if side { node.when_true = branch } else { node.when_false = branch }
            }
            start = start.or(Some(branch));
        }
        let own: BTreeSet<u32> = leaves.iter().flat_map(|weights| weights.iter().map(|(target, _)| *target)).collect();
        if let Some(target) = own.iter().find(|target| **target as usize >= targets) {
            return Err(format!("a leaf has a weight for class or target {target}, of {targets}"));
        }
        let own: Vec<u32> = if own.is_empty() { vec![0] } else { own.into_iter().collect() };
        for weights in &leaves {
            for target in &own {
                let mut of = weights.iter().filter(|(other, _)| other == target).map(|(_, weight)| *weight).peekable();
                if of.peek().is_none() && matches!(aggregate, Aggregate::Min | Aggregate::Max) {
                    return Err("a leaf has no weight for one of its tree's targets, which MIN and MAX cannot be compiled with".to_owned());
                }
                forest.weights.push(of.sum());
            }
        }
        let root = start.unwrap_or(Branch::Leaf(first_leaf));
        forest.trees.push(Tree { root, first_leaf, leaves: leaves.len() as u32, targets: own, first_weight });
    }
    forest.covers = Some(covers).filter(|covers| believable(&forest, covers));
    forest.check(features).map_err(str::to_owned)?;
    Ok(forest)
}

/// Whether each node saw as many rows as its two branches together. Many exporters write 1 everywhere.
fn believable(forest: &Forest, covers: &Covers) -> bool {
    let cover = |branch: Branch| match branch {
        Branch::Node(place) => covers.nodes[place as usize],
        Branch::Leaf(place) => covers.leaves[place as usize],
    };
    let all = forest.nodes.iter().zip(&covers.nodes).all(|(node, own)| {
        let sum = cover(node.when_true) + cover(node.when_false);
        own.is_finite() && *own >= 0.0 && (own - sum).abs() <= 1e-3 * own
    });
    all && !forest.nodes.is_empty() && covers.leaves.iter().all(|leaf| leaf.is_finite() && *leaf >= 0.0)
}
