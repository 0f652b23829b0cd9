//! Constant tensors.

use super::proto::TensorProto;

/// What a tensor's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elem {
    Float,
    Double,
    Int,
    Bool,
    Text,
}

impl Elem {
    pub(super) fn of(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Float),
            11 => Some(Self::Double),
            2..=7 | 12 | 13 => Some(Self::Int),
            8 => Some(Self::Text),
            9 => Some(Self::Bool),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Double => "double",
            Self::Int => "an integer type",
            Self::Bool => "bool",
            Self::Text => "string",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) dims: Vec<usize>,
    pub(super) elem: Elem,
    pub(super) data: Data,
}

impl Tensor {
    pub(super) fn read(proto: &TensorProto) -> Result<Self, String> {
        if proto.data_location == Some(1) {
            return Err("its data lie in another file; save the model as one file".to_owned());
        }
        let elem = Elem::of(proto.data_type).ok_or_else(|| format!("elements of type number {} cannot be compiled", proto.data_type))?;
        let dims = proto.dims.iter().map(|dim| usize::try_from(*dim)).collect::<Result<Vec<_>, _>>();
        let dims = dims.map_err(|_| "a dimension is negative".to_owned())?;
        let data = if elem == Elem::Text {
            let texts = proto.string_data.iter().map(|text| String::from_utf8(text.clone())).collect::<Result<_, _>>();
            Data::Texts(texts.map_err(|_| "a text is not UTF-8".to_owned())?)
        } else {
            Data::Numbers(numbers(proto)?)
        };
        let tensor = Self { dims, elem, data };
        let count = tensor.dims.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
        if count == Some(tensor.len()) { Ok(tensor) } else { Err("it has another number of elements than its shape".to_owned()) }
    }

    pub(super) fn of(values: Vec<f64>, elem: Elem) -> Self {
        Self { dims: vec![values.len()], elem, data: Data::Numbers(values) }
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Numbers(values) => values.len(),
            Data::Texts(values) => values.len(),
        }
    }

    pub(super) fn numbers(&self) -> Option<&[f64]> {
        if let Data::Numbers(values) = &self.data { Some(values) } else { None }
    }

    pub(super) fn texts(&self) -> Option<&[String]> {
        if let Data::Texts(values) = &self.data { Some(values) } else { None }
    }

    /// Its numbers as whole ones.
    pub(super) fn whole(&self) -> Option<Vec<i64>> {
        self.numbers().map(|values| values.iter().map(|value| *value as i64).collect())
    }
}

fn numbers(proto: &TensorProto) -> Result<Vec<f64>, String> {
    let raw = proto.raw_data.as_slice();
    fn split<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        raw.chunks_exact(N).map(|bytes| bytes.try_into().map_or(f64::NAN, &read)).collect()
    }
    let has_raw = !raw.is_empty();
    Ok(match proto.data_type {
        1 if has_raw => split(raw, |bytes| f64::from(f32::from_le_bytes(bytes))),
        1 => proto.float_data.iter().map(|value| f64::from(*value)).collect(),
        11 if has_raw => split(raw, f64::from_le_bytes),
        11 => proto.double_data.clone(),
        7 if has_raw => split(raw, |bytes| i64::from_le_bytes(bytes) as f64),
        7 => proto.int64_data.iter().map(|value| *value as f64).collect(),
        6 if has_raw => split(raw, |bytes| f64::from(i32::from_le_bytes(bytes))),
        2 | 9 if has_raw => split(raw, |[byte]: [u8; 1]| f64::from(byte)),
        3 if has_raw => split(raw, |[byte]: [u8; 1]| f64::from(byte as i8)),
        2 | 3 | 6 | 9 => proto.int32_data.iter().map(|value| f64::from(*value)).collect(),
        other => return Err(format!("elements of type number {other} cannot be compiled")),
    })
}
