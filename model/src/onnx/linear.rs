//! LinearClassifier and LinearRegressor.

use super::OnnxError;
use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result, numbers};
use super::post::Post;
use super::tensor::Elem;
use super::value::{Together, Value};

impl Compiler {
    pub(super) fn linear(&mut self, attributes: Attributes<'_>) -> Result<Option<Vec<Value>>> {
        let node = attributes.node;
        let classifier = match node.op_type.as_str() {
            "LinearClassifier" => true,
            "LinearRegressor" => false,
            _ => return Ok(None),
        };
        let (inputs, _) = self.floats(node, 0)?;
        let weights = attributes.floats("coefficients");
        let mut bias = attributes.floats("intercepts");
        let outputs = match attributes.int("targets") {
            Some(targets) if !classifier => usize::try_from(targets).unwrap_or(0),
            None if !classifier => 1,
            _ => bias.len().max(1),
        };
        if outputs == 0 || inputs.is_empty() || weights.len() != outputs * inputs.len() {
            return Err(fault(node, format!("it has {} coefficients for {} columns and {outputs} outputs", weights.len(), inputs.len())));
        }
        if bias.is_empty() {
            bias = vec![0.0; outputs];
        }
        if bias.len() != outputs {
            return Err(fault(node, format!("it has {} intercepts for {outputs} outputs", bias.len())));
        }
        let post = Post::of(attributes)?;
        let sums = self.arena.together(Together::Linear { inputs, weights, bias });
        if !classifier {
            let scores = if outputs == 1 && post != Post::Probit { sums } else { self.post(post, sums) };
            return Ok(Some(vec![numbers(scores, Elem::Float, 2)]));
        }
        let labels = attributes.texts("classlabels_strings")?.len().max(attributes.ints("classlabels_ints").len());
        let scores = match (sums.as_slice(), labels) {
            ([sum], 2) if post == Post::Logistic => self.two_sided(*sum, true),
            ([sum], 2) if post == Post::None => self.opposite(*sum),
            ([_], 2) => return Err(fault(node, "this post_transform of a single sum cannot be compiled; LOGISTIC can")),
            _ => self.post(post, sums),
        };
        let label = Value::Unknown(labels_follow(attributes));
        Ok(Some(vec![label, numbers(scores, Elem::Float, 2)]))
    }
}

/// A classifier's label follows from its scores; nothing else can be made from it here.
pub(super) fn labels_follow(attributes: Attributes<'_>) -> OnnxError {
    fault(attributes.node, "its label cannot be computed on with; its scores can")
}
