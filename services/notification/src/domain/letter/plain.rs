//! The plain text part.

use std::fmt::Write;

use super::Told;

pub(super) fn body(told: &Told<'_>) -> String {
    let mut text = String::with_capacity(256 + 64 * told.rows.len());
    write(&mut text, told).expect("a string takes any text");
    text
}

fn write(text: &mut String, told: &Told<'_>) -> std::fmt::Result {
    writeln!(text, "{},\n", told.greeting)?;
    writeln!(text, "{}\n", told.opening)?;
    for row in &told.rows {
        writeln!(
            text,
            "- {}: {} x {} = {}",
            row.product, row.quantity, row.price, row.sum
        )?;
    }
    writeln!(text, "\nTotal: {}", told.total)?;
    writeln!(text, "Order: {}", told.order_id)?;
    if !told.reason.is_empty() {
        writeln!(text, "Reason: {}", told.reason)?;
    }
    Ok(())
}
