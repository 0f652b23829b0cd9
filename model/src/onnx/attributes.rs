//! A node's attributes by name.

use super::proto::{AttributeProto, NodeProto};
use super::tensor::Tensor;
use super::{OnnxError, fault};

#[derive(Clone, Copy)]
pub(super) struct Attributes<'a> {
    pub(super) node: &'a NodeProto,
}

impl<'a> Attributes<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).map(|attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        self.get(name).map(|attribute| f64::from(attribute.f))
    }

    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(super) fn floats(&self, name: &str) -> Vec<f64> {
        self.get(name).map_or_else(Vec::new, |attribute| attribute.floats.iter().map(|value| f64::from(*value)).collect())
    }

    /// Numbers as a list of floats, or as a tensor under the same name with `_as_tensor` behind it.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>, OnnxError> {
        match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => {
                tensor.numbers().map(<[f64]>::to_vec).ok_or_else(|| fault(self.node, format!("'{name}_as_tensor' holds texts")))
            }
            None => Ok(self.floats(name)),
        }
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor>, OnnxError> {
        let proto = self.get(name).and_then(|attribute| attribute.t.as_ref());
        proto.map(|proto| Tensor::read(proto).map_err(|what| fault(self.node, format!("attribute '{name}': {what}")))).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, OnnxError> {
        self.get(name).map(|attribute| self.utf8(name, &attribute.s)).transpose()
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, OnnxError> {
        let Some(attribute) = self.get(name) else { return Ok(Vec::new()) };
        attribute.strings.iter().map(|text| self.utf8(name, text)).collect()
    }

    fn utf8(&self, name: &str, bytes: &'a [u8]) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(bytes).map_err(|_| fault(self.node, format!("attribute '{name}' is not UTF-8")))
    }
}
