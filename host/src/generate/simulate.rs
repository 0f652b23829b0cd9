//! Draws transactions. The same seed gives the same transactions, on every machine and with every later version:
//! the random numbers come from a named algorithm, xoshiro256++.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::facts::{Category, Choice, Facts};

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(Arc<str>),
}

/// A card transaction: its fields in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    names: Arc<[String]>,
    values: Vec<Value>,
    /// Whether it is a fraud, also where the label is not written.
    pub fraud: bool,
}

impl Transaction {
    /// The fields' names and values in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Appends it as a JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.write(out, b'"', b"\":", b",");
    }

    /// Appends it as Python's `str()` prints a dict.
    pub fn write_python(&self, out: &mut Vec<u8>) {
        self.write(out, b'\'', b"': ", b", ");
    }

    fn write(&self, out: &mut Vec<u8>, quote: u8, colon: &[u8], comma: &[u8]) {
        out.push(b'{');
        for (index, (name, value)) in self.fields().enumerate() {
            if index > 0 {
                out.extend_from_slice(comma);
            }
            out.push(quote);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(colon);
            // Numbers are written without allocating, and writing into a Vec cannot fail.
            match value {
                Value::Integer(value) => {
                    let _written = serde_json::to_writer(&mut *out, value);
                }
                Value::Float(value) => {
                    let _written = serde_json::to_writer(&mut *out, value);
                }
                Value::Text(text) => {
                    // The texts are our own: names of categories and a date, with nothing to escape.
                    out.push(quote);
                    out.extend_from_slice(text.as_bytes());
                    out.push(quote);
                }
            }
        }
        out.push(b'}');
    }
}

/// How a field is drawn.
#[derive(Debug)]
enum Draw {
    Id,
    Date,
    Number([Vec<[f64; 3]>; 2]),
    Choice(Weighted),
    /// Depends on the value that was drawn for the type.
    Method {
        online: Value,
        onsite: Weighted,
    },
    Label,
}

/// Values with their cumulated shares in each class.
#[derive(Debug)]
struct Weighted {
    values: Vec<Value>,
    upto: [Vec<f64>; 2],
    is_type: bool,
}

impl Weighted {
    fn new(choice: &Choice, is_type: bool) -> Self {
        let value = |category: &Category| match category {
            Category::Integer(number) => Value::Integer(*number),
            Category::Text(text) => Value::Text(text.as_str().into()),
        };
        let upto = [false, true].map(|fraud| {
            let shares = choice.shares(fraud).into_iter();
            shares
                .scan(0.0, |sum, share| {
                    *sum += share;
                    Some(*sum)
                })
                .collect()
        });
        Self { values: choice.values.iter().map(value).collect(), upto, is_type }
    }

    fn draw(&self, fraud: bool, random: f64) -> &Value {
        let upto = &self.upto[usize::from(fraud)];
        let index = upto.partition_point(|upto| *upto <= random).min(self.values.len() - 1);
        &self.values[index]
    }
}

/// Draws one transaction after the other.
#[derive(Debug)]
pub struct Simulator {
    random: Xoshiro256PlusPlus,
    names: Arc<[String]>,
    draws: Vec<Draw>,
    fraud_rate: f64,
    next_id: i64,
    date: Arc<str>,
}

impl Simulator {
    /// A simulator of these facts; `labelled` adds the label as the last field.
    pub fn new(facts: &Facts, seed: u64, labelled: bool, first_id: i64) -> Self {
        let mut names = Vec::new();
        let mut draws = Vec::new();
        for name in &facts.field_order {
            let draw = match &**name {
                "id" => Draw::Id,
                "date" => Draw::Date,
                "transaction_method" => Draw::Method {
                    online: Value::Text(facts.transaction_method.online().into()),
                    onsite: Weighted::new(&facts.transaction_method.onsite, false),
                },
                "isFraud" if !labelled => continue,
                "isFraud" => Draw::Label,
                name => match (facts.numeric.get(name), facts.categorical.get(name)) {
                    (Some(mixtures), _) => Draw::Number([mixtures.legit.clone(), mixtures.fraud.clone()]),
                    (None, Some(choice)) => Draw::Choice(Weighted::new(choice, name == "transaction_type")),
                    (None, None) => continue,
                },
            };
            names.push(name.clone());
            draws.push(draw);
        }
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            names: names.into(),
            draws,
            fraud_rate: facts.fraud_rate,
            next_id: first_id,
            date: "".into(),
        }
    }

    /// The next transaction, made at `date`.
    pub fn next(&mut self, date: &str) -> Transaction {
        if *self.date != *date {
            self.date = date.into();
        }
        let random = &mut self.random;
        let fraud = uniform(random) < self.fraud_rate;
        let mut online = false;
        let mut values = Vec::with_capacity(self.draws.len());
        for draw in &self.draws {
            values.push(match draw {
                Draw::Id => Value::Integer(self.next_id),
                Draw::Date => Value::Text(Arc::clone(&self.date)),
                Draw::Number(mixtures) => Value::Float(normal(random, &mixtures[usize::from(fraud)])),
                Draw::Choice(choice) => {
                    let value = choice.draw(fraud, uniform(random));
                    if choice.is_type {
                        online = matches!(value, Value::Text(text) if **text == *"online");
                    }
                    value.clone()
                }
                Draw::Method { online: method, .. } if online => method.clone(),
                Draw::Method { onsite, .. } => onsite.draw(fraud, uniform(random)).clone(),
                Draw::Label => Value::Integer(fraud.into()),
            });
        }
        self.next_id += 1;
        Transaction { names: Arc::clone(&self.names), values, fraud }
    }
}

