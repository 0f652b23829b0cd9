//! What a model computes, as data: a short list of steps over registers, each a column of 64-bit floats. The compiler
//! writes it, [`crate::Scorer`] runs it, the compact form carries it.

use serde::{Deserialize, Serialize};

use crate::additive::Part;
use crate::forest::Forest;

/// A register's number. A step writes to registers behind all that it reads.
pub type Register = u32;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// 64-bit floats.
    Float,
    /// 64-bit integers; bits are 0 and 1.
    BigInt,
    /// Texts.
    Text {
        /// The ones that the model knows.
        categories: Vec<String>,
    },
}

/// A model's program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The columns that are read.
    pub columns: Vec<Kind>,
    /// What is done, first to last.
    pub steps: Vec<Step>,
    /// How many registers there are.
    pub registers: u32,
    /// The results: the second class's probability, each class's probability, or a regression's number.
    pub scores: Vec<Register>,
    /// What the reasons for a result are taken from; absent when they cannot be told column by column.
    pub head: Option<Head>,
}

/// The step whose sum is explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Its place among the steps: [`Step::Additive`], [`Step::Trees`] or [`Step::Linear`].
    pub step: u32,
    /// Which of its outputs.
    pub output: u32,
    /// Whether that output is the log-odds of the score; else it is the score.
    pub log_odds: bool,
    /// The column that each input (of tables: each part) is made from.
    pub columns: Vec<u32>,
    /// For a linear step: the value of each input that contributions are measured from.
    pub means: Vec<f64>,
}

/// What is done to one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as ONNX names them")]
pub enum Unary {
    Neg,
    Abs,
    Exp,
    Log,
    Sqrt,
    Floor,
    Ceil,
    Round,
    Sign,
    Relu,
    Tanh,
    Reciprocal,
    IsNaN,
    IsInf,
    Not,
    /// 1 / (1 + e^-x)
    Logistic,
    /// As onnxruntime approximates it.
    Probit,
    /// To the nearest 32-bit float.
    Single,
    /// Towards zero, to an integer.
    Truncate,
}

/// What is done to two registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as ONNX names them")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    /// Integers, rounded towards zero.
    DivWhole,
}

/// What is done to several registers at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Joint {
    /// e^x over the sum of all.
    Softmax,
    /// The same, where zeros stay zero.
    SoftmaxZero,
    /// Over the sum of the absolute values.
    L1,
    /// Over the root of the sum of squares.
    L2,
    /// Over the greatest.
    MaxNorm,
    /// The sum, one output.
    Sum,
    /// The greatest, one output.
    Max,
    /// The place of the first greatest, one output.
    ArgMax,
}

impl Joint {
    /// How many registers it writes.
    pub fn outputs(self, inputs: usize) -> usize {
        if matches!(self, Self::Sum | Self::Max | Self::ArgMax) { 1 } else { inputs }
    }
}

/// One step. `round` says that the result is rounded to the nearest 32-bit float, as the ONNX type asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// A number column.
    Number {
        /// The column.
        column: u32,
        /// See above.
        round: bool,
        /// Where to.
        out: Register,
    },
    /// The place of each text among the column's categories; their count for an unknown one.
    Place {
        /// The column.
        column: u32,
        /// Where to.
        out: Register,
    },
    /// One value for all rows.
    Constant {
        /// The value.
        value: f64,
        /// Where to.
        out: Register,
    },
    /// The value of each place.
    Table {
        /// The places.
        input: Register,
        /// One value a category and one for the unknown ones.
        values: Vec<f64>,
        /// Where to.
        out: Register,
    },
    /// The value of each number that equals a key.
    Lookup {
        /// The numbers.
        input: Register,
        /// The keys, ascending.
        keys: Vec<f64>,
        /// One value a key.
        values: Vec<f64>,
        /// The value of a NaN.
        nan: f64,
        /// The value of what is no key.
        default: f64,
        /// Where to.
        out: Register,
    },
    /// One register.
    Apply {
        /// What is done.
        what: Unary,
        /// To what.
        input: Register,
        /// See above.
        round: bool,
        /// Where to.
        out: Register,
    },
    /// Two registers.
    Combine {
        /// What is done.
        what: Binary,
        /// To what.
        left: Register,
        /// And what.
        right: Register,
        /// See above.
        round: bool,
        /// Where to.
        out: Register,
    },
    /// `yes` where the condition is not 0, else `no`.
    Choose {
        /// The condition.
        condition: Register,
        /// Its values.
        yes: Register,
        /// Its values.
        no: Register,
        /// Where to.
        out: Register,
    },
    /// Several registers at once, to as many ([`Joint::outputs`]) from `out` on.
    Together {
        /// What is done.
        what: Joint,
        /// To what.
        inputs: Vec<Register>,
        /// Where to, from here on.
        out: Register,
    },
    /// Weighted sums, one an output.
    Linear {
        /// Of what.
        inputs: Vec<Register>,
        /// The weights: all inputs of the first output, then of the second …
        weights: Vec<f64>,
        /// What each sum starts from.
        bias: Vec<f64>,
        /// Where to, from here on.
        out: Register,
    },
    /// A sum of one table a part.
    Additive {
        /// What the sum starts from.
        base: f64,
        /// The tables.
        parts: Vec<Part>,
        /// Where to.
        out: Register,
    },
    /// Trees, to as many registers as they have targets.
    Trees {
        /// Their features.
        inputs: Vec<Register>,
        /// The trees.
        forest: Forest,
        /// Where to, from here on.
        out: Register,
    },
    /// A graph that an engine of another make runs: only the general guest has one.
    Graph {
        /// The columns of all tensors that it reads, tensor after tensor.
        inputs: Vec<Register>,
        /// How many columns each tensor has.
        widths: Vec<u32>,
        /// The graph, an ONNX file.
        graph: Vec<u8>,
        /// How many columns its one output has.
        outputs: u32,
        /// Where to, from here on.
        out: Register,
    },
}

