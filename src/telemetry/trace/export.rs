//! Sends what is recorded by OTLP, where the standard variables say.
//!
//! The exporters are the SDK's: a thread of its own collects and sends, with limits on how much
//! waits, so that nobody who ends a span waits for anything. What finds no room is dropped and
//! counted (`otel.sdk.processor.span.processed` with `error.type`).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, hyper::HyperClient};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithHttpConfig};
use tokio::runtime::Handle;

use crate::config::Protocol;

/// An exporter could not be made of what the standard variables say.
#[derive(Debug, thiserror::Error)]
#[error("cannot export as the OTEL_EXPORTER_OTLP variables say: {0}")]
pub struct Error(#[from] ExporterBuildError);

/// Longest that one request over HTTP may take: the default that the specification has for
/// `OTEL_EXPORTER_OTLP_TIMEOUT`, within which the exporter also tries again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends spans.
pub(super) fn spans(protocol: Protocol) -> Result<SpanExporter, Error> {
    Ok(match protocol {
        Protocol::Grpc => SpanExporter::builder().with_tonic().build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime::current())
            .build(),
    }?)
}

/// Sends metrics.
pub(in crate::telemetry) fn metrics(protocol: Protocol) -> Result<MetricExporter, Error> {
    Ok(match protocol {
        Protocol::Grpc => MetricExporter::builder().with_tonic().build(),
        Protocol::HttpProtobuf => MetricExporter::builder()
            .with_http()
            .with_http_client(OnRuntime::current())
            .build(),
    }?)
}

/// An HTTP client for threads outside the runtime: the runtime does the work, they wait.
#[derive(Debug)]
struct OnRuntime {
    client: Arc<dyn HttpClient>,
    runtime: Handle,
}

impl OnRuntime {
    fn current() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            client: Arc::new(HyperClient::new(connector, REQUEST_TIMEOUT, None)),
            runtime: Handle::current(),
        }
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = Arc::clone(&self.client);
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}
