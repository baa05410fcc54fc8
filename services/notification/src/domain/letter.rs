//! What a user is told, in plain text and in HTML. Both say the same.

mod html;
mod plain;

use std::borrow::Cow;

use super::{
    notice::{Item, Notice},
    notification::Kind,
    text::one_line,
};

/// What one mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Subject line. It names the order and nobody.
    pub subject: String,
    /// Plain text, lines ended by `\n`.
    pub plain: String,
    /// An HTML document.
    pub html: String,
}

impl Letter {
    /// The letter that tells `notice` to somebody called `name`.
    pub fn new(notice: &Notice, name: &str) -> Self {
        let told = Told::new(notice, name);
        Self {
            plain: plain::body(&told),
            html: html::body(&told),
            subject: told.subject,
        }
    }
}

/// What both parts say, in texts of one line each. HTML has to escape them.
struct Told<'a> {
    subject: String,
    greeting: String,
    opening: &'static str,
    rows: Vec<Row<'a>>,
    total: String,
    order_id: String,
    reason: Cow<'a, str>,
}

/// What is said of one item.
struct Row<'a> {
    product: Cow<'a, str>,
    quantity: u32,
    price: String,
    sum: String,
}

impl<'a> Told<'a> {
    fn new(notice: &'a Notice, name: &str) -> Self {
        Self {
            subject: subject(notice),
            greeting: format!("Hello {}", one_line(name)).trim_end().to_owned(),
            opening: opening(notice.kind),
            rows: notice.items.iter().map(Row::new).collect(),
            total: notice.total.to_string(),
            order_id: notice.order_id.to_string(),
            reason: one_line(&notice.reason),
        }
    }
}

impl<'a> Row<'a> {
    fn new(item: &'a Item) -> Self {
        Self {
            product: one_line(&item.product_id),
            quantity: item.quantity,
            price: item.unit_price.to_string(),
            sum: item.unit_price.times(item.quantity).to_string(),
        }
    }
}

/// The subject line under which `notice` is told.
pub fn subject(notice: &Notice) -> String {
    let what = match notice.kind {
        Kind::Confirmation => "is confirmed",
        Kind::Cancellation => "was cancelled",
    };
    format!("Your order {} {what}", notice.order_id)
}

/// The sentence under the greeting.
fn opening(kind: Kind) -> &'static str {
    match kind {
        Kind::Confirmation => "Thank you for your order. This is what you ordered:",
        Kind::Cancellation => "Your order was cancelled. This is what you had ordered:",
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use uuid::Uuid;

    use super::*;
    use crate::domain::money::Money;

    fn notice(kind: Kind) -> Notice {
        let item = |product_id: &str, quantity, units, nanos| Item {
            product_id: product_id.into(),
            quantity,
            unit_price: Money::new("EUR", units, nanos),
        };
        Notice {
            event_id: Uuid::from_u128(1),
            time: UNIX_EPOCH,
            kind,
            user_id: Uuid::from_u128(2),
            order_id: Uuid::from_u128(3),
            items: vec![
                item("tea-1", 3, 4, 950_000_000),
                item("sugar:lump", 1000, 0, 1_500_000),
            ],
            total: Money::new("EUR", 16, 350_000_000),
            reason: String::new(),
        }
    }

    #[test]
    fn a_confirmation_lists_everything_with_exact_sums() {
        let letter = Letter::new(&notice(Kind::Confirmation), "Ada Lovelace");
        assert_eq!(
            letter.subject,
            "Your order 00000000-0000-0000-0000-000000000003 is confirmed"
        );
        assert_eq!(
            letter.plain,
            "\
Hello Ada Lovelace,

Thank you for your order. This is what you ordered:

- tea-1: 3 x 4.95 EUR = 14.85 EUR
- sugar:lump: 1000 x 0.0015 EUR = 1.50 EUR

Total: 16.35 EUR
Order: 00000000-0000-0000-0000-000000000003
"
        );
    }

    #[test]
    fn lines_are_so_short_that_a_mail_needs_no_encoding() {
        let letter = Letter::new(&notice(Kind::Cancellation), "Ada Lovelace");
        for line in letter.plain.lines().chain(letter.html.lines()) {
            assert!(line.len() < 76, "{line}");
        }
    }

    #[test]
    fn a_cancellation_says_why_if_anybody_did() {
        let mut notice = notice(Kind::Cancellation);
        assert!(!Letter::new(&notice, "Ada").plain.contains("Reason"));
        notice.reason = "changed\nmy mind".into();
        let letter = Letter::new(&notice, "Ada");
        assert_eq!(
            letter.subject,
            "Your order 00000000-0000-0000-0000-000000000003 was cancelled"
        );
        assert!(
            letter.plain.ends_with("\nReason: changed my mind\n"),
            "{}",
            letter.plain
        );
        assert!(letter.html.contains("changed my mind"), "{}", letter.html);
    }

    #[test]
    fn html_shows_what_came_from_outside_as_text() {
        let mut notice = notice(Kind::Cancellation);
        notice.items[0].product_id = "<img src=x>".into();
        notice.reason = "\"because\" & <b>".into();
        let html = Letter::new(&notice, "<script>'x'</script>").html;
        for raw in ["<script>", "<img", "<b>", "\"because\""] {
            assert!(!html.contains(raw), "{raw} in {html}");
        }
        for shown in [
            "&#60;script&#62;&#39;x&#39;",
            "&#60;img src=x&#62;",
            "&#38; &#60;b&#62;",
        ] {
            assert!(html.contains(shown), "{shown} not in {html}");
        }
    }

    #[test]
    fn html_holds_every_sum_that_the_plain_text_holds() {
        let html = Letter::new(&notice(Kind::Confirmation), "Ada").html;
        for sum in ["4.95 EUR", "14.85 EUR", "0.0015 EUR", "1.50 EUR", "16.35 EUR"] {
            assert!(html.contains(&format!(">{sum}<")), "{sum} not in {html}");
        }
    }

    #[test]
    fn somebody_without_a_name_is_greeted_all_the_same() {
        let letter = Letter::new(&notice(Kind::Confirmation), "\r\n");
        assert!(letter.plain.starts_with("Hello,\n"), "{}", letter.plain);
    }
}
