//! The program's steps as statements: `v` holds the columns, `r0`, `r1`, … the registers, `d0`, … the data of steps.

use std::fmt::Write;

use tamis_model::additive::{Part, Source};
use tamis_model::program::Register;
use tamis_model::{Aggregate, Binary, Branch, Forest, Joint, Mode, Program, Step, Unary};

use super::JavaScriptError;
use super::literal::{integers, number, numbers};

/// A part of the file that steps call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needed {
    Exp,
    Piece,
    Lookup,
    Together,
    Softmax,
    Leaf,
    Trees(Combined),
}

/// How trees come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Combined {
    Sum,
    Min,
    Max,
}

/// Statements and the data that they read.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) data: String,
    pub(super) body: String,
    pub(super) needed: std::collections::BTreeSet<Needed>,
    count: usize,
}

/// Writes all steps of a program.
pub(super) fn write(program: &Program) -> Result<Statements, JavaScriptError> {
    let mut out = Statements::default();
    if program.scores.len() > 1 {
        // The likeliest class is looked for.
        out.needed.insert(Needed::Together);
    }
    for step in &program.steps {
        out.step(step, program)?;
    }
    Ok(out)
}

fn register(register: Register) -> String {
    format!("r{register}")
}

fn registers(all: &[Register]) -> String {
    format!("[{}]", all.iter().map(|one| register(*one)).collect::<Vec<_>>().join(","))
}

fn rounded(round: bool, value: &str) -> String {
    if round { format!("Math.fround({value})") } else { value.to_owned() }
}

impl Statements {
    /// The name of new data.
    fn datum(&mut self, value: &str) -> String {
        let name = format!("d{}", self.count);
        self.count += 1;
        let _written = writeln!(self.data, "        var {name} = {value};");
        name
    }

    fn set(&mut self, out: Register, value: &str) {
        let _written = writeln!(self.body, "            var r{out} = {value};");
    }

    /// Spreads an array over registers.
    fn set_all(&mut self, out: Register, count: usize, value: &str) {
        let _written = writeln!(self.body, "            var s{out} = {value};");
        (0..count as u32).for_each(|place| self.set(out + place, &format!("s{out}[{place}]")));
    }

    fn step(&mut self, step: &Step, program: &Program) -> Result<(), JavaScriptError> {
        match step {
            Step::Number { column, round, out } => self.set(*out, &rounded(*round, &format!("v[{column}]"))),
            Step::Place { column, out } => self.set(*out, &format!("v[{column}]")),
            Step::Constant { value, out } => self.set(*out, &number(*value)),
            Step::Table { input, values, out } => {
                let data = self.datum(&numbers(values.iter().copied()));
                self.set(*out, &format!("{data}[Math.min({}, {})]", register(*input), values.len() - 1));
            }
            Step::Lookup { input, keys, values, nan, default, out } => {
                self.needed.insert(Needed::Lookup);
                let (keys, values) = (self.datum(&numbers(keys.iter().copied())), self.datum(&numbers(values.iter().copied())));
                self.set(*out, &format!("lookup({}, {keys}, {values}, {}, {})", register(*input), number(*nan), number(*default)));
            }
            Step::Apply { what, input, round, out } => {
                let value = self.unary(*what, &register(*input))?;
                self.set(*out, &rounded(*round, &value));
            }
            Step::Combine { what, left, right, round, out } => {
                let value = binary(*what, &register(*left), &register(*right))?;
                self.set(*out, &rounded(*round, &value));
            }
            Step::Choose { condition, yes, no, out } => {
                self.set(*out, &format!("{} !== 0 ? {} : {}", register(*condition), register(*yes), register(*no)));
            }
            Step::Together { what, inputs, out } => self.together(*what, inputs, *out),
            Step::Linear { inputs, weights, bias, out } => {
                for (place, (bias, weights)) in bias.iter().zip(weights.chunks(inputs.len().max(1))).enumerate() {
                    // From left to right, as everywhere.
                    let terms = inputs.iter().zip(weights).map(|(input, weight)| format!(" + {} * r{input}", number(*weight)));
                    let sum = terms.fold(number(*bias), |sum, term| sum + &term);
                    self.set(*out + place as u32, &sum);
                }
            }
            Step::Additive { base, parts, out } => {
                let terms: Vec<String> = parts.iter().map(|part| self.part(part)).collect();
                let sum = terms.iter().fold(number(*base), |sum, term| format!("{sum}\n                + {term}"));
                self.set(*out, &sum);
            }
            Step::Trees { inputs, forest, out } => self.trees(inputs, forest, *out),
            Step::Graph { .. } => return Err(JavaScriptError::Graph),
        }
        let (out, count) = step.writes();
        debug_assert!((out as usize + count) <= program.registers as usize);
        Ok(())
    }

