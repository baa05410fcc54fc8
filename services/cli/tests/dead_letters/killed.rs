//! The process that sends is killed with `kill -9` again and again: nothing is lost, nothing is doubled.

use std::collections::BTreeSet;

use serde_json::Value;
use waybill::contract::{notification::v1::list_notifications_request::Filter, user::v1::UserRegistered};
use waybill_testkit::wait;

use crate::{
    platform::{dlq_at, number, text},
    support::{
        client::{Client, new_id},
        events::{created_and_cancelled, message},
        process::Process,
        stack::Stack,
    },
};

const LETTERS: usize = 300;

/// How many are done when the process is killed; the first one dies before it could begin.
const KILLED_AT: [i64; 4] = [0, 40, 120, 200];

async fn ask(stack: &Stack, operations: &Process, arguments: &[&str]) -> Vec<Value> {
    let asked = dlq_at(stack, &operations.grpc, arguments).await;
    asked.expect("the command succeeds")
}

/// Waits until one operation is as far as `is_there` says.
async fn until(stack: &Stack, operations: &Process, is_there: impl Fn(&Value) -> bool) -> Value {
    let shown = async || ask(stack, operations, &["operations"]).await.remove(0);
    wait::until("the operation is as far", async || {
        let operation = shown().await;
        is_there(&operation).then_some(operation)
    })
    .await
}

async fn killed_while_it_sends(stack: Stack) {
    let stack = stack.with("WAYBILL_RETRY_MAX_ATTEMPTS", "1");
    let [order, user, notification] =
        ["order", "user", "notification"].map(|role| Process::start(&stack, &["serve", role]));
    let mut operations = Process::start(&stack, &["serve", "operations"]).ready().await;
    let (order, user, notification) = tokio::join!(order.ready(), user.ready(), notification.ready());
    let client = Client::split(order.channel(), user.channel(), notification.channel());

    // Orders of a stranger: counted, but not mailed.
    let stranger = new_id();
    let created: Vec<_> = (0..LETTERS).map(|_| created_and_cancelled(&stranger).0).collect();
    stack.publish(created.iter().map(message)).await;
    let count = i64::try_from(LETTERS).expect("few enough");
    client.stats_of(&stranger, count, 0).await;
    wait::until("every mail is a dead letter", async || {
        let stats = ask(&stack, &operations, &["stats"]).await.remove(0);
        (number(&stats, "/counted") == count).then_some(())
    })
    .await;
    // The stranger is introduced, and known when a mail of a new order comes through.
    let registered = UserRegistered {
        user_id: stranger.clone(),
        email: "stranger@example.com".into(),
        display_name: "Stranger".into(),
        version: 1,
        ..UserRegistered::default()
    };
    stack.publish([message(&registered)]).await;
    let mut extra = 0;
    wait::until("the stranger is known", async || {
        let (probe, _) = created_and_cancelled(&stranger);
        stack.publish([message(&probe)]).await;
        extra += 1;
        client.stats_of(&stranger, count + extra, 0).await;
        let mailed = client.notifications(Filter::UserId(stranger.clone())).await;
        (!mailed.is_empty()).then_some(())
    })
    .await;

    ask(
        &stack,
        &operations,
        &["replay", "--all", "--rate", "150", "--no-wait"],
    )
    .await;
    for done in KILLED_AT {
        until(&stack, &operations, |operation| {
            number(operation, "/doneCount") >= done
        })
        .await;
        let next = Process::start(&stack, &["serve", "operations"]);
        std::mem::replace(&mut operations, next).kill();
        operations = operations.ready().await;
    }
    let ended = until(&stack, &operations, |operation| {
        text(operation, "/state") == "OPERATION_STATE_DONE"
    })
    .await;
    assert_eq!(number(&ended, "/refusedCount"), 0);
    assert_eq!(number(&ended, "/doneCount"), number(&ended, "/matchedCount"));

    // Probes that came too early are letters too, and were sent back with the others or will be now.
    ask(&stack, &operations, &["replay", "--all"]).await;
    let all = LETTERS + usize::try_from(extra).expect("few enough");
    let mailed = client
        .notifications_of(Filter::UserId(stranger.clone()), all)
        .await;
    let orders: BTreeSet<_> = mailed.iter().map(|mail| mail.order_id.as_str()).collect();
    assert!(
        created
            .iter()
            .all(|order| orders.contains(order.order_id.as_str())),
        "none is lost"
    );
    assert_eq!((orders.len(), stack.mails().len()), (all, all), "none is doubled");
    client.stats_of(&stranger, count + extra, 0).await;
    assert_eq!(ask(&stack, &operations, &["list"]).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_survives_kills_embedded() {
    killed_while_it_sends(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_survives_kills_on_rabbitmq_and_mongodb() {
    killed_while_it_sends(Stack::real().await).await;
}
