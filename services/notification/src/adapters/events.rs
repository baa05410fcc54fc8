//! What the service does with events: contacts are kept, notices are mailed.

mod notice;
#[cfg(test)]
mod released;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    contract::{
        Event,
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::{UserContactChanged, UserRegistered},
    },
    envelope::Envelope,
    failure::{Failure, Outcome},
    handler::{Error, Handler},
};

use crate::{
    app::notify::Notify,
    domain::{
        contact::{self, Contact},
        notice::Notice,
    },
    ports::contacts::Contacts,
};

/// Keeps the contacts that events of users tell.
pub struct ContactsHandler {
    contacts: Arc<dyn Contacts>,
}

impl ContactsHandler {
    /// Keeps them in `contacts`.
    pub fn new(contacts: Arc<dyn Contacts>) -> Self {
        Self { contacts }
    }
}

#[async_trait]
impl Handler for ContactsHandler {
    async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        let (contacts, outcomes) = split(batch.iter().map(contact_in));
        let newest = contact::newest(contacts);
        if !newest.is_empty() {
            self.contacts.save(&newest).await?;
        }
        Ok(outcomes)
    }
}

/// Mails what events of orders tell.
pub struct MailHandler {
    notify: Notify,
}

impl MailHandler {
    /// Mails by `notify`.
    pub fn new(notify: Notify) -> Self {
        Self { notify }
    }
}

#[async_trait]
impl Handler for MailHandler {
    async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        let (notices, mut outcomes) = split(batch.iter().map(notice_in));
        let mut told = self.notify.notify(&notices).await?.into_iter();
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
            *outcome = told.next().expect("one outcome a notice");
        }
        Ok(outcomes)
    }
}

/// What could be read, and for each event whether it could.
fn split<T>(read: impl Iterator<Item = Result<T, Failure>>) -> (Vec<T>, Vec<Outcome>) {
    let mut values = Vec::new();
    let outcomes = read
        .map(|result| result.map(|value| values.push(value)))
        .collect();
    (values, outcomes)
}

fn contact_in(envelope: &Envelope) -> Result<Contact, Failure> {
    let (user_id, email, display_name, version) = match envelope.type_name.as_str() {
        UserRegistered::TYPE => {
            let event: UserRegistered = envelope.decode()?;
            (event.user_id, event.email, event.display_name, event.version)
        }
        UserContactChanged::TYPE => {
            let event: UserContactChanged = envelope.decode()?;
            (event.user_id, event.email, event.display_name, event.version)
        }
        _ => return Err(envelope.unknown_type()),
    };
    if version < 1 {
        return Err(invalid("version", "at least 1"));
    }
    Ok(Contact {
        user_id: id("user_id", &user_id)?,
        email,
        display_name,
        version,
    })
}

/// What an event of an order is to be told as.
pub fn notice_in(envelope: &Envelope) -> Result<Notice, Failure> {
    match envelope.type_name.as_str() {
        OrderCreated::TYPE => notice::of_created(envelope, envelope.decode()?),
        OrderCancelled::TYPE => notice::of_cancelled(envelope, envelope.decode()?),
        _ => Err(envelope.unknown_type()),
    }
}

fn id(field: &str, text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| invalid(field, "a UUID"))
}

/// The failure of an event that is not what its contract says.
fn invalid(field: &str, expected: &str) -> Failure {
    Failure::permanent("INVALID_EVENT", format!("{field} must be {expected}"))
}
