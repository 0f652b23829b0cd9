//! Which of a module's functions can still be called. What only baking needs (parsers, builders) is left out of the packed
//! module: its functions keep their numbers, and their bodies become a single trap.

use wasm_encoder::CodeSection;
use wasmparser::{ElementItems, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};

use crate::PackError;

fn wrong(error: wasmparser::BinaryReaderError) -> PackError {
    PackError::Guest(error.to_string())
}

/// The code section without the bodies that nothing leads to; `kept` says which exports stay.
pub(crate) fn code(guest: &[u8], kept: impl Fn(&str) -> bool) -> Result<CodeSection, PackError> {
    let mut imported = 0;
    let mut open: Vec<u32> = Vec::new();
    let mut bodies: Vec<FunctionBody<'_>> = Vec::new();
    for payload in Parser::new(0).parse_all(guest) {
        match payload.map_err(wrong)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import.map_err(wrong)?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(wrong)?;
                    if export.kind == ExternalKind::Func && kept(export.name) {
                        open.push(export.index);
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    match element.map_err(wrong)?.items {
                        ElementItems::Functions(functions) => {
                            for function in functions {
                                open.push(function.map_err(wrong)?);
                            }
                        }
                        ElementItems::Expressions(_, expressions) => {
                            for expression in expressions {
                                for operator in expression.map_err(wrong)?.get_operators_reader() {
                                    if let Operator::RefFunc { function_index } = operator.map_err(wrong)? {
                                        open.push(function_index);
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    let mut reached = vec![false; bodies.len()];
    while let Some(function) = open.pop() {
        let Some(place) = function.checked_sub(imported).map(|place| place as usize).filter(|place| *place < bodies.len()) else {
            continue;
        };
        if std::mem::replace(&mut reached[place], true) {
            continue;
        }
        for operator in bodies[place].get_operators_reader().map_err(wrong)? {
            match operator.map_err(wrong)? {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } | Operator::RefFunc { function_index } => {
                    open.push(function_index);
                }
                _ => {}
            }
        }
    }
    let mut section = CodeSection::new();
    for (body, reached) in bodies.iter().zip(reached) {
        if reached {
            section.raw(body.as_bytes());
        } else {
            // No locals, unreachable, end.
            section.raw(&[0x00, 0x00, 0x0B]);
        }
    }
    Ok(section)
}
