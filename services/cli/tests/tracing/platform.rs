//! One process per service, whose spans go to a Jaeger of the test's own.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Request, metadata::MetadataValue, transport::Channel};
use waybill::contract::order::v1::{Order, PlaceOrderRequest, order_service_client::OrderServiceClient};
use waybill_testkit::{
    jaeger::{JaegerServer, Span, Trace},
    smtp::SmtpServer,
    wait::PATIENCE,
};

use crate::support::{
    client::{Client, new_id},
    process::Process,
    stack::Stack,
};

/// What a span says that is about a business transaction.
pub(crate) const CONVERSATION: &str = "messaging.message.conversation_id";

/// A platform of one process per service.
pub(crate) struct Platform {
    pub(crate) order: Process,
    pub(crate) user: Process,
    pub(crate) notification: Process,
    pub(crate) client: Client,
    pub(crate) jaeger: JaegerServer,
    pub(crate) smtp: SmtpServer,
    pub(crate) stack: Stack,
}

impl Platform {
    /// RabbitMQ, MongoDB, an SMTP server and a Jaeger, with these settings beside what names them.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::on(Stack::real().await, settings).await
    }

    /// The same on parts that are there.
    pub(crate) async fn on(stack: Stack, settings: &[(&str, &str)]) -> Self {
        let (jaeger, smtp) = tokio::join!(JaegerServer::start(), SmtpServer::start());
        let mut stack = stack.with("WAYBILL_SMTP", &smtp.url());
        for (name, value) in exporting_to(&jaeger) {
            stack.set(name, &value);
        }
        for (name, value) in settings {
            stack.set(name, value);
        }
        let [order, user, notification] =
            ["order", "user", "notification"].map(|role| Process::start(&stack, &["serve", role]));
        let (order, user, notification) = tokio::join!(order.ready(), user.ready(), notification.ready());
        Self {
            client: Client::split(order.channel(), user.channel(), notification.channel()),
            order,
            user,
            notification,
            jaeger,
            smtp,
            stack,
        }
    }

    /// Places an order as a caller who traces and correlates.
    pub(crate) async fn place(&self, request: PlaceOrderRequest, caller: &Caller) -> Order {
        place(self.order.channel(), request, caller).await
    }

    /// The trace of a correlation id, as soon as it has `spans` by name, each as often as it is named.
    pub(crate) async fn trace_with(&self, correlation_id: &str, names: &[&str]) -> Trace {
        trace_with(&self.jaeger, "waybill-order", correlation_id, names).await
    }
}

/// Settings by which a process sends its spans there at once.
pub(crate) fn exporting_to(jaeger: &JaegerServer) -> [(&'static str, String); 3] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", jaeger.otlp_grpc_url()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ]
}

/// Whoever calls: what it sends along.
#[allow(clippy::struct_field_names, reason = "they are ids, and called so")]
pub(crate) struct Caller {
    pub(crate) correlation_id: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let id = new_id().replace('-', "");
        Self {
            correlation_id: format!("test-{id}"),
            span_id: id[16..].to_owned(),
            trace_id: id,
        }
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

pub(crate) async fn place(channel: Channel, request: PlaceOrderRequest, caller: &Caller) -> Order {
    let mut request = Request::new(request);
    let text = |text: &str| MetadataValue::try_from(text).expect("it is ASCII");
    let metadata = request.metadata_mut();
    metadata.insert("x-correlation-id", text(&caller.correlation_id));
    metadata.insert("traceparent", text(&caller.traceparent()));
    let answer = OrderServiceClient::new(channel).place_order(request).await;
    answer
        .expect("the order is placed")
        .into_inner()
        .order
        .expect("it is answered")
}

/// Waits for the trace of a correlation id to hold these spans, each as often as it is named.
pub(crate) async fn trace_with(
    jaeger: &JaegerServer,
    service: &str,
    correlation_id: &str,
    names: &[&str],
) -> Trace {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut traces = jaeger.traces(service, CONVERSATION, correlation_id).await;
        assert!(traces.len() <= 1, "one transaction is one trace: {traces:#?}");
        let trace = traces.pop();
        let spans = trace.as_ref().map_or(&[] as &[Span], |trace| &trace.spans);
        let seen: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        let is_there = |name: &&str| {
            let times = |names: &[&str]| names.iter().filter(|other| *other == name).count();
            times(&seen) >= times(names)
        };
        if names.iter().all(is_there) {
            return trace.expect("it has spans");
        }
        assert!(
            Instant::now() < deadline,
            "{names:#?} are wanted, {seen:#?} are there"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// The one span of that name.
pub(crate) fn only<'a>(trace: &'a Trace, name: &str) -> &'a Span {
    let mut named = trace.spans.iter().filter(|span| span.name == name);
    match (named.next(), named.next()) {
        (Some(span), None) => span,
        _ => panic!("not exactly one {name} in {trace:#?}"),
    }
}

/// Asserts that a span has these attributes, and with these values.
pub(crate) fn assert_says(span: &Span, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        let said = span.attributes.get(*name).map(ToString::to_string);
        let said = said.as_deref().map(|said| said.trim_matches('"'));
        assert_eq!(said, Some(*value), "{name} of {span:#?}");
    }
}
