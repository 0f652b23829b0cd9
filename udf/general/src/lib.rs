//! The engine of the general guest: tract, which reads a graph of ONNX when the model is baked in and runs it over rows.
//! On any other target there is nothing here: scoring happens in the sandbox.

#![forbid(unsafe_code)]
#![cfg(target_arch = "wasm32")]

use std::sync::Arc;

use tamis_model::Foreign;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, InferenceOp};

/// How the name of an operator begins that tract does not have.
const UNKNOWN: &str = "Unimplemented(";

/// A graph, ready to run.
#[derive(Debug)]
struct Graph {
    plan: Arc<TypedRunnableModel>,
    /// Each tensor's type, and whether it has columns beside its rows.
    inputs: Vec<(DatumType, bool)>,
    /// Whether it takes any number of rows at once, or one.
    together: bool,
}

/// Reads a graph: `widths` are the columns of each tensor that it reads, `outputs` the columns of what it gives.
///
/// # Errors
/// What tract does not have or cannot do, by the operators' names.
pub fn prepare(graph: &[u8], widths: &[u32], outputs: u32) -> Result<Arc<dyn Foreign>, String> {
    let read = || tract_onnx::onnx().model_for_read(&mut std::io::Cursor::new(graph));
    let model = read().map_err(|error| told(&error))?;
    let mut unknown: Vec<String> = model.nodes().iter().filter_map(unknown).collect();
    unknown.dedup();
    if !unknown.is_empty() {
        return Err(format!("tract does not have {}", unknown.join(", ")));
    }
    let outputs = outputs as usize;
    match Graph::new(model, widths, true).and_then(|graph| graph.tried(widths, outputs)) {
        Ok(graph) => Ok(Arc::new(graph)),
        // Some graphs have a shape that does not stretch.
        Err(_) => {
            let graph = read().and_then(|model| Graph::new(model, widths, false)).and_then(|graph| graph.tried(widths, outputs));
            graph.map(|graph| Arc::new(graph) as Arc<dyn Foreign>).map_err(|error| told(&error))
        }
    }
}

/// A node whose operator tract does not have.
fn unknown(node: &Node<InferenceFact, Box<dyn InferenceOp>>) -> Option<String> {
    let operator = node.op.name();
    let name = operator.strip_prefix(UNKNOWN)?.trim_end_matches(')');
    Some(format!("the operator {name} of node '{}'", node.name))
}

/// An error with its causes, without what only tract's makers can read.
fn told(error: &TractError) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string().lines().next().unwrap_or_default().to_owned()).collect();
    causes.join(": ")
}

impl Graph {
    fn new(mut model: InferenceModel, widths: &[u32], together: bool) -> TractResult<Self> {
        let mut inputs = Vec::with_capacity(widths.len());
        for (place, width) in widths.iter().enumerate() {
            let fact = model.input_fact(place)?.clone();
            let ty = fact.datum_type().unwrap_or(f32::datum_type());
            let table = fact.shape.rank().concretize().is_none_or(|rank| rank > 1);
            inputs.push((ty, table));
            if !together {
                let shape = if table { vec![1, *width as usize] } else { vec![1] };
                model.set_input_fact(place, InferenceFact::dt_shape(ty, &shape))?;
            }
        }
        let plan = model.into_optimized()?.into_runnable()?;
        Ok(Self { plan, inputs, together })
    }

    /// Runs rows of zeros, so that what cannot run is known before the first real row.
    fn tried(self, widths: &[u32], outputs: usize) -> TractResult<Self> {
        for rows in [1, 3] {
            let zeros = vec![0.0; rows];
            let tensors: Vec<Vec<&[f64]>> = widths.iter().map(|width| vec![zeros.as_slice(); *width as usize]).collect();
            let mut planes = vec![vec![0.0; rows]; outputs];
            let mut out: Vec<&mut [f64]> = planes.iter_mut().map(Vec::as_mut_slice).collect();
            self.rows(&tensors, &mut out)?;
        }
        Ok(self)
    }

    fn rows(&self, inputs: &[Vec<&[f64]>], out: &mut [&mut [f64]]) -> TractResult<()> {
        let rows = out.first().map_or(0, |plane| plane.len());
        let step = if self.together { rows.max(1) } else { 1 };
        for start in (0..rows).step_by(step) {
            let count = step.min(rows - start);
            let tensors = inputs.iter().zip(&self.inputs).map(|(columns, (ty, table))| {
                let values: Vec<f64> = (start..start + count).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
                let shape = if *table { vec![count, columns.len()] } else { vec![count] };
                let tensor = Tensor::from_shape(&shape, &values)?;
                Ok(tensor.cast_to_dt(*ty)?.into_owned().into_tvalue())
            });
            let answers = self.plan.run(tensors.collect::<TractResult<_>>()?)?;
            let answer = answers[0].cast_to::<f64>()?;
            let values = answer.try_as_plain_ram()?.as_slice::<f64>()?;
            if values.len() != count * out.len() {
                let shape = answers[0].shape();
                return Err(TractError::msg(format!("its output has the shape {shape:?} for {count} rows of {} columns", out.len())));
            }
            for (row, given) in values.chunks_exact(out.len()).enumerate() {
                out.iter_mut().zip(given).for_each(|(plane, value)| plane[start + row] = *value);
            }
        }
        Ok(())
    }
}

impl Foreign for Graph {
    fn run(&self, inputs: &[Vec<&[f64]>], out: &mut [&mut [f64]]) -> Result<(), String> {
        self.rows(inputs, out).map_err(|error| told(&error))
    }
}
