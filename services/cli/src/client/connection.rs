//! A connection to the platform, and calls that are repeated while it is unavailable.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use waybill::{
    backoff::Backoff,
    clock::{IdGenerator, UuidV7Generator},
    config::ServerUrl,
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Deadline of one attempt: a person waits, and the server answers in milliseconds when it is well.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Attempts at one call while the server is unavailable: about three seconds with the waits between.
const MAX_ATTEMPTS: u32 = 5;

/// A connection that is made when first used.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    channel: Channel,
}

impl Connection {
    /// A connection to the platform at `url`. It is not encrypted: an `https` URL is refused, rather
    /// than taken for what it does not do.
    pub(crate) fn new(url: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .with_context(|| {
                let url = ServerUrl::masked(url);
                format!("--server {url:?} must be a URL such as http://127.0.0.1:50051")
            })?;
        Ok(Self {
            channel: endpoint.connect_timeout(CONNECT_TIMEOUT).connect_lazy(),
        })
    }

    /// The channel, for a generated client.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// A request id as given, or a new one.
pub(crate) fn request_id(given: Option<String>) -> String {
    given.unwrap_or_else(|| UuidV7Generator::default().next_id().to_string())
}

/// Makes a call, with a deadline, and again while the server is unavailable.
pub(crate) async fn call<Q, A>(
    body: Q,
    mut attempt: impl AsyncFnMut(Request<Q>) -> Result<Response<A>, Status>,
) -> Result<A>
where
    Q: Clone,
{
    let mut backoff = Backoff::default();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut request = Request::new(body.clone());
        request.set_timeout(CALL_TIMEOUT);
        match attempt(request).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if status.code() == Code::Unavailable && attempts < MAX_ATTEMPTS => {
                backoff.wait().await;
            }
            Err(status) => return Err(explained(&status)),
        }
    }
}

/// A status as a person reads it: the text, the reason, and every field that was refused.
pub(crate) fn explained(status: &Status) -> anyhow::Error {
    let details = status.get_error_details();
    let mut text = format!("{:?}", status.code());
    if let Some(info) = details.error_info() {
        text = format!("{text} ({})", info.reason);
    }
    text = format!("{text}: {}", status.message());
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.as_slice())
        .unwrap_or_default();
    if violations.len() > 1 {
        for violation in violations {
            text = format!("{text}\n  {} {}", violation.field, violation.description);
        }
    }
    anyhow::Error::msg(text)
}
