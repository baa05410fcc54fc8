//! Exact sums of money.

use std::{
    fmt,
    ops::{AddAssign, Neg},
};

/// Billionths in a unit.
const NANOS_PER_UNIT: i128 = 1_000_000_000;

/// An ISO 4217 currency code: three capital letters. Which of those exist is for whoever sets prices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code; `None` when it is none.
    pub fn parse(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("capital letters are UTF-8")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of money in some currency, in billionths of its unit.
///
/// It holds the sum of as many `i64` units as there can be events, so adding never overflows; only
/// [`parts`](Self::parts) may find a sum too large to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// The amount of `units` and `nanos` (billionths), each of which may be of any size and sign.
    pub fn new(units: i64, nanos: i64) -> Self {
        Self(i128::from(units) * NANOS_PER_UNIT + i128::from(nanos))
    }

    /// Whole units, and the billionths that remain: less than a unit, and of the same sign. `None`
    /// when the units do not fit.
    pub fn parts(self) -> Option<(i64, i32)> {
        let units = i64::try_from(self.0 / NANOS_PER_UNIT).ok()?;
        let nanos = i32::try_from(self.0 % NANOS_PER_UNIT).ok()?;
        Some((units, nanos))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Neg for Amount {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_one_sign() {
        assert_eq!(Amount::new(1, 999_999_999).parts(), Some((1, 999_999_999)));
        assert_eq!(Amount::new(-1, 500_000_000).parts(), Some((0, -500_000_000)));
        assert_eq!(Amount::new(1, -1).parts(), Some((0, 999_999_999)));
        assert_eq!(Amount::new(-2, -3_000_000_001).parts(), Some((-5, -1)));
    }

    #[test]
    fn a_sum_that_has_no_parts_is_still_exact() {
        let mut sum = Amount::new(i64::MAX, 999_999_999);
        sum += Amount::new(i64::MAX, 2);
        assert_eq!(sum.parts(), None);
        sum += -Amount::new(i64::MAX, 0);
        assert_eq!(sum.parts(), None);
        sum += -Amount::new(1, 0);
        assert_eq!(sum.parts(), Some((i64::MAX, 1)));
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!(Currency::parse("EUR").unwrap().as_str(), "EUR");
        for bad in ["", "EU", "EURO", "eur", "E.R", "$EU", "ÄU"] {
            assert_eq!(Currency::parse(bad), None, "{bad}");
        }
    }
}
