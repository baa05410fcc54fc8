//! Metrics that are pushed by OTLP, to whoever prefers that to being asked.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    metrics_service_server::{MetricsService, MetricsServiceServer},
};
use tokio::{net::TcpListener, sync::mpsc};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::support::{
    client::{Client, order_for},
    process::Process,
    stack::Stack,
};

/// A receiver that passes on what it is sent.
struct Receiver(mpsc::UnboundedSender<ExportMetricsServiceRequest>);

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        // The test may have seen enough.
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_pushed_to_whoever_prefers_that() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let (sender, mut received) = mpsc::unbounded_channel();
    let service = MetricsServiceServer::new(Receiver(sender));
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let stack = Stack::embedded()
        .with("OTEL_METRICS_EXPORTER", "otlp,prometheus")
        .with("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &url)
        .with("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .with("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    client.place(order_for(&user.user_id, 1)).await;
    client.stats_of(&user.user_id, 1, 0).await;
    // The interval is a minute: what comes now comes because the process ends.
    assert!(up.terminate().await.success());

    let pushed = received.recv().await.expect("the process has pushed");
    let resource = &pushed.resource_metrics[0];
    let said = format!("{:?}", resource.resource);
    for attribute in [
        "service.name",
        "waybill",
        "service.instance.id",
        "deployment.environment.name",
    ] {
        assert!(said.contains(attribute), "{said}");
    }
    let metrics = resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
    let names: Vec<_> = metrics.map(|metric| metric.name.as_str()).collect();
    for name in [
        "rpc.server.call.duration",
        "messaging.client.sent.messages",
        "messaging.process.duration",
        "process.cpu.time",
        "waybill.consumer.lag",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}
