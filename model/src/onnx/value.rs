//! What the values of a graph are while it is compiled: each column of a tensor is an expression over the model's
//! columns. Equal expressions are one, so that what is not needed, or needed twice, costs nothing.

use std::collections::HashMap;
use std::rc::Rc;

use super::OnnxError;
use super::tensor::{Elem, Tensor};
use crate::forest::Forest;
use crate::ops;
use crate::program::{Binary, Joint, Unary};

/// An expression's number; what it is made from has smaller ones.
pub(super) type Id = u32;

/// A float by its bits, so that expressions can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bits(u64);

impl Bits {
    pub(super) fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Bits {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Expr {
    Number {
        column: u32,
        round: bool,
    },
    Constant(Bits),
    /// A text column's value of each category.
    Texts {
        column: u32,
        values: Rc<Vec<(String, Bits)>>,
        default: Bits,
    },
    Lookup {
        input: Id,
        pairs: Rc<Vec<(Bits, Bits)>>,
        nan: Bits,
        default: Bits,
    },
    Apply {
        what: Unary,
        input: Id,
        round: bool,
    },
    Combine {
        what: Binary,
        left: Id,
        right: Id,
        round: bool,
    },
    Choose {
        condition: Id,
        yes: Id,
        no: Id,
    },
    /// One output of a joint operation.
    Part {
        joint: u32,
        output: u32,
    },
}

/// What gives several values at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Together {
    Joint { what: Joint, inputs: Vec<Id> },
    Linear { inputs: Vec<Id>, weights: Vec<f64>, bias: Vec<f64> },
    Trees { inputs: Vec<Id>, forest: Rc<Forest> },
    Graph { inputs: Vec<Id>, widths: Vec<u32>, graph: Rc<Vec<u8>>, outputs: u32 },
}

impl Together {
    pub(super) fn inputs(&self) -> &[Id] {
        match self {
            Self::Joint { inputs, .. } | Self::Linear { inputs, .. } | Self::Trees { inputs, .. } | Self::Graph { inputs, .. } => inputs,
        }
    }

    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Joint { what, inputs } => what.outputs(inputs.len()),
            Self::Linear { bias, .. } => bias.len(),
            Self::Trees { forest, .. } => forest.targets(),
            Self::Graph { outputs, .. } => *outputs as usize,
        }
    }
}

/// A text a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Text {
    Column(u32),
    /// Another text for each category of a column.
    Mapped {
        column: u32,
        pairs: Rc<Vec<(String, String)>>,
        default: String,
    },
    /// A whole number, spelled out.
    Whole(Id),
    Constant(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Number(Id),
    Text(Text),
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// One row a row: columns, and how many dimensions the tensor has (1: just the rows).
    Rows { columns: Vec<Scalar>, elem: Elem, rank: usize },
    /// The same for all rows.
    Fixed(Tensor),
    /// Classes and their scores, as ZipMap joins them.
    Zipped { scores: Vec<Id>, classes: Tensor },
    /// What cannot be computed here, and why; an error only for who asks.
    Unknown(OnnxError),
}

/// The texts that a column is compared with.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) names: Vec<String>,
    pub(super) places: HashMap<String, usize>,
}

impl Known {
    fn insert(&mut self, text: &str) {
        if !self.places.contains_key(text) {
            self.places.insert(text.to_owned(), self.names.len());
            self.names.push(text.to_owned());
        }
    }
}

/// All expressions.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) exprs: Vec<Expr>,
    known: HashMap<Expr, Id>,
    pub(super) together: Vec<Together>,
    /// The texts that each column is compared with, in order.
    pub(super) categories: HashMap<u32, Known>,
    /// Columns where a missing value has a meaning.
    pub(super) missing: std::collections::BTreeSet<u32>,
    /// Text columns where an unknown one has none.
    pub(super) closed: std::collections::BTreeSet<u32>,
}

impl Arena {
    fn add(&mut self, expr: Expr) -> Id {
        if let Some(id) = self.known.get(&expr) {
            return *id;
        }
        let id = self.exprs.len() as Id;
        self.exprs.push(expr.clone());
        self.known.insert(expr, id);
        id
    }

    pub(super) fn number(&mut self, column: u32, round: bool) -> Id {
        self.add(Expr::Number { column, round })
    }

    pub(super) fn constant(&mut self, value: f64) -> Id {
        self.add(Expr::Constant(value.into()))
    }

    pub(super) fn value(&self, id: Id) -> Option<f64> {
        if let Expr::Constant(value) = &self.exprs[id as usize] { Some(value.get()) } else { None }
    }

