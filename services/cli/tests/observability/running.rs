//! Every expression of every panel, rule and page comes to something on a platform that runs, when all
//! is well and when it is not, and the alert that should be raised is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tonic::Code;
use waybill::contract::notification::v1::list_notifications_request::Filter;
use waybill_testkit::{prometheus::PrometheusServer, wait::PATIENCE};

use crate::{
    dashboard::{Dashboard, Question},
    files::{list, path, rules, yaml},
    pages::{documented_metrics, runbooks},
    platform::Platform,
    support::{
        client::{new_id, order_for},
        events::{created_and_cancelled, message},
    },
};

/// Metrics that are there from the first failure of their kind on, which no scripted flow causes.
const ON_FAILURE: &[&str] = &["waybill_mail_failed_total"];

/// Labels that Prometheus gives every series, and every bucket.
const OF_EVERY_SERIES: &[&str] = &["job", "instance", "service", "le"];

/// Labels that a metric may have and that a scripted flow on MongoDB need not bring about.
const NOT_HERE: &[&str] = &["error_type", "db_namespace"];

/// How many methods Prometheus has seen called.
const METHODS_CALLED: &str = "count(group by (rpc_method) (instance_method:rpc_server_calls:total))";

/// Prometheus learns something new once a second.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_comes_to_something_on_a_running_platform() {
    let platform = Platform::start().await;
    let questions = questions();
    assert!(questions.len() > 90, "{}", questions.len());

    // Twice: a method has a series from its first call on, and a rate only sees what comes then.
    all_is_well(&platform).await;
    until_it_comes_to(&platform.prometheus, METHODS_CALLED, 6.0).await;
    all_is_well(&platform).await;
    until_none_is_empty(&platform.prometheus, &questions).await;
    assert_eq!(alerts(&platform.prometheus).await, BTreeSet::new());

    trouble(&platform).await;
    until_none_is_empty(&platform.prometheus, &questions).await;
    until_the_trouble_shows(&platform.prometheus).await;
    every_metric_has_its_line_in_the_table(&platform.prometheus).await;
}

/// What dashboards ask, what rules record, and what a span leads to.
fn questions() -> Vec<Question> {
    let mut questions: Vec<_> = Dashboard::all().iter().flat_map(Dashboard::questions).collect();
    let rules = rules();
    let recorded = rules.iter().filter_map(|rule| rule["record"].as_str());
    questions.extend(recorded.map(|name| Question {
        place: "rules".to_owned(),
        expression: name.to_owned(),
    }));
    let sources = yaml(&path(
        "observability/grafana/provisioning/datasources/metrics-and-traces.yml",
    ));
    let to_metrics = sources["datasources"][1]["jsonData"]["tracesToMetrics"]["queries"].clone();
    questions.extend(list(&to_metrics).iter().map(|query| {
        Question {
            place: format!("from a span: {}", query["name"].as_str().expect("it has a name")),
            expression: query["query"]
                .as_str()
                .expect("it asks something")
                .replace("$$__tags", "service=~\"waybill-.+\""),
        }
    }));
    questions
}

/// Registers, places, cancels, lists, and waits for all that follows.
async fn all_is_well(platform: &Platform) {
    let client = &platform.client;
    let user = client.register().await;
    let order = client.place(order_for(&user.user_id, 1)).await;
    client.place(order_for(&user.user_id, 2)).await;
    client.stats_of(&user.user_id, 2, 0).await;
    client.cancel(&order.order_id).await;
    client.stats_of(&user.user_id, 2, 1).await;
    assert_eq!(client.orders(&user.user_id).await.len(), 2);
    client.notifications_of(Filter::UserId(user.user_id), 3).await;
}

/// A call that is refused, a mail that is tried again and given up because nobody knows the user, and
/// a message that is none.
async fn trouble(platform: &Platform) {
    let mut nothing = order_for(&new_id(), 1);
    nothing.items.clear();
    let refused = platform.client.place_once(nothing).await.expect_err("no items");
    assert_eq!(refused.code(), Code::InvalidArgument);
    platform.client.place(order_for(&new_id(), 1)).await;
    let mut poison = message(&created_and_cancelled(&new_id()).0);
    poison.body = Bytes::from_static(b"\xff\xff\xff");
    platform.stack.publish([poison]).await;
}