impl Step {
    /// The registers that it reads.
    pub fn reads(&self) -> Vec<Register> {
        match self {
            Self::Number { .. } | Self::Place { .. } | Self::Constant { .. } => Vec::new(),
            Self::Table { input, .. } | Self::Lookup { input, .. } | Self::Apply { input, .. } => vec![*input],
            Self::Combine { left, right, .. } => vec![*left, *right],
            Self::Choose { condition, yes, no, .. } => vec![*condition, *yes, *no],
            Self::Together { inputs, .. } | Self::Linear { inputs, .. } | Self::Trees { inputs, .. } | Self::Graph { inputs, .. } => {
                inputs.clone()
            }
            Self::Additive { parts, .. } => parts.iter().filter_map(Part::register).collect(),
        }
    }

    /// The first register that it writes, and how many.
    pub fn writes(&self) -> (Register, usize) {
        match self {
            Self::Number { out, .. }
            | Self::Place { out, .. }
            | Self::Constant { out, .. }
            | Self::Table { out, .. }
            | Self::Lookup { out, .. }
            | Self::Apply { out, .. }
            | Self::Combine { out, .. }
            | Self::Choose { out, .. }
            | Self::Additive { out, .. } => (*out, 1),
            Self::Together { what, inputs, out } => (*out, what.outputs(inputs.len())),
            Self::Linear { bias, out, .. } => (*out, bias.len()),
            Self::Trees { forest, out, .. } => (*out, forest.targets()),
            Self::Graph { outputs, out, .. } => (*out, *outputs as usize),
        }
    }

    /// Whether its parts fit together, so that running it cannot fail.
    fn check(&self, columns: &[Kind]) -> Result<(), &'static str> {
        let number = |column: u32| matches!(columns.get(column as usize), Some(Kind::Float | Kind::BigInt));
        match self {
            Self::Number { column, .. } if !number(*column) => Err("a step reads a number column that is not there"),
            Self::Place { column, .. } if !matches!(columns.get(*column as usize), Some(Kind::Text { .. })) => {
                Err("a step reads a text column that is not there")
            }
            Self::Table { values, .. } if values.is_empty() => Err("a table is empty"),
            Self::Lookup { keys, values, .. } if keys.len() != values.len() || !keys.is_sorted_by(|a, b| a < b) => {
                Err("the keys of a lookup do not ascend")
            }
            Self::Together { inputs, .. } if inputs.is_empty() => Err("a step has no inputs"),
            Self::Linear { inputs, weights, bias, .. } if weights.len() != inputs.len() * bias.len() => {
                Err("a weighted sum has another number of weights than inputs")
            }
            Self::Additive { parts, .. } => parts.iter().try_for_each(|part| part.check(columns)),
            Self::Trees { inputs, forest, .. } => forest.check(inputs.len()),
            Self::Graph { inputs, widths, .. } if widths.iter().map(|width| u64::from(*width)).sum::<u64>() != inputs.len() as u64 => {
                Err("a graph reads another number of columns than its tensors have")
            }
            _ => Ok(()),
        }
    }
}

/// Registers of one program.
const MAX_REGISTERS: u32 = 1 << 16;

impl Program {
    /// Whether every step reads only what was written before, and all parts are in range.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.registers > MAX_REGISTERS {
            return Err("it has too many registers");
        }
        let mut next = 0;
        for step in &self.steps {
            let (out, count) = step.writes();
            if out != next || count == 0 || count > (self.registers - next) as usize {
                return Err("a step writes to a register that is not the next one");
            }
            if step.reads().iter().any(|register| *register >= out) {
                return Err("a step reads a register that was not written");
            }
            step.check(&self.columns)?;
            next += count as u32;
        }
        if self.scores.is_empty() || self.scores.iter().any(|register| *register >= next) {
            return Err("a result is in a register that is not there");
        }
        self.head.as_ref().map_or(Ok(()), |head| self.check_head(head))
    }

    fn check_head(&self, head: &Head) -> Result<(), &'static str> {
        let (inputs, outputs, linear) = match self.steps.get(head.step as usize) {
            Some(Step::Additive { parts, .. }) => (parts.len(), 1, false),
            Some(Step::Trees { inputs, forest, .. }) => (inputs.len(), forest.targets(), false),
            Some(Step::Linear { inputs, bias, .. }) => (inputs.len(), bias.len(), true),
            _ => return Err("the step that is explained is none that can be"),
        };
        let columns = head.columns.iter().all(|column| (*column as usize) < self.columns.len());
        if head.columns.len() != inputs || !columns || head.output as usize >= outputs || (linear && head.means.len() != inputs) {
            return Err("the step that is explained has other inputs");
        }
        Ok(())
    }
}
