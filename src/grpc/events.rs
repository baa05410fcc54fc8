//! `waybill.operations.v1.EventService`: shows events as they pass, and what became of them.

use std::sync::Arc;

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use super::{
    reason, request,
    status::{self, Violations},
};
use crate::{
    broker,
    clock::from_unix_millis,
    contract::{
        EVENTS,
        operations::v1::{
            Attempt, AttemptState, ListAttemptsRequest, ListAttemptsResponse, TailEventsRequest,
            TailEventsResponse, TailedEvent,
            event_service_server::{EventService, EventServiceServer},
            tail_events_response::Passed,
        },
    },
    envelope::Envelope,
    message::Message,
    story::{self, Ending, Stories},
    tap::{Tap, Taps},
};

/// Watchers that one process serves. Each is a look at every event, and holds as many of them as a tap
/// may; people watch, not programs by the hundred.
pub const MAX_WATCHERS: usize = 16;

/// Prefix of the type names in `google.protobuf.Any`.
const TYPE_URL: &str = "type.googleapis.com";

/// The service over `taps` and `stories`, ready to be added to a server.
pub fn service(taps: Arc<dyn Taps>, stories: Arc<dyn Stories>) -> EventServiceServer<GrpcEventService> {
    EventServiceServer::new(GrpcEventService {
        taps,
        stories,
        watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
    })
}

/// The gRPC face of taps and stories.
pub struct GrpcEventService {
    taps: Arc<dyn Taps>,
    stories: Arc<dyn Stories>,
    watchers: Arc<Semaphore>,
}

type Answer = Result<TailEventsResponse, Status>;

#[tonic::async_trait]
impl EventService for GrpcEventService {
    type TailEventsStream = BoxStream<'static, Answer>;

    async fn tail_events(
        &self,
        request: Request<TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let filter = Filter::of(request.into_inner())?;
        let place = Arc::clone(&self.watchers).try_acquire_owned();
        let place = place.map_err(|_| too_many())?;
        let tap = self.taps.open().await.map_err(unavailable)?;
        let watch = Some(Watch {
            tap,
            filter,
            _place: place,
        });
        let batches = stream::unfold(watch, async |watch| {
            let mut watch = watch?;
            Some(match watch.tap.next().await {
                Ok(passed) => (watch.answers(passed), Some(watch)),
                Err(error) => (vec![Err(unavailable(error))], None),
            })
        });
        Ok(Response::new(batches.flat_map(stream::iter).boxed()))
    }

    async fn list_attempts(
        &self,
        request: Request<ListAttemptsRequest>,
    ) -> Result<Response<ListAttemptsResponse>, Status> {
        let subject = &request.get_ref().subject;
        let mut violations = Violations::default();
        request::uuid("subject", subject, &mut violations);
        violations.into_result()?;
        let told = self.stories.of(subject).await;
        let told = told.map_err(|error| status::store_error(&error))?;
        let attempts = told.into_iter().map(attempt).collect();
        Ok(Response::new(ListAttemptsResponse { attempts }))
    }
}

/// One client's watch. It ends when the client's stream is dropped.
struct Watch {
    tap: Box<dyn Tap>,
    filter: Filter,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    fn answers(&self, passed: crate::tap::Passed) -> Vec<Answer> {
        let answer = |passed| Ok(TailEventsResponse { passed: Some(passed) });
        let missed = i64::try_from(passed.missed).unwrap_or(i64::MAX);
        let missed = (missed > 0).then(|| answer(Passed::Missed(missed)));
        let events = passed.messages.iter().map(tailed);
        let shown = events.filter(|event| self.filter.passes(event));
        missed
            .into_iter()
            .chain(shown.map(|event| answer(Passed::Event(event))))
            .collect()
    }
}

/// Which events a client wants to see.
struct Filter {
    /// Full names; none means all.
    types: Vec<&'static str>,
    /// Empty means any.
    subject: String,
}

impl Filter {
    fn of(request: TailEventsRequest) -> Result<Self, Status> {
        let mut violations = Violations::default();
        let mut types = Vec::new();
        for (at, name) in request.types.iter().enumerate() {
            let is_meant = |full: &&str| full == name || full.rsplit('.').next() == Some(name);
            let known = types.len();
            types.extend(EVENTS.iter().map(|event| event.type_name).filter(is_meant));
            if types.len() == known {
                let names: Vec<_> = EVENTS.iter().map(|event| event.type_name).collect();
                violations.add(
                    format!("types[{at}]"),
                    format!("must be one of {}", names.join(", ")),
                );
            }
        }
        violations.into_result()?;
        Ok(Self {
            types,
            subject: request.subject,
        })
    }

    fn passes(&self, event: &TailedEvent) -> bool {
        (self.types.is_empty() || self.types.contains(&event.r#type.as_str()))
            && (self.subject.is_empty() || self.subject == event.subject)
    }
}

/// An event as a client sees it; what is none, as far as it can be read.
fn tailed(message: &Message) -> TailedEvent {
    match Envelope::from_message(message) {
        Ok(envelope) => TailedEvent {
            event_id: envelope.id.to_string(),
            routing_key: envelope.routing_key,
            source: envelope.source,
            subject: envelope.subject,
            event_time: Some(envelope.time.into()),
            correlation_id: envelope.context.correlation_id,
            causation_id: envelope
                .context
                .causation_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            trace_id: envelope.context.trace.trace_id().unwrap_or_default().to_owned(),
            event: Some(prost_types::Any {
                type_url: format!("{TYPE_URL}/{}", envelope.type_name),
                value: envelope.body.into(),
            }),
            r#type: envelope.type_name,
            problem: String::new(),
        },
        Err(error) => TailedEvent {
            event_id: message.properties.message_id.clone().unwrap_or_default(),
            r#type: message.properties.type_name.clone().unwrap_or_default(),
            routing_key: message.routing_key.clone(),
            problem: error.to_string(),
            ..TailedEvent::default()
        },
    }
}

/// An attempt as a client sees it.
fn attempt(told: story::Attempt) -> Attempt {
    let (state, reason) = match told.ending {
        Ending::Handled => (AttemptState::Handled, String::new()),
        Ending::Retried(reason) => (AttemptState::Retried, reason),
        Ending::GivenUp(reason) => (AttemptState::GivenUp, reason),
    };
    Attempt {
        event_id: told.event_id,
        r#type: told.type_name,
        subject: told.subject,
        event_time: Some(from_unix_millis(told.event_time_ms).into()),
        consumer: told.consumer,
        instance: told.instance,
        number: i32::try_from(told.number).unwrap_or(i32::MAX),
        start_time: Some(from_unix_millis(told.start_time_ms).into()),
        end_time: Some(from_unix_millis(told.end_time_ms).into()),
        state: state.into(),
        reason,
        trace_id: told.trace_id,
    }
}

fn too_many() -> Status {
    status::error(
        Code::ResourceExhausted,
        reason::TOO_MANY_WATCHERS,
        format!("{MAX_WATCHERS} clients watch events here, ask another instance"),
    )
}

fn unavailable(error: broker::Error) -> Status {
    tracing::warn!(%error, "cannot watch events");
    status::error(
        Code::Unavailable,
        reason::BROKER_UNAVAILABLE,
        "the broker cannot be reached, try again",
    )
}

#[cfg(test)]
mod tests;