/// Asks until every answer holds a number.
async fn until_none_is_empty(prometheus: &PrometheusServer, questions: &[Question]) {
    let started = Instant::now();
    let mut open: Vec<_> = questions.iter().collect();
    loop {
        let mut unanswered = Vec::new();
        for question in open {
            let answer = prometheus.query(&question.expression).await;
            if answer.iter().all(|(_, value)| value.is_nan()) {
                unanswered.push(question);
            }
        }
        if unanswered.is_empty() {
            return;
        }
        let list: Vec<_> = unanswered
            .iter()
            .map(|q| format!("{}: {}", q.place, q.expression))
            .collect();
        assert!(started.elapsed() < PATIENCE, "no number for\n{}", list.join("\n"));
        open = unanswered;
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
    }
}

/// Asks until the answer is one number, and that one.
async fn until_it_comes_to(prometheus: &PrometheusServer, expression: &str, expected: f64) {
    let started = Instant::now();
    loop {
        let answer = prometheus.query(expression).await;
        let values: Vec<_> = answer.iter().map(|(_, value)| *value).collect();
        if matches!(values[..], [value] if (value - expected).abs() < 0.01) {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{expression}: {answer:?} instead of {expected}"
        );
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
    }
}

/// Alerts that are raised, or will be if it goes on.
async fn alerts(prometheus: &PrometheusServer) -> BTreeSet<String> {
    let raised = prometheus.query("ALERTS").await;
    raised
        .into_iter()
        .map(|(labels, _)| labels["alertname"].clone())
        .collect()
}

/// What must be counted after [`trouble`], and no more than that.
async fn until_the_trouble_shows(prometheus: &PrometheusServer) {
    let expected: &[(&str, f64)] = &[
        // The poison at two consumers, and the mail to nobody.
        ("sum(waybill_consumer:messages_dead:sum)", 3.0),
        ("sum(instance:waybill_consumer_dead_lettered:total)", 3.0),
        // Of that mail twice, and of others if their order came before their user's contact.
        ("sum(instance:waybill_consumer_retried:total) >= bool 2", 1.0),
        ("sum(waybill_consumer:messages_queued:sum)", 0.0),
        ("sum(waybill_consumer:messages_to_retry:sum)", 0.0),
        // The first of its kind shows in a rate.
        (
            "sum(increase(instance:waybill_consumer_dead_lettered:total[5m])) > bool 2",
            1.0,
        ),
        ("sum(instance_method:rpc_server_faults:total)", 0.0),
        ("count(ALERTS{alertname=\"DeadLettersWaiting\"})", 2.0),
    ];
    for (expression, value) in expected {
        until_it_comes_to(prometheus, expression, *value).await;
    }
    let raised = alerts(prometheus).await;
    assert_eq!(raised, BTreeSet::from(["DeadLettersWaiting".to_owned()]));
    for runbook in runbooks() {
        for query in runbook.queries {
            // It may come to nothing; whether it is PromQL is checked by asking it.
            prometheus.query(&query).await;
        }
    }
}

/// The table in docs/observability.md has every metric of ours with its labels, and no others.
async fn every_metric_has_its_line_in_the_table(prometheus: &PrometheusServer) {
    let documented = documented_metrics();
    let ours = "{job=~\"order|user|notification|operations\", __name__!~\".+:.+|ALERTS.*|up|scrape_.+\"}";
    let mut measured: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (mut labels, _) in prometheus.query(ours).await {
        let name = labels.remove("__name__").expect("a series has a name");
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|ending| {
            name.strip_suffix(ending)
                .filter(|base| documented.contains_key(*base))
        });
        let name = of_histogram.unwrap_or(&name).to_owned();
        let own = labels
            .into_keys()
            .filter(|label| !OF_EVERY_SERIES.contains(&label.as_str()));
        measured.entry(name).or_default().extend(own);
    }
    for name in ON_FAILURE {
        measured.entry((*name).to_owned()).or_default();
    }
    let names = |metrics: &BTreeMap<String, _>| metrics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&measured), names(&documented));
    for (name, labels) in measured {
        let missing: Vec<_> = labels.difference(&documented[&name]).collect();
        assert!(
            missing.is_empty(),
            "{name} has labels that its line does not name: {missing:?}"
        );
        let made_up = documented[&name].difference(&labels);
        let made_up: Vec<_> = made_up
            .filter(|label| !NOT_HERE.contains(&label.as_str()))
            .collect();
        assert!(made_up.is_empty(), "{name} has no labels {made_up:?}");
    }
}