    fn part(&mut self, part: &Part) -> String {
        let sums = self.datum(&numbers(part.sums.iter().copied()));
        let feature = match part.source {
            Source::Place { column } => return format!("{sums}[v[{column}]]"),
            Source::Number { column, round } => rounded(round, &format!("v[{column}]")),
            Source::Register { input } => register(input),
        };
        self.needed.insert(Needed::Piece);
        let breaks = self.datum(&numbers(part.breaks.iter().copied()));
        format!("piece({feature}, {breaks}, {sums})")
    }

    fn unary(&mut self, what: Unary, x: &str) -> Result<String, JavaScriptError> {
        if matches!(what, Unary::Exp | Unary::Logistic) {
            self.needed.insert(Needed::Exp);
        }
        Ok(match what {
            Unary::Neg => format!("-{x}"),
            Unary::Abs => format!("Math.abs({x})"),
            Unary::Exp => format!("exp({x})"),
            Unary::Sqrt => format!("Math.sqrt({x})"),
            Unary::Floor => format!("Math.floor({x})"),
            Unary::Ceil => format!("Math.ceil({x})"),
            // To even: adding and taking away 2^52 leaves no fraction.
            Unary::Round => format!(
                "Math.abs({x}) < 4503599627370496 ? ({x} < 0 ? {x} - 4503599627370496 + 4503599627370496 : {x} + 4503599627370496 - 4503599627370496) : {x}"
            ),
            Unary::Sign => format!("{x} > 0 ? 1 : {x} < 0 ? -1 : 0"),
            Unary::Relu => format!("{x} > 0 || {x} !== {x} ? {x} : 0"),
            Unary::Reciprocal => format!("1 / {x}"),
            Unary::IsNaN => format!("{x} !== {x} ? 1 : 0"),
            Unary::IsInf => format!("Math.abs({x}) === Infinity ? 1 : 0"),
            Unary::Not => format!("{x} === 0 ? 1 : 0"),
            Unary::Logistic => format!("1 / (1 + exp(-{x}))"),
            Unary::Single => format!("Math.fround({x})"),
            Unary::Truncate => format!("Math.trunc({x})"),
            Unary::Log | Unary::Tanh | Unary::Probit => return Err(JavaScriptError::Step(format!("{what:?}").to_lowercase())),
        })
    }

    fn together(&mut self, what: Joint, inputs: &[Register], out: Register) {
        let all = registers(inputs);
        let count = what.outputs(inputs.len());
        let value = match what {
            Joint::Softmax => format!("softmax({all}, 0)"),
            Joint::SoftmaxZero => format!("softmax({all}, 1e-7)"),
            Joint::L1 => format!("over({all}, total({all}, Math.abs))"),
            Joint::L2 => format!("over({all}, Math.sqrt(total({all}, function (x) {{ return x * x; }})))"),
            Joint::MaxNorm => format!("over({all}, most({all}))"),
            Joint::Sum => format!("[total({all}, function (x) {{ return x; }})]"),
            Joint::Max => format!("[most({all})]"),
            Joint::ArgMax => format!("[best({all})]"),
        };
        self.needed.insert(Needed::Together);
        if matches!(what, Joint::Softmax | Joint::SoftmaxZero) {
            self.needed.extend([Needed::Exp, Needed::Softmax]);
        }
        self.set_all(out, count, &value);
    }

