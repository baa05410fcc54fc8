//! The ports in memory.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    grpc::page::Page,
    store::{Error, Result},
};
use waybill_notification::{
    domain::{contact::Contact, mail::Mail, notification::Notification},
    ports::{
        contacts::Contacts,
        mailer::{self, Mailer},
        notifications::{Filter, Notifications},
    },
};

/// Contacts in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryContacts(Mutex<HashMap<Uuid, Contact>>);

#[async_trait]
impl Contacts for MemoryContacts {
    async fn save(&self, contacts: &[Contact]) -> Result<()> {
        let mut known = self.0.lock().unwrap();
        for contact in contacts {
            if known
                .get(&contact.user_id)
                .is_none_or(|k| k.version < contact.version)
            {
                known.insert(contact.user_id, contact.clone());
            }
        }
        Ok(())
    }

    async fn find(&self, user_ids: &[Uuid]) -> Result<Vec<Contact>> {
        let known = self.0.lock().unwrap();
        Ok(user_ids.iter().filter_map(|id| known.get(id).cloned()).collect())
    }
}

/// Notifications in memory, which can be told to take no records.
#[derive(Debug, Default)]
pub(crate) struct MemoryNotifications {
    records: Mutex<Vec<Notification>>,
    read_only: AtomicBool,
}

impl MemoryNotifications {
    /// Whether records are refused from now on, as by a database that lost its primary.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::SeqCst);
    }

    /// Everything recorded, in the order in which it was.
    pub(crate) fn all(&self) -> Vec<Notification> {
        self.records.lock().unwrap().clone()
    }
}

#[async_trait]
impl Notifications for MemoryNotifications {
    async fn record(&self, notifications: &[Notification]) -> Result<()> {
        if self.read_only.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("no primary".into()));
        }
        let mut records = self.records.lock().unwrap();
        for new in notifications {
            let is_known =
                |r: &Notification| r.id == new.id || (r.order_id, r.kind) == (new.order_id, new.kind);
            if !records.iter().any(is_known) {
                records.push(new.clone());
            }
        }
        Ok(())
    }

    async fn about(&self, order_ids: &[Uuid]) -> Result<Vec<Notification>> {
        let mut found = self.all();
        found.retain(|n| order_ids.contains(&n.order_id));
        Ok(found)
    }

    async fn get(&self, id: Uuid) -> Result<Option<Notification>> {
        Ok(self.all().into_iter().find(|n| n.id == id))
    }

    async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Notification>> {
        let key = |n: &Notification| (unix_millis(n.create_time), n.id);
        let mut found = self.all();
        found.retain(|n| match filter {
            Filter::User(id) => n.user_id == id,
            Filter::Order(id) => n.order_id == id,
        });
        found.retain(|n| page.after.is_none_or(|after| key(n) < (after.time_ms, after.id)));
        found.sort_by_key(|n| std::cmp::Reverse(key(n)));
        found.truncate(page.size + 1);
        Ok(found)
    }
}

/// A mailer that keeps what it is given, unless the recipient's local part says what happens instead.
#[derive(Debug, Default)]
pub(crate) struct MemoryMailer {
    tried: Mutex<Vec<Mail>>,
}

impl MemoryMailer {
    /// Every mail that was tried, in the order in which it was.
    pub(crate) fn tried(&self) -> Vec<Mail> {
        self.tried.lock().unwrap().clone()
    }
}

/// Mails that it takes at the same time.
pub(crate) const AT_ONCE: usize = 8;

#[async_trait]
impl Mailer for MemoryMailer {
    fn at_once(&self) -> usize {
        AT_ONCE
    }

    async fn send(&self, mail: &Mail) -> std::result::Result<(), mailer::Error> {
        self.tried.lock().unwrap().push(mail.clone());
        match mail.to_email.split('@').next() {
            Some("down") => Err(mailer::Error::Unavailable("down".into())),
            Some("tempfail") => Err(mailer::Error::NotAccepted("451".into())),
            Some("reject") => Err(mailer::Error::Rejected("550".into())),
            _ => Ok(()),
        }
    }
}
