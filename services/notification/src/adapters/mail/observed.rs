//! A mailer that is watched: what it sends is counted, and is a step of the order's trace.

use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter},
    trace::{SpanBuilder, SpanKind},
};
use waybill::telemetry::{
    metrics,
    trace::{self, Span},
};

use crate::{
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Does what another mailer does, and tells of it.
pub struct ObservedMailer {
    inner: Arc<dyn Mailer>,
    /// Where it sends, as attributes of the semantic conventions.
    server: Vec<KeyValue>,
    sent: BoundCounter<u64>,
    failed: Counter<u64>,
}

impl ObservedMailer {
    /// Watches `inner`, which sends to the SMTP server at this host and port, if to one.
    pub fn new(inner: Arc<dyn Mailer>, smtp: Option<(String, u16)>) -> Self {
        let counter = |name, description| {
            metrics::meter()
                .u64_counter(name)
                .with_unit("{mail}")
                .with_description(description)
                .build()
        };
        Self {
            inner,
            server: smtp.map(server).unwrap_or_default(),
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

    /// The conventions know no mail, so the name is ours. Neither address nor name is told.
    fn span(&self, mail: &Mail) -> Span {
        let processing = trace::processing(mail.notification_id);
        Span::below(&processing, || {
            SpanBuilder::from_name("send mail")
                .with_kind(SpanKind::Client)
                .with_attributes(self.server.clone())
        })
    }
}

fn server((host, port): (String, u16)) -> Vec<KeyValue> {
    vec![
        KeyValue::new("network.protocol.name", "smtp"),
        KeyValue::new("server.address", host),
        KeyValue::new("server.port", i64::from(port)),
    ]
}

#[async_trait]
impl Mailer for ObservedMailer {
    fn at_once(&self) -> usize {
        self.inner.at_once()
    }

    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let span = self.span(mail);
        let result = self.inner.send(mail).await;
        let failure = result.as_ref().err().map(error_type);
        match failure {
            None => self.sent.add(1),
            Some(cause) => self.failed.add(1, &[KeyValue::new("error.type", cause)]),
        }
        span.end(failure);
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
