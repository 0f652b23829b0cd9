//! What makes scores of sums: the post-transforms of the classifiers and regressors of ai.onnx.ml, as onnxruntime applies them.

use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result};
use super::value::{Id, Together};
use crate::program::{Binary, Joint, Unary};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Post {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl Post {
    pub(super) fn of(attributes: Attributes<'_>) -> Result<Self> {
        match attributes.text("post_transform")?.unwrap_or("NONE") {
            "NONE" | "" => Ok(Self::None),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            "SOFTMAX_ZERO" => Ok(Self::SoftmaxZero),
            "PROBIT" => Ok(Self::Probit),
            other => Err(fault(attributes.node, format!("post_transform '{other}' is unknown"))),
        }
    }
}

impl Compiler {
    /// The scores of several classes or targets.
    pub(super) fn post(&mut self, post: Post, sums: Vec<Id>) -> Vec<Id> {
        let each = |compiler: &mut Self, what| sums.iter().map(|id| compiler.arena.apply(what, *id, false)).collect();
        match post {
            Post::None => sums,
            Post::Logistic => each(self, Unary::Logistic),
            Post::Probit => each(self, Unary::Probit),
            Post::Softmax => self.arena.together(Together::Joint { what: Joint::Softmax, inputs: sums }),
            Post::SoftmaxZero => self.arena.together(Together::Joint { what: Joint::SoftmaxZero, inputs: sums }),
        }
    }

    /// `[1 - sum, sum]`
    pub(super) fn opposite(&mut self, sum: Id) -> Vec<Id> {
        let one = self.arena.constant(1.0);
        vec![self.arena.combine(Binary::Sub, one, sum, false), sum]
    }

    /// `[-sum, sum]`, each through the logistic function if asked.
    pub(super) fn two_sided(&mut self, sum: Id, logistic: bool) -> Vec<Id> {
        let negative = self.arena.apply(Unary::Neg, sum, false);
        let both = [negative, sum];
        if logistic { both.into_iter().map(|id| self.arena.apply(Unary::Logistic, id, false)).collect() } else { both.to_vec() }
    }
}
