//! A mail address that can be written to, and told apart from others.

use std::fmt;

use email_address::{EmailAddress, Options};

/// Longest address, in bytes: what fits into a path of SMTP (RFC 5321, 4.5.3.1.3).
pub const MAX_EMAIL_BYTES: usize = 254;

/// What a field that holds an address takes.
pub const TAKES: &str = "must be a mail address, like name@example.com, of at most 254 characters";

/// A mail address in the form `local@domain`, as it was given.
///
/// It has neither spaces nor control characters nor quotes, so it can stand in a header as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address; `None` when it is none.
    ///
    /// Quoted local parts, address literals and display names are refused. Standards allow them,
    /// hardly anybody has one, and most places that an address is copied to break on them.
    pub fn parse(text: &str) -> Option<Self> {
        let options = Options::default().without_display_text().without_domain_literal();
        let plain = text.len() <= MAX_EMAIL_BYTES
            && text.matches('@').count() == 1
            && !text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '"');
        (plain && EmailAddress::parse_with_options(text, options).is_ok()).then(|| Self(text.to_owned()))
    }

    /// An address that was read before, whatever today's rules say of it.
    pub(super) fn accepted(text: String) -> Self {
        Self(text)
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is the same for all addresses that count as one: the address in lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Shows nothing of the address: it is personal, and debug output ends up in logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_as_they_were_given() {
        for good in [
            "a@b.org",
            "Ann.Other+tag@Example.com",
            "o'neill@example.co.uk",
            "root@localhost",
            "müller@bücher.example",
        ] {
            assert_eq!(Email::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "@",
            "a@",
            "@b.org",
            "a.b.org",
            "a@b@c.org",
            "a b@c.org",
            " a@b.org",
            "a@b.org ",
            "a@b.org\r\nBcc: x@y.org",
            "a\0@b.org",
            "a\u{a0}@b.org",
            "a@b..org",
            "a@-b.org",
            "a..b@c.org",
            "Ann <a@b.org>",
            "<a@b.org>",
            "\"a b\"@c.org",
            "a@[127.0.0.1]",
            "a@b.org,c@d.org",
        ] {
            assert!(Email::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_at_most_254_bytes() {
        let with = |domain: usize| format!("a@{}b.org", "x.".repeat(domain));
        assert_eq!(with(124).len(), 255);
        assert!(Email::parse(&with(123)).is_some());
        assert!(Email::parse(&with(124)).is_none());
    }

    #[test]
    fn addresses_that_differ_in_case_are_one() {
        let email = |text| Email::parse(text).unwrap();
        assert_eq!(email("Ann@Example.com").key(), email("aNN@example.COM").key());
        assert_ne!(email("Ann@example.com"), email("ann@example.com"));
    }

    #[test]
    fn debug_output_tells_no_address() {
        let shown = format!("{:?}", Email::parse("ann@example.com").unwrap());
        assert!(!shown.contains("ann"), "{shown}");
    }
}