    fn trees(&mut self, inputs: &[Register], forest: &Forest, out: Register) {
        let (combined, start) = match forest.aggregate {
            Aggregate::Sum => (Combined::Sum, numbers(forest.base.iter().copied())),
            Aggregate::Average => (Combined::Sum, numbers(forest.base.iter().map(|_| 0.0))),
            Aggregate::Min => (Combined::Min, numbers(forest.base.iter().map(|_| f64::INFINITY))),
            Aggregate::Max => (Combined::Max, numbers(forest.base.iter().map(|_| f64::NEG_INFINITY))),
        };
        self.needed.extend([Needed::Leaf, Needed::Trees(combined)]);
        let branch = |branch: Branch| match branch {
            Branch::Node(place) => i64::from(place),
            Branch::Leaf(place) => !i64::from(place),
        };
        let mode = |mode: Mode| match mode {
            Mode::Leq => 0,
            Mode::Lt => 1,
            Mode::Gte => 2,
            Mode::Gt => 3,
            Mode::Eq => 4,
            Mode::Neq => 5,
        };
        let nodes = &forest.nodes;
        let targets: Vec<String> = forest.trees.iter().map(|tree| integers(tree.targets.iter().map(|target| i64::from(*target)))).collect();
        let first = |tree: &tamis_model::Tree| i64::from(tree.first_weight) - i64::from(tree.first_leaf) * tree.targets.len() as i64;
        let fields = [
            ("feature", integers(nodes.iter().map(|node| i64::from(node.feature)))),
            ("threshold", numbers(nodes.iter().map(|node| node.threshold))),
            ("mode", integers(nodes.iter().map(|node| mode(node.mode) + if node.missing_is_true { 8 } else { 0 }))),
            ("yes", integers(nodes.iter().map(|node| branch(node.when_true)))),
            ("no", integers(nodes.iter().map(|node| branch(node.when_false)))),
            ("root", integers(forest.trees.iter().map(|tree| branch(tree.root)))),
            ("targets", format!("[{}]", targets.join(","))),
            // Where the weights of a tree's leaf 0 would start.
            ("weight", integers(forest.trees.iter().map(first))),
            ("weights", numbers(forest.weights.iter().copied())),
            ("start", start),
        ];
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\n            {name}: {value}")).collect();
        let data = self.datum(&format!("{{{}\n        }}", fields.join(",")));
        let sums = format!("trees{combined:?}({data}, {})", registers(inputs));
        self.set_all(out, forest.targets(), &sums);
        for (target, base) in forest.base.iter().enumerate() {
            let own = format!("r{}", out as usize + target);
            let finished = match forest.aggregate {
                Aggregate::Sum => continue,
                Aggregate::Average => format!("{own} / {} + {}", forest.trees.len(), number(*base)),
                Aggregate::Min | Aggregate::Max => format!("{own} + {}", number(*base)),
            };
            let _written = writeln!(self.body, "            {own} = {finished};");
        }
    }
}

fn binary(what: Binary, a: &str, b: &str) -> Result<String, JavaScriptError> {
    let truth = |holds: String| format!("{holds} ? 1 : 0");
    Ok(match what {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        Binary::DivWhole => format!("Math.trunc({a} / {b})"),
        Binary::Min => format!("{a} < {b} || {a} !== {a} ? {a} : {b}"),
        Binary::Max => format!("{a} > {b} || {a} !== {a} ? {a} : {b}"),
        Binary::Equal => truth(format!("{a} === {b}")),
        Binary::Less => truth(format!("{a} < {b}")),
        Binary::LessOrEqual => truth(format!("{a} <= {b}")),
        Binary::Greater => truth(format!("{a} > {b}")),
        Binary::GreaterOrEqual => truth(format!("{a} >= {b}")),
        Binary::And => truth(format!("{a} !== 0 && {b} !== 0")),
        Binary::Or => truth(format!("{a} !== 0 || {b} !== 0")),
        Binary::Xor => truth(format!("({a} !== 0) !== ({b} !== 0)")),
        Binary::Pow => return Err(JavaScriptError::Step("pow".to_owned())),
    })
}
