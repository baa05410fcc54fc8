//! An item as written on the command line: `PRODUCT:QUANTITY:UNIT_PRICE`.

use std::str::FromStr;

use waybill::contract::{google::r#type::Money, order::v1::PlaceOrderItem};

use crate::client::amount;

/// One item, not yet in a currency.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    product_id: String,
    quantity: u32,
    unit_price: Money,
}

impl Item {
    /// The item with its price in `currency`.
    pub(crate) fn priced_in(self, currency: &str) -> PlaceOrderItem {
        PlaceOrderItem {
            product_id: self.product_id,
            quantity: self.quantity,
            unit_price: Some(Money {
                currency_code: currency.to_owned(),
                ..self.unit_price
            }),
        }
    }
}

impl FromStr for Item {
    type Err = String;

    /// Reads from the right, because a product's id may hold colons.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.rsplitn(3, ':');
            let unit_price = amount::parse(parts.next()?, "")?;
            let quantity = parts.next()?.parse().ok()?;
            let product_id = parts.next()?.to_owned();
            Some(Self {
                product_id,
                quantity,
                unit_price,
            })
        };
        read().ok_or_else(|| "an item is PRODUCT:QUANTITY:UNIT_PRICE, for instance book:2:19.99".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_from_the_right() {
        let item: Item = "isbn:123:2:19.99".parse().unwrap();
        let item = item.priced_in("EUR");
        assert_eq!((item.product_id.as_str(), item.quantity), ("isbn:123", 2));
        let price = item.unit_price.unwrap();
        assert_eq!(
            (price.units, price.nanos, price.currency_code.as_str()),
            (19, 990_000_000, "EUR")
        );
        assert!("book:2".parse::<Item>().is_err());
        assert!("book:two:1".parse::<Item>().is_err());
    }
}
