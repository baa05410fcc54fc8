//! A private Jaeger, with the configuration that operators get, and the traces that it received.

mod trace;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::json;

pub use self::trace::{Span, Trace};
use crate::{
    http,
    server::{Folder, Server, free_port},
    tools, wait,
};

/// What operators run Jaeger with. Its ports are taken from the environment.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../observability/jaeger/config.yaml");

/// Most traces that one search answers.
const LIMIT: &str = "1000";

/// A Jaeger that listens on ports of its own and keeps traces in memory. It ends when it is dropped.
#[derive(Debug)]
pub struct JaegerServer {
    // It ends before its folder goes.
    _server: Server,
    _folder: Folder,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    otlp_grpc: u16,
    otlp_http: u16,
    query_http: u16,
    query_grpc: u16,
    health: u16,
    metrics: u16,
}

impl Ports {
    fn free() -> Self {
        // The same free port may be chosen twice as long as nobody listens on it.
        let mut ports = BTreeSet::new();
        while ports.len() < 6 {
            ports.insert(free_port());
        }
        let mut port = || ports.pop_first().expect("there are six");
        Self {
            otlp_grpc: port(),
            otlp_http: port(),
            query_http: port(),
            query_grpc: port(),
            health: port(),
            metrics: port(),
        }
    }
}

impl JaegerServer {
    /// Starts a Jaeger that knows no traces, and waits until it is healthy.
    pub async fn start() -> Self {
        let folder = Folder::new("waybill-jaeger-").expect("a temporary folder can be made");
        let log = folder.path().join("log");
        loop {
            let ports = Ports::free();
            let server = Server::start_logging(&command(&ports), &log).expect("sh can be started");
            match wait::until("Jaeger says how it started", async || started(&ports, &log).await).await {
                Ok(()) => {
                    return Self {
                        _server: server,
                        _folder: folder,
                        ports,
                    };
                }
                // Another test may take a port between our choice and Jaeger's listening on it.
                Err(text) if text.contains("address already in use") => {
                    drop(server);
                    fs::remove_file(&log).expect("Jaeger's log is ours");
                }
                Err(text) => panic!("Jaeger did not start: {text}"),
            }
        }
    }

    /// Where it takes spans by OTLP over gRPC.
    pub fn otlp_grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.otlp_grpc)
    }

    /// Where it takes spans by OTLP over HTTP: the base, to which senders add `/v1/traces`.
    pub fn otlp_http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.otlp_http)
    }

    /// Where it answers questions, and shows its pages to a browser if it was built with them.
    pub fn query_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.query_http)
    }

    /// Where Prometheus fetches what Jaeger measures about itself.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.ports.metrics)
    }

    /// Traces with a span of `service` that has the attribute `tag` with that value, latest first. A
    /// trace comes whole, with the spans of other services too. It may come before its last spans
    /// arrived: ask again until it holds what it should ([`wait::until`]).
    pub async fn traces(&self, service: &str, tag: &str, value: &str) -> Vec<Trace> {
        let tags = json!({ tag: value }).to_string();
        let parameters = [("service", service), ("tags", &tags), ("limit", LIMIT)];
        self.ask("/api/traces", &parameters).await
    }

    /// The trace of that id, if a span of it has arrived.
    pub async fn trace(&self, trace_id: &str) -> Option<Trace> {
        self.ask("/api/traces", &[("traceID", trace_id)]).await.pop()
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Vec<Trace> {
        let answer = http::get(&format!("{}{path}", self.query_url()), parameters)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        let traces = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        traces.iter().map(Trace::read).collect()
    }
}

fn command(ports: &Ports) -> Command {
    let mut command = Command::new(tools::installed("jaeger"));
    command
        .args(["--config", CONFIG])
        .env("JAEGER_LISTEN_HOST", "127.0.0.1");
    for (name, port) in [
        ("JAEGER_OTLP_GRPC_PORT", ports.otlp_grpc),
        ("JAEGER_OTLP_HTTP_PORT", ports.otlp_http),
        ("JAEGER_QUERY_HTTP_PORT", ports.query_http),
        ("JAEGER_QUERY_GRPC_PORT", ports.query_grpc),
        ("JAEGER_HEALTH_PORT", ports.health),
        ("JAEGER_METRICS_PORT", ports.metrics),
    ] {
        command.env(name, port.to_string());
    }
    command
}

/// That it is healthy, or its log when it ended instead; `None` while neither is known. Its own log has to
/// say that it is ready: at its port could be the Jaeger of another test.
async fn started(ports: &Ports, log: &Path) -> Option<Result<(), String>> {
    let text = fs::read_to_string(log).ok()?;
    if text.contains("\nError: ") {
        return Some(Err(text));
    }
    let health = format!("http://127.0.0.1:{}/status", ports.health);
    let ready = text.contains("Everything is ready.") && http::get(&health, &[]).await.is_ok();
    ready.then_some(Ok(()))
}
