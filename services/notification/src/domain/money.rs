//! Exact amounts, and how a letter writes them.

use std::fmt;

use iso_currency::Currency;

use super::text::one_line;

const NANOS_PER_UNIT: i128 = 1_000_000_000;

/// Digits after the point that nanos can express.
const MAX_DIGITS: usize = 9;

/// An exact amount of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    currency: String,
    nanos: i128,
}

impl Money {
    /// `units` and `nanos` as `google.type.Money` has them: billionths, of the same sign.
    pub fn new(currency: impl Into<String>, units: i64, nanos: i32) -> Self {
        Self {
            currency: currency.into(),
            nanos: i128::from(units) * NANOS_PER_UNIT + i128::from(nanos),
        }
    }

    /// This amount `quantity` times. Cannot overflow: 63 bits of units, 30 of nanos, 32 of quantity.
    #[must_use]
    pub fn times(&self, quantity: u32) -> Self {
        Self {
            currency: self.currency.clone(),
            nanos: self.nanos * i128::from(quantity),
        }
    }
}

/// `12.50 EUR`: as many digits as the currency's smallest coin has, more only where there is
/// something to show. An unknown currency gets what it needs. It is one line, whoever chose the code.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minor = Currency::from_code(&self.currency)
            .and_then(Currency::exponent)
            .map_or(0, usize::from);
        let magnitude = self.nanos.unsigned_abs();
        let scale = NANOS_PER_UNIT.unsigned_abs();
        let (units, mut fraction, mut digits) = (magnitude / scale, magnitude % scale, MAX_DIGITS);
        while digits > minor && fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }

        let sign = if self.nanos < 0 { "-" } else { "" };
        write!(f, "{sign}{units}")?;
        if digits > 0 {
            write!(f, ".{fraction:0digits$}")?;
        }
        write!(f, " {}", one_line(&self.currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(currency: &str, units: i64, nanos: i32) -> String {
        Money::new(currency, units, nanos).to_string()
    }

    #[test]
    fn digits_are_those_of_the_currency() {
        assert_eq!(shown("EUR", 12, 500_000_000), "12.50 EUR");
        assert_eq!(shown("EUR", 0, 0), "0.00 EUR");
        assert_eq!(shown("JPY", 1200, 0), "1200 JPY");
        assert_eq!(shown("KWD", 3, 50_000_000), "3.050 KWD");
    }

    #[test]
    fn more_digits_are_shown_only_where_there_are_some() {
        assert_eq!(shown("EUR", 0, 1_000_000), "0.001 EUR");
        assert_eq!(shown("EUR", 1, 1), "1.000000001 EUR");
        assert_eq!(shown("JPY", 0, 500_000_000), "0.5 JPY");
    }

    #[test]
    fn negative_and_unknown_amounts_are_shown_as_they_are() {
        assert_eq!(shown("EUR", 0, -10_000_000), "-0.01 EUR");
        assert_eq!(shown("EUR", -3, -250_000_000), "-3.25 EUR");
        assert_eq!(shown("???", 3, 0), "3 ???");
        assert_eq!(shown("E\r\nU", 3, 0), "3 E  U");
    }

    #[test]
    fn a_line_total_is_exact_at_any_size() {
        let price = Money::new("EUR", 1_000_000_000, 999_999_999);
        assert_eq!(price.times(10_000).to_string(), "10000000009999.99999 EUR");
        let largest = Money::new("EUR", i64::MAX, 999_999_999);
        assert!(largest.times(u32::MAX).to_string().ends_with(" EUR"));
    }
}
