//! What is set aside is kept, with who did it, when and why.

use crate::{
    platform::{Platform, number, text},
    support::stack::Stack,
};

async fn what_is_set_aside_is_kept(stack: Stack) {
    let platform = Platform::start(stack).await;
    let (created, letter) = platform.order_of_a_stranger().await;
    let id = text(&letter, "/deadLetterId");
    let reason = ["discard", id, "--reason", "a test order"];
    let discarded = platform.dlq(&reason).await.remove(0);
    assert_eq!(number(&discarded, "/doneCount"), 1);
    platform.letters(0).await;
    let kept = platform.dlq(&["list", "--state", "discarded"]).await;
    assert_eq!(kept.len(), 1);

    let shown = platform.dlq(&["show", id]).await.remove(0);
    let action = &shown["deadLetter"]["actions"][0];
    assert_eq!(text(action, "/kind"), "OPERATION_KIND_DISCARD");
    assert_eq!(
        (text(action, "/actor"), text(action, "/reason")),
        ("ada", "a test order")
    );
    assert!(text(action, "/time") >= text(&letter, "/lastFailureTime"));
    assert_eq!(
        text(&shown, "/decodedBody/orderId"),
        created.order_id,
        "the message itself"
    );

    let operations = platform.dlq(&["operations"]).await;
    assert_eq!(
        text(&operations[0], "/operationId"),
        text(&discarded, "/operationId")
    );
    assert_eq!(text(&operations[0], "/reason"), "a test order");
    assert_eq!(operations[0]["ids"]["ids"][0], id);
    // Nobody sends it back by accident.
    let replayed = platform.dlq(&["replay", "--all"]).await.remove(0);
    assert_eq!(number(&replayed, "/doneCount"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_kept_embedded() {
    what_is_set_aside_is_kept(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_kept_on_rabbitmq_and_mongodb() {
    what_is_set_aside_is_kept(Stack::real().await).await;
}
