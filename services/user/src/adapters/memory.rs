//! Users, statistics and outbox in memory, with the same promises as the databases while the process
//! lives: for tests, and as the plainest statement of what a repository does.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    grpc::page::Cursor,
    inbox::{self, Inbox},
    message::Message,
    outbox::{Backlog, Entry, Key, Outbox},
    store::Result,
};

use crate::{
    domain::{
        stats::{OrderStats, StatsChange},
        user::User,
    },
    ports::{Changed, Registered, Registration, RequestKey, StatsRepository, StoredUser, UserRepository},
};

/// A database that is gone with its process.
#[derive(Debug, Default)]
pub struct InMemoryDatabase {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<Uuid, StoredUser>,
    registrations: BTreeMap<Uuid, Registration>,
    /// Entries, oldest first, each with the time at which it was stored.
    outbox: Vec<(SystemTime, Entry)>,
    handled: HashSet<Uuid>,
    stats: BTreeMap<Uuid, OrderStats>,
}

impl InMemoryDatabase {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock can panic")
    }
}

impl State {
    fn email_taken(&self, user: &User) -> bool {
        self.users.values().any(|other| {
            other.user.user_id != user.user_id && other.user.contact.email.key() == user.contact.email.key()
        })
    }

    fn publish(&mut self, user: &User, message: Message) -> Entry {
        let owner = user.user_id.to_string();
        let entry = Entry { owner, message };
        self.outbox.push((user.update_time, entry.clone()));
        entry
    }
}

fn position(user: &User) -> (i64, Uuid) {
    (unix_millis(user.create_time), user.user_id)
}

#[async_trait]
impl UserRepository for InMemoryDatabase {
    async fn register(&self, registration: &Registration, event: Message) -> Result<Registered> {
        let mut state = self.state();
        if let Some(first) = state.registrations.get(&registration.request.id) {
            return Ok(Registered::Before(first.clone()));
        }
        let user = &registration.user;
        if state.email_taken(user) {
            return Ok(Registered::EmailTaken);
        }
        let stored = StoredUser {
            user: user.clone(),
            latest_change: None,
        };
        state.users.insert(user.user_id, stored);
        state
            .registrations
            .insert(registration.request.id, registration.clone());
        Ok(Registered::Stored(state.publish(user, event)))
    }

    async fn change(&self, user: &User, request: RequestKey, event: Message) -> Result<Changed> {
        let mut state = self.state();
        let before = state.users.get(&user.user_id);
        if before.is_none_or(|before| before.user.version + 1 != user.version) {
            return Ok(Changed::Conflict);
        }
        if state.email_taken(user) {
            return Ok(Changed::EmailTaken);
        }
        let stored = StoredUser {
            user: user.clone(),
            latest_change: Some(request),
        };
        state.users.insert(user.user_id, stored);
        Ok(Changed::Stored(state.publish(user, event)))
    }

    async fn find(&self, user_id: Uuid) -> Result<Option<StoredUser>> {
        Ok(self.state().users.get(&user_id).cloned())
    }

    async fn list(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>> {
        let state = self.state();
        let mut users: Vec<_> = state.users.values().map(|stored| stored.user.clone()).collect();
        users.retain(|user| after.is_none_or(|after| position(user) < (after.time_ms, after.id)));
        users.sort_by_key(|user| std::cmp::Reverse(position(user)));
        users.truncate(limit);
        Ok(users)
    }
}

#[async_trait]
impl StatsRepository for InMemoryDatabase {
    async fn find(&self, user_id: Uuid) -> Result<Option<OrderStats>> {
        Ok(self.state().stats.get(&user_id).cloned())
    }
}

#[async_trait]
impl Inbox<StatsChange> for InMemoryDatabase {
    async fn commit(&self, entries: &[inbox::Entry<StatsChange>]) -> Result<usize> {
        let mut state = self.state();
        let mut new = 0;
        for entry in entries {
            if state.handled.insert(entry.event_id) {
                let change = &entry.effect;
                state.stats.entry(change.user_id).or_default().add(&change.added);
                new += 1;
            }
        }
        Ok(new)
    }
}

#[async_trait]
impl Outbox for InMemoryDatabase {
    async fn pending(&self, before: SystemTime, limit: usize) -> Result<Vec<Entry>> {
        let state = self.state();
        let old = state.outbox.iter().filter(|(stored, _)| *stored < before);
        Ok(old.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn clear(&self, entries: &[Key]) -> Result<()> {
        let cleared: HashSet<_> = entries.iter().collect();
        let mut state = self.state();
        state.outbox.retain(|(_, entry)| !cleared.contains(&entry.key()));
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog> {
        let state = self.state();
        Ok(Backlog {
            depth: state.outbox.len() as u64,
            oldest: state.outbox.iter().map(|(stored, _)| *stored).min(),
        })
    }

    async fn try_lead(&self, _holder: &str, _now: SystemTime, _lease: Duration) -> Result<bool> {
        Ok(true)
    }
}
