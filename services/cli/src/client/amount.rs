//! Money as people write it.

use std::fmt;

use waybill::contract::google::r#type::Money;

/// Billionths in a unit.
const NANOS: i32 = 1_000_000_000;

/// Shows an amount: `12.34 EUR`, with as many digits as it has and at least two.
pub(crate) struct Amount<'a>(pub(crate) &'a Money);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Money {
            currency_code,
            units,
            nanos,
        } = self.0;
        let sign = if *units < 0 || *nanos < 0 { "-" } else { "" };
        let fraction = format!("{:09}", nanos.unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{sign}{}.{fraction:0<2} {currency_code}", units.unsigned_abs())
    }
}

/// Reads a decimal number such as `12.34` or `-5` as an amount in `currency`.
pub(crate) fn parse(text: &str, currency: &str) -> Option<Money> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let sign = if negative { -1 } else { 1 };
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    debug_assert!(nanos < NANOS);
    Some(Money {
        currency_code: currency.to_owned(),
        units: i64::from(sign) * whole.parse::<i64>().ok()?,
        nanos: sign * nanos,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_shown_as_it_was_written() {
        for text in ["0.00", "12.34", "0.005", "-0.50", "1000000000.99", "-7.123456789"] {
            let money = parse(text, "EUR").unwrap();
            assert_eq!(Amount(&money).to_string(), format!("{text} EUR"));
        }
        assert_eq!(Amount(&parse("5", "JPY").unwrap()).to_string(), "5.00 JPY");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            ".5",
            "1,5",
            "1.2.3",
            "1.1234567890",
            "--1",
            "1e5",
            "99999999999999999999",
        ] {
            assert!(parse(text, "EUR").is_none(), "{text}");
        }
    }
}
