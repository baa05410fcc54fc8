//! The body of an answer, watched until its status has been sent.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures::FutureExt;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use super::{call::too_late, framework_error, record::Record};
use crate::grpc::{reason, status};

/// What ends a stream from outside: its client's deadline, or the end of the server.
struct Ends {
    deadline: Option<Pin<Box<Sleep>>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Passes messages on and sees to it that the status behind them is whole.
pub(super) struct CallBody {
    inner: Body,
    path: String,
    /// Taken when the status has been sent.
    record: Option<Record>,
    ends: Option<Ends>,
}

impl CallBody {
    /// The body of a call of `path`; `ends` for a stream only.
    pub(super) fn new(
        inner: Body,
        path: String,
        record: Record,
        ends: Option<(Option<Pin<Box<Sleep>>>, CancellationToken)>,
    ) -> Self {
        let ends = ends.map(|(deadline, stop)| Ends {
            deadline,
            stop: Box::pin(stop.cancelled_owned()),
        });
        Self {
            inner,
            path,
            record: Some(record),
            ends,
        }
    }

    fn next_frame(&mut self, task: &mut Task<'_>) -> Poll<Option<Frame<Bytes>>> {
        let inner = Pin::new(&mut self.inner);
        match catch_unwind(AssertUnwindSafe(|| http_body::Body::poll_frame(inner, task))) {
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(frame)),
            Ok(Poll::Ready(Some(Err(status)))) => Poll::Ready(Some(trailers(&status))),
            Ok(Poll::Ready(None)) => Poll::Ready(None),
            Ok(Poll::Pending) => self.ended(task).map(|status| Some(trailers(&status))),
            Err(_) => Poll::Ready(Some(trailers(&framework_error::panicked()))),
        }
    }

    fn ended(&mut self, task: &mut Task<'_>) -> Poll<Status> {
        let Some(ends) = &mut self.ends else {
            return Poll::Pending;
        };
        if let Some(deadline) = &mut ends.deadline
            && deadline.poll_unpin(task).is_ready()
        {
            return Poll::Ready(too_late());
        }
        ends.stop.poll_unpin(task).map(|()| stopping())
    }
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.record.is_none() {
            return Poll::Ready(None);
        }
        self.next_frame(task).map(|frame| {
            let mut frame = frame?;
            if let Some(trailers) = frame.trailers_mut() {
                let code = framework_error::complete(trailers, &self.path);
                if let Some(record) = self.record.take() {
                    record.end(code.unwrap_or(Code::Unknown));
                }
            }
            Some(Ok(frame))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.record.is_none()
    }
}

fn trailers(status: &Status) -> Frame<Bytes> {
    let mut headers = HeaderMap::new();
    framework_error::set(&mut headers, status);
    Frame::trailers(headers)
}

fn stopping() -> Status {
    status::error(
        Code::Unavailable,
        reason::SERVER_STOPPING,
        "the server is stopping, go on at another instance",
    )
}
