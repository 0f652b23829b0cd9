//! What the simulated transactions are like, as data: the file that training reads, too.

use serde::Deserialize;
use std::collections::BTreeMap;

const TEXT: &str = include_str!("../../../model/fraud/transactions.json");

/// The file.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    /// The share of frauds.
    pub fraud_rate: f64,
    /// The first transaction's id.
    pub first_id: i64,
    date_format: String,
    /// Fields that are numbers with a fraction.
    pub numeric: BTreeMap<String, Mixtures>,
    /// Fields that are one of a few values.
    pub categorical: BTreeMap<String, Choice>,
    /// The field that depends on `transaction_type`.
    pub transaction_method: Method,
    /// The fields in their order; the last is the label.
    pub field_order: Vec<String>,
}

impl Facts {
    /// Reads the file that is compiled in.
    ///
    /// # Errors
    /// When it is not as it should be; a test makes sure that it is.
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(TEXT)
    }

    /// How dates are written, for `strftime`. A remark in brackets follows it in the file.
    pub fn date_format(&self) -> &str {
        self.date_format.split(" (").next().unwrap_or_default()
    }
}

/// A number's distribution: for each class normal distributions as weight, mean and standard deviation.
#[derive(Debug, Clone, Deserialize)]
pub struct Mixtures {
    /// Of frauds.
    pub fraud: Vec<[f64; 3]>,
    /// Of the others.
    pub legit: Vec<[f64; 3]>,
}

/// One of a few values, with their shares in each class.
#[derive(Debug, Clone, Deserialize)]
pub struct Choice {
    /// The values.
    pub values: Vec<Category>,
    fraud: Shares,
    legit: Shares,
}

impl Choice {
    /// The share of each value in a class.
    pub fn shares(&self, fraud: bool) -> Vec<f64> {
        match if fraud { &self.fraud } else { &self.legit } {
            Shares::Each(shares) => shares.clone(),
            Shares::Uniform(_) => vec![1.0 / self.values.len() as f64; self.values.len()],
        }
    }
}

/// A value of a [`Choice`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Category {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Shares {
    Each(Vec<f64>),
    Uniform(Uniform),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Uniform {
    Uniform,
}

/// How a transaction is made, by its type.
#[derive(Debug, Clone, Deserialize)]
pub struct Method {
    online: String,
    /// Of transactions on site.
    pub onsite: Choice,
}

impl Method {
    /// The only method of online transactions. A remark in brackets follows it in the file.
    pub fn online(&self) -> &str {
        self.online.split(" (").next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_how_to_draw_every_field() {
        let facts = Facts::read().unwrap();
        assert_eq!((facts.fraud_rate, facts.first_id, facts.date_format()), (0.1, 1_001_000, "%d/%m/%Y %H:%M:%S"));
        assert_eq!(facts.transaction_method.online(), "internet_payement");
        assert_eq!(facts.field_order.last().unwrap(), "isFraud");
        for field in &facts.field_order {
            let drawn = facts.numeric.contains_key(field) || facts.categorical.contains_key(field);
            assert!(drawn || ["id", "date", "transaction_method", "isFraud"].contains(&&**field), "{field}");
        }
        for (name, choice) in facts.categorical.iter().chain([(&"method".to_owned(), &facts.transaction_method.onsite)]) {
            for fraud in [false, true] {
                let shares = choice.shares(fraud);
                assert_eq!(shares.len(), choice.values.len(), "{name}");
                assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}");
            }
        }
        for mixtures in facts.numeric.values() {
            assert!([&mixtures.fraud, &mixtures.legit].iter().all(|parts| parts.iter().map(|part| part[0]).sum::<f64>() == 1.0));
        }
    }
}
