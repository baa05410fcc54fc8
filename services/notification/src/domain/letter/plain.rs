//! The plain text part.

use std::fmt::Write;

use super::{greeting, opening};
use crate::domain::{notice::Notice, text::one_line};

pub(super) fn body(notice: &Notice, name: &str) -> String {
    let mut text = String::new();
    write(&mut text, notice, name).expect("a string takes any text");
    text
}

fn write(text: &mut String, notice: &Notice, name: &str) -> std::fmt::Result {
    writeln!(text, "{},\n", greeting(name))?;
    writeln!(text, "{}\n", opening(notice.kind))?;
    for item in &notice.items {
        let product = one_line(&item.product_id);
        let (quantity, price) = (item.quantity, &item.unit_price);
        writeln!(
            text,
            "- {product}: {quantity} x {price} = {}",
            price.times(quantity)
        )?;
    }
    writeln!(text, "\nTotal: {}", notice.total)?;
    writeln!(text, "Order: {}", notice.order_id)?;
    let reason = one_line(&notice.reason);
    if !reason.is_empty() {
        writeln!(text, "Reason: {reason}")?;
    }
    Ok(())
}
