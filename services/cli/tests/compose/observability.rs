//! What watches the stack: it is told where everything is and how much memory it has, and all of that
//! is so.

use std::path::Path;

use serde_yaml_ng::{Mapping, Value};

use super::{compose, environment, mebibytes, ours, path, read, services, words};

/// Where services answer for metrics, as the Dockerfile has it.
const METRICS_PORT: &str = "9464";

/// Where RabbitMQ's plugin and Jaeger answer for theirs.
const OTHER_METRICS_PORTS: &[(&str, &str)] = &[("rabbitmq", "15692"), ("jaeger", "8888")];

fn yaml(name: &str) -> Value {
    serde_yaml_ng::from_str(&read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn prometheus() -> Value {
    let mut config = yaml("observability/prometheus/prometheus.yml");
    config.apply_merge().unwrap();
    config
}

fn datasources() -> Value {
    yaml("observability/grafana/provisioning/datasources/metrics-and-traces.yml")
}

/// Files of the repository that a container sees: here, and there.
fn mounts(service: &Mapping) -> Vec<(&str, &str)> {
    let volumes = service.get("volumes").map(words).unwrap_or_default();
    let mounts = volumes.into_iter().filter(|volume| volume.starts_with("./"));
    mounts
        .map(|volume| {
            let mut parts = volume.split(':');
            let (here, there) = (parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(parts.next(), Some("ro"), "{volume} could be written to");
            (here, there)
        })
        .collect()
}

fn service<'a>(compose: &'a Value, name: &str) -> &'a Mapping {
    let service = compose["services"].get(name);
    service
        .and_then(Value::as_mapping)
        .unwrap_or_else(|| panic!("no service {name}"))
}

fn variable<'a>(service: &'a Mapping, name: &str) -> Option<&'a str> {
    let found = environment(service).into_iter().find(|(given, _)| *given == name);
    found.map(|(_, value)| value)
}

