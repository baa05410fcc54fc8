//! What a consumer says of its attempts: each to the story, failures to the log as well.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::SpanContext;
use tracing::{error, warn};

use super::Consumer;
use crate::{
    dead_letter,
    envelope::Envelope,
    failure::Failure,
    message::Message,
    story::{Ending, Made},
    telemetry::trace::{Flow, messaging::creation},
};

impl Consumer {
    /// Tells how an attempt at the event in `message` ended that began at `started`.
    pub(super) fn tell(
        &self,
        message: &Message,
        event: &Envelope,
        started: SystemTime,
        span: &SpanContext,
        ending: Ending,
    ) {
        if let Some(teller) = &self.teller {
            let made = Made {
                consumer: &self.subscription.queue,
                instance: &self.instance,
                number: dead_letter::attempt(message),
                started,
                ended: self.clock.now(),
                span,
            };
            teller.tell(event, &made, ending);
        }
    }

    /// Tells of an attempt that failed, and is made again after `delay` if there is one. What is no event
    /// has no story.
    pub(super) fn tell_failure(
        &self,
        message: &Message,
        failure: &Failure,
        delay: Option<Duration>,
        started: SystemTime,
        span: &SpanContext,
    ) {
        self.log_failure(message, failure, delay);
        let reason = failure.reason.to_owned();
        let ending = match delay {
            Some(_) => Ending::Retried(reason),
            None => Ending::GivenUp(reason),
        };
        if self.teller.is_some()
            && let Ok(event) = Envelope::from_message(message)
        {
            self.tell(message, &event, started, span, ending);
        }
    }

    fn log_failure(&self, message: &Message, failure: &Failure, delay: Option<Duration>) {
        let (consumer, attempt) = (&self.subscription.queue, dead_letter::attempt(message));
        let flow = Flow::of_message(message);
        let trace = creation(message);
        let (message_id, correlation_id) = (flow.message_id(), flow.correlation_id());
        let message_id = message_id.as_ref();
        let (order_id, user_id) = (flow.id_of("order.id"), flow.id_of("user.id"));
        let trace_id = trace.is_valid().then(|| trace.trace_id().to_string());
        match delay {
            Some(delay) => {
                warn!(consumer, message_id, correlation_id, order_id, user_id, trace_id, attempt, ?delay, %failure, "handling failed, will retry");
            }
            None => {
                error!(consumer, message_id, correlation_id, order_id, user_id, trace_id, attempt, %failure, "handling failed, dead-lettered");
            }
        }
    }
}
