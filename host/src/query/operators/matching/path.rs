//! Which variable each row of an attempt fits. Ways that part share what they have in common.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The variables so far; `None` is a row of `.`.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    variable: Option<usize>,
    before: Path,
}

impl Path {
    /// One more row.
    pub(super) fn then(&self, variable: Option<usize>) -> Self {
        Self(Some(Arc::new(Link { variable, before: self.clone() })))
    }

    /// The variables in the order of the rows.
    pub(super) fn variables(&self) -> Vec<Option<usize>> {
        let mut variables: Vec<Option<usize>> =
            std::iter::successors(self.0.as_ref(), |link| link.before.0.as_ref()).map(|link| link.variable).collect();
        variables.reverse();
        variables
    }
}

/// Link by link: a long path must not be dropped on the stack.
impl Drop for Path {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.before.0.take();
        }
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.variables().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let variables: Vec<Option<usize>> = Vec::deserialize(deserializer)?;
        Ok(variables.into_iter().fold(Self::default(), |path, variable| path.then(variable)))
    }
}
