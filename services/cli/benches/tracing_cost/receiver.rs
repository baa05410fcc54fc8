//! Takes spans by OTLP over gRPC and counts them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// A receiver that listens until the process ends.
pub(crate) struct Receiver {
    pub(crate) url: String,
    spans: Arc<AtomicU32>,
}

struct Counting(Arc<AtomicU32>);

#[tonic::async_trait]
impl TraceService for Counting {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = &request.get_ref().resource_spans;
        let scopes = resources.iter().flat_map(|resource| &resource.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        let spans = u32::try_from(spans).expect("a request holds a few hundred");
        self.0.fetch_add(spans, Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let spans = Arc::new(AtomicU32::new(0));
        let service = TraceServiceServer::new(Counting(Arc::clone(&spans)));
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener)),
        );
        Self { url, spans }
    }

    /// Spans received since this was asked last.
    pub(crate) fn take(&self) -> u32 {
        self.spans.swap(0, Ordering::Relaxed)
    }
}
