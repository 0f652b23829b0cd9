//! The plain steps, each a loop over one register.

use crate::categories::Categories;
use crate::cells::Cells;
use crate::program::{Binary, Joint, Register, Step, Unary};
use crate::scorer::CHUNK;

/// Runs a step over `rows` rows. `done` holds the registers that were written before, `out` the ones that it writes.
pub(crate) fn run(
    step: &Step,
    columns: &[Cells<'_>],
    categories: &[Option<Categories>],
    done: &[f64],
    start: usize,
    rows: usize,
    out: &mut [f64],
) {
    let plane = |register: Register| &done[register as usize * CHUNK..][..rows];
    match step {
        Step::Number { column, round, .. } => number(columns[*column as usize], *round, start, &mut out[..rows]),
        Step::Place { column, .. } => {
            let column = *column as usize;
            let (Cells::Text { offsets, bytes }, Some(categories)) = (columns[column], &categories[column]) else { return };
            for (out, span) in out[..rows].iter_mut().zip(offsets[start..].windows(2)) {
                *out = categories.find(bytes, span[0] as usize, span[1] as usize) as f64;
            }
        }
        Step::Constant { value, .. } => out[..rows].fill(*value),
        Step::Table { input, values, .. } => {
            let last = values.len() - 1;
            out.iter_mut().zip(plane(*input)).for_each(|(out, place)| *out = values[(*place as usize).min(last)]);
        }
        Step::Lookup { input, keys, values, nan, default, .. } => {
            for (out, key) in out.iter_mut().zip(plane(*input)) {
                let place = keys.partition_point(|other| other < key);
                *out = match keys.get(place) {
                    _ if key.is_nan() => *nan,
                    Some(found) if found == key => values[place],
                    _ => *default,
                };
            }
        }
        Step::Apply { what, input, round, .. } => {
            apply(*what, plane(*input), out);
            round_if(*round, &mut out[..rows]);
        }
        Step::Combine { what, left, right, round, .. } => {
            combine(*what, plane(*left), plane(*right), out);
            round_if(*round, &mut out[..rows]);
        }
        Step::Choose { condition, yes, no, .. } => {
            let values = plane(*yes).iter().zip(plane(*no));
            for ((out, condition), (yes, no)) in out.iter_mut().zip(plane(*condition)).zip(values) {
                *out = if *condition != 0.0 { *yes } else { *no };
            }
        }
        Step::Together { what, inputs, .. } => together(*what, inputs, done, rows, out),
        Step::Linear { inputs, weights, bias, .. } => {
            for ((out, bias), weights) in out.chunks_exact_mut(CHUNK).zip(bias).zip(weights.chunks(inputs.len().max(1))) {
                out[..rows].fill(*bias);
                for (input, weight) in inputs.iter().zip(weights) {
                    out.iter_mut().zip(plane(*input)).for_each(|(out, value)| *out += weight * value);
                }
            }
        }
        Step::Additive { .. } | Step::Trees { .. } | Step::Graph { .. } => {}
    }
}

fn number(cells: Cells<'_>, round: bool, start: usize, out: &mut [f64]) {
    match (cells, round) {
        (Cells::Float(values), true) => out.iter_mut().zip(&values[start..]).for_each(|(out, value)| *out = f64::from(*value as f32)),
        (Cells::Float(values), false) => out.copy_from_slice(&values[start..start + out.len()]),
        (Cells::BigInt(values), true) => out.iter_mut().zip(&values[start..]).for_each(|(out, value)| *out = f64::from(*value as f32)),
        (Cells::BigInt(values), false) => out.iter_mut().zip(&values[start..]).for_each(|(out, value)| *out = *value as f64),
        (Cells::Text { .. }, _) => {}
    }
}

fn round_if(round: bool, values: &mut [f64]) {
    if round {
        values.iter_mut().for_each(|value| *value = f64::from(*value as f32));
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Numbers as onnxruntime computes them, in 64 bits. libm on every target: the platforms' own functions differ in the last bit.
pub(crate) fn unary(what: Unary, value: f64) -> f64 {
    match what {
        Unary::Neg => -value,
        Unary::Abs => value.abs(),
        Unary::Exp => libm::exp(value),
        Unary::Log => libm::log(value),
        Unary::Sqrt => libm::sqrt(value),
        Unary::Floor => libm::floor(value),
        Unary::Ceil => libm::ceil(value),
        Unary::Round => libm::rint(value),
        Unary::Sign => truth(value > 0.0) - truth(value < 0.0),
        Unary::Relu => {
            if value > 0.0 || value.is_nan() {
                value
            } else {
                0.0
            }
        }
        Unary::Tanh => libm::tanh(value),
        Unary::Reciprocal => 1.0 / value,
        Unary::IsNaN => truth(value.is_nan()),
        Unary::IsInf => truth(value.is_infinite()),
        Unary::Not => truth(value == 0.0),
        Unary::Logistic => 1.0 / (1.0 + libm::exp(-value)),
        Unary::Probit => probit(value),
        Unary::Single => f64::from(value as f32),
        Unary::Truncate => libm::trunc(value),
    }
}

fn probit(value: f64) -> f64 {
    let x = 2.0 * value - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = libm::log((1.0 - x) * (1.0 + x));
    let v = 2.0 / (std::f64::consts::PI * 0.147) + 0.5 * log;
    std::f64::consts::SQRT_2 * sign * libm::sqrt(-v + libm::sqrt(v * v - log / 0.147))
}

fn apply(what: Unary, input: &[f64], out: &mut [f64]) {
    out.iter_mut().zip(input).for_each(|(out, value)| *out = unary(what, *value));
}

/// See [`unary`].
pub(crate) fn binary(what: Binary, a: f64, b: f64) -> f64 {
    match what {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => libm::pow(a, b),
        Binary::Min => {
            if a < b || a.is_nan() {
                a
            } else {
                b
            }
        }
        Binary::Max => {
            if a > b || a.is_nan() {
                a
            } else {
                b
            }
        }
        Binary::Equal => truth(a == b),
        Binary::Less => truth(a < b),
        Binary::LessOrEqual => truth(a <= b),
        Binary::Greater => truth(a > b),
        Binary::GreaterOrEqual => truth(a >= b),
        Binary::And => truth(a != 0.0 && b != 0.0),
        Binary::Or => truth(a != 0.0 || b != 0.0),
        Binary::Xor => truth((a != 0.0) != (b != 0.0)),
        Binary::DivWhole => libm::trunc(a / b),
    }
}

fn combine(what: Binary, left: &[f64], right: &[f64], out: &mut [f64]) {
    out.iter_mut().zip(left.iter().zip(right)).for_each(|(out, (a, b))| *out = binary(what, *a, *b));
}

fn together(what: Joint, inputs: &[Register], done: &[f64], rows: usize, out: &mut [f64]) {
    let value = |input: usize, row: usize| done[inputs[input] as usize * CHUNK + row];
    for row in 0..rows {
        let all = || (0..inputs.len()).map(|input| value(input, row));
        let most = || all().fold(f64::NEG_INFINITY, f64::max);
        let mut scale = |map: &dyn Fn(f64) -> f64, by: f64| {
            (0..inputs.len()).for_each(|input| out[input * CHUNK + row] = map(value(input, row)) / by);
        };
        // Norms of nothing but zeros leave the zeros.
        let or_one = |norm: f64| if norm == 0.0 { 1.0 } else { norm };
        match what {
            Joint::Softmax => {
                let most = most();
                scale(&|x| libm::exp(x - most), all().map(|x| libm::exp(x - most)).sum());
            }
            Joint::SoftmaxZero => {
                let most = most();
                let part = |x: f64| if x.abs() > 1e-7 { libm::exp(x - most) } else { x * libm::exp(-most) };
                scale(&part, all().filter(|x| x.abs() > 1e-7).map(part).sum());
            }
            Joint::L1 => scale(&|x| x, or_one(all().map(f64::abs).sum())),
            Joint::L2 => scale(&|x| x, or_one(libm::sqrt(all().map(|x| x * x).sum()))),
            Joint::MaxNorm => scale(&|x| x, or_one(most())),
            Joint::Sum => out[row] = all().fold(0.0, |sum, x| sum + x),
            Joint::Max => out[row] = most(),
            Joint::ArgMax => {
                let best = all().enumerate().fold((0, f64::NEG_INFINITY), |best, (place, x)| if x > best.1 { (place, x) } else { best });
                out[row] = best.0 as f64;
            }
        }
    }
}
