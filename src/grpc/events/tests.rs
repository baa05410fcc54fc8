use prost::Message as _;

use super::*;
use crate::{
    context::Context,
    contract::{Event, order::v1::OrderCreated},
};

fn request(types: &[&str]) -> TailEventsRequest {
    TailEventsRequest {
        types: types.iter().map(|&name| name.into()).collect(),
        subject: String::new(),
    }
}

#[test]
fn a_type_is_meant_by_its_full_name_or_by_its_last_part() {
    let created = ["waybill.order.v1.OrderCreated"];
    for name in ["OrderCreated", "waybill.order.v1.OrderCreated"] {
        assert_eq!(Filter::of(request(&[name])).unwrap().types, created);
    }
    for name in ["", "Created", "v1.OrderCreated", "waybill.order.v1.Order"] {
        let status = Filter::of(request(&["OrderCreated", name])).err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument);
        let told = "types[1] must be one of waybill.order.v1.OrderCancelled, ";
        assert!(status.message().starts_with(told), "{}", status.message());
    }
}

#[test]
fn an_event_is_shown_with_what_travels_beside_it() {
    let (trace_id, id) = ("0af7651916cd43dd8448eb211c80319c", uuid::Uuid::from_u128(1));
    let mut context = Context::new("c-1");
    context.trace.traceparent = Some(format!("00-{trace_id}-b7ad6b7169203331-01"));
    context.causation_id = Some(uuid::Uuid::from_u128(2));
    let event = OrderCreated {
        order_id: "o-1".into(),
        ..OrderCreated::default()
    };
    let time = from_unix_millis(1_500);
    let envelope = Envelope::new(id, time, "waybill.order", &context, &event);
    let shown = tailed(&envelope.into_message());
    let expected = TailedEvent {
        event_id: id.to_string(),
        r#type: OrderCreated::TYPE.into(),
        routing_key: OrderCreated::ROUTING_KEY.into(),
        source: "waybill.order".into(),
        subject: "o-1".into(),
        event_time: Some(time.into()),
        correlation_id: "c-1".into(),
        causation_id: uuid::Uuid::from_u128(2).to_string(),
        trace_id: trace_id.into(),
        event: Some(prost_types::Any {
            type_url: "type.googleapis.com/waybill.order.v1.OrderCreated".into(),
            value: event.encode_to_vec(),
        }),
        problem: String::new(),
    };
    assert_eq!(shown, expected);
}

#[test]
fn what_is_no_event_is_shown_as_far_as_it_can_be_read() {
    let message = Message {
        routing_key: "order.created.v1".into(),
        ..Message::default()
    };
    let shown = tailed(&message);
    assert_eq!(
        (shown.routing_key.as_str(), shown.problem.as_str()),
        ("order.created.v1", "content_type is missing")
    );
    assert!(shown.event.is_none());
}

/// Taps that open while the broker is there, and end when it goes.
struct FakeTaps {
    is_away: bool,
}

struct FakeTap;

#[tonic::async_trait]
impl Taps for FakeTaps {
    async fn open(&self) -> Result<Box<dyn Tap>, broker::Error> {
        if self.is_away {
            return Err(broker::Error::Unavailable("told so".into()));
        }
        Ok(Box::new(FakeTap))
    }
}

#[tonic::async_trait]
impl Tap for FakeTap {
    async fn next(&mut self) -> Result<crate::tap::Passed, broker::Error> {
        Err(broker::Error::Unavailable("told so".into()))
    }
}

/// The story of one attempt at whatever is asked for.
struct FakeStories;

#[tonic::async_trait]
impl Stories for FakeStories {
    async fn record(&self, _: &[story::Attempt]) -> crate::store::Result<()> {
        Ok(())
    }

    async fn of(&self, subject: &str) -> crate::store::Result<Vec<story::Attempt>> {
        Ok(vec![story::Attempt {
            event_id: "e-1".into(),
            type_name: OrderCreated::TYPE.into(),
            subject: subject.into(),
            event_time_ms: 1_000,
            consumer: "waybill.test".into(),
            instance: "up-1".into(),
            number: 2,
            start_time_ms: 1_250,
            end_time_ms: 1_500,
            ending: Ending::GivenUp("BROKEN".into()),
            trace_id: String::new(),
        }])
    }
}

fn served(is_away: bool) -> GrpcEventService {
    GrpcEventService {
        taps: Arc::new(FakeTaps { is_away }),
        stories: Arc::new(FakeStories),
        watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
    }
}

async fn watch(service: &GrpcEventService) -> Result<BoxStream<'static, Answer>, Status> {
    let answer = service.tail_events(Request::new(request(&[]))).await;
    answer.map(Response::into_inner)
}

fn reason_of(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().expect("there is a reason").reason
}

#[tokio::test]
async fn one_watcher_too_many_is_refused_until_another_has_gone() {
    let service = served(false);
    let mut watching = Vec::new();
    for _ in 0..MAX_WATCHERS {
        watching.push(watch(&service).await.expect("there is room"));
    }
    let refused = watch(&service).await.err().expect("there is no room");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused), reason::TOO_MANY_WATCHERS);
    watching.pop();
    assert!(watch(&service).await.is_ok());
}

#[tokio::test]
async fn a_broker_that_is_away_ends_a_watch_with_an_error_that_invites_a_retry() {
    let refused = watch(&served(true)).await.err().expect("it is away");
    let service = served(false);
    let answers: Vec<_> = watch(&service).await.expect("it is there").collect().await;
    let [Err(ended)] = &answers[..] else {
        panic!("one error ends it: {answers:?}")
    };
    for status in [&refused, ended] {
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(reason_of(status), reason::BROKER_UNAVAILABLE);
    }
    assert_eq!(
        service.watchers.available_permits(),
        MAX_WATCHERS,
        "its place is free again"
    );
}

#[tokio::test]
async fn an_attempt_is_told_with_all_that_is_known_of_it() {
    let subject = uuid::Uuid::from_u128(7).to_string();
    let request = ListAttemptsRequest {
        subject: subject.clone(),
    };
    let answer = served(false).list_attempts(Request::new(request)).await.unwrap();
    let expected = Attempt {
        event_id: "e-1".into(),
        r#type: OrderCreated::TYPE.into(),
        subject,
        event_time: Some(from_unix_millis(1_000).into()),
        consumer: "waybill.test".into(),
        instance: "up-1".into(),
        number: 2,
        start_time: Some(from_unix_millis(1_250).into()),
        end_time: Some(from_unix_millis(1_500).into()),
        state: AttemptState::GivenUp.into(),
        reason: "BROKEN".into(),
        trace_id: String::new(),
    };
    assert_eq!(answer.into_inner().attempts, [expected]);
    let refused = served(false)
        .list_attempts(Request::new(ListAttemptsRequest::default()))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}
