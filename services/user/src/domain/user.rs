//! A user, and what happens to one.

use std::time::SystemTime;

use uuid::Uuid;

use super::contact::{Contact, ContactChange};

/// Somebody who places orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who it is.
    pub user_id: Uuid,
    /// How to reach them.
    pub contact: Contact,
    /// 1 when registered, one more with every change.
    pub version: i64,
    /// When the user registered.
    pub create_time: SystemTime,
    /// When the user last changed. Never before `create_time`.
    pub update_time: SystemTime,
}

/// What happened to a user, who is shown as it left them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserEvent {
    /// The user registered.
    Registered(User),
    /// Address or name changed.
    ContactChanged(User),
}

impl User {
    /// The user that a registration at `now` makes.
    pub fn register(user_id: Uuid, contact: Contact, now: SystemTime) -> Self {
        Self {
            user_id,
            contact,
            version: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// The user after a change at `now`; `None` when it changes nothing.
    pub fn change(&self, change: &ContactChange, now: SystemTime) -> Option<Self> {
        let contact = change.apply_to(&self.contact);
        (contact != self.contact).then(|| Self {
            contact,
            version: self.version + 1,
            // Another machine's clock may be ahead of ours.
            update_time: now.max(self.update_time),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn ann() -> User {
        User::register(
            Uuid::from_u128(1),
            Contact::parse("a@b.org", "Ann").unwrap(),
            at(10),
        )
    }

    #[test]
    fn a_change_makes_the_next_version() {
        let change = ContactChange::parse("", "Bo").unwrap();
        let changed = ann().change(&change, at(20)).unwrap();
        assert_eq!(changed.contact, Contact::parse("a@b.org", "Bo").unwrap());
        assert_eq!((changed.version, changed.update_time), (2, at(20)));
        assert_eq!(changed.create_time, at(10));
    }

    #[test]
    fn another_spelling_of_the_address_is_a_change_and_the_same_one_is_none() {
        let change = |email| ann().change(&ContactChange::parse(email, "Ann").unwrap(), at(20));
        assert_eq!(change("A@b.org").unwrap().version, 2);
        assert_eq!(change("a@b.org"), None);
        assert_eq!(ann().change(&ContactChange::default(), at(20)), None);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let change = ContactChange::parse("", "Bo").unwrap();
        assert_eq!(ann().change(&change, at(5)).unwrap().update_time, at(10));
    }
}
