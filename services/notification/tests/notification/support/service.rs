//! The service's handlers on stores in memory and a mailer of the test's choice.

use std::sync::Arc;

use uuid::Uuid;
use waybill::{
    clock::{ManualClock, from_unix_millis},
    envelope::Envelope,
    failure::Outcome,
    handler::{Error, Handler},
};
use waybill_notification::{
    adapters::events::{ContactsHandler, MailHandler},
    app::notify::Notify,
    domain::notification::{Kind, State},
    ports::mailer::Mailer,
};

use super::{
    events::{EVENT_TIME_MS, id, registered},
    memory::{MemoryContacts, MemoryNotifications},
};

/// What every test's Message-IDs end in.
pub(crate) const DOMAIN: &str = "shop.example";

/// The handlers and what they stand on.
pub(crate) struct TestService {
    contacts: ContactsHandler,
    mail: MailHandler,
    pub(crate) notifications: Arc<MemoryNotifications>,
}

impl TestService {
    pub(crate) fn new(mailer: Arc<dyn Mailer>) -> Self {
        let contacts = Arc::new(MemoryContacts::default());
        let notifications = Arc::new(MemoryNotifications::default());
        let clock = Arc::new(ManualClock::new(from_unix_millis(EVENT_TIME_MS + 5000)));
        let records = Arc::clone(&notifications);
        let notify = Notify::new(Arc::clone(&contacts) as _, records, mailer, clock, DOMAIN);
        Self {
            contacts: ContactsHandler::new(contacts),
            mail: MailHandler::new(notify),
            notifications,
        }
    }

    /// Handles events of users, which all succeed.
    pub(crate) async fn contacts(&self, batch: &[Envelope]) {
        let outcomes = self.contacts.handle(batch).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    /// A new user who is known here.
    pub(crate) async fn user(&self, email: &str) -> Uuid {
        let user_id = id();
        self.contacts(&[registered(user_id, email, "Ada")]).await;
        user_id
    }

    /// Handles events of orders.
    pub(crate) async fn try_mail(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        self.mail.handle(batch).await
    }

    /// Handles events of orders and tells each outcome's reason; `""` for success.
    pub(crate) async fn mail(&self, batch: &[Envelope]) -> Vec<&'static str> {
        let outcomes = self.try_mail(batch).await.unwrap();
        outcomes
            .into_iter()
            .map(|o| o.err().map_or("", |f| f.reason))
            .collect()
    }

    /// What is recorded, in the order in which it was.
    pub(crate) fn recorded(&self) -> Vec<(Uuid, Kind, State)> {
        let all = self.notifications.all();
        all.into_iter().map(|n| (n.id, n.kind, n.state)).collect()
    }
}
