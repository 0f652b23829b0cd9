//! What a script compiles to.

use std::sync::Arc;

use tamis_frame::{Column, Type};

use super::apply::Apply;
use super::diagnostic::Position;
use super::expression::Expression;
use super::project::Project;
use super::{AnalyticSpec, JoinSpec, LookupSpec, MatchSpec, WindowedStep};

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
    /// Stream inputs; `None`: any name that is no step is one.
    pub inputs: Option<Vec<String>>,
    /// Reference inputs.
    pub references: Vec<String>,
    /// Outputs; `None`: any.
    pub outputs: Option<Vec<String>>,
    /// Functions, called `udf.NAME`.
    pub functions: Vec<FunctionInfo>,
    /// Aggregate functions, called `uda.NAME`.
    pub aggregates: Vec<String>,
}

/// A function that a script may call.
#[derive(Debug, Clone)]
pub struct FunctionInfo {
    /// Its name, after `udf.`.
    pub name: String,
    /// The columns that its record must have; `None`: it takes anything.
    pub columns: Option<Vec<Column>>,
    /// The type of its result; `None`: any.
    pub returns: Option<Type>,
}

/// A compiled script.
#[derive(Debug, Default)]
pub struct Plan {
    /// The script's file, for messages.
    pub file: String,
    /// The script's text.
    pub text: String,
    /// The inputs that it reads.
    pub inputs: Vec<InputPlan>,
    /// The inputs as the query sees them: one for each way in which an input gets its time.
    pub feeds: Vec<Feed>,
    /// The reference inputs that it reads, each with the columns it needs.
    pub references: Vec<(String, Columns)>,
    /// Its steps; each stands after those that it reads.
    pub steps: Vec<Step>,
    /// The outputs that it writes, each once.
    pub outputs: Vec<String>,
}

impl Plan {
    /// The functions that a step, or one that it reads from, calls; each once.
    pub fn functions(&self, step: usize) -> Vec<String> {
        let mut names = Vec::new();
        for source in &self.steps[step].sources {
            if let Source::Step(before) = source {
                names.extend(self.functions(*before));
            }
        }
        self.steps[step].operator.visit(&mut |expression| {
            if let Expression::Call(call) = expression {
                names.push(call.name.clone());
            }
        });
        names.sort_unstable();
        names.dedup();
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
    /// What is read of what stands beside an event's body: `#key`, `#user`, `#user.NAME` in small letters.
    pub beside: Vec<String>,
    /// `CREATE TABLE`: columns and their types; a row that does not fit is dropped.
    pub table: Option<Vec<(Arc<str>, Arc<str>)>>,
}

/// An input with a sense of time.
#[derive(Debug)]
pub struct Feed {
    /// The input's place in the plan.
    pub input: usize,
    /// `TIMESTAMP BY`: what gives rows their time; `None`: arrival.
    pub timestamp_by: Option<Expression>,
    /// `TIMESTAMP BY … OVER`: rows of each value have a timeline of their own.
    pub over: Vec<Expression>,
    /// Whether the arrival time is read, as `#enqueued`.
    pub enqueued: bool,
}

/// The columns that are read of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// These.
    Named(Vec<String>),
    /// All that its events have.
    All,
}

/// A part of the query that runs by itself: one SELECT becomes one or several.
#[derive(Debug)]
pub struct Step {
    /// The step or output that it belongs to, for messages.
    pub name: Arc<str>,
    /// What it reads; a join reads two.
    pub sources: Vec<Source>,
    /// What it does.
    pub operator: Operator,
    /// The place of the output that its rows go to.
    pub into: Option<usize>,
    /// Where it stands in the script.
    pub position: Position,
}

/// What a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Feed number so many of the plan.
    Feed(usize),
    /// Step number so many.
    Step(usize),
}

/// What a step does.
#[derive(Debug)]
pub enum Operator {
    /// Filters and computes, row by row.
    Project(Project),
    /// `CROSS APPLY`, `OUTER APPLY`.
    Apply(Apply),
    /// The rows of several queries; the columns take these names, by their places. `None`: as they are.
    Union(Option<Vec<Arc<str>>>),
    /// A join with the reference input of that place.
    Lookup(LookupSpec, usize),
    /// A join of two streams.
    Join(JoinSpec),
    /// Analytic functions.
    Analytic(Vec<AnalyticSpec>),
    /// `MATCH_RECOGNIZE`.
    Match(MatchSpec),
    /// GROUP BY.
    Window(WindowedStep),
}

impl Operator {
    /// Calls `visit` for each expression of a step in which functions may be called, and those inside it.
    fn visit(&self, visit: &mut impl FnMut(&Expression)) {
        match self {
            Self::Project(project) => project.visit(visit),
            Self::Apply(apply) => apply.visit(visit),
            // Calls in these stand in a step of their own before them.
            Self::Union(_) | Self::Lookup(..) | Self::Join(_) | Self::Analytic(_) | Self::Match(_) | Self::Window(_) => {}
        }
    }

    /// Whether a batch can be run through it at once, whatever came before.
    pub fn is_stateless(&self) -> bool {
        matches!(self, Self::Project(_) | Self::Apply(_) | Self::Union(_) | Self::Lookup(..))
    }
}
