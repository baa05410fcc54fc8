//! Log lines of an order: each names what it is about, and each failure is told once.

use std::collections::BTreeSet;

use serde_json::Value;

use waybill_testkit::tools::without_go;

use crate::{
    one_trace::{PROCESS_MAIL, wait_for_contact},
    platform::{Caller, Platform},
    support::{client::order_for, stack::Stack},
};

/// The lines of the log as objects, those of the call that they were written in merged into them.
fn lines(log: &str) -> Vec<Value> {
    let line = |text: &str| {
        let mut line: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        if let Value::Object(call) = line["span"].take() {
            line.as_object_mut().expect("a line is an object").extend(call);
        }
        line
    };
    log.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_order_names_it_and_a_failure_is_told_once() {
    if without_go("every_line_of_an_order_names_it_and_a_failure_is_told_once") {
        return;
    }
    let settings = [
        ("WAYBILL_LOG_FORMAT", "json"),
        ("WAYBILL_RETRY_MAX_ATTEMPTS", "2"),
        ("WAYBILL_RETRY_FIRST_DELAY", "50ms"),
    ];
    let mut platform = Platform::on(Stack::real().await.keeping_the_log(), &settings).await;
    let user = platform.client.register().await;
    wait_for_contact(&platform, &user.user_id).await;
    platform.smtp.stop();
    let caller = Caller::new();
    let order = platform.place(order_for(&user.user_id, 1), &caller).await;
    let spans = [
        PROCESS_MAIL,
        PROCESS_MAIL,
        "publish waybill.notification.mail.dead",
    ];
    platform.trace_with(&caller.correlation_id, &spans).await;

    let log = lines(&platform.stack.log());
    let of_order = log
        .iter()
        .filter(|line| line["correlation_id"] == caller.correlation_id.as_str());
    let of_order: Vec<_> = of_order.collect();
    for line in &of_order {
        assert_eq!(line["trace_id"], caller.trace_id.as_str(), "{line}");
        assert_eq!(line["order_id"], order.order_id.as_str(), "{line}");
    }
    let told = |level: &str, text: &str| {
        let is_it = |line: &&&Value| line["level"] == level && line["message"] == text;
        of_order.iter().filter(is_it).count()
    };
    assert_eq!(told("INFO", "call ended"), 1);
    assert_eq!(told("WARN", "handling failed, will retry"), 1);
    assert_eq!(told("ERROR", "handling failed, dead-lettered"), 1);
    // Also by whoever does not say whose failure it is.
    let is_failure = |line: &&Value| {
        let text = line.to_string();
        text.contains("MAIL_UNAVAILABLE") || text.contains("mail cannot be delivered")
    };
    let failures: Vec<_> = log.iter().filter(is_failure).collect();
    assert_eq!(failures.len(), 2, "{failures:#?}");
    let ids: BTreeSet<_> = of_order.iter().map(|line| line["message_id"].as_str()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(ids.first().is_some_and(Option::is_some), "{of_order:#?}");
}
