//! What a script compiles to.

use tamis_frame::{Column, Type};

use super::aggregate::WindowStep;
use super::diagnostic::Position;
use super::expression::Expression;
use super::project::Project;
use crate::time::Timestamp;

/// A script to compile.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// Its file, for messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// The names that a script may use.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Inputs.
    pub inputs: Vec<String>,
    /// Outputs; `None`: any.
    pub outputs: Option<Vec<String>>,
    /// Functions, called `udf.NAME`.
    pub functions: Vec<FunctionInfo>,
}

/// A function that a script may call.
#[derive(Debug, Clone)]
pub struct FunctionInfo {
    /// Its name, after `udf.`.
    pub name: String,
    /// The columns that its record must have; `None`: it takes anything.
    pub columns: Option<Vec<Column>>,
    /// The type of its result.
    pub returns: Type,
}

/// A compiled script.
#[derive(Debug)]
pub struct Plan {
    /// The inputs that it reads, in the catalog's order.
    pub inputs: Vec<InputPlan>,
    /// Its steps; each stands after the one that it reads.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The functions that a step, or one that it reads from, calls; each once.
    pub fn functions(&self, step: usize) -> Vec<String> {
        let mut names: Vec<String> = match self.steps[step].source {
            Source::Step(before) => self.functions(before),
            Source::Input(_) => Vec::new(),
        };
        let (filter, calls) = match &self.steps[step].operator {
            Operator::Project(project) => (&project.filter, &project.calls),
            Operator::Window(window) => (&window.filter, &window.calls),
        };
        for call in filter.calls.iter().chain(calls) {
            if !names.contains(&call.name) {
                names.push(call.name.clone());
            }
        }
        names
    }
}

/// What is read of an input.
#[derive(Debug)]
pub struct InputPlan {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Columns,
    /// What gives its rows their time; `None`: arrival.
    pub timestamp_by: Option<Expression>,
}

/// The columns that are read of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// These.
    Named(Vec<String>),
    /// All that its events have.
    All,
}

/// One SELECT.
#[derive(Debug)]
pub struct Step {
    /// Its name, when it has one (`WITH name AS …`).
    pub name: Option<String>,
    /// What it reads.
    pub source: Source,
    /// What it does.
    pub operator: Operator,
    /// The output that its rows go to.
    pub into: Option<String>,
    /// Where it stands in the script.
    pub position: Position,
}

/// What a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Input number so many of the plan.
    Input(usize),
    /// Step number so many.
    Step(usize),
}

/// What a step does.
#[derive(Debug)]
pub enum Operator {
    /// Filters and computes, row by row: a batch in, a batch out.
    Project(Project),
    /// Groups the rows of each window.
    Window(WindowStep),
}

/// A window's size and place, in ticks of 100 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSpec {
    /// Length.
    pub size: i64,
    /// Time between the ends of two windows; the same as `size` for a tumbling window.
    pub hop: i64,
    /// How far the boundaries are moved from the multiples of `hop`.
    pub offset: i64,
}

impl WindowSpec {
    /// The longest window: 7 days.
    pub const MAX: i64 = 7 * 24 * 3600 * crate::time::TICKS_PER_SECOND;
    /// The shortest: one tick.
    pub const MIN: Timestamp = Timestamp(1);
}
