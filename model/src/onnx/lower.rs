//! Expressions to steps: only what the scores need, each expression once, forests collapsed to tables where they can be.

use std::collections::HashMap;

use super::graph::{Compiler, Result};
use super::value::{Arena, Bits, Expr, Id, Together};
use super::{Kind as Given, OnnxError};
use crate::additive::{self, Feature, Part, Source};
use crate::forest::{Aggregate, Forest};
use crate::program::{Binary, Head, Kind, Program, Register, Step, Unary};

/// The program of the scores, and whether its trees tell how many training rows they saw.
pub(super) fn lower(compiler: &mut Compiler, scores: &[Id]) -> Result<(Program, bool)> {
    let columns = compiler.inputs.iter().enumerate().map(|(column, input)| match input.kind {
        Given::Float => Kind::Float,
        Given::BigInt | Given::Bit => Kind::BigInt,
        Given::Text => {
            let known = compiler.arena.categories.get(&(column as u32));
            Kind::Text { categories: known.map_or_else(Vec::new, |known| known.names.clone()) }
        }
    });
    let mut lowering = Lowering {
        arena: &compiler.arena,
        program: Program { columns: columns.collect(), steps: Vec::new(), registers: 0, scores: Vec::new(), head: None },
        registers: HashMap::new(),
        collapsed: HashMap::new(),
        places: HashMap::new(),
        tables: HashMap::new(),
        heads: HashMap::new(),
        covers: true,
    };
    lowering.collapse(scores);
    let mut out = Vec::with_capacity(scores.len());
    for id in scores {
        out.push(lowering.register(*id));
    }
    lowering.program.scores = out;
    lowering.program.head = if let [score] = scores { lowering.head(*score) } else { None };
    let covers = lowering.covers && lowering.program.head.is_some();
    let program = lowering.program;
    program.check().map_err(|what| OnnxError::Model(crate::ModelError(what)))?;
    Ok((program, covers))
}

/// The base and tables of one output, and the expressions that they read.
type Collapsed = (f64, Vec<Part>, Vec<Id>);

struct Lowering<'a> {
    arena: &'a Arena,
    program: Program,
    registers: HashMap<Id, Register>,
    /// The tables of each output of a forest that collapsed, and the expressions that they read.
    collapsed: HashMap<(u32, u32), Collapsed>,
    /// The register of each text column's places.
    places: HashMap<u32, Register>,
    /// What each text column's expressions are at each place.
    tables: HashMap<Id, Vec<f64>>,
    /// The step that made an expression, and its output there.
    heads: HashMap<Id, (u32, u32)>,
    covers: bool,
}

