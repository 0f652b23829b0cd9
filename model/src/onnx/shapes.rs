//! What changes a tensor's shape, or takes some of its columns: columns are moved, nothing is computed.

use super::attributes::Attributes;
use super::fault;
use super::graph::{Compiler, Result};
use super::proto::NodeProto;
use super::tensor::Elem;
use super::value::{Scalar, Value};

impl Compiler {
    pub(super) fn shapes(&mut self, attributes: Attributes<'_>) -> Result<Option<Vec<Value>>> {
        let node = attributes.node;
        let value = match node.op_type.as_str() {
            "Identity" | "Dropout" => self.input(node, 0)?,
            "Concat" => self.concat(attributes)?,
            "FeatureVectorizer" => self.vectorize(attributes)?,
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(attributes)?,
            "ArrayFeatureExtractor" | "Gather" => self.pick(attributes)?,
            "Slice" => self.slice(attributes)?,
            "Split" => return self.split(attributes).map(Some),
            "ZipMap" => {
                let (scores, _, _) = self.numbers(node, 0)?;
                let ints = attributes.ints("classlabels_int64s");
                let classes = if ints.is_empty() {
                    let texts: Vec<String> = attributes.texts("classlabels_strings")?.into_iter().map(str::to_owned).collect();
                    super::tensor::Tensor { dims: vec![texts.len()], elem: Elem::Text, data: super::tensor::Data::Texts(texts) }
                } else {
                    super::tensor::Tensor::of(ints.iter().map(|class| *class as f64).collect(), Elem::Int)
                };
                if classes.len() != scores.len() {
                    return Err(fault(node, format!("it has {} labels for {} scores", classes.len(), scores.len())));
                }
                Value::Zipped { scores, classes }
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![value]))
    }

    fn concat(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let axis = attributes.int("axis").unwrap_or(1);
        if let Value::Fixed(first) = self.input(node, 0)?
            && node.input.len() == 1
        {
            return Ok(Value::Fixed(first));
        }
        let mut joined: Vec<Scalar> = Vec::new();
        let mut elem = None;
        for place in 0..node.input.len() {
            let (columns, own, rank) = self.rows(node, place)?;
            if !(axis == 1 && rank >= 2 || axis == -1 && (rank == 2 || rank == 3)) {
                return Err(fault(
                    node,
                    format!("axis {axis} of a tensor with {rank} dimensions cannot be compiled; axis 1 of a table can"),
                ));
            }
            if elem.is_some_and(|elem| elem != own) {
                return Err(fault(node, "its inputs are of several types"));
            }
            elem = Some(own);
            joined.extend(columns);
        }
        let elem = elem.ok_or_else(|| fault(node, "it has no inputs"))?;
        Ok(Value::Rows { columns: joined, elem, rank: 2 })
    }

    fn vectorize(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let wanted = attributes.ints("inputdimensions");
        let mut joined = Vec::new();
        for place in 0..node.input.len() {
            let (mut ids, _) = self.floats(node, place)?;
            if let Some(width) = wanted.get(place) {
                let width = usize::try_from(*width).unwrap_or(0);
                let zero = self.arena.constant(0.0);
                ids.resize(width, zero);
            }
            joined.extend(ids.into_iter().map(Scalar::Number));
        }
        Ok(Value::Rows { columns: joined, elem: Elem::Float, rank: 2 })
    }

    fn reshape(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (columns, elem, rank) = match self.input(node, 0)? {
            // Which shape a constant has does not matter to what can be compiled.
            fixed @ Value::Fixed(_) => return Ok(fixed),
            Value::Rows { columns, elem, rank } => (columns, elem, rank),
            _ => return Err(fault(node, "its input is not a tensor")),
        };
        let wide = columns.len();
        let axes = || {
            let given = attributes.ints("axes");
            if given.is_empty() && Self::has(node, 1) {
                self.fixed(node, 1).map(|axes| axes.whole().unwrap_or_default())
            } else {
                Ok(given.to_vec())
            }
        };
        let rank = match node.op_type.as_str() {
            "Flatten" if matches!(attributes.int("axis"), None | Some(1)) => 2,
            "Flatten" => return Err(fault(node, "only axis 1 can be compiled")),
            "Squeeze" => {
                let axes = axes()?;
                if axes.contains(&0) || (wide != 1 && rank == 2) {
                    return Err(fault(node, "only a single column can be squeezed"));
                }
                rank.saturating_sub(axes.len().max(1)).max(1)
            }
            "Unsqueeze" => {
                let axes = axes()?;
                if axes.contains(&0) {
                    return Err(fault(node, "the rows must stay the first axis"));
                }
                rank + axes.len()
            }
            _ => {
                let shape = match attributes.ints("shape") {
                    [] => self.fixed(node, 1)?.whole().ok_or_else(|| fault(node, "its shape is texts"))?,
                    shape => shape.to_vec(),
                };
                reshaped(node, &shape, wide)?
            }
        };
        Ok(Value::Rows { columns, elem, rank })
    }

