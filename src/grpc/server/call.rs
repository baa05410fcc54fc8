//! One call from its headers to its answer: context in, limits, deadline, and errors made whole.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::{sync::Semaphore, time::Sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Service;
use tracing::Instrument;

use super::{Error, body::CallBody, deadline, framework_error, methods::Methods, record::Record};
use crate::{
    clock::IdGenerator,
    context::{Context, MAX_CORRELATION_ID_BYTES, TraceContext},
    grpc::{reason, status},
};

/// Header that holds the correlation id, in requests and in answers.
pub(super) const CORRELATION_ID: &str = "x-correlation-id";

/// Health is asked under load above all, so it needs no permit.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// All calls of a server.
#[derive(Clone)]
pub(super) struct Calls {
    routes: Routes,
    shared: Arc<Shared>,
}

struct Shared {
    ids: Arc<dyn IdGenerator>,
    methods: Methods,
    permits: Semaphore,
    under_way: TaskTracker,
    stop: CancellationToken,
}

impl Calls {
    /// Calls to `routes`, at most `max_calls` unary ones at a time. `stop` ends streams.
    pub(super) fn new(
        routes: Routes,
        ids: Arc<dyn IdGenerator>,
        max_calls: usize,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let shared = Shared {
            ids,
            methods: Methods::read()?,
            permits: Semaphore::new(max_calls),
            under_way: TaskTracker::new(),
            stop,
        };
        Ok(Self {
            routes,
            shared: Arc::new(shared),
        })
    }

    /// Which calls have no answer yet.
    pub(super) fn under_way(&self) -> TaskTracker {
        self.shared.under_way.clone()
    }
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, task)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let mut context = context(request.headers(), self.shared.ids.as_ref());
        let calls = self.shared.methods.calls(&path);
        let under_way = self.shared.under_way.token();
        let record = Record::start(&path, &mut context, calls, under_way);
        let correlation_id = HeaderValue::from_str(&context.correlation_id);
        let is_streaming = self.shared.methods.is_streaming(&path);
        // Made before tonic's own timer of the same length, which would answer CANCELLED.
        let mut deadline = deadline::time_for(request.headers(), is_streaming)
            .map(|time| Box::pin(tokio::time::sleep(time)));
        request.extensions_mut().insert(context);

        let shared = Arc::clone(&self.shared);
        let answer = self.routes.call(request);
        let answered = async move {
            let needs_permit = !is_streaming && !path.starts_with(HEALTH);
            let permit = needs_permit.then(|| shared.permits.try_acquire());
            let mut response = if let Some(Err(_)) = permit {
                overloaded().into_http()
            } else {
                // Whatever wraps it holds a pointer, not a copy each.
                let answer = pin!(in_time(answer, &mut deadline));
                let answered = record.within(answer).instrument(record.span()).await;
                answered.unwrap_or_else(Status::into_http)
            };
            if let Ok(correlation_id) = correlation_id {
                response.headers_mut().insert(CORRELATION_ID, correlation_id);
            }
            // A status in the headers is the whole answer; else it follows the body.
            if let Some(code) = framework_error::complete(response.headers_mut(), &path) {
                record.end(code);
                return Ok(response);
            }
            let ends = is_streaming.then(|| (deadline, shared.stop.clone()));
            Ok(response.map(|body| Body::new(CallBody::new(body, path, record, ends))))
        };
        Box::pin(answered)
    }
}

/// The answer, or what takes its place when its handler panics or its time is over.
async fn in_time<E>(
    answer: impl Future<Output = Result<Response<Body>, E>>,
    deadline: &mut Option<Pin<Box<Sleep>>>,
) -> Result<Response<Body>, Status> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    tokio::select! {
        biased;
        answered = answer => match answered {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Err(framework_error::panicked()),
        },
        () = over(deadline) => Err(too_late()),
    }
}

/// Ends when the deadline has passed; never without one.
async fn over(deadline: &mut Option<Pin<Box<Sleep>>>) {
    match deadline {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The status of a call whose time is over.
pub(super) fn too_late() -> Status {
    status::error(
        Code::DeadlineExceeded,
        reason::DEADLINE_EXCEEDED,
        "the call took longer than it may",
    )
}

fn overloaded() -> Status {
    status::error(
        Code::Unavailable,
        reason::OVERLOADED,
        "too many calls are under way, try again later",
    )
}

/// Reads the context that a caller sent along, and makes what it did not.
fn context(headers: &HeaderMap, ids: &dyn IdGenerator) -> Context {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let correlation_id = text(CORRELATION_ID).filter(|id| is_correlation_id(id));
    Context {
        correlation_id: correlation_id.map_or_else(|| ids.next_id().to_string(), str::to_owned),
        causation_id: None,
        trace: TraceContext::from_headers(text),
    }
}

/// Whether a caller's correlation id may go into logs, headers and events as it is.
fn is_correlation_id(text: &str) -> bool {
    (1..=MAX_CORRELATION_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UuidV7Generator;

    fn correlation_id(sent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CORRELATION_ID, sent.parse().unwrap());
        context(&headers, &UuidV7Generator::default()).correlation_id
    }

    #[test]
    fn a_callers_correlation_id_is_kept_when_it_is_fit_to_be_passed_on() {
        assert_eq!(correlation_id("order-7/retry"), "order-7/retry");
        for unfit in [
            "",
            "two words",
            "t\tab",
            &"x".repeat(MAX_CORRELATION_ID_BYTES + 1),
        ] {
            assert_eq!(correlation_id(unfit).len(), 36, "{unfit:?} is replaced by a UUID");
        }
    }
}
