//! How to reach a user: address and name, checked together so that every bad field is named at once.

use std::fmt;

use super::email::{self, Email};

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 200;

const NAME_TAKES: &str = "must be 1 to 200 characters, not all of them spaces and none a control character";

/// A field that does not hold what it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidField {
    /// Name of the field.
    pub field: &'static str,
    /// What it takes, for instance `must be 1 to 200 characters`.
    pub takes: &'static str,
}

/// How a user is addressed: 1 to 200 characters, at least one of them visible, none a control character.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a name; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = !text.trim().is_empty()
            && text.chars().count() <= MAX_NAME_CHARS
            && !text.contains(char::is_control);
        valid.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing of the name: it is personal, and debug output ends up in logs.
impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisplayName(…)")
    }
}

/// Address and name of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where mail goes.
    pub email: Email,
    /// How the user is addressed.
    pub display_name: DisplayName,
}

impl Contact {
    /// Reads both, or tells every field that is wrong.
    pub fn parse(email: &str, display_name: &str) -> Result<Self, Vec<InvalidField>> {
        match (Email::parse(email), DisplayName::parse(display_name)) {
            (Some(email), Some(display_name)) => Ok(Self { email, display_name }),
            (email, name) => Err(invalid(email.is_none(), name.is_none())),
        }
    }

    /// A contact that was read before, as a store kept it: whatever was accepted once stays readable,
    /// whatever today's rules say of it.
    pub fn accepted(email: String, display_name: String) -> Self {
        Self {
            email: Email::accepted(email),
            display_name: DisplayName(display_name),
        }
    }
}

/// What to change of a contact. `None` keeps what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactChange {
    /// The new address.
    pub email: Option<Email>,
    /// The new name.
    pub display_name: Option<DisplayName>,
}

impl ContactChange {
    /// Reads both, or tells every field that is wrong. An empty text keeps what is there.
    pub fn parse(email: &str, display_name: &str) -> Result<Self, Vec<InvalidField>> {
        let change = Self {
            email: Email::parse(email),
            display_name: DisplayName::parse(display_name),
        };
        let bad_email = !email.is_empty() && change.email.is_none();
        let bad_name = !display_name.is_empty() && change.display_name.is_none();
        if bad_email || bad_name {
            return Err(invalid(bad_email, bad_name));
        }
        Ok(change)
    }

    /// The contact with this change made.
    #[must_use]
    pub fn apply_to(&self, contact: &Contact) -> Contact {
        Contact {
            email: self.email.as_ref().unwrap_or(&contact.email).clone(),
            display_name: self
                .display_name
                .as_ref()
                .unwrap_or(&contact.display_name)
                .clone(),
        }
    }
}

fn invalid(email: bool, name: bool) -> Vec<InvalidField> {
    let email = email.then_some(InvalidField {
        field: "email",
        takes: email::TAKES,
    });
    let name = name.then_some(InvalidField {
        field: "display_name",
        takes: NAME_TAKES,
    });
    email.into_iter().chain(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(result: Result<impl fmt::Debug, Vec<InvalidField>>) -> Vec<&'static str> {
        result.unwrap_err().iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn every_bad_field_is_named() {
        assert_eq!(fields(Contact::parse("a", "")), ["email", "display_name"]);
        assert_eq!(fields(Contact::parse("a@b.org", "x\ny")), ["display_name"]);
        assert_eq!(fields(ContactChange::parse("a", "\t")), ["email", "display_name"]);
    }

    #[test]
    fn a_name_has_1_to_200_characters_however_many_bytes_those_are() {
        assert!(DisplayName::parse(&"ö".repeat(200)).is_some());
        for bad in ["", "  ", &"ö".repeat(201), "a\u{7f}", "a\r\nb"] {
            assert!(DisplayName::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_field_keeps_what_is_there() {
        let contact = Contact::parse("a@b.org", "Ann").unwrap();
        let changed = |email, name| ContactChange::parse(email, name).unwrap().apply_to(&contact);
        assert_eq!(changed("", ""), contact);
        assert_eq!(changed("", "Bo"), Contact::parse("a@b.org", "Bo").unwrap());
        assert_eq!(changed("c@d.org", ""), Contact::parse("c@d.org", "Ann").unwrap());
    }
}
