//! A mailer that is watched: it counts what was sent and what was not.

use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter},
};
use waybill::telemetry::metrics;

use crate::{
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Does what another mailer does, and counts it.
pub struct ObservedMailer {
    inner: Arc<dyn Mailer>,
    sent: BoundCounter<u64>,
    failed: Counter<u64>,
}

impl ObservedMailer {
    /// Watches `inner`.
    pub fn new(inner: Arc<dyn Mailer>) -> Self {
        let counter = |name, description| {
            metrics::meter()
                .u64_counter(name)
                .with_unit("{mail}")
                .with_description(description)
                .build()
        };
        Self {
            inner,
            sent: counter(
                "waybill.mail.sent",
                "Mails for which somebody else is now responsible.",
            )
            .bind(&[]),
            failed: counter(
                "waybill.mail.failed",
                "Attempts to send a mail that failed, by cause.",
            ),
        }
    }
}

#[async_trait]
impl Mailer for ObservedMailer {
    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let result = self.inner.send(mail).await;
        match &result {
            Ok(()) => self.sent.add(1),
            Err(error) => self
                .failed
                .add(1, &[KeyValue::new("error.type", error_type(error))]),
        }
        result
    }
}

fn error_type(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) => "unavailable",
        Error::NotAccepted(_) => "not_accepted",
        Error::Rejected(_) => "rejected",
    }
}