/// At least 0 and below 1, in steps of 2⁻⁵³.
fn uniform(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(random: &mut impl Rng, parts: &[[f64; 3]]) -> f64 {
    let (mut index, last) = (0, parts.len() - 1);
    if last > 0 {
        let mut left = uniform(random);
        while index < last && left >= parts[index][0] {
            left -= parts[index][0];
            index += 1;
        }
    }
    let [_, mean, deviation] = parts[index];
    let standard: f64 = StandardNormal.sample(random);
    mean + deviation * standard
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "03/03/2025 08:15:00";

    fn simulator(seed: u64, labelled: bool) -> Simulator {
        Simulator::new(&Facts::read().unwrap(), seed, labelled, 1_001_000)
    }

    fn json(transaction: &Transaction) -> String {
        let mut out = Vec::new();
        transaction.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_transactions_everywhere() {
        let mut simulator = simulator(7, true);
        let first = simulator.next(DATE);
        insta::assert_snapshot!(json(&first), @r#"{"id":1001000,"date":"03/03/2025 08:15:00","amount":23.54997963175961,"old_balance":17436.09794982586,"income":2687.5481907277303,"credit":1,"marital_status":1,"children":0,"month":2,"day_of_week":"tuesday","category_recipient":"tech_store","transaction_type":"online","transaction_method":"internet_payement","foreign_transaction":0,"isFraud":1}"#);
        let hundredth = (0..99).map(|_| simulator.next(DATE)).last().unwrap();
        insta::assert_snapshot!(json(&hundredth), @r#"{"id":1001099,"date":"03/03/2025 08:15:00","amount":24.902123485912405,"old_balance":15714.60699819903,"income":112.83424206362247,"credit":0,"marital_status":0,"children":4,"month":4,"day_of_week":"saturday","category_recipient":"food_store","transaction_type":"onsite","transaction_method":"phone","foreign_transaction":0,"isFraud":1}"#);
        let mut python = Vec::new();
        first.write_python(&mut python);
        let python = String::from_utf8(python).unwrap();
        assert_eq!(python, json(&first).replace("\":", "': ").replace(",\"", ", '").replace('"', "'"));
    }

    #[test]
    fn the_label_is_the_last_field_and_only_there_when_asked_for() {
        let facts = Facts::read().unwrap();
        let (mut plain, mut labelled) = (simulator(1, false), simulator(1, true));
        for id in 1_001_000..1_001_100 {
            let (plain, labelled) = (plain.next(DATE), labelled.next(DATE));
            let names: Vec<&str> = labelled.fields().map(|(name, _)| name).collect();
            assert_eq!(names, facts.field_order);
            assert_eq!(labelled.get("isFraud"), Some(&Value::Integer(labelled.fraud.into())));
            assert_eq!(plain.get("isFraud"), None);
            assert_eq!((plain.get("id"), plain.get("date")), (Some(&Value::Integer(id)), Some(&Value::Text(DATE.into()))));
            assert!(plain.fields().eq(labelled.fields().take(14)), "the label does not change the rest");
        }
        assert_ne!(simulator(1, false).next(DATE), simulator(2, false).next(DATE));
    }

    /// The normal distribution's function (Abramowitz and Stegun 7.1.26, good to 1.5e-7).
    fn cumulated(x: f64) -> f64 {
        let z = x.abs() / std::f64::consts::SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let poly = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
        let upper = 0.5 * poly * (-z * z).exp();
        if x > 0.0 { 1.0 - upper } else { upper }
    }

    /// Counts against shares: chi-square below what one run in about 10,000 exceeds (Wilson and Hilferty).
    fn fits(counts: &[f64], shares: &[f64], what: &str) {
        let total: f64 = counts.iter().sum();
        let chi: f64 = counts.iter().zip(shares).map(|(count, share)| (count - total * share).powi(2) / (total * share)).sum();
        let free = shares.len() as f64 - 1.0;
        let limit = free * (1.0 - 2.0 / (9.0 * free) + 3.72 * (2.0 / (9.0 * free)).sqrt()).powi(3);
        assert!(chi < limit, "{what}: chi-square {chi} is over {limit}; counts {counts:?}, shares {shares:?}");
    }

    fn counts<'a>(of: impl Iterator<Item = &'a Value>, choice: &Choice) -> Vec<f64> {
        let values = Weighted::new(choice, false).values;
        let mut counts = vec![0.0; values.len()];
        for value in of {
            let index = values.iter().position(|known| known == value).unwrap_or_else(|| panic!("{value:?} is not a category"));
            counts[index] += 1.0;
        }
        counts
    }

    #[test]
    fn every_column_has_its_distribution_in_each_class() {
        let facts = Facts::read().unwrap();
        let mut simulator = simulator(20_250_303, false);
        let all: Vec<Transaction> = (0..200_000).map(|_| simulator.next(DATE)).collect();
        let frauds = all.iter().filter(|transaction| transaction.fraud).count() as f64;
        fits(&[frauds, all.len() as f64 - frauds], &[facts.fraud_rate, 1.0 - facts.fraud_rate], "fraud");
        for fraud in [false, true] {
            let class: Vec<&Transaction> = all.iter().filter(|transaction| transaction.fraud == fraud).collect();
            let column = |name: &'static str| class.iter().map(move |transaction| transaction.get(name).unwrap());
            for (name, choice) in &facts.categorical {
                let drawn = class.iter().map(|transaction| transaction.get(name).unwrap());
                fits(&counts(drawn, choice), &choice.shares(fraud), name);
            }
            let is_online = |transaction: &Transaction| transaction.get("transaction_type") == Some(&Value::Text("online".into()));
            let onsite = class
                .iter()
                .filter(|transaction| !is_online(transaction))
                .map(|transaction| transaction.get("transaction_method").unwrap());
            fits(&counts(onsite, &facts.transaction_method.onsite), &facts.transaction_method.onsite.shares(fraud), "transaction_method");
            let internet = Value::Text("internet_payement".into());
            assert!(
                class
                    .iter()
                    .filter(|transaction| is_online(transaction))
                    .all(|transaction| transaction.get("transaction_method") == Some(&internet))
            );

            let number = |value: &Value| if let Value::Float(number) = value { *number } else { panic!("{value:?} is a float") };
            for (name, mixtures) in &facts.numeric {
                let parts = if fraud { &mixtures.fraud } else { &mixtures.legit };
                let mut values: Vec<f64> = class.iter().map(|transaction| number(transaction.get(name).unwrap())).collect();
                values.sort_unstable_by(f64::total_cmp);
                // Kolmogorov and Smirnov: the largest distance between the drawn and the true distribution.
                let count = values.len() as f64;
                let distance = |(index, value): (usize, &f64)| {
                    let truth: f64 = parts.iter().map(|[weight, mean, deviation]| weight * cumulated((value - mean) / deviation)).sum();
                    (truth - index as f64 / count).abs().max((truth - (index as f64 + 1.0) / count).abs())
                };
                let largest = values.iter().enumerate().map(distance).fold(0.0, f64::max);
                assert!(largest < 2.23 / count.sqrt(), "{name}: {largest} is over {}", 2.23 / count.sqrt());
            }
            // Given the class, fields are independent.
            let pairs = [("amount", "old_balance"), ("amount", "income"), ("old_balance", "income")];
            for (one, other) in pairs {
                let correlation = correlation(column(one).map(number), column(other).map(number));
                assert!(correlation.abs() < 3.9 / (class.len() as f64).sqrt(), "{one} and {other}: {correlation}");
            }
        }
    }

    fn correlation(one: impl Iterator<Item = f64> + Clone, other: impl Iterator<Item = f64> + Clone) -> f64 {
        let count = one.clone().count() as f64;
        let (a, b) = (one.clone().sum::<f64>() / count, other.clone().sum::<f64>() / count);
        let shared: f64 = one.clone().zip(other.clone()).map(|(x, y)| (x - a) * (y - b)).sum();
        let spread = |values: &mut dyn Iterator<Item = f64>, mean: f64| values.map(|value| (value - mean).powi(2)).sum::<f64>();
        shared / (spread(&mut one.clone(), a) * spread(&mut other.clone(), b)).sqrt()
    }
}
