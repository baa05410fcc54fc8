//! The private Prometheus fetches what it is told to, and answers what was fetched.

use waybill_testkit::{
    prometheus::{PrometheusServer, promtool},
    server::free_port,
    wait,
};

#[tokio::test]
async fn metrics_are_fetched_and_can_be_asked_for() {
    // One Prometheus is what the other fetches from; nothing listens where the last job looks.
    let fetched = PrometheusServer::start("").await;
    let (there, nowhere) = (fetched.url().replace("http://", ""), free_port());
    let config = format!(
        "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\n\
         scrape_configs:\n\
         - {{job_name: there, static_configs: [{{targets: ['{there}']}}]}}\n\
         - {{job_name: nowhere, static_configs: [{{targets: ['127.0.0.1:{nowhere}']}}]}}\n"
    );
    let prometheus = PrometheusServer::start(&config).await;
    let targets = wait::until("both targets were tried", async || {
        let targets = prometheus.targets().await;
        let tried = targets.iter().filter(|target| target.health != "unknown").count();
        (tried == 2).then_some(targets)
    })
    .await;
    let of = |job: &str| targets.iter().find(|target| target.job == job).expect("the job");
    assert_eq!(of("there").health, "up", "{targets:?}");
    assert_eq!(of("there").url, format!("http://{there}/metrics"));
    assert_eq!(of("there").last_error, "");
    assert_eq!(of("nowhere").health, "down", "{targets:?}");
    assert!(of("nowhere").last_error.contains("refused"), "{targets:?}");

    let up = wait::until("both are measured", async || {
        let up = prometheus.query("sort(up)").await;
        (up.len() == 2).then_some(up)
    })
    .await;
    let values: Vec<_> = up
        .iter()
        .map(|(labels, value)| (labels["job"].as_str(), *value))
        .collect();
    assert_eq!(values, [("nowhere", 0.0), ("there", 1.0)]);
    assert_eq!(up[1].0["instance"], there);
    assert_eq!(prometheus.query("no_such_metric").await, []);
    assert!(prometheus.query("scalar(vector(1)) / 0").await[0].1.is_infinite());
}

#[tokio::test]
#[should_panic(expected = "no_such_key")]
async fn a_configuration_that_is_wrong_is_refused_with_the_reason() {
    PrometheusServer::start("no_such_key: 1\n").await;
}

#[test]
fn promtool_tells_good_rules_from_bad_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    let check = |expression: &str| {
        let rules = format!("groups: [{{name: g, rules: [{{record: 'a:b', expr: '{expression}'}}]}}]\n");
        std::fs::write(&path, rules).unwrap();
        promtool(&["check", "rules", path.to_str().unwrap()])
    };
    let good = check("sum(up)");
    assert!(good.status.success(), "{good:?}");
    let bad = check("sum(up");
    assert!(!bad.status.success(), "{bad:?}");
    assert!(
        String::from_utf8_lossy(&bad.stderr).contains("parse error"),
        "{bad:?}"
    );
}
