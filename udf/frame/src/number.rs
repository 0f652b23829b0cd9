//! A number in a message: the shortest digits that read back as the same number, in plain decimal notation. These are the
//! characters that Rust's own `Display` writes; its code would be a sixteenth of a guest.

use std::fmt::{Display, Formatter, Result};

/// A number to be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        if self.0.is_sign_negative() {
            f.write_str("-")?;
        }
        if self.0.is_infinite() {
            return f.write_str("inf");
        }
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(self.0.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        // Where the point stands among the digits.
        let point = whole.len() as i32 + exponent;
        let digits = || whole.bytes().chain(fraction.bytes());
        let count = (whole.len() + fraction.len()) as i32;
        if point <= 0 {
            f.write_str("0.")?;
        }
        let digit = |place: i32| digits().nth(place as usize).map_or('0', char::from);
        for place in point.min(0)..count.max(point) {
            if place == point && point > 0 {
                f.write_str(".")?;
            }
            let shown = if place < 0 { '0' } else { digit(place) };
            std::fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}

/// A number to be shown with two digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cents(pub f64);

impl Display for Cents {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let cents = (self.0.abs() * 100.0).round();
        // Above, a 64-bit float has no digits behind the point.
        if !self.0.is_finite() || cents > 9e15 {
            return Number(self.0).fmt(f);
        }
        let (sign, cents) = (if self.0 < 0.0 && cents > 0.0 { "-" } else { "" }, cents as u64);
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_looks_as_rust_writes_it(bits in any::<u64>(), small in -1e6..1e6_f64, whole in -100_000_i32..100_000) {
            for number in [f64::from_bits(bits), small, f64::from(whole), f64::from(whole) / 8.0, f64::from(whole) * 1e17] {
                prop_assert_eq!(Number(number).to_string(), number.to_string());
            }
        }
    }

    #[test]
    fn odd_numbers_look_as_rust_writes_them() {
        for number in [
            0.0,
            -0.0,
            1.0,
            0.1,
            -0.5,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e21,
            1e-7,
            123_456_789.012_345,
        ] {
            assert_eq!(Number(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn cents_have_two_digits() {
        let shown = [0.0, 0.004, -0.004, 1.5, -2.349, 12_345.678, f64::INFINITY].map(|number| Cents(number).to_string());
        assert_eq!(shown, ["0.00", "0.00", "0.00", "1.50", "-2.35", "12345.68", "inf"]);
    }
}
