//! What an order must be to be placed. Every bad field is found, not only the first.

use std::fmt;

use iso_currency::Currency;
use uuid::Uuid;

use super::{Money, NANOS_PER_UNIT, OrderItem, order};

/// Most items of one order: far above any cart, and an order stays below 100 KB.
pub const MAX_ITEMS: usize = 500;

/// Most pieces of one item.
pub const MAX_QUANTITY: u32 = 10_000;

/// Highest price of one piece, in units of its currency.
pub const MAX_UNIT_PRICE_UNITS: i64 = 1_000_000_000;

/// Highest sum of one order, in units of its currency: the largest single item still passes, and
/// 900,000 such orders of one user can be added up in the 64 bits of `google.type.Money`.
pub const MAX_TOTAL_UNITS: i64 = MAX_UNIT_PRICE_UNITS * MAX_QUANTITY as i64;

/// Longest product id, in characters.
pub const MAX_PRODUCT_ID_CHARS: usize = 64;

/// Longest reason of a cancellation, in characters.
pub const MAX_REASON_CHARS: usize = 500;

/// The highest nanos of an amount.
const MAX_NANOS: i32 = 999_999_999;

/// One field that does not hold what it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for instance `items[3].unit_price.nanos`.
    pub field: String,
    /// What it takes, for instance `must be 1 to 10,000`.
    pub takes: String,
}

/// An order as a caller would like to place it.
#[derive(Debug, Clone, Default)]
pub struct OrderDraft {
    /// The user, as text.
    pub user_id: String,
    /// What to order.
    pub items: Vec<ItemDraft>,
}

/// One line of a draft.
#[derive(Debug, Clone, Default)]
pub struct ItemDraft {
    /// The product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
    /// Price of one, if it was sent.
    pub unit_price: Option<PriceDraft>,
}

/// A price as it was sent.
#[derive(Debug, Clone, Default)]
pub struct PriceDraft {
    /// ISO 4217 code.
    pub currency_code: String,
    /// Whole units.
    pub units: i64,
    /// Billionths of a unit.
    pub nanos: i32,
}

/// A draft that was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub(super) user_id: Uuid,
    pub(super) items: Vec<OrderItem>,
    pub(super) total: Money,
}

/// Why an order is cancelled, in the caller's words; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason(String);

impl OrderDraft {
    /// The order to place, or everything that is wrong with the draft.
    pub fn validate(self) -> Result<NewOrder, Vec<Violation>> {
        let mut found = Findings::default();
        let user_id = Uuid::try_parse(&self.user_id)
            .inspect_err(|_| found.add("user_id", "must be a UUID"))
            .unwrap_or_default();
        if self.items.is_empty() || self.items.len() > MAX_ITEMS {
            found.add("items", "must be 1 to 500 items");
        }
        let mut currency = None;
        let items: Vec<OrderItem> = self
            .items
            .into_iter()
            .take(MAX_ITEMS)
            .enumerate()
            .filter_map(|(index, item)| found.item(index, item, &mut currency))
            .collect();
        let most = i128::from(MAX_TOTAL_UNITS) * NANOS_PER_UNIT;
        let total = order::sum(&items).filter(|total| total.total_nanos() <= most);
        match total {
            Some(total) if found.0.is_empty() => Ok(NewOrder {
                user_id,
                items,
                total,
            }),
            // The sum is only worth a word when each item is fine by itself.
            None if found.0.is_empty() => {
                found.add("items", "must sum up to at most 10,000,000,000,000 units");
                Err(found.0)
            }
            _ => Err(found.0),
        }
    }
}

impl Reason {
    /// The reason, if it is short enough.
    pub fn parse(text: String) -> Result<Self, Violation> {
        if text.chars().count() > MAX_REASON_CHARS {
            return Err(Violation {
                field: "reason".to_owned(),
                takes: "must be at most 500 characters".to_owned(),
            });
        }
        Ok(Self(text))
    }

    /// Its text.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, field: impl fmt::Display, takes: impl Into<String>) {
        self.0.push(Violation {
            field: field.to_string(),
            takes: takes.into(),
        });
    }

    /// The item, unless something is wrong with it. `currency` is the one that the first item with
    /// a known one is in, and its index.
    fn item(
        &mut self,
        index: usize,
        item: ItemDraft,
        currency: &mut Option<(usize, Currency)>,
    ) -> Option<OrderItem> {
        let before = self.0.len();
        let path = format_args!("items[{index}]");
        if !is_product_id(&item.product_id) {
            self.add(
                format_args!("{path}.product_id"),
                "must be 1 to 64 letters, digits, '.', '_', ':' or '-'",
            );
        }
        if item.quantity == 0 || item.quantity > MAX_QUANTITY {
            self.add(format_args!("{path}.quantity"), "must be 1 to 10,000");
        }
        let Some(price) = item.unit_price else {
            self.add(format_args!("{path}.unit_price"), "must be set");
            return None;
        };
        let path = format_args!("{path}.unit_price");
        self.amount(path, &price);
        let known = self.currency(path, index, &price.currency_code, currency)?;
        (self.0.len() == before).then(|| OrderItem {
            product_id: item.product_id,
            quantity: item.quantity,
            unit_price: Money::new(known, price.units, price.nanos),
        })
    }

    fn currency(
        &mut self,
        path: fmt::Arguments<'_>,
        index: usize,
        code: &str,
        first: &mut Option<(usize, Currency)>,
    ) -> Option<Currency> {
        let field = format_args!("{path}.currency_code");
        let Some(currency) = Money::currency_of(code) else {
            self.add(field, "must be an ISO 4217 code, for instance EUR");
            return None;
        };
        let (first_index, expected) = *first.get_or_insert((index, currency));
        if currency != expected {
            let expected = expected.code();
            self.add(
                field,
                format!("must be {expected} like items[{first_index}]: an order is in one currency"),
            );
        }
        Some(currency)
    }

    fn amount(&mut self, path: fmt::Arguments<'_>, price: &PriceDraft) {
        let PriceDraft { units, nanos, .. } = *price;
        if units < 0 {
            self.add(format_args!("{path}.units"), "must not be negative");
        }
        if units > MAX_UNIT_PRICE_UNITS || (units == MAX_UNIT_PRICE_UNITS && nanos > 0) {
            self.add(
                format_args!("{path}.units"),
                "must be at most 1,000,000,000 in all",
            );
        }
        let wrong_sign = (units > 0 && nanos < 0) || (units < 0 && nanos > 0);
        if !(-MAX_NANOS..=MAX_NANOS).contains(&nanos) {
            self.add(format_args!("{path}.nanos"), "must be 0 to 999,999,999");
        } else if wrong_sign {
            self.add(format_args!("{path}.nanos"), "must be of the same sign as units");
        } else if units == 0 && nanos < 0 {
            self.add(format_args!("{path}.nanos"), "must not be negative");
        }
    }
}

fn is_product_id(text: &str) -> bool {
    (1..=MAX_PRODUCT_ID_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

#[cfg(test)]
mod tests;