impl Lowering<'_> {
    /// Tries each forest that the scores need.
    fn collapse(&mut self, scores: &[Id]) {
        let mut open = scores.to_vec();
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let expr = &self.arena.exprs[id as usize];
            if let Expr::Part { joint, output } = expr
                && let Together::Trees { inputs, forest } = &self.arena.together[*joint as usize]
            {
                self.covers &= forest.covers.is_some();
                if let Some(found) = self.collapsed_forest(inputs, forest, *output) {
                    open.extend(&found.2);
                    self.collapsed.insert((*joint, *output), found);
                    continue;
                }
            }
            open.extend(self.arena.reads(expr));
        }
    }

    fn collapsed_forest(&mut self, inputs: &[Id], forest: &Forest, output: u32) -> Option<Collapsed> {
        // Most deep forests are found out by their first trees, before anything is prepared.
        let deep = |tree| {
            let nodes = forest.nodes_of(tree);
            let columns = nodes.iter().map(|place| self.arena.column_of(inputs[forest.nodes[*place as usize].feature as usize]));
            let mut columns: Vec<_> = columns.collect();
            columns.sort_unstable();
            columns.dedup();
            columns.len() > 1
        };
        if forest.trees.iter().any(deep) || matches!(forest.aggregate, Aggregate::Min | Aggregate::Max) {
            return None;
        }
        for id in inputs {
            if let Expr::Texts { column, .. } = &self.arena.exprs[*id as usize] {
                let column = *column;
                self.tables.entry(*id).or_insert_with(|| table(self.arena, *id, column));
            }
        }
        let features = inputs.iter().enumerate().map(|(place, id)| match &self.arena.exprs[*id as usize] {
            Expr::Number { column, round } => Feature::Number { column: *column, round: *round },
            Expr::Texts { column, .. } => Feature::Table { column: *column, values: &self.tables[id] },
            _ => Feature::Register(place as u32),
        });
        let features: Vec<Feature<'_>> = features.collect();
        let (base, parts) = additive::collapse(forest, &features, output)?;
        let read = parts.iter().filter_map(|part| part.register().map(|place| inputs[place as usize])).collect();
        // A register source still says which feature it is; it becomes a register when the step is made.
        Some((base, parts, read))
    }

    fn push(&mut self, outputs: usize, step: impl FnOnce(Register) -> Step) -> Register {
        let out = self.program.registers;
        self.program.steps.push(step(out));
        self.program.registers += outputs as u32;
        out
    }

    fn place(&mut self, column: u32) -> Register {
        if let Some(register) = self.places.get(&column) {
            return *register;
        }
        let register = self.push(1, |out| Step::Place { column, out });
        self.places.insert(column, register);
        register
    }

    /// The register of an expression; what it is made from is made before. Not recursive: graphs may be deep.
    fn register(&mut self, id: Id) -> Register {
        let mut open = vec![id];
        while let Some(id) = open.last().copied() {
            if self.registers.contains_key(&id) {
                open.pop();
                continue;
            }
            let missing: Vec<Id> = self.reads(id).into_iter().filter(|read| !self.registers.contains_key(read)).collect();
            if missing.is_empty() {
                open.pop();
                self.make(id);
            } else {
                open.extend(missing);
            }
        }
        self.registers.get(&id).copied().unwrap_or(0)
    }

    fn reads(&self, id: Id) -> Vec<Id> {
        if let Expr::Part { joint, output } = &self.arena.exprs[id as usize]
            && let Some((_, _, reads)) = self.collapsed.get(&(*joint, *output))
        {
            return reads.clone();
        }
        self.arena.reads(&self.arena.exprs[id as usize])
    }

    fn make(&mut self, id: Id) {
        let at = |lowering: &Self, id: &Id| lowering.registers.get(id).copied().unwrap_or(0);
        let register = match &self.arena.exprs[id as usize] {
            Expr::Number { column, round } => {
                let (column, round) = (*column, *round);
                self.push(1, |out| Step::Number { column, round, out })
            }
            Expr::Constant(value) => {
                let value = value.get();
                self.push(1, |out| Step::Constant { value, out })
            }
            Expr::Texts { column, values, default } => self.texts(id, *column, values, *default),
            Expr::Lookup { input, pairs, nan, default } => {
                let (keys, values) = pairs.iter().map(|(key, value)| (key.get(), value.get())).unzip();
                let (input, nan, default) = (at(self, input), nan.get(), default.get());
                self.push(1, |out| Step::Lookup { input, keys, values, nan, default, out })
            }
            Expr::Apply { what, input, round } => {
                let (what, input, round) = (*what, at(self, input), *round);
                self.push(1, |out| Step::Apply { what, input, round, out })
            }
            Expr::Combine { what, left, right, round } => {
                let (what, left, right, round) = (*what, at(self, left), at(self, right), *round);
                self.push(1, |out| Step::Combine { what, left, right, round, out })
            }
            Expr::Choose { condition, yes, no } => {
                let (condition, yes, no) = (at(self, condition), at(self, yes), at(self, no));
                self.push(1, |out| Step::Choose { condition, yes, no, out })
            }
            Expr::Part { joint, output } => return self.part(id, *joint, *output),
        };
        self.registers.insert(id, register);
    }

    fn texts(&mut self, id: Id, column: u32, values: &[(String, Bits)], default: Bits) -> Register {
        let place = self.place(column);
        // One of many columns of a one-hot encoder.
        if let ([(text, value)], 0.0) = (values, default.get())
            && value.get() == 1.0
            && let Some(own) = self.arena.categories.get(&column).and_then(|known| known.places.get(text))
        {
            let value = *own as f64;
            let right = self.push(1, |out| Step::Constant { value, out });
            return self.push(1, |out| Step::Combine { what: Binary::Equal, left: place, right, round: false, out });
        }
        let values = table(self.arena, id, column);
        self.push(1, |out| Step::Table { input: place, values, out })
    }

    /// All outputs of a joint operation at once.
    fn part(&mut self, id: Id, joint: u32, output: u32) {
        if let Some((base, mut parts, reads)) = self.collapsed.remove(&(joint, output)) {
            let mut reads = reads.into_iter();
            for part in &mut parts {
                if part.register().is_some()
                    && let Some(read) = reads.next()
                {
                    part.source = Source::Register { input: self.registers.get(&read).copied().unwrap_or(0) };
                }
            }
            let register = self.push(1, |out| Step::Additive { base, parts, out });
            self.heads.insert(id, (self.program.steps.len() as u32 - 1, 0));
            self.registers.insert(id, register);
            return;
        }
        let together = &self.arena.together[joint as usize];
        let inputs: Vec<Register> = together.inputs().iter().map(|id| self.registers.get(id).copied().unwrap_or(0)).collect();
        let outputs = together.outputs();
        let first = match together {
            Together::Joint { what, .. } => {
                let what = *what;
                self.push(outputs, |out| Step::Together { what, inputs, out })
            }
            Together::Linear { weights, bias, .. } => {
                let (weights, bias) = (weights.clone(), bias.clone());
                self.push(outputs, |out| Step::Linear { inputs, weights, bias, out })
            }
            Together::Trees { forest, .. } => {
                let forest = Forest::clone(forest);
                self.push(outputs, |out| Step::Trees { inputs, forest, out })
            }
            Together::Graph { widths, graph, outputs: count, .. } => {
                let (widths, graph, count) = (widths.clone(), graph.to_vec(), *count);
                self.push(outputs, |out| Step::Graph { inputs, widths, graph, outputs: count, out })
            }
        };
        let step = self.program.steps.len() as u32 - 1;
        for (other, expr) in self.arena.exprs.iter().enumerate() {
            if let Expr::Part { joint: own, output } = expr
                && *own == joint
                && !self.collapsed.contains_key(&(joint, *output))
            {
                self.registers.entry(other as Id).or_insert(first + output);
                self.heads.insert(other as Id, (step, *output));
            }
        }
    }

    /// The step whose sum is the score, or its log-odds, if each of its inputs is made from one column.
    fn head(&self, score: Id) -> Option<Head> {
        let (id, log_odds) = match &self.arena.exprs[score as usize] {
            Expr::Apply { what: Unary::Logistic, input, .. } => (*input, true),
            _ => (score, false),
        };
        let (step, output) = self.heads.get(&id).copied()?;
        let column = |id: &Id| self.arena.column_of(*id).ok().map(|column| column.unwrap_or(0));
        let Expr::Part { joint, .. } = &self.arena.exprs[id as usize] else { return None };
        let together = &self.arena.together[*joint as usize];
        let (columns, inputs): (Option<Vec<u32>>, usize) = match &self.program.steps[step as usize] {
            Step::Additive { parts, .. } => {
                let by_register = |register: Register| {
                    let id = self.registers.iter().find(|(_, other)| **other == register).map(|(id, _)| *id);
                    id.and_then(|id| column(&id))
                };
                let columns = parts.iter().map(|part| match part.source {
                    Source::Place { column } | Source::Number { column, .. } => Some(column),
                    Source::Register { input } => by_register(input),
                });
                (columns.collect(), parts.len())
            }
            Step::Trees { forest, .. } if matches!(forest.aggregate, Aggregate::Sum | Aggregate::Average) => {
                (together.inputs().iter().map(column).collect(), 0)
            }
            Step::Linear { inputs, .. } => (together.inputs().iter().map(column).collect(), inputs.len()),
            _ => return None,
        };
        let linear = matches!(self.program.steps[step as usize], Step::Linear { .. });
        Some(Head { step, output, log_odds, columns: columns?, means: if linear { vec![0.0; inputs] } else { Vec::new() } })
    }
}

/// What an expression over a text column is for each category, and for an unknown text.
fn table(arena: &Arena, id: Id, column: u32) -> Vec<f64> {
    let Expr::Texts { values, default, .. } = &arena.exprs[id as usize] else { return vec![0.0] };
    let known = arena.categories.get(&column);
    let mut table = vec![default.get(); known.map_or(0, |known| known.names.len()) + 1];
    // Of equal texts the first counts.
    for (text, value) in values.iter().rev() {
        if let Some(place) = known.and_then(|known| known.places.get(text)) {
            table[*place] = value.get();
        }
    }
    table
}
