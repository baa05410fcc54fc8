//! Exact amounts of money in one currency.

use iso_currency::Currency;

/// Nanos in one unit of a currency: the finest that `google.type.Money` can say.
pub const NANOS_PER_UNIT: i128 = 1_000_000_000;

/// An exact amount. Sums are exact too: there is no rounding anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    currency: Currency,
    nanos: i128,
}

impl Money {
    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { currency, nanos: 0 }
    }

    /// `units` whole units and `nanos` billionths of one.
    pub fn new(currency: Currency, units: i64, nanos: i32) -> Self {
        Self {
            currency,
            nanos: i128::from(units) * NANOS_PER_UNIT + i128::from(nanos),
        }
    }

    /// Reads an ISO 4217 code that money can be in. XXX (no currency) and XTS (for tests) are codes
    /// of that list but no money.
    pub fn currency_of(code: &str) -> Option<Currency> {
        Currency::from_code(code).filter(|c| !matches!(c, Currency::XXX | Currency::XTS))
    }

    /// What it is in.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The whole amount in billionths of a unit.
    pub fn total_nanos(self) -> i128 {
        self.nanos
    }

    /// Its whole units. `None` when they do not fit, which no valid order comes near.
    pub fn units(self) -> Option<i64> {
        i64::try_from(self.nanos / NANOS_PER_UNIT).ok()
    }

    /// What is left beside the whole units, of the same sign.
    pub fn nanos(self) -> i32 {
        i32::try_from(self.nanos % NANOS_PER_UNIT).expect("a remainder is smaller than its divisor")
    }

    /// So many times this. `None` on overflow.
    pub fn times(self, quantity: u32) -> Option<Self> {
        let nanos = self.nanos.checked_mul(i128::from(quantity))?;
        Some(Self { nanos, ..self })
    }

    /// The sum of both. `None` on overflow, or when they are in different currencies.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let nanos = self.nanos.checked_add(other.nanos)?;
        Some(Self { nanos, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_to_the_last_nano() {
        let third = Money::new(Currency::EUR, 0, 333_333_333);
        let sum = third
            .times(3)
            .unwrap()
            .plus(Money::new(Currency::EUR, 0, 1))
            .unwrap();
        assert_eq!((sum.units(), sum.nanos()), (Some(1), 0));
        let negative = Money::new(Currency::EUR, -1, -500_000_000);
        assert_eq!((negative.units(), negative.nanos()), (Some(-1), -500_000_000));
    }

    #[test]
    fn sums_that_overflow_or_mix_currencies_are_none() {
        let most = Money {
            currency: Currency::EUR,
            nanos: i128::MAX,
        };
        assert_eq!(most.times(2), None);
        assert_eq!(most.plus(Money::new(Currency::EUR, 0, 1)), None);
        assert_eq!(most.units(), None);
        assert_eq!(Money::zero(Currency::EUR).plus(Money::zero(Currency::USD)), None);
    }

    #[test]
    fn only_codes_of_money_are_currencies() {
        assert_eq!(Money::currency_of("JPY"), Some(Currency::JPY));
        for code in ["", "eur", "EURO", "ZZZ", "XXX", "XTS"] {
            assert_eq!(Money::currency_of(code), None, "{code}");
        }
    }
}
