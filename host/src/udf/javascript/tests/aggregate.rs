use std::time::Duration;

use super::{Aggregate, Kind, ScriptError, ScriptLimits, script, values};
use crate::batch::{Column, Value};
use crate::time::Timestamp;

const MEAN: &str = "function main() {
    this.init = function () { this.sum = 0; this.n = 0; this.last = null; this.seen = new Set(); };
    this.accumulate = function (value, time) { this.sum += value; this.n++; this.last = time; this.seen.add(value); };
    this.deaccumulate = function (value, time) { this.sum -= value; this.n--; };
    this.deaccumulateState = function (other) { this.sum -= other.sum; this.n -= other.n; };
    this.computeResult = function () { return { mean: this.n ? this.sum / this.n : null, last: this.last, kinds: this.seen.size }; };
}";

fn aggregate(text: &str) -> Aggregate {
    let limits = ScriptLimits::default();
    Aggregate::new(script(text, None).check(Kind::Aggregate, &limits).unwrap(), limits)
}

fn times(count: usize) -> Vec<Timestamp> {
    (0..count).map(|row| Timestamp::from_millis(row as i64 * 1000)).collect()
}

fn numbers(values: &[i64]) -> Column {
    Column::from_values(values.iter().map(|value| Value::BigInt(*value)))
}

fn mean(value: &Value) -> Value {
    let Value::Record(fields) = value else { panic!("{value:?}") };
    fields[0].1.clone()
}

#[test]
fn an_aggregate_runs_over_each_group_from_its_start() {
    let mut aggregate = aggregate(MEAN);
    let column = aggregate.run(&numbers(&[1, 2, 3, 4, 4]), &times(5), &[3, 3, 5]).unwrap();
    let rows = values(&column);
    assert_eq!(rows.iter().map(mean).collect::<Vec<_>>(), [Value::BigInt(2), Value::Null, Value::BigInt(4)]);
    let Value::Record(fields) = &rows[2] else { panic!() };
    assert_eq!(fields[1].1, Value::DateTime(Timestamp::from_millis(4000)));
    assert_eq!(fields[2].1, Value::BigInt(1));
}

#[test]
fn values_and_states_can_be_taken_out_again() {
    let mut aggregate = aggregate(MEAN);
    assert!(aggregate.can_deaccumulate().unwrap());
    let (whole, part) = (aggregate.open().unwrap(), aggregate.open().unwrap());
    aggregate.accumulate(whole, &numbers(&[1, 2, 3, 10]), &times(4)).unwrap();
    aggregate.accumulate(part, &numbers(&[1, 2]), &times(2)).unwrap();
    aggregate.deaccumulate_state(whole, part).unwrap();
    assert_eq!(mean(&aggregate.compute(whole).unwrap()), Value::Float(6.5));
    aggregate.deaccumulate(whole, &numbers(&[3]), &times(1)).unwrap();
    assert_eq!(mean(&aggregate.compute(whole).unwrap()), Value::BigInt(10));
    aggregate.close(part).unwrap();
    assert!(aggregate.deaccumulate_state(whole, part).is_err());
}

#[test]
fn a_saved_state_goes_on_where_it_was() {
    let mut first = aggregate(MEAN);
    let state = first.open().unwrap();
    first.accumulate(state, &numbers(&[5, 7]), &times(2)).unwrap();
    let saved = first.save(state).unwrap();
    let mut second = aggregate(MEAN);
    let restored = second.restore(&saved).unwrap();
    for (aggregate, state) in [(&mut first, state), (&mut second, restored)] {
        aggregate.accumulate(state, &numbers(&[5, 9]), &times(2)).unwrap();
    }
    assert_eq!(first.compute(state).unwrap(), second.compute(restored).unwrap());
    assert_eq!(first.save(state).unwrap(), second.save(restored).unwrap());
}

#[test]
fn any_data_can_be_a_state_and_a_closure_cannot() {
    let text = "function main() {
        this.init = function () { this.all = { date: new Date(5), map: new Map([['a', [1, undefined]]]), set: new Set([2]), big: 3n,
            nan: NaN, minus: -0, inf: -Infinity, none: undefined, text: '$', own: { $: 'date', value: 1 }, nested: { deep: [{ d: new Date(6) }] } }; };
        this.accumulate = function () { this.f = () => 1; };
        this.computeResult = function () {
            const { date, map, set, big, nan, minus, inf, none, text, own, nested } = this.all;
            return [date, map.get('a').length, map.get('a')[1] === undefined, set.has(2), big, Number.isNaN(nan), Object.is(minus, -0), inf === -Infinity,
                'none' in this.all && none === undefined, text, own, nested.deep[0].d.getTime()];
        };
    }";
    let mut aggregate = aggregate(text);
    assert!(!aggregate.can_deaccumulate().unwrap());
    let state = aggregate.open().unwrap();
    let saved = aggregate.save(state).unwrap();
    let restored = aggregate.restore(&saved).unwrap();
    let expected = aggregate.compute(state).unwrap();
    assert_eq!(aggregate.compute(restored).unwrap(), expected);
    let Value::Array(parts) = &expected else { panic!() };
    assert!(
        parts[2..4].iter().all(|part| *part == Value::Bit(true)) && parts[5..9].iter().all(|part| *part == Value::Bit(true)),
        "{parts:?}"
    );
    aggregate.accumulate(state, &numbers(&[1]), &times(1)).unwrap();
    let message = aggregate.save(state).unwrap_err().to_string();
    assert!(message.contains("'this.f' is a function, which cannot be saved"), "{message}");
    assert!(aggregate.restore("{").is_err());
}

#[test]
fn an_aggregate_without_its_methods_is_refused_and_one_that_throws_says_where() {
    let limits = ScriptLimits::default();
    let refused = |text: &str| script(text, None).check(Kind::Aggregate, &limits).unwrap_err().to_string();
    assert_eq!(
        refused("function main() { this.init = function () {}; }"),
        "Functions/f.js: the aggregate has no this.accumulate, no this.computeResult"
    );
    assert!(refused("const main = () => 1;").starts_with("Functions/f.js: TypeError"));
    let text = "function main() { this.init = function () {}; this.computeResult = function () { return 1; };
        this.accumulate = function (value) { if (value < 0) throw new RangeError('negative'); }; }";
    let message = aggregate(text).run(&numbers(&[1, -1]), &times(2), &[2]).unwrap_err().to_string();
    assert!(message.contains("'RangeError: negative'") && message.contains("Arguments: [-1,"), "{message}");
}

#[test]
fn limits_hold_for_each_step_of_an_aggregate() {
    let limits = ScriptLimits { deadline: Duration::from_millis(50), ..ScriptLimits::default() };
    let text = "function main() { this.init = function () {}; this.accumulate = function () {}; this.computeResult = function () { while (true) {} }; }";
    let mut aggregate = Aggregate::new(script(text, None).check(Kind::Aggregate, &limits).unwrap(), limits);
    assert!(matches!(aggregate.run(&numbers(&[1]), &times(1), &[1]), Err(ScriptError::Deadline { .. })));
    // The engine is replaced.
    let state = aggregate.open().unwrap();
    aggregate.accumulate(state, &numbers(&[1]), &times(1)).unwrap();
}