/// Targets of each job, with the job's name and the label `service` that they get.
fn targets(prometheus: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for job in prometheus["scrape_configs"].as_sequence().unwrap() {
        let name = job["job_name"].as_str().unwrap();
        for targets in job["static_configs"].as_sequence().unwrap() {
            let label = targets["labels"]["service"].as_str().unwrap();
            for target in words(&targets["targets"]) {
                found.push((name.to_owned(), target.to_owned(), label.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_mounted_file_is_there() {
    let compose = compose();
    let mut count = 0;
    for (name, service) in services(&compose) {
        for (here, _) in mounts(service) {
            assert!(path(here).exists(), "{name} mounts {here}, which is not there");
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn prometheus_fetches_from_every_service_where_it_answers() {
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("WAYBILL_HTTP_ADDR=0.0.0.0:{METRICS_PORT}")));
    let (compose, prometheus) = (compose(), prometheus());
    let targets = targets(&prometheus);
    for (name, _) in ours(&compose) {
        let expected = (
            name.to_owned(),
            format!("{name}:{METRICS_PORT}"),
            format!("waybill-{name}"),
        );
        assert!(
            targets.contains(&expected),
            "{expected:?} is not among {targets:?}"
        );
    }
    for (job, target, _) in &targets {
        let (host, port) = target.split_once(':').unwrap();
        if (host, port) == ("localhost", "9090") {
            continue;
        }
        service(&compose, host);
        let is_ours = ours(&compose).any(|(name, _)| name == host) && port == METRICS_PORT;
        assert!(
            is_ours || OTHER_METRICS_PORTS.contains(&(host, port)),
            "{job}: {target}"
        );
    }
    let plugins = compose["configs"]["rabbitmq-plugins"]["content"]
        .as_str()
        .unwrap();
    assert!(plugins.contains("rabbitmq_prometheus") && plugins.contains("rabbitmq_management"));
    let jaeger = read("observability/jaeger/config.yaml");
    assert!(jaeger.contains("${env:JAEGER_METRICS_PORT:-8888}"));
}

#[test]
fn what_prometheus_and_grafana_are_told_to_read_is_mounted_there() {
    let compose = compose();
    let prometheus_mounts = mounts(service(&compose, "prometheus"));
    assert_eq!(words(&prometheus()["rule_files"]), ["rules/*.yml"]);
    assert!(prometheus_mounts.contains(&("./observability/prometheus/rules", "/etc/prometheus/rules")));

    let grafana = service(&compose, "grafana");
    let (dashboards, there) = mounts(grafana)
        .into_iter()
        .find(|(here, _)| here.ends_with("/dashboards") && !here.contains("provisioning"))
        .unwrap();
    let provider = yaml("observability/grafana/provisioning/dashboards/waybill.yml");
    assert_eq!(provider["providers"][0]["options"]["path"], there);
    let home = variable(grafana, "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH").unwrap();
    let home = Path::new(home).strip_prefix(there).unwrap();
    assert!(path(dashboards).join(home).exists(), "{}", home.display());
}

#[test]
fn grafana_asks_the_servers_of_the_stack() {
    let compose = compose();
    let datasources = datasources();
    let mut uids = Vec::new();
    for source in datasources["datasources"].as_sequence().unwrap() {
        let url = source["url"].as_str().unwrap();
        let (host, _) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
        service(&compose, host);
        uids.push(source["uid"].as_str().unwrap());
    }
    assert_eq!(uids, ["prometheus", "jaeger"]);
    let [metrics, traces] = [0, 1].map(|at| &datasources["datasources"][at]["jsonData"]);
    let scraped = &prometheus()["global"]["scrape_interval"];
    assert_eq!(&metrics["timeInterval"], scraped, "Grafana chooses windows by it");
    let exemplars = &metrics["exemplarTraceIdDestinations"][0];
    assert_eq!(
        (&exemplars["name"], &exemplars["datasourceUid"]),
        (&"trace_id".into(), &"jaeger".into())
    );
    let to_metrics = &traces["tracesToMetrics"];
    assert_eq!(to_metrics["datasourceUid"], "prometheus");
    assert_eq!(to_metrics["tags"][0]["key"], "service.name");
    assert_eq!(to_metrics["tags"][0]["value"], "service");
}

#[test]
fn services_send_traces_where_jaeger_takes_them() {
    let compose = compose();
    let jaeger = read("observability/jaeger/config.yaml");
    assert!(jaeger.contains("${env:JAEGER_OTLP_GRPC_PORT:-4317}"));
    assert_eq!(
        variable(service(&compose, "jaeger"), "JAEGER_LISTEN_HOST"),
        Some("0.0.0.0")
    );
    for (name, service) in ours(&compose) {
        let endpoint = variable(service, "OTEL_EXPORTER_OTLP_ENDPOINT");
        assert_eq!(endpoint, Some("http://jaeger:4317"), "{name}");
        assert_eq!(
            variable(service, "OTEL_EXPORTER_OTLP_PROTOCOL"),
            Some("grpc"),
            "{name}"
        );
        assert_eq!(variable(service, "OTEL_TRACES_EXPORTER"), Some("otlp"), "{name}");
    }
}

#[test]
fn what_a_program_is_told_of_its_memory_is_less_than_it_has() {
    let compose = compose();
    let limit = |name| mebibytes(service(&compose, name)["mem_limit"].as_str().unwrap());
    for name in ["jaeger", "prometheus", "grafana"] {
        let told = variable(service(&compose, name), "GOMEMLIMIT").unwrap();
        let told: u64 = told.strip_suffix("MiB").unwrap().parse().unwrap();
        assert!(
            told * 10 <= limit(name) * 9,
            "{name}: {told} MiB of {} MiB",
            limit(name)
        );
    }
    let rabbitmq = compose["configs"]["rabbitmq"]["content"].as_str().unwrap();
    let (_, watermark) = rabbitmq.split_once("absolute = ").unwrap();
    let watermark: u64 = watermark.trim().strip_suffix("MiB").unwrap().parse().unwrap();
    assert!(watermark * 2 <= limit("rabbitmq"), "{watermark} MiB");
    let mongodb = words(&service(&compose, "mongodb")["command"]);
    let cache = mongodb
        .iter()
        .position(|word| *word == "--wiredTigerCacheSizeGB")
        .unwrap()
        + 1;
    // The smallest that it takes: a quarter of a GB.
    assert_eq!(mongodb[cache], "0.25");
    assert!(limit("mongodb") >= 2 * 256);
}

#[test]
fn the_page_tells_the_limits_that_there_are() {
    let page = read("docs/observability.md");
    let compose = compose();
    for (name, service) in services(&compose) {
        let limit = mebibytes(service["mem_limit"].as_str().unwrap());
        let says = |line: &&str| line.starts_with('|') && line.contains(&format!("`{name}`"));
        let limits = page.lines().filter(says).filter(|line| line.contains(" MiB"));
        let limits: Vec<_> = limits.collect();
        assert_eq!(limits.len(), 1, "{name}: {limits:?}");
        assert!(
            limits[0].contains(&format!("| {limit} MiB")),
            "{name}: {}",
            limits[0]
        );
    }
}
