//! What is mailed, what is not, and what becomes of what cannot be.

use std::sync::Arc;

use bytes::Bytes;
use waybill::{failure::FailureClass, handler::Error};
use waybill_notification::{
    app::notify::RECORDED_TOGETHER,
    domain::notification::{
        Kind::{Cancellation, Confirmation},
        State::{Sent, Superseded},
    },
};

use crate::support::{
    events::{cancelled, contact_changed, created, id, registered},
    memory::{AT_ONCE, MemoryMailer},
    service::TestService,
};

fn service() -> (TestService, Arc<MemoryMailer>) {
    let mailer = Arc::new(MemoryMailer::default());
    (TestService::new(Arc::clone(&mailer) as _), mailer)
}

#[tokio::test]
async fn the_same_event_five_times_is_one_mail_and_one_record() {
    let (service, mailer) = service();
    let user = service.user("ada@example.com").await;
    let event = created(user, id());
    let twice = [event.clone(), event.clone()];
    assert_eq!(service.mail(&twice).await, ["", ""]);
    assert_eq!(service.mail(&twice).await, ["", ""]);
    assert_eq!(service.mail(&twice[..1]).await, [""]);
    assert_eq!(mailer.tried().len(), 1);
    assert_eq!(service.recorded(), [(event.id, Confirmation, Sent)]);
}

#[tokio::test]
async fn mail_of_an_unknown_user_waits_for_the_contact() {
    let (service, mailer) = service();
    let user = id();
    let event = created(user, id());
    let outcomes = service.try_mail(std::slice::from_ref(&event)).await.unwrap();
    let failure = outcomes[0].clone().unwrap_err();
    assert_eq!(
        (failure.class, failure.reason),
        (FailureClass::Transient, "CONTACT_UNKNOWN")
    );
    assert_eq!((mailer.tried().len(), service.recorded().len()), (0, 0));

    service
        .contacts(&[registered(user, "ada@example.com", "Ada")])
        .await;
    assert_eq!(service.mail(&[event]).await, [""]);
    assert_eq!(mailer.tried()[0].to_email, "ada@example.com");
}

#[tokio::test]
async fn mail_goes_to_the_newest_contact_in_whatever_order_contacts_came() {
    let (service, mailer) = service();
    let user = id();
    let newest = contact_changed(user, "new@example.com", "Ada", 3);
    let older = contact_changed(user, "older@example.com", "Ada", 2);
    service.contacts(&[newest.clone(), older]).await;
    service
        .contacts(&[registered(user, "old@example.com", "Ada"), newest])
        .await;
    service.mail(&[created(user, id())]).await;
    assert_eq!(mailer.tried()[0].to_email, "new@example.com");
}

#[tokio::test]
async fn an_order_that_is_created_and_cancelled_in_one_batch_is_told_in_this_order() {
    let (service, mailer) = service();
    let user = service.user("ada@example.com").await;
    let order = id();
    let batch = [created(user, order), cancelled(user, order)];
    assert_eq!(service.mail(&batch).await, ["", ""]);
    let subjects: Vec<_> = mailer.tried().into_iter().map(|m| m.letter.subject).collect();
    assert_eq!(
        subjects,
        [
            format!("Your order {order} is confirmed"),
            format!("Your order {order} was cancelled")
        ]
    );
}

#[tokio::test]
async fn a_confirmation_that_comes_after_the_cancellation_is_recorded_and_not_mailed() {
    for in_one_batch in [true, false] {
        let (service, mailer) = service();
        let user = service.user("ada@example.com").await;
        let order = id();
        let batch = [cancelled(user, order), created(user, order)];
        if in_one_batch {
            assert_eq!(service.mail(&batch).await, ["", ""]);
        } else {
            assert_eq!(service.mail(&batch[..1]).await, [""]);
            assert_eq!(service.mail(&batch[1..]).await, [""]);
        }
        assert_eq!(mailer.tried().len(), 1);
        assert_eq!(
            service.recorded(),
            [
                (batch[0].id, Cancellation, Sent),
                (batch[1].id, Confirmation, Superseded)
            ]
        );
        assert_eq!(service.notifications.all()[1].message_id, "");
    }
}

