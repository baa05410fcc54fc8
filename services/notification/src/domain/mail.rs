//! A letter with everything on its envelope.

use std::{fmt, time::SystemTime};

use uuid::Uuid;

use super::{contact::Contact, letter::Letter, notice::Notice};

/// One mail, the same in every attempt to send it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Id of the notification.
    pub notification_id: Uuid,
    /// RFC 5322 Message-ID, angle brackets included.
    pub message_id: String,
    /// Its date: when the event happened.
    pub time: SystemTime,
    /// Address of the recipient, unchecked.
    pub to_email: String,
    /// Name of the recipient, unchecked.
    pub to_name: String,
    /// What it says.
    pub letter: Letter,
}

impl Mail {
    /// The mail that tells `notice` to `contact`. Its Message-ID is made of the event's id and
    /// `domain` alone, so that whoever receives it twice can tell.
    pub fn new(notice: &Notice, contact: &Contact, domain: &str) -> Self {
        Self {
            notification_id: notice.event_id,
            message_id: format!("<{}@{domain}>", notice.event_id),
            time: notice.time,
            to_email: contact.email.clone(),
            to_name: contact.display_name.clone(),
            letter: Letter::new(notice, &contact.display_name),
        }
    }
}

/// Address, name and letter stay out, so that no log can show them by accident.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}
