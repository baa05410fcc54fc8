//! The HTML part: a table that any mail program shows, with no style sheet and nothing to load.

use std::fmt::{Display, Write};

use super::{Row, Told};
use crate::domain::text::escape_html;

pub(super) fn body(told: &Told<'_>) -> String {
    let mut text = String::with_capacity(768 + 192 * told.rows.len());
    write(&mut text, told).expect("a string takes any text");
    text
}

/// In lines of less than 76 characters, unless what somebody else chose is longer. Text with a longer one is encoded
/// for its way, as quoted-printable.
fn write(text: &mut String, told: &Told<'_>) -> std::fmt::Result {
    writeln!(text, "<!DOCTYPE html>\n<html lang=\"en\">")?;
    writeln!(text, "<head>\n<meta charset=\"utf-8\">")?;
    writeln!(text, "<title>\n{}\n</title>\n</head>\n<body>", told.subject)?;
    writeln!(text, "<p>{},</p>", escape_html(&told.greeting))?;
    writeln!(text, "<p>{}</p>", told.opening)?;
    writeln!(text, "<table cellpadding=\"4\">")?;
    writeln!(text, "<tr>\n<th align=\"left\">Product</th>")?;
    writeln!(text, "<th>Quantity</th>\n<th>Price</th>\n<th>Sum</th>\n</tr>")?;
    for row in &told.rows {
        write_row(text, row)?;
    }
    writeln!(text, "<tr>\n<th align=\"left\" colspan=\"3\">Total</th>")?;
    writeln!(
        text,
        "<th align=\"right\">{}</th>\n</tr>\n</table>",
        escape_html(&told.total)
    )?;
    writeln!(text, "<p>Order: {}</p>", told.order_id)?;
    if !told.reason.is_empty() {
        writeln!(text, "<p>Reason: {}</p>", escape_html(&told.reason))?;
    }
    writeln!(text, "</body>\n</html>")
}

fn write_row(text: &mut String, row: &Row<'_>) -> std::fmt::Result {
    writeln!(text, "<tr>\n<td>{}</td>", escape_html(&row.product))?;
    let (price, sum) = (escape_html(&row.price), escape_html(&row.sum));
    for number in [&row.quantity as &dyn Display, &price, &sum] {
        writeln!(text, "<td align=\"right\">{number}</td>")?;
    }
    writeln!(text, "</tr>")
}
