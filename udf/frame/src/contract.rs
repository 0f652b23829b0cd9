//! What a guest needs of its [`Signature`] to answer calls, in a compact form: the packer writes it, so that the guest carries
//! no JSON reader. The signature's JSON travels beside it, as text that is only handed out.

use serde::{Deserialize, Serialize};

use crate::signature::{Class, Column, Policy, Signature, Task, Type, Unit};

/// The part of a signature that calls depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The columns that are read, in the order of the model.
    pub columns: Vec<Column>,
    /// The functions' names; a function's number is its place here.
    pub functions: Vec<String>,
    /// A score at or above it is a positive prediction.
    pub threshold: f64,
    /// What the model answers.
    pub task: Task,
    /// The classes, in the order of the probabilities; none for a regression.
    pub classes: Vec<Class>,
    /// What contributions add up to; absent when there is no `explain`.
    pub unit: Option<Unit>,
}

/// As it is written: every field, in order, without names. (The signature's own types leave out what is empty.)
#[derive(Serialize, Deserialize)]
struct Form {
    columns: Vec<(String, Type, Policy, Policy, Vec<String>)>,
    functions: Vec<String>,
    threshold: f64,
    task: Task,
    classes: Vec<Result<i64, String>>,
    unit: Option<Unit>,
}

impl Contract {
    /// The contract of a signature.
    pub fn of(signature: &Signature) -> Self {
        Self {
            columns: signature.columns.clone(),
            functions: signature.functions.iter().map(|function| function.name.clone()).collect(),
            threshold: signature.threshold,
            task: signature.task,
            classes: signature.classes.clone(),
            unit: signature.explain.as_ref().map(|explained| explained.unit),
        }
    }

    /// The compact form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let column = |column: &Column| (column.name.clone(), column.ty, column.missing, column.unknown, column.categories.clone());
        let class = |class: &Class| match class {
            Class::BigInt(class) => Ok(*class),
            Class::Text(class) => Err(class.clone()),
        };
        let form = Form {
            columns: self.columns.iter().map(column).collect(),
            functions: self.functions.clone(),
            threshold: self.threshold,
            task: self.task,
            classes: self.classes.iter().map(class).collect(),
            unit: self.unit,
        };
        // Writing to memory a structure without maps of unknown length cannot fail.
        postcard::to_extend(&form, Vec::new()).unwrap_or_default()
    }

    /// Reads the compact form; `None` for anything that [`Contract::to_bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let form: Form = postcard::from_bytes(bytes).ok()?;
        let column = |(name, ty, missing, unknown, categories)| Column { name, ty, categories, missing, unknown };
        Some(Self {
            columns: form.columns.into_iter().map(column).collect(),
            functions: form.functions,
            threshold: form.threshold,
            task: form.task,
            classes: form.classes.into_iter().map(|class| class.map_or_else(Class::Text, Class::BigInt)).collect(),
            unit: form.unit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Background, Explained, Function, Model};

    #[test]
    fn reads_what_it_wrote() {
        let column = |name: &str, ty, categories: &[&str], missing, unknown| Column {
            name: name.to_owned(),
            ty,
            categories: categories.iter().map(|known| (*known).to_owned()).collect(),
            missing,
            unknown,
        };
        let signature = Signature {
            abi: crate::ABI_VERSION,
            model: Model { name: "m".to_owned(), version: "1".to_owned(), sha256: String::new() },
            threshold: 0.25,
            columns: vec![
                column("a", Type::Float, &[], Policy::Accept, Policy::Reject),
                column("b", Type::Text, &["x", "y"], Policy::Reject, Policy::Accept),
            ],
            functions: vec![Function { name: "run".to_owned(), returns: Type::Text, about: String::new(), json: false }],
            task: Task::Multiclass,
            classes: vec![Class::BigInt(-3), Class::Text("fraud".to_owned())],
            explain: Some(Explained { unit: Unit::LogOdds, base: 0.5, background: Background::Golden }),
            parity: None,
            card: None,
        };
        let contract = Contract::of(&signature);
        let bytes = contract.to_bytes();
        assert_eq!(Contract::from_bytes(&bytes), Some(contract));
        assert_eq!(Contract::from_bytes(&bytes[..bytes.len() - 1]), None);
    }
}
