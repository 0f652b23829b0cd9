//! A pattern as a program for a machine that follows all ways at once.

use super::{Pattern, Quantifier};

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes a row that fits the variable; `None`: any row.
    Row(Option<usize>),
    /// Goes on at the first place, or else at the second.
    Either(usize, usize),
    /// Goes on there.
    Jump(usize),
    /// The pattern is complete.
    Match,
}

/// The program of a pattern. It begins at 0.
pub(super) fn compile(pattern: &Pattern) -> Vec<Step> {
    let mut program = Vec::new();
    add(pattern, &mut program);
    program.push(Step::Match);
    program
}

fn add(pattern: &Pattern, program: &mut Vec<Step>) {
    match pattern {
        Pattern::Variable(variable) => program.push(Step::Row(Some(*variable))),
        Pattern::Any => program.push(Step::Row(None)),
        Pattern::Sequence(parts) => parts.iter().for_each(|part| add(part, program)),
        Pattern::Either(choices) => either(choices, program),
        Pattern::Repeat(part, Quantifier::Some) => {
            let start = program.len();
            add(part, program);
            program.push(Step::Either(start, program.len() + 1));
        }
        Pattern::Repeat(part, quantifier) => {
            let start = program.len();
            program.push(Step::Match);
            add(part, program);
            if *quantifier == Quantifier::Any {
                program.push(Step::Jump(start));
            }
            program[start] = Step::Either(start + 1, program.len());
        }
    }
}

fn either(choices: &[Pattern], program: &mut Vec<Step>) {
    let mut ends = Vec::new();
    for (place, choice) in choices.iter().enumerate() {
        let start = program.len();
        let last = place + 1 == choices.len();
        if !last {
            program.push(Step::Match);
        }
        add(choice, program);
        if !last {
            ends.push(program.len());
            program.push(Step::Match);
            program[start] = Step::Either(start + 1, program.len());
        }
    }
    let end = program.len();
    ends.into_iter().for_each(|place| program[place] = Step::Jump(end));
}
