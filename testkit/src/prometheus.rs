//! A private Prometheus, which fetches what a test has it fetch, and `promtool`.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    http,
    server::{Folder, Server, free_port},
    tools, wait,
};

/// Labels of a time series, its name among them as `__name__`.
pub type Labels = BTreeMap<String, String>;

/// A Prometheus on a port of its own, whose data lie in a folder of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct PrometheusServer {
    // It ends before its folder goes.
    _server: Server,
    _folder: Folder,
    port: u16,
}

/// What Prometheus fetches metrics from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the job in the configuration.
    pub job: String,
    /// What it fetches.
    pub url: String,
    /// `up`, `down`, or `unknown` before the first time.
    pub health: String,
    /// Why the last time failed; empty if it did not.
    pub last_error: String,
}

impl PrometheusServer {
    /// Starts a Prometheus with this configuration, in which paths are absolute, and waits until it is
    /// ready. It looks for targets every five seconds, so that some pass before it fetches anything.
    /// Panics with what Prometheus says when it does not take the configuration.
    pub async fn start(config: &str) -> Self {
        let folder = Folder::new("waybill-prometheus-").expect("a temporary folder can be made");
        fs::write(folder.path().join("prometheus.yml"), config).expect("the folder is writable");
        let log = folder.path().join("log");
        loop {
            let port = free_port();
            let server = Server::start_logging(&command(folder.path(), port), &log).expect("sh is there");
            let started = wait::until("Prometheus says how it started", async || {
                started(port, &log).await
            });
            match started.await {
                Ok(()) => {
                    return Self {
                        _server: server,
                        _folder: folder,
                        port,
                    };
                }
                // Another test may take the port between our choice and Prometheus's listening on it.
                Err(text) if text.contains("address already in use") => {
                    drop(server);
                    fs::remove_file(&log).expect("Prometheus's log is ours");
                }
                Err(text) => panic!("Prometheus did not start: {text}"),
            }
        }
    }

    /// URL of the server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a PromQL expression comes to now: a value for each set of labels. A scalar has no labels.
    pub async fn query(&self, expression: &str) -> Vec<(Labels, f64)> {
        let data = self.ask("query", &[("query", expression)]).await;
        match data["resultType"].as_str() {
            Some("vector") => list(&data["result"]).iter().map(sample).collect(),
            Some("scalar") => vec![(Labels::new(), number(&data["result"]))],
            _ => panic!("{expression} is no instant vector and no scalar: {data}"),
        }
    }

    /// Everything that it is told to fetch, and how that went.
    pub async fn targets(&self) -> Vec<Target> {
        let data = self.ask("targets", &[("state", "active")]).await;
        list(&data["activeTargets"]).iter().map(target).collect()
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.url());
        let answer = http::get(&url, parameters).await;
        answer.unwrap_or_else(|error| panic!("{error:#}"))["data"].take()
    }
}

/// What `promtool` says to these arguments: whether it takes configuration and rules, and whether rules
/// do what their tests say.
pub fn promtool(arguments: &[&str]) -> Output {
    Command::new(tools::installed("promtool"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("promtool can be started")
}

fn command(folder: &Path, port: u16) -> Command {
    let mut command = Command::new(tools::installed("prometheus"));
    command
        .arg(format!(
            "--config.file={}",
            folder.join("prometheus.yml").display()
        ))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command
}

/// That it is ready, or its log when it ended instead; `None` while neither is known. Its own log has to
/// say that it is ready: at its port could be the Prometheus of another test.
async fn started(port: u16, log: &Path) -> Option<Result<(), String>> {
    let text = fs::read_to_string(log).ok()?;
    if text.to_lowercase().contains("level=error") {
        return Some(Err(text));
    }
    let ready = format!("http://127.0.0.1:{port}/-/ready");
    let ready = text.contains("Server is ready") && http::get(&ready, &[]).await.is_ok();
    ready.then_some(Ok(()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_else(|| panic!("not a text: {value}"));
    text.to_owned()
}

/// The number of a pair of time and number. As text it can also be infinite, or none at all.
fn number(pair: &Value) -> f64 {
    let text = text(&pair[1]);
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn sample(value: &Value) -> (Labels, f64) {
    let labels = value["metric"].as_object().into_iter().flatten();
    let labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
    (labels, number(&value["value"]))
}

fn target(value: &Value) -> Target {
    Target {
        job: text(&value["labels"]["job"]),
        url: text(&value["scrapeUrl"]),
        health: text(&value["health"]),
        last_error: text(&value["lastError"]),
    }
}