    pub(super) fn apply(&mut self, what: Unary, input: Id, round: bool) -> Id {
        if let Some(value) = self.value(input) {
            let value = ops::unary(what, value);
            return self.constant(if round { f64::from(value as f32) } else { value });
        }
        match (what, &self.exprs[input as usize]) {
            (Unary::Single, Expr::Number { column, .. }) => {
                let column = *column;
                return self.number(column, true);
            }
            (Unary::Single, Expr::Apply { round: true, .. } | Expr::Combine { round: true, .. }) => return input,
            (Unary::IsNaN, Expr::Number { column, .. }) => {
                self.missing.insert(*column);
            }
            _ => {}
        }
        self.add(Expr::Apply { what, input, round })
    }

    pub(super) fn combine(&mut self, what: Binary, left: Id, right: Id, round: bool) -> Id {
        match (what, self.value(left), self.value(right)) {
            (_, Some(left), Some(right)) => {
                let value = ops::binary(what, left, right);
                return self.constant(if round { f64::from(value as f32) } else { value });
            }
            (Binary::Add | Binary::Sub, None, Some(0.0)) | (Binary::Mul | Binary::Div | Binary::Pow, None, Some(1.0)) => return left,
            (Binary::Add, Some(0.0), None) | (Binary::Mul, Some(1.0), None) => return right,
            _ => {}
        }
        self.add(Expr::Combine { what, left, right, round })
    }

    pub(super) fn choose(&mut self, condition: Id, yes: Id, no: Id) -> Id {
        match self.value(condition) {
            Some(condition) => {
                if condition != 0.0 {
                    yes
                } else {
                    no
                }
            }
            None if yes == no => yes,
            None => self.add(Expr::Choose { condition, yes, no }),
        }
    }

    pub(super) fn lookup(&mut self, input: Id, mut pairs: Vec<(f64, f64)>, nan: f64, default: f64) -> Id {
        pairs.iter_mut().for_each(|(key, _)| *key += 0.0);
        // Of equal keys the first counts.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.dedup_by(|a, b| a.0 == b.0);
        let pairs = Rc::new(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
        self.add(Expr::Lookup { input, pairs, nan: nan.into(), default: default.into() })
    }

    /// The outputs of an operation, one expression each.
    pub(super) fn together(&mut self, what: Together) -> Vec<Id> {
        let outputs = what.outputs() as u32;
        let joint = self.together.len() as u32;
        self.together.push(what);
        (0..outputs).map(|output| self.add(Expr::Part { joint, output })).collect()
    }

    /// A number for each text; of equal texts the first counts.
    pub(super) fn by_text(&mut self, text: &Text, values: &[(String, f64)], default: f64) -> Id {
        let of = |text: &str| values.iter().find(|(other, _)| other == text).map_or(default, |(_, value)| *value);
        match text {
            Text::Constant(text) => self.constant(of(text)),
            Text::Whole(id) => {
                let whole = |text: &str| text.parse::<i64>().ok().filter(|whole| whole.to_string() == text);
                let pairs = values.iter().filter_map(|(text, value)| whole(text).map(|whole| (whole as f64, *value)));
                self.lookup(*id, pairs.collect(), default, default)
            }
            Text::Column(column) => {
                let known = self.categories.entry(*column).or_default();
                values.iter().for_each(|(text, _)| known.insert(text));
                let values = Rc::new(values.iter().map(|(text, value)| (text.clone(), Bits::from(*value))).collect());
                self.add(Expr::Texts { column: *column, values, default: default.into() })
            }
            Text::Mapped { column, pairs, default: other } => {
                let values: Vec<(String, f64)> = pairs.iter().map(|(text, mapped)| (text.clone(), of(mapped))).collect();
                let default = of(other);
                self.by_text(&Text::Column(*column), &values, default)
            }
        }
    }

    /// The column that an expression is made from: `Err` when there are several, `Ok(None)` when there is none.
    pub(super) fn column_of(&self, id: Id) -> Result<Option<u32>, ()> {
        let mut found = None;
        let mut open = vec![id];
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match &self.exprs[id as usize] {
                Expr::Number { column, .. } | Expr::Texts { column, .. } => {
                    if found.is_some_and(|other| other != *column) {
                        return Err(());
                    }
                    found = Some(*column);
                }
                other => open.extend(self.reads(other)),
            }
        }
        Ok(found)
    }

    /// What an expression is made from.
    pub(super) fn reads(&self, expr: &Expr) -> Vec<Id> {
        match expr {
            Expr::Number { .. } | Expr::Constant(_) | Expr::Texts { .. } => Vec::new(),
            Expr::Lookup { input, .. } | Expr::Apply { input, .. } => vec![*input],
            Expr::Combine { left, right, .. } => vec![*left, *right],
            Expr::Choose { condition, yes, no } => vec![*condition, *yes, *no],
            Expr::Part { joint, .. } => self.together[*joint as usize].inputs().to_vec(),
        }
    }
}
