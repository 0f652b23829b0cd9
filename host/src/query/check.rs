//! Holds a step's columns against the signature of the function that it is passed to, before the job starts.

use super::diagnostic::{Diagnostic, Position, nearest};
use super::plan::FunctionInfo;
use tamis_frame::signature::Policy;

/// A finding with a table of every column, when the step lacks one that the function needs.
/// `known`: the step's columns; `None` when they are not known before events come.
pub(super) fn record(function: &FunctionInfo, known: Option<&[String]>, step: &str, position: Position) -> Option<Diagnostic> {
    let (expected, known) = (function.columns.as_ref()?, known?);
    let has = |name: &str| known.iter().any(|column| column.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = expected
        .iter()
        .filter(|column| column.missing == Policy::Reject && !has(&column.name))
        .map(|column| column.name.as_str())
        .collect();
    if missing.is_empty() {
        return None;
    }
    let width = expected.iter().map(|column| column.name.len()).max().unwrap_or(0).max("column".len());
    let mut table = format!("{:width$}  {:14}  {step} has", "column", "function needs");
    for column in expected {
        let mark = match known.iter().find(|name| name.eq_ignore_ascii_case(&column.name)) {
            Some(name) => name.clone(),
            None => match nearest(
                &column.name,
                known.iter().map(String::as_str).filter(|name| !expected.iter().any(|other| other.name == *name)),
            ) {
                Some(near) => format!("MISSING (is it '{near}'?)"),
                None => "MISSING".to_owned(),
            },
        };
        table.push_str(&format!("\n{:width$}  {:14}  {mark}", column.name, column.ty.name()));
    }
    let message = format!(
        "udf.{} needs {} of '{step}', which does not have {}",
        function.name,
        missing.join(", "),
        if missing.len() == 1 { "it" } else { "them" }
    );
    Some(Diagnostic::new(position, message).help(table))
}
