//! The span of one operation at a database.

use opentelemetry::{
    KeyValue,
    trace::{SpanBuilder, SpanKind},
};
use opentelemetry_semantic_conventions::attribute::{
    DB_COLLECTION_NAME, DB_NAMESPACE, DB_OPERATION_NAME, DB_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};

use super::Span;

/// What is asked of which database.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// `db.system.name` of the semantic conventions.
    pub(crate) system: &'static str,
    /// Name of the operation.
    pub(crate) operation: &'a str,
    /// The database.
    pub(crate) namespace: &'a str,
    /// The collection or table, if it is one.
    pub(crate) collection: Option<&'a str>,
    /// Host and port of the server, if there is one.
    pub(crate) server: Option<(&'a str, u16)>,
}

impl Query<'_> {
    /// Starts its span below the step that the current task is in, if that is recorded. No value
    /// that is stored or looked for becomes a part of it.
    pub(crate) fn start(&self) -> Span {
        Span::below_current(|| {
            let target = self.collection.unwrap_or(self.namespace);
            let mut attributes = vec![
                KeyValue::new(DB_SYSTEM_NAME, self.system),
                KeyValue::new(DB_OPERATION_NAME, self.operation.to_owned()),
                KeyValue::new(DB_NAMESPACE, self.namespace.to_owned()),
            ];
            if let Some(collection) = self.collection {
                attributes.push(KeyValue::new(DB_COLLECTION_NAME, collection.to_owned()));
            }
            if let Some((host, port)) = self.server {
                attributes.push(KeyValue::new(SERVER_ADDRESS, host.to_owned()));
                attributes.push(KeyValue::new(SERVER_PORT, i64::from(port)));
            }
            SpanBuilder::from_name(format!("{} {target}", self.operation))
                .with_kind(SpanKind::Client)
                .with_attributes(attributes)
        })
    }
}
