//! Storing a batch of messages, each in every queue that it goes to.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, params};

use super::{
    passing, pattern,
    queues::{self, Queue},
};
use crate::{
    publisher::{Destination, Error, Publication},
    topology::{MAX_BODY_BYTES, UNROUTED},
};

/// A publication, ready to be stored.
pub(super) struct Prepared {
    destination: Destination,
    routing_key: String,
    message: Result<Vec<u8>, Error>,
}

impl Prepared {
    /// Does what needs no database, so that the one writer need not. Only events are limited in
    /// size: what is retried or dead-lettered has been let in already.
    pub(super) fn new(publication: Publication) -> Self {
        let bytes = publication.message.body.len();
        let message = if publication.destination == Destination::Events && bytes > MAX_BODY_BYTES {
            Err(Error::TooLarge {
                bytes,
                max: MAX_BODY_BYTES,
            })
        } else {
            Ok(publication.message.to_bytes())
        };
        Self {
            destination: publication.destination,
            routing_key: publication.message.routing_key,
            message,
        }
    }
}

/// What became of a batch.
pub(super) struct Published {
    /// One a publication, in their order.
    pub(super) results: Vec<Result<(), Error>>,
    /// Queues that have something new for subscribers.
    pub(super) queues: BTreeSet<i64>,
}

/// Stores a batch at `now_ms`, letting no queue grow beyond `max_length`. A message that one of its
/// queues has no room for goes to none of them.
pub(super) fn store(
    connection: &Connection,
    batch: Vec<Prepared>,
    now_ms: i64,
    max_length: i64,
) -> rusqlite::Result<Published> {
    let mut router = Router::new(connection);
    let is_watched = passing::is_watched(connection, now_ms)?;
    let mut results = Vec::with_capacity(batch.len());
    for prepared in batch {
        let message = match &prepared.message {
            Ok(message) => message,
            Err(error) => {
                results.push(Err(error.clone()));
                continue;
            }
        };
        let result = router.store(&prepared, message, now_ms, max_length)?;
        if is_watched && result.is_ok() && prepared.destination == Destination::Events {
            passing::note(connection, message)?;
        }
        results.push(result);
    }
    let mut queues = BTreeSet::new();
    for (id, by) in router.grown {
        queues::grow(connection, id, by)?;
        queues.insert(id);
    }
    Ok(Published { results, queues })
}

/// Knows, for the time of one transaction, where messages go.
struct Router<'c> {
    connection: &'c Connection,
    bindings: Option<Vec<(String, Queue)>>,
    by_key: HashMap<String, Vec<Queue>>,
    grown: HashMap<i64, i64>,
}

impl<'c> Router<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            bindings: None,
            by_key: HashMap::new(),
            grown: HashMap::new(),
        }
    }

    fn store(
        &mut self,
        prepared: &Prepared,
        message: &[u8],
        now_ms: i64,
        max_length: i64,
    ) -> rusqlite::Result<Result<(), Error>> {
        let queues = match &prepared.destination {
            Destination::Events => self.bound(&prepared.routing_key)?,
            Destination::Queue(name) => queues::by_name(self.connection, name)?.into_iter().collect(),
        };
        if queues.is_empty() {
            let wanted = match &prepared.destination {
                Destination::Events => &prepared.routing_key,
                Destination::Queue(name) => name,
            };
            return Ok(Err(Error::Unroutable(wanted.clone())));
        }
        let grown = |queue: &Queue| self.grown.get(&queue.id).copied().unwrap_or(0);
        if queues
            .iter()
            .any(|queue| queue.length + grown(queue) >= max_length)
        {
            return Ok(Err(Error::Refused));
        }
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO message (queue, due_ms, message) VALUES (?1, ?2, ?3)")?;
        for queue in queues {
            insert.execute(params![
                queue.id,
                queue.wait_ms.map(|wait| now_ms.saturating_add(wait)),
                message,
            ])?;
            *self.grown.entry(queue.id).or_default() += 1;
        }
        Ok(Ok(()))
    }

    /// The queues bound to a routing key, or the one for what no binding wants.
    fn bound(&mut self, routing_key: &str) -> rusqlite::Result<Vec<Queue>> {
        if let Some(queues) = self.by_key.get(routing_key) {
            return Ok(queues.clone());
        }
        if self.bindings.is_none() {
            self.bindings = Some(queues::bindings(self.connection)?);
        }
        let bindings = self.bindings.iter().flatten();
        let mut queues: Vec<_> = bindings
            .filter(|(pattern, _)| pattern::matches(pattern, routing_key))
            .map(|(_, queue)| *queue)
            .collect();
        queues.dedup_by_key(|queue| queue.id);
        if queues.is_empty() {
            queues.extend(queues::by_name(self.connection, UNROUTED)?);
        }
        self.by_key.insert(routing_key.to_owned(), queues.clone());
        Ok(queues)
    }
}
