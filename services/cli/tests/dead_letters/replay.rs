//! What was mended is sent back: to the consumer that failed, to no other, and once.

use waybill::contract::notification::v1::list_notifications_request::Filter;

use crate::{
    platform::{MAIL, Platform, STATS, number, text},
    support::{
        client::order_for,
        events::{created_and_cancelled, message},
        stack::Stack,
    },
};

async fn what_is_mended_is_sent_back(stack: Stack) {
    let platform = Platform::start(stack).await;
    let (created, letter) = platform.order_of_a_stranger().await;
    assert_eq!(text(&letter, "/failure/reason"), "CONTACT_UNKNOWN");
    assert_eq!(text(&letter, "/failure/class"), "FAILURE_CLASS_TRANSIENT");
    assert_eq!(
        (text(&letter, "/consumer"), number(&letter, "/attempts")),
        (MAIL, 2)
    );
    platform.client.stats_of(&created.user_id, 1, 0).await;

    platform.introduce(&created.user_id).await;
    let dry = platform
        .dlq(&["replay", "--error", "CONTACT_UNKNOWN", "--dry-run"])
        .await
        .remove(0);
    assert_eq!(number(&dry, "/matchedCount"), 1);
    assert!(platform.stack.mails().is_empty(), "a dry run sends nothing");
    // Whether the contact has arrived shows only when the mail is tried: until then it fails again.
    let operation = waybill_testkit::wait::until("the mail is sent", async || {
        let replayed = platform
            .dlq(&["replay", "--error", "CONTACT_UNKNOWN"])
            .await
            .remove(0);
        (platform.stack.mails().len() == 1).then_some(replayed)
    })
    .await;
    assert_eq!(text(&operation, "/actor"), "ada", "whoever runs the command");
    assert_eq!(text(&operation, "/state"), "OPERATION_STATE_DONE");
    platform
        .client
        .notifications_of(Filter::OrderId(created.order_id.clone()), 1)
        .await;
    platform.client.stats_of(&created.user_id, 1, 0).await;
    platform.letters(0).await;
    let replayed = platform.until_listed(&["list", "--state", "replayed"], 1).await;
    assert_eq!(
        text(&replayed[0], "/deadLetterId"),
        text(&letter, "/deadLetterId")
    );

    // Again, by its id: it is no longer there to be sent.
    let again = platform
        .dlq(&["replay", text(&letter, "/deadLetterId")])
        .await
        .remove(0);
    assert_eq!(number(&again, "/doneCount"), 0);
    assert_eq!(platform.stack.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mended_is_sent_back_embedded() {
    what_is_mended_is_sent_back(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mended_is_sent_back_on_rabbitmq_and_mongodb() {
    what_is_mended_is_sent_back(Stack::real().await).await;
}

async fn what_was_handled_changes_nothing(stack: Stack) {
    let platform = Platform::start(stack).await;
    let user = platform.client.register().await;
    let (created, _) = created_and_cancelled(&user.user_id);
    let event = message(&created);
    platform.stack.publish([event.clone()]).await;
    platform.client.stats_of(&user.user_id, 1, 0).await;
    platform
        .client
        .notifications_of(Filter::OrderId(created.order_id.clone()), 1)
        .await;
    for consumer in [STATS, MAIL] {
        platform.give_up(consumer, event.clone()).await;
    }
    platform.letters(2).await;
    // Two at once, of the same letters.
    let (one, two) = tokio::join!(
        platform.dlq(&["replay", "--error", "TEST"]),
        platform.dlq(&["replay", "--all"])
    );
    assert_eq!(number(&one[0], "/doneCount") + number(&two[0], "/doneCount"), 2);
    platform.letters(0).await;
    // An order placed after them is handled after them.
    platform.client.place(order_for(&user.user_id, 1)).await;
    platform.client.stats_of(&user.user_id, 2, 0).await;
    platform
        .client
        .notifications_of(Filter::UserId(user.user_id.clone()), 2)
        .await;
    assert_eq!(platform.stack.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_changes_nothing_embedded() {
    what_was_handled_changes_nothing(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_changes_nothing_on_rabbitmq_and_mongodb() {
    what_was_handled_changes_nothing(Stack::real().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_clear_is_refused() {
    let platform = Platform::start(Stack::embedded()).await;
    for (arguments, complaint) in [
        (&["replay"][..], "say which"),
        (&["replay", "--all", "--error", "A", "0"], "not both"),
        (&["replay", "no-id"], "must be a UUID"),
        (&["discard", "--all"], "--reason"),
        (&["discard", "--all", "--reason", ""], "reason must be set"),
        (&["show", "no-id"], "must be a UUID"),
        (&["list", "--older-than", "soon"], "takes a time"),
    ] {
        let complained = platform.try_dlq(arguments).await.unwrap_err();
        assert!(complained.contains(complaint), "{arguments:?}: {complained}");
    }
}
