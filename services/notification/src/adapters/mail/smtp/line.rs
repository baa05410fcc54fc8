//! Mails in line, and what carries them.
//!
//! Mails that come together wait in line. A few carriers, each with a connection, hand over one after the other until
//! none waits. So a carrier knows of the next mail while it hands over the one before, and both share a round trip.

use std::{
    collections::VecDeque,
    iter, mem,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::oneshot;

use super::{
    super::compose::Composed,
    MAX_CONNECTIONS,
    connections::{Connection, Connections},
    trouble::Trouble,
};

/// The line to one server. Must be used within a tokio runtime, in which the carriers run.
pub(super) struct Line(Arc<Carriers>);

/// Tasks that carry what waits. Each ends when there is nothing to carry.
struct Carriers {
    connections: Connections,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// In the order in which they came.
    mails: VecDeque<Entry>,
    /// Carriers that have not ended.
    carriers: usize,
}

/// A mail, and who waits for what becomes of it.
struct Entry {
    mail: Composed,
    answer: oneshot::Sender<Result<(), Trouble>>,
}

impl Line {
    pub(super) fn over(connections: Connections) -> Self {
        let waiting = Mutex::default();
        Self(Arc::new(Carriers { connections, waiting }))
    }

    /// Hands a mail to the server. It goes out once at most. Whoever stops waiting takes it out of the line, if it
    /// is still there.
    pub(super) async fn send(&self, mail: Composed) -> Result<(), Trouble> {
        let (answer, answered) = oneshot::channel();
        if self.0.take(Entry { mail, answer }) {
            tokio::spawn(Arc::clone(&self.0).carry());
        }
        answered.await.unwrap_or(Err(Trouble::NotTried))
    }
}

impl Carriers {
    /// Takes a mail into the line. `true` when there may be another carrier.
    fn take(&self, entry: Entry) -> bool {
        let mut waiting = self.waiting();
        waiting.mails.push_back(entry);
        let may_be_more = waiting.carriers < MAX_CONNECTIONS;
        waiting.carriers += usize::from(may_be_more);
        may_be_more
    }

    /// The next mail for a carrier that ends if there is none. Both at once: a mail that came in between would count
    /// on this carrier.
    fn next_or_end(&self) -> Option<Entry> {
        let mut waiting = self.waiting();
        let next = waiting.next();
        waiting.carriers -= usize::from(next.is_none());
        next
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lock can panic")
    }

    /// Carries mails until none waits.
    async fn carry(self: Arc<Self>) {
        while let Some(entry) = self.next_or_end() {
            match self.connections.get().await {
                Ok(connection) => self.carry_over(connection, entry).await,
                Err(trouble) => self.answer(entry, Err(trouble)),
            }
        }
    }

    /// Carries a mail over a connection, and those that wait meanwhile. A connection that proves dead is replaced
    /// only while the server has nothing of the mail.
    async fn carry_over(&self, mut connection: Connection, mut entry: Entry) {
        let sent = loop {
            let mut announced = connection.session.announce(&entry.mail).await;
            if connection.is_used && announced.as_ref().is_err_and(Trouble::is_hang_up) {
                announced = match self.connections.renew(&mut connection).await {
                    Ok(()) => connection.session.announce(&entry.mail).await,
                    Err(trouble) => Err(trouble),
                };
            }
            if announced.is_err() {
                break announced;
            }
            let next = self.waiting().next();
            let session = &mut connection.session;
            let sent = session
                .hand_over(&entry.mail, next.as_ref().map(|next| &next.mail))
                .await;
            let Some(next) = next else {
                break sent;
            };
            let is_over = sent.as_ref().is_err_and(|trouble| !trouble.is_refusal());
            self.answer(mem::replace(&mut entry, next), sent);
            if is_over {
                break Err(Trouble::NotTried);
            }
            connection.is_used = true;
        };
        let is_usable = match &sent {
            Ok(()) => true,
            Err(trouble) => trouble.is_refusal() && connection.session.reset().await,
        };
        // Before the answer, so that it is there for whoever waits for that.
        if is_usable {
            connection.keep();
        } else {
            drop(connection);
        }
        self.answer(entry, sent);
    }

    /// Answers for a mail. If the server cannot be reached, those in the line are not tried: each would find that
    /// out by itself, and wait as long for it.
    fn answer(&self, entry: Entry, result: Result<(), Trouble>) {
        if result.as_ref().is_err_and(|trouble| !trouble.is_refusal()) {
            for entry in mem::take(&mut self.waiting().mails) {
                entry.answer(Err(Trouble::NotTried));
            }
        }
        entry.answer(result);
    }
}

impl Waiting {
    /// The first mail that somebody still waits for.
    fn next(&mut self) -> Option<Entry> {
        iter::from_fn(|| self.mails.pop_front()).find(|entry| !entry.answer.is_closed())
    }
}

impl Entry {
    fn answer(self, result: Result<(), Trouble>) {
        // Whoever no longer waits needs no answer.
        let _ = self.answer.send(result);
    }
}

#[cfg(test)]
mod tests;
