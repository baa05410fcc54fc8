//! What is handled together: a batch's span, and those of its messages.

use futures::future::join_all;
use waybill_testkit::{jaeger::Trace, tools::without_go};

use crate::{
    one_trace::{ACK_STATS, PROCESS_STATS, PUBLISH},
    platform::{self, Caller, Platform, assert_says, only, trace_with},
    support::{client::order_for, process::Process},
};

/// Orders placed while nobody counts them: many more than the first batch can have missed.
const ORDERS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_links_its_messages_and_they_link_it() {
    if without_go("a_batch_links_its_messages_and_they_link_it") {
        return;
    }
    let running = Platform::start(&[]).await;
    let user = running.client.register().await;
    let (jaeger, stack) = (running.jaeger, running.stack);
    running.user.kill();
    let callers: Vec<_> = (0..ORDERS).map(|_| Caller::new()).collect();
    let place = |caller| platform::place(running.order.channel(), order_for(&user.user_id, 1), caller);
    join_all(callers.iter().map(place)).await;
    let _user = Process::start(&stack, &["serve", "user"]).ready().await;

    let mut traces = Vec::new();
    for caller in &callers {
        let names = [PUBLISH, PROCESS_STATS];
        traces.push(trace_with(&jaeger, "waybill-order", &caller.correlation_id, &names).await);
    }
    let batch_of = |trace: &Trace| only(trace, PROCESS_STATS).links.first().cloned();
    let mut batches: Vec<_> = traces.iter().filter_map(batch_of).collect();
    batches.sort_unstable();
    batches.dedup();
    assert!(!batches.is_empty(), "{ORDERS} events came one by one");
    for (trace_id, span_id) in batches {
        let whole = waybill_testkit::wait::until("the batch is told", async || {
            let trace = jaeger.trace(&trace_id).await?;
            let is_whole = trace.spans.iter().any(|span| span.name == ACK_STATS);
            is_whole.then_some(trace)
        })
        .await;
        let batch = only(&whole, PROCESS_STATS);
        assert_eq!(
            (batch.span_id.as_str(), batch.kind.as_str()),
            (span_id.as_str(), "consumer")
        );
        assert_eq!(batch.parent_id, None);
        let mut members: Vec<_> = traces
            .iter()
            .filter(|trace| batch_of(trace).is_some_and(|(_, id)| id == span_id))
            .map(|trace| only(trace, PUBLISH))
            .map(|publish| (publish.trace_id.clone(), publish.span_id.clone()))
            .collect();
        members.sort_unstable();
        let mut links = batch.links.clone();
        links.sort_unstable();
        assert_eq!(links, members);
        assert_says(
            batch,
            &[("messaging.batch.message_count", &members.len().to_string())],
        );
        let commit = only(&whole, "commitTransaction inbox");
        assert_eq!(commit.parent_id.as_ref(), Some(&batch.span_id));
    }
}