#[tokio::test]
async fn a_failed_confirmation_does_not_come_back_after_the_cancellation() {
    let (service, _) = service();
    let user = service.user("tempfail@example.com").await;
    let order = id();
    let (first, second) = (created(user, order), cancelled(user, order));
    assert_eq!(
        service.mail(std::slice::from_ref(&first)).await,
        ["MAIL_NOT_ACCEPTED"]
    );
    service
        .contacts(&[contact_changed(user, "ada@example.com", "Ada", 2)])
        .await;
    assert_eq!(service.mail(&[second.clone(), first.clone()]).await, ["", ""]);
    assert_eq!(
        service.recorded(),
        [
            (second.id, Cancellation, Sent),
            (first.id, Confirmation, Superseded)
        ]
    );
}

#[tokio::test]
async fn one_bad_message_does_not_fail_its_neighbours() {
    let (service, mailer) = service();
    let user = service.user("ada@example.com").await;
    let [rejected, busy] = [
        service.user("reject@example.com").await,
        service.user("tempfail@example.com").await,
    ];
    let mut no_protobuf = created(user, id());
    no_protobuf.body = Bytes::from_static(b"\xff\xff");
    let mut no_event_of_ours = created(user, id());
    no_event_of_ours.type_name = "some.Other".into();
    let mut empty = created(user, id());
    empty.body = Bytes::new();
    let batch = [
        no_protobuf,
        created(user, id()),
        created(rejected, id()),
        no_event_of_ours,
        created(busy, id()),
        created(id(), id()),
        empty,
        created(user, id()),
    ];
    assert_eq!(
        service.mail(&batch).await,
        [
            "INVALID_BODY",
            "",
            "MAIL_REJECTED",
            "UNKNOWN_TYPE",
            "MAIL_NOT_ACCEPTED",
            "CONTACT_UNKNOWN",
            "INVALID_EVENT",
            ""
        ]
    );
    assert_eq!(service.recorded().len(), 2);
    assert_eq!(mailer.tried().len(), 4);
}

#[tokio::test]
async fn when_the_mailer_is_down_a_batch_does_not_try_each_mail() {
    let (service, mailer) = service();
    let user = service.user("down@example.com").await;
    let batch: Vec<_> = (0..100).map(|_| created(user, id())).collect();
    assert_eq!(service.mail(&batch).await, ["MAIL_UNAVAILABLE"; 100]);
    assert!(mailer.tried().len() <= AT_ONCE);
    assert_eq!(service.recorded(), []);
}

#[tokio::test]
async fn mail_that_could_not_be_recorded_is_not_sent_again_by_this_process() {
    let (service, mailer) = service();
    let user = service.user("ada@example.com").await;
    let batch = [created(user, id()), created(user, id())];
    service.notifications.set_read_only(true);
    for _ in 0..3 {
        assert!(matches!(
            service.try_mail(&batch).await,
            Err(Error::Unavailable(_))
        ));
    }
    service.notifications.set_read_only(false);
    assert_eq!(service.mail(&batch).await, ["", ""]);
    assert_eq!((mailer.tried().len(), service.recorded().len()), (2, 2));
}

#[tokio::test]
async fn no_more_mails_are_sent_than_may_wait_for_their_record() {
    let (service, mailer) = service();
    let user = service.user("ada@example.com").await;
    let batch: Vec<_> = (0..3 * RECORDED_TOGETHER).map(|_| created(user, id())).collect();
    service.notifications.set_read_only(true);
    for _ in 0..3 {
        assert!(service.try_mail(&batch).await.is_err());
        assert_eq!(mailer.tried().len(), RECORDED_TOGETHER);
    }
    service.notifications.set_read_only(false);
    assert_eq!(service.mail(&batch).await, vec![""; batch.len()]);
    assert_eq!(
        (mailer.tried().len(), service.recorded().len()),
        (batch.len(), batch.len())
    );
}
