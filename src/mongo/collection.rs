//! A collection whose operations are observed.

use std::{future::IntoFuture, ops::Deref};

use mongodb::error::Result;

use super::observed::{Command, Observer};
use crate::telemetry::trace::Span;

/// The driver's collection, and who observes what is done with it.
///
/// An operation is made as ever, and handed to [`observe`](Self::observe) instead of being awaited:
/// `orders.observe(Command::Find, orders.find_one(filter)).await`.
#[derive(Debug)]
pub struct Collection<T: Send + Sync> {
    driver: mongodb::Collection<T>,
    observer: Observer,
}

impl<T: Send + Sync> Collection<T> {
    pub(super) fn new(driver: mongodb::Collection<T>, observer: Observer) -> Self {
        Self { driver, observer }
    }

    /// Runs an operation on this collection, measured, and as a span where the current step is
    /// recorded.
    pub async fn observe<A, R>(&self, command: Command, action: A) -> Result<R>
    where
        A: IntoFuture<Output = Result<R>>,
    {
        let name = Some(self.driver.name());
        self.observer.run(command, name, action).await
    }

    /// A span of a command, for one that several callers share.
    pub(super) fn span(&self, command: Command) -> Span {
        self.observer.span(command, Some(self.driver.name()))
    }

    /// Another collection of the same database.
    pub(super) fn beside<U: Send + Sync>(&self, name: &str) -> Collection<U> {
        let database = self.driver.client().database(&self.driver.namespace().db);
        Collection::new(database.collection(name), self.observer.clone())
    }
}

impl<T: Send + Sync> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self::new(self.driver.clone(), self.observer.clone())
    }
}

impl<T: Send + Sync> Deref for Collection<T> {
    type Target = mongodb::Collection<T>;

    fn deref(&self) -> &Self::Target {
        &self.driver
    }
}

/// The size of a batch with which up to so many documents come in one round trip, and the server closes the
/// cursor at once. Unless told otherwise it sends 101 and waits to be asked for the rest.
pub fn all_at_once(documents: usize) -> u32 {
    u32::try_from(documents).map_or(u32::MAX, |n| n.saturating_add(1))
}
