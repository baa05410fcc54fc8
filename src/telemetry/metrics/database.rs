//! How long databases take, and what inboxes find there already.

use std::time::Duration;

use opentelemetry::{KeyValue, metrics::BoundCounter, trace::SpanContext};

use super::{
    counter,
    exemplars::{BoundTracedHistogram, TracedHistogram},
    traced_duration,
};

/// The durations of one operation on one database.
#[derive(Debug)]
pub(crate) struct Operation {
    durations: TracedHistogram,
    succeeded: BoundTracedHistogram,
    attributes: Vec<KeyValue>,
}

impl Operation {
    /// The operation `name` on a product, `db.system.name`; on the database `namespace` of it, or on all.
    pub(crate) fn new(system: &'static str, namespace: Option<&str>, name: &'static str) -> Self {
        let durations = traced_duration(
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

    /// It has ended, as `span` tells; not well if there is an `error_type`.
    pub(crate) fn ended(&self, error_type: Option<&'static str>, took: Duration, span: &SpanContext) {
        let Some(error_type) = error_type else {
            return self.succeeded.record(took.as_secs_f64(), span);
        };
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("error.type", error_type));
        self.durations
            .record_with_attributes(took.as_secs_f64(), &attributes, span);
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
