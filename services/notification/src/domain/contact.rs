//! How a user is reached and addressed.

use std::{collections::HashMap, fmt};

use uuid::Uuid;

/// A user's address and name as some version of the user had them.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The user.
    pub user_id: Uuid,
    /// Mail address, as the user service told it.
    pub email: String,
    /// How the user is addressed.
    pub display_name: String,
    /// Version of the user; a higher one is newer.
    pub version: i64,
}

/// Address and name stay out, so that no log can show them by accident.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("user_id", &self.user_id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The newest of each user's contacts.
pub fn newest(contacts: impl IntoIterator<Item = Contact>) -> Vec<Contact> {
    let mut newest: HashMap<Uuid, Contact> = HashMap::new();
    for contact in contacts {
        match newest.get(&contact.user_id) {
            Some(known) if known.version >= contact.version => {}
            _ => {
                newest.insert(contact.user_id, contact);
            }
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(user: u128, version: i64) -> Contact {
        Contact {
            user_id: Uuid::from_u128(user),
            email: format!("{version}@example.com"),
            display_name: "Ada".into(),
            version,
        }
    }

    #[test]
    fn the_highest_version_wins_wherever_it_stands() {
        let mut merged = newest([contact(1, 1), contact(1, 3), contact(2, 1), contact(1, 2)]);
        merged.sort_by_key(|c| c.user_id);
        assert_eq!(merged, [contact(1, 3), contact(2, 1)]);
    }

    #[test]
    fn debug_output_holds_no_personal_data() {
        let shown = format!("{:?}", contact(1, 1));
        assert!(
            !shown.contains("example.com") && !shown.contains("Ada"),
            "{shown}"
        );
    }
}
