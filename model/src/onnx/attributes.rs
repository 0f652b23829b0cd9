//! A node's attributes by name; one that is present and not read is an error of the reader, not a surprise.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::{OnnxError, fault};

pub(super) struct Attributes<'a> {
    node: &'a NodeProto,
}

impl<'a> Attributes<'a> {
    /// The attributes of `node`, of which only `known` may be present with a value.
    pub(super) fn of(node: &'a NodeProto, known: &[&str]) -> Result<Self, OnnxError> {
        for attribute in &node.attribute {
            if !known.contains(&attribute.name.as_str()) && !is_empty(attribute) {
                return Err(fault(node, format!("attribute '{}' cannot be compiled; only {} can", attribute.name, known.join(", "))));
            }
        }
        Ok(Self { node })
    }

    fn get(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).map(|attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.get(name).map(|attribute| attribute.f)
    }

    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(super) fn floats(&self, name: &str) -> &'a [f32] {
        self.get(name).map_or(&[], |attribute| &attribute.floats)
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

/// Exporters write lists that they do not use as empty ones.
fn is_empty(attribute: &AttributeProto) -> bool {
    attribute.floats.is_empty()
        && attribute.ints.is_empty()
        && attribute.strings.is_empty()
        && attribute.tensors.is_empty()
        && attribute.graphs.is_empty()
        && attribute.s.is_empty()
        && attribute.t.is_none()
        && attribute.g.is_none()
        && attribute.f == 0.0
        && attribute.i == 0
}