    /// Takes columns by their places.
    fn pick(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let places = self.fixed(node, 1)?;
        let whole = places.whole().ok_or_else(|| fault(node, "its places are texts"))?;
        if let Value::Fixed(_) = self.input(node, 0)? {
            return Err(fault(node, "taking parts of a constant cannot be compiled"));
        }
        let (columns, elem, rank) = self.rows(node, 0)?;
        if node.op_type == "Gather" && !matches!(attributes.int("axis"), Some(1 | -1)) {
            return Err(fault(node, "only columns (axis 1) can be taken"));
        }
        let mut taken = Vec::with_capacity(whole.len());
        for place in &whole {
            let at = if *place < 0 { *place + columns.len() as i64 } else { *place };
            let column = usize::try_from(at).ok().and_then(|at| columns.get(at));
            taken.push(column.cloned().ok_or_else(|| fault(node, format!("it takes column {place}, of {}", columns.len())))?);
        }
        let scalar = node.op_type == "Gather" && places.dims.is_empty();
        Ok(Value::Rows { columns: taken, elem, rank: if scalar { 1 } else { rank.max(2) } })
    }

    fn slice(&mut self, attributes: Attributes<'_>) -> Result<Value> {
        let node = attributes.node;
        let (columns, elem, rank) = self.rows(node, 0)?;
        let list = |place: usize, name: &str| -> Result<Vec<i64>> {
            if Self::has(node, place) {
                return Ok(self.fixed(node, place)?.whole().unwrap_or_default());
            }
            Ok(attributes.ints(name).to_vec())
        };
        let (starts, ends, axes, steps) = (list(1, "starts")?, list(2, "ends")?, list(3, "axes")?, list(4, "steps")?);
        if starts.len() != 1 || ends.len() != 1 || !matches!(axes.as_slice(), [1 | -1]) || steps.iter().any(|step| *step != 1) {
            return Err(fault(node, "only a run of columns (axis 1, step 1) can be compiled"));
        }
        let wide = columns.len() as i64;
        let bound = |at: i64| (if at < 0 { at.saturating_add(wide) } else { at }).clamp(0, wide) as usize;
        let (start, end) = (bound(starts[0]), bound(ends[0]));
        Ok(Value::Rows { columns: columns.get(start..end).unwrap_or_default().to_vec(), elem, rank })
    }

    fn split(&mut self, attributes: Attributes<'_>) -> Result<Vec<Value>> {
        let node = attributes.node;
        let (columns, elem, rank) = self.rows(node, 0)?;
        if !matches!(attributes.int("axis"), Some(1 | -1)) {
            return Err(fault(node, "only columns (axis 1) can be split"));
        }
        let parts = node.output.len().max(1);
        let mut sizes = attributes.ints("split").to_vec();
        if Self::has(node, 1) {
            sizes = self.fixed(node, 1)?.whole().unwrap_or_default();
        }
        if sizes.is_empty() {
            let each = columns.len().div_ceil(parts) as i64;
            sizes = vec![each; parts];
        }
        let mut rest = columns.as_slice();
        let mut values = Vec::with_capacity(sizes.len());
        for size in sizes {
            let (own, others) = rest.split_at(usize::try_from(size).unwrap_or(0).min(rest.len()));
            values.push(Value::Rows { columns: own.to_vec(), elem, rank });
            rest = others;
        }
        Ok(values)
    }
}

/// How many dimensions rows of `wide` columns have after a reshape that keeps the rows.
fn reshaped(node: &NodeProto, shape: &[i64], wide: usize) -> Result<usize> {
    let whole = |dims: &[i64]| dims.iter().try_fold(1_i64, |product, dim| product.checked_mul(*dim)) == Some(wide as i64);
    match shape {
        [-1 | 0] if wide == 1 => Ok(1),
        [-1 | 0, rest @ ..] if whole(rest) && !rest.is_empty() => Ok(shape.len()),
        [0, rest @ ..] if rest.iter().filter(|dim| **dim == -1).count() == 1 => Ok(shape.len()),
        _ => Err(fault(node, format!("a reshape of {wide} columns to {shape:?} mixes rows, which cannot be compiled"))),
    }
}
