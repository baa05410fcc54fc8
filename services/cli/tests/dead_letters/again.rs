//! What fails again after a replay is back in the list, as the same letter.

use crate::{
    platform::{Platform, number, text},
    support::stack::Stack,
};

async fn what_fails_again_adds_up(stack: Stack) {
    let platform = Platform::start(stack).await;
    let (_, before) = platform.order_of_a_stranger().await;
    let id = text(&before, "/deadLetterId");
    for round in 1..=2 {
        let replayed = platform.dlq(&["replay", id, "--reason", "hope"]).await.remove(0);
        assert_eq!(number(&replayed, "/doneCount"), 1);
        let attempts = 2 * (round + 1);
        let letter = waybill_testkit::wait::until("it has failed again", async || {
            let letter = platform.dlq(&["list"]).await.pop()?;
            (number(&letter, "/attempts") == attempts).then_some(letter)
        })
        .await;
        assert_eq!(text(&letter, "/deadLetterId"), id);
        assert_eq!(text(&letter, "/state"), "DEAD_LETTER_STATE_WAITING");
        assert_eq!(
            text(&letter, "/firstFailureTime"),
            text(&before, "/firstFailureTime")
        );
        assert!(text(&letter, "/lastFailureTime") > text(&before, "/lastFailureTime"));
        let actions = letter["actions"].as_array().expect("they are listed");
        assert_eq!(i64::try_from(actions.len()).unwrap(), round);
        assert_eq!(text(&actions[0], "/reason"), "hope");
    }
    let shown = platform.dlq(&["show", id]).await.remove(0);
    let headers = &shown["message"]["headers"];
    assert_eq!(
        text(headers, "/waybill-attempts/integerValue"),
        "2",
        "failure headers are back"
    );
    assert_eq!(
        text(headers, "/waybill-original-routing-key/textValue"),
        "order.created.v1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_adds_up_embedded() {
    what_fails_again_adds_up(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_adds_up_on_rabbitmq_and_mongodb() {
    what_fails_again_adds_up(Stack::real().await).await;
}
