//! A platform of one process a service on RabbitMQ and MongoDB, and a Prometheus that fetches from all
//! of them with the configuration that operators get.

use waybill_testkit::{
    jaeger::JaegerServer, prometheus::PrometheusServer, rabbitmq::Node, server::free_port, tools, wait,
};

use crate::{
    files::{path, read},
    support::{client::Client, process::Process, stack::Stack},
};

/// Services, each a process and a job of Prometheus.
const SERVICES: [&str; 4] = ["order", "user", "notification", "operations"];

/// What fetches no faster than this misses nothing that a test waits for.
const INTERVAL: &str = "1s";

/// All that runs. It ends in this order.
pub(crate) struct Platform {
    _processes: Vec<Process>,
    pub(crate) client: Client,
    pub(crate) prometheus: PrometheusServer,
    pub(crate) stack: Stack,
    _jaeger: Option<JaegerServer>,
    _node: Node,
}

impl Platform {
    /// Starts everything, and waits until Prometheus has fetched from everything.
    pub(crate) async fn start() -> Self {
        let node = Node::start().await;
        let broker = metrics_address(&node).await;
        let mut stack = Stack::real_on(&node)
            .await
            .with("WAYBILL_LOG_FILTER", "warn")
            .with("WAYBILL_RETRY_MAX_ATTEMPTS", "3")
            .with("WAYBILL_RETRY_FIRST_DELAY", "500ms");
        let jaeger = if tools::without_go("Prometheus fetches from Jaeger") {
            None
        } else {
            Some(JaegerServer::start().await)
        };
        // Without a Jaeger spans are recorded all the same, and go where nobody listens.
        let nobody = || format!("http://127.0.0.1:{}", free_port());
        let endpoint = jaeger.as_ref().map_or_else(nobody, JaegerServer::otlp_grpc_url);
        stack.set("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        stack.set("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
        let mut processes = Vec::new();
        for service in SERVICES {
            processes.push(Process::start(&stack, &["serve", service]).ready().await);
        }
        let [order, user, notification] = [0, 1, 2].map(|at| processes[at].channel());

        let mut targets: Vec<_> = SERVICES.iter().zip(&processes).map(own_target).collect();
        targets.push(("rabbitmq:15692".to_owned(), broker));
        if let Some(jaeger) = &jaeger {
            let url = jaeger.metrics_url();
            targets.push(("jaeger:8888".to_owned(), address(&url)));
        }
        let platform = Self {
            _processes: processes,
            client: Client::split(order, user, notification),
            prometheus: PrometheusServer::start(&configuration(&targets)).await,
            stack,
            _jaeger: jaeger,
            _node: node,
        };
        platform.until_fetched(&targets).await;
        platform
    }

    /// Every target of ours is up. The others, which this machine has not, are not looked at.
    async fn until_fetched(&self, ours: &[(String, String)]) {
        wait::until("Prometheus fetches from everything", async || {
            let targets = self.prometheus.targets().await;
            let is_up = |(_, address): &(String, String)| {
                let there = format!("http://{address}/");
                let mut found = targets.iter().filter(|t| t.url.starts_with(&there)).peekable();
                found.peek().is_some() && found.all(|target| target.health == "up")
            };
            ours.iter().all(is_up).then_some(())
        })
        .await;
    }
}

fn own_target((service, process): (&&str, &Process)) -> (String, String) {
    (format!("{service}:9464"), address(&process.http))
}

/// HOST:PORT of a URL.
fn address(url: &str) -> String {
    let address = url.trim_start_matches("http://").split('/').next();
    address.expect("a URL has a host").to_owned()
}

/// The configuration of the repository, which fetches from these addresses instead and more often.
fn configuration(targets: &[(String, String)]) -> String {
    let mut config = read(&path("observability/prometheus/prometheus.yml"));
    let mut replace = |old: &str, new: &str| {
        assert!(config.contains(old), "{old} is not in prometheus.yml");
        config = config.replace(old, new);
    };
    for (there, here) in targets {
        replace(&format!("\"{there}\""), &format!("\"{here}\""));
    }
    replace("scrape_interval: 15s", &format!("scrape_interval: {INTERVAL}"));
    replace("scrape_timeout: 10s", &format!("scrape_timeout: {INTERVAL}"));
    replace(
        "evaluation_interval: 15s",
        &format!("evaluation_interval: {INTERVAL}"),
    );
    let rules = path("observability/prometheus/rules/*.yml");
    replace("- rules/*.yml", &format!("- {}", rules.display()));
    config
}

/// Has a node serve its metrics, and answers where.
async fn metrics_address(node: &Node) -> String {
    let port = free_port();
    let expression = format!(
        "ok = application:set_env(rabbitmq_prometheus, tcp_config, \
             [{{ip, \"127.0.0.1\"}}, {{port, {port}}}], [{{persistent, true}}]), \
         {{ok, File}} = application:get_env(rabbit, enabled_plugins_file), \
         ok = file:write_file(File, \"[rabbitmq_management,rabbitmq_prometheus].\"), \
         rabbit_plugins:ensure(File)."
    );
    let enabled = node.eval(&expression).await;
    assert!(enabled.contains("rabbitmq_prometheus"), "{enabled}");
    format!("127.0.0.1:{port}")
}
