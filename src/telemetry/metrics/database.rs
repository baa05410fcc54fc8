//! How long databases take, and what inboxes find there already.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, BoundHistogram, Histogram},
};

use super::{counter, duration};
use crate::store::{Error, Result};

/// The durations of one operation on one database.
#[derive(Debug)]
pub(crate) struct Operation {
    durations: Histogram<f64>,
    succeeded: BoundHistogram<f64>,
    attributes: Vec<KeyValue>,
}

impl Operation {
    /// The operation `name` on a product, `db.system.name`; on the database `namespace` of it, or on all.
    pub(crate) fn new(system: &'static str, namespace: Option<&str>, name: &'static str) -> Self {
        let durations = duration(
            "db.client.operation.duration",
            "Duration of an operation at the database, waiting for a connection included.",
        );
        let mut attributes = vec![
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.operation.name", name),
        ];
        attributes.extend(namespace.map(|name| KeyValue::new("db.namespace", name.to_owned())));
        Self {
            succeeded: durations.bind(&attributes),
            durations,
            attributes,
        }
    }

    /// It has ended.
    pub(crate) fn ended<T>(&self, result: &Result<T>, took: Duration) {
        let error_type = match result {
            Ok(_) => return self.succeeded.record(took.as_secs_f64()),
            Err(Error::Unavailable(_)) => "unavailable",
            Err(Error::Failed(_)) => "failed",
        };
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("error.type", error_type));
        self.durations.record(took.as_secs_f64(), &attributes);
    }
}

/// Counts events that an inbox had handled before.
pub(crate) fn inbox_duplicates() -> BoundCounter<u64> {
    let counter = counter(
        "waybill.inbox.duplicates",
        "{message}",
        "Events that were delivered again after they had been handled, and changed nothing.",
    );
    counter.bind(&[])
}
