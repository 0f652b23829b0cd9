//! Runs a program: column after column, 512 rows at a time, with no memory asked for per row.

use std::sync::Arc;

use crate::additive::Lookup;
use crate::categories::Categories;
use crate::cells::Cells;
use crate::kernel::Kernel;
use crate::ops;
use crate::program::{Kind, Program, Step};

/// Rows that go through all steps before the next ones are looked at: their registers stay in the fastest caches.
pub(crate) const CHUNK: usize = 512;

/// A model, ready to score.
#[derive(Debug, Clone)]
pub struct Scorer {
    pub(crate) program: Program,
    /// What each text column's categories are found with.
    pub(crate) categories: Vec<Option<Categories>>,
    /// What each step's data are laid out as.
    prepared: Vec<Prepared>,
}

#[derive(Debug, Clone)]
enum Prepared {
    Nothing,
    Additive(Vec<Lookup>),
    Trees(Kernel),
    Graph(Arc<dyn Foreign>),
}

/// A graph that an engine of another make has made ready.
pub trait Foreign: std::fmt::Debug + Send + Sync {
    /// Runs it over as many rows as each of the columns has: `inputs` are the columns of each tensor, `out` those of the output.
    ///
    /// # Errors
    /// What the engine says.
    fn run(&self, inputs: &[Vec<&[f64]>], out: &mut [&mut [f64]]) -> Result<(), String>;
}

/// Makes graphs ready: an ONNX file, how many columns each tensor has that it reads, and how many its output has.
pub type Engine = dyn Fn(&[u8], &[u32], u32) -> Result<Arc<dyn Foreign>, String>;

/// Memory that scoring works in. Kept between calls, it is asked for once.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    pub(crate) registers: Vec<f64>,
    bins: Vec<u32>,
}

