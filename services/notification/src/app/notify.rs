//! Tells users what happened to their orders: each thing once.
//!
//! Look up what was told already, look up whom to tell, send, and record what was sent. The record is
//! what makes a repeat harmless. Between a server's word that it has a mail and the record lies the
//! one gap that no mail system can close: a crash there repeats the mail, under the same Message-ID.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use futures::{StreamExt, stream};
use uuid::Uuid;
use waybill::{
    clock::Clock,
    failure::{Failure, Outcome},
    store::Result,
};

use crate::{
    domain::{
        contact::Contact,
        mail::Mail,
        notice::Notice,
        notification::{Kind, Notification},
    },
    ports::{
        contacts::Contacts,
        mailer::{self, Mailer},
        notifications::Notifications,
    },
};

/// Mails that are recorded in one write, and so the most that a crash repeats: a whole batch at the default
/// prefetch, so that it takes two look-ups and one write.
pub const RECORDED_TOGETHER: usize = 256;

/// Why the mailer cannot be reached, once that is known: the rest of a batch need not try, or every
/// mail would wait for a timeout of its own.
type Outage = Mutex<Option<mailer::Error>>;

/// The use case.
pub struct Notify {
    contacts: Arc<dyn Contacts>,
    notifications: Arc<dyn Notifications>,
    mailer: Arc<dyn Mailer>,
    clock: Arc<dyn Clock>,
    message_id_domain: String,
    /// Sent, and not recorded yet. It outlives a call that could not record, so that the batch does
    /// not go out again when it is offered again. At most [`RECORDED_TOGETHER`]: a call begins by recording.
    unrecorded: Mutex<Vec<Notification>>,
}

/// What is known to those who send a batch.
struct Known {
    told: HashSet<(Uuid, Kind)>,
    contacts: HashMap<Uuid, Contact>,
    outage: Outage,
}

impl Notify {
    /// Sends through `mailer`. Message-IDs end in `message_id_domain`.
    pub fn new(
        contacts: Arc<dyn Contacts>,
        notifications: Arc<dyn Notifications>,
        mailer: Arc<dyn Mailer>,
        clock: Arc<dyn Clock>,
        message_id_domain: impl Into<String>,
    ) -> Self {
        Self {
            contacts,
            notifications,
            mailer,
            clock,
            message_id_domain: message_id_domain.into(),
            unrecorded: Mutex::default(),
        }
    }

    /// Tells what has not been told yet. The outcomes stand in the order of `notices`. Notices of one
    /// order are told in their order. A confirmation is not sent after a cancellation was.
    pub async fn notify(&self, notices: &[Notice]) -> Result<Vec<Outcome>> {
        self.record_sent().await?;
        let mut known = self.look_up(notices).await?;
        let mut outcomes = Vec::with_capacity(notices.len());
        for part in notices.chunks(RECORDED_TOGETHER) {
            let told = self.tell(part, &known).await;
            self.record_sent().await?;
            let told_now = part.iter().zip(&told).filter(|(_, outcome)| outcome.is_ok());
            known.told.extend(told_now.map(|(n, _)| (n.order_id, n.kind)));
            outcomes.extend(told);
        }
        Ok(outcomes)
    }

    /// Tells what may be recorded together. The outcomes stand in the order of `notices`.
    async fn tell(&self, notices: &[Notice], known: &Known) -> Vec<Outcome> {
        let mut of_order: HashMap<Uuid, Vec<usize>> = HashMap::new();
        for (index, notice) in notices.iter().enumerate() {
            of_order.entry(notice.order_id).or_default().push(index);
        }
        let tell = |indices: Vec<usize>| self.tell_in_order(notices, indices, known);
        let mut outcomes: Vec<(usize, Outcome)> = stream::iter(of_order.into_values().map(tell))
            .buffer_unordered(self.mailer.at_once())
            .flat_map(stream::iter)
            .collect()
            .await;
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    async fn look_up(&self, notices: &[Notice]) -> Result<Known> {
        let orders = distinct(notices.iter().map(|notice| notice.order_id));
        let records = self.notifications.about(&orders).await?;
        let told: HashSet<_> = records.iter().map(|n| (n.order_id, n.kind)).collect();
        let open = |notice: &&Notice| !told.contains(&(notice.order_id, notice.kind));
        let users = distinct(notices.iter().filter(open).map(|notice| notice.user_id));
        let contacts = match users.as_slice() {
            [] => Vec::new(),
            users => self.contacts.find(users).await?,
        };
        Ok(Known {
            told,
            contacts: contacts.into_iter().map(|c| (c.user_id, c)).collect(),
            outage: Outage::default(),
        })
    }

    /// Tells what `indices` point at, all of one order.
    async fn tell_in_order(
        &self,
        notices: &[Notice],
        indices: Vec<usize>,
        known: &Known,
    ) -> Vec<(usize, Outcome)> {
        let is_told = |notice: &Notice, kind| known.told.contains(&(notice.order_id, kind));
        let mut told_now = HashSet::new();
        let mut outcomes = Vec::with_capacity(indices.len());
        for index in indices {
            let notice = &notices[index];
            let told = |kind| told_now.contains(&kind) || is_told(notice, kind);
            let outcome = if told(notice.kind) {
                Ok(())
            } else if notice.kind == Kind::Confirmation && told(Kind::Cancellation) {
                self.remember(Notification::superseded(notice, self.clock.now()));
                Ok(())
            } else {
                self.send(notice, known).await
            };
            if outcome.is_ok() {
                told_now.insert(notice.kind);
            }
            outcomes.push((index, outcome));
        }
        outcomes
    }

    async fn send(&self, notice: &Notice, known: &Known) -> Outcome {
        let contact = known.contacts.get(&notice.user_id).ok_or_else(|| {
            let text = format!("no contact of user {} is known yet", notice.user_id);
            Failure::transient("CONTACT_UNKNOWN", text)
        })?;
        if let Some(outage) = locked(&known.outage).clone() {
            return Err(failure(outage));
        }
        let mail = Mail::new(notice, contact, &self.message_id_domain);
        if let Err(error) = self.mailer.send(&mail).await {
            if let mailer::Error::Unavailable(_) = error {
                *locked(&known.outage) = Some(error.clone());
            }
            return Err(failure(error));
        }
        tracing::debug!(notification_id = %notice.event_id, order_id = %notice.order_id, "mail sent");
        self.remember(Notification::sent(notice, mail.message_id, self.clock.now()));
        Ok(())
    }

    fn remember(&self, notification: Notification) {
        locked(&self.unrecorded).push(notification);
    }

    async fn record_sent(&self) -> Result<()> {
        let sent = locked(&self.unrecorded).clone();
        if !sent.is_empty() {
            self.notifications.record(&sent).await?;
            let recorded: HashSet<_> = sent.iter().map(|n| n.id).collect();
            locked(&self.unrecorded).retain(|n| !recorded.contains(&n.id));
        }
        Ok(())
    }
}

fn failure(error: mailer::Error) -> Failure {
    let text = error.to_string();
    match error {
        mailer::Error::Unavailable(_) => Failure::transient("MAIL_UNAVAILABLE", text),
        mailer::Error::NotAccepted(_) => Failure::transient("MAIL_NOT_ACCEPTED", text),
        mailer::Error::Rejected(_) => Failure::permanent("MAIL_REJECTED", text),
    }
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    ids.collect::<HashSet<_>>().into_iter().collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the lock can panic")
}
