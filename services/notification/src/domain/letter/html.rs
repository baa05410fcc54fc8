//! The HTML part: a table that any mail program shows, with no style sheet and nothing to load.

use std::fmt::{Display, Write};

use super::{greeting, opening, subject};
use crate::domain::{
    notice::{Item, Notice},
    text::{escape_html, one_line},
};

pub(super) fn body(notice: &Notice, name: &str) -> String {
    let mut text = String::new();
    write(&mut text, notice, name).expect("a string takes any text");
    text
}

/// In lines of less than 76 characters, unless what somebody else chose is longer. Text with a longer one is encoded
/// for its way, as quoted-printable, which is a fifth of the work of making a mail.
fn write(text: &mut String, notice: &Notice, name: &str) -> std::fmt::Result {
    writeln!(text, "<!DOCTYPE html>\n<html lang=\"en\">")?;
    writeln!(text, "<head>\n<meta charset=\"utf-8\">")?;
    writeln!(text, "<title>\n{}\n</title>\n</head>\n<body>", subject(notice))?;
    writeln!(text, "<p>{},</p>", from_outside(&greeting(name)))?;
    writeln!(text, "<p>{}</p>", opening(notice.kind))?;
    writeln!(text, "<table cellpadding=\"4\">")?;
    writeln!(text, "<tr>\n<th align=\"left\">Product</th>")?;
    writeln!(text, "<th>Quantity</th>\n<th>Price</th>\n<th>Sum</th>\n</tr>")?;
    for item in &notice.items {
        write_row(text, item)?;
    }
    let total = from_outside(&notice.total.to_string());
    writeln!(text, "<tr>\n<th align=\"left\" colspan=\"3\">Total</th>")?;
    writeln!(text, "<th align=\"right\">{total}</th>\n</tr>\n</table>")?;
    writeln!(text, "<p>Order: {}</p>", notice.order_id)?;
    let reason = from_outside(&notice.reason);
    if !reason.is_empty() {
        writeln!(text, "<p>Reason: {reason}</p>")?;
    }
    writeln!(text, "</body>\n</html>")
}

fn write_row(text: &mut String, item: &Item) -> std::fmt::Result {
    let product = from_outside(&item.product_id);
    let quantity = item.quantity;
    let price = from_outside(&item.unit_price.to_string());
    let sum = from_outside(&item.unit_price.times(quantity).to_string());
    writeln!(text, "<tr>\n<td>{product}</td>")?;
    for number in [&quantity as &dyn Display, &price, &sum] {
        writeln!(text, "<td align=\"right\">{number}</td>")?;
    }
    writeln!(text, "</tr>")
}

/// Text that somebody else chose; a currency code is no exception.
fn from_outside(text: &str) -> String {
    escape_html(&one_line(text))
}