/// Why parts do not make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a model: {0}")]
pub struct ModelError(pub(crate) &'static str);

/// Why columns cannot be scored: always an error of the caller, never of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Another number of columns than the model reads.
    #[error("the model reads {expected} columns, {given} were given")]
    Columns {
        /// What the model reads.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// A column of another kind than the model reads.
    #[error("column {column} of the model reads {expected}")]
    Kind {
        /// The place of the column.
        column: usize,
        /// What the model reads.
        expected: &'static str,
    },
    /// A column of another length than the scores.
    #[error("column {column} has {given} rows, {expected} scores are asked for")]
    Rows {
        /// The place of the column.
        column: usize,
        /// The number of scores.
        expected: usize,
        /// The number of rows.
        given: usize,
    },
    /// The engine of another make failed.
    #[error("the model's graph cannot be run: {0}")]
    Graph(String),
    /// The model has no head that could be explained.
    #[error("the model's results cannot be told column by column")]
    Unexplained,
}

type Prepare<'a> = dyn FnMut(&[u8], &[u32], u32) -> Result<Arc<dyn Foreign>, &'static str> + 'a;

impl Scorer {
    /// Checks a program and lays its data out.
    ///
    /// # Errors
    /// [`ModelError`] when its parts do not fit together.
    #[inline]
    pub fn new(program: Program) -> Result<Self, ModelError> {
        Self::prepare(program, &mut |_, _, _| Err("a part of it needs the general guest"))
    }

    /// The same for a program whose graphs this engine runs.
    ///
    /// # Errors
    /// When its parts do not fit together, and what the engine says.
    #[inline]
    pub fn with_engine(program: Program, engine: &Engine) -> Result<Self, String> {
        let mut said = None;
        let prepared = Self::prepare(program, &mut |graph, widths, outputs| {
            engine(graph, widths, outputs).map_err(|error| {
                said = Some(error);
                "its graph"
            })
        });
        prepared.map_err(|error| said.unwrap_or_else(|| error.to_string()))
    }

    fn prepare(program: Program, engine: &mut Prepare<'_>) -> Result<Self, ModelError> {
        program.check().map_err(ModelError)?;
        let categories = program.columns.iter().map(|kind| match kind {
            Kind::Text { categories } => Some(Categories::new(categories.clone())),
            Kind::Float | Kind::BigInt => None,
        });
        let prepared = program.steps.iter().map(|step| {
            Ok(match step {
                Step::Additive { parts, .. } => Prepared::Additive(parts.iter().map(|part| Lookup::new(part, &program.columns)).collect()),
                Step::Trees { forest, inputs, .. } => Prepared::Trees(Kernel::new(forest, inputs.len()).ok_or("the trees are too large")?),
                Step::Graph { graph, widths, outputs, .. } => Prepared::Graph(engine(graph, widths, *outputs)?),
                _ => Prepared::Nothing,
            })
        });
        let prepared = prepared.collect::<Result<_, _>>().map_err(ModelError)?;
        Ok(Self { categories: categories.collect(), prepared, program })
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// How many results it gives a row.
    pub fn outputs(&self) -> usize {
        self.program.scores.len()
    }

    /// Scores the rows: `columns` in the model's order; into `scores`, for each output one value a row, output after output.
    ///
    /// # Errors
    /// When the columns are not the ones that the model reads, or not as long as the scores.
    pub fn score(&self, columns: &[Cells<'_>], scratch: &mut Scratch, scores: &mut [f64]) -> Result<(), ScoreError> {
        let rows = scores.len() / self.outputs();
        self.check(columns, rows)?;
        let mut start = 0;
        while start < rows {
            let count = CHUNK.min(rows - start);
            self.run(columns, start, count, scratch)?;
            for (scores, register) in scores.chunks_exact_mut(rows).zip(&self.program.scores) {
                scores[start..start + count].copy_from_slice(&scratch.registers[*register as usize * CHUNK..][..count]);
            }
            start += count;
        }
        Ok(())
    }

    pub(crate) fn check(&self, columns: &[Cells<'_>], rows: usize) -> Result<(), ScoreError> {
        let expected = &self.program.columns;
        if columns.len() != expected.len() {
            return Err(ScoreError::Columns { expected: expected.len(), given: columns.len() });
        }
        for (column, (cells, kind)) in columns.iter().zip(expected).enumerate() {
            if !cells.fits(kind) {
                let expected = match kind {
                    Kind::Float => "floats",
                    Kind::BigInt => "integers",
                    Kind::Text { .. } => "texts",
                };
                return Err(ScoreError::Kind { column, expected });
            }
            if cells.rows() != rows {
                return Err(ScoreError::Rows { column, expected: rows, given: cells.rows() });
            }
        }
        Ok(())
    }

    /// Runs all steps over `rows` rows from `start` on; the registers are planes of [`CHUNK`] rows.
    pub(crate) fn run(&self, columns: &[Cells<'_>], start: usize, rows: usize, scratch: &mut Scratch) -> Result<(), ScoreError> {
        let Scratch { registers, bins } = scratch;
        registers.resize(self.program.registers as usize * CHUNK, 0.0);
        for (step, prepared) in self.program.steps.iter().zip(&self.prepared) {
            let (out, count) = step.writes();
            // A step reads only what was written before it.
            let (done, rest) = registers.split_at_mut(out as usize * CHUNK);
            let out = &mut rest[..count * CHUNK];
            match (step, prepared) {
                (Step::Additive { base, .. }, Prepared::Additive(lookups)) => {
                    let sums = &mut out[..rows];
                    sums.fill(*base);
                    for lookup in lookups {
                        lookup.add(columns, &self.categories, done, start, sums);
                    }
                }
                (Step::Trees { inputs, forest, .. }, Prepared::Trees(kernel)) => kernel.run(forest, inputs, done, bins, rows, out),
                (Step::Graph { inputs, widths, .. }, Prepared::Graph(graph)) => {
                    let mut planes = inputs.iter().map(|register| &done[*register as usize * CHUNK..][..rows]);
                    let tensors: Vec<Vec<&[f64]>> = widths.iter().map(|width| planes.by_ref().take(*width as usize).collect()).collect();
                    let mut out: Vec<&mut [f64]> = out.chunks_exact_mut(CHUNK).map(|plane| &mut plane[..rows]).collect();
                    graph.run(&tensors, &mut out).map_err(ScoreError::Graph)?;
                }
                _ => ops::run(step, columns, &self.categories, done, start, rows, out),
            }
        }
        Ok(())
    }
}
