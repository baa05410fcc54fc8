//! Mail through a real SMTP server, as a mail program reads it.

use std::{sync::Arc, time::Duration};

use waybill::failure::FailureClass;
use waybill_notification::adapters::mail::{MAX_CONNECTIONS, SmtpMailer};
use waybill_testkit::{
    smtp::{Behaviour, SmtpServer},
    wait,
};

use crate::support::{
    events::{cancelled, contact_changed, created, id, registered},
    service::TestService,
};

fn service(server: &SmtpServer) -> TestService {
    let from = "Waybill <orders@shop.example>".parse().unwrap();
    let mailer = SmtpMailer::new(&server.url().parse().unwrap(), from).unwrap();
    TestService::new(Arc::new(mailer))
}

async fn server(pipelining: bool) -> SmtpServer {
    let behaviour = Behaviour {
        pipelining,
        ..Behaviour::default()
    };
    SmtpServer::behaving(behaviour).await
}

#[tokio::test]
async fn a_mail_program_reads_both_parts_and_every_header() {
    let server = SmtpServer::start().await;
    let service = service(&server);
    let (user, order) = (id(), id());
    let name = "Zoë \"<b>\" Å\r\nBcc: eve@example.com";
    service
        .contacts(&[registered(user, "ada@example.com", name)])
        .await;
    let event = cancelled(user, order);
    assert_eq!(service.mail(std::slice::from_ref(&event)).await, [""]);

    let [mail] = server.received().try_into().unwrap();
    assert_eq!(mail.sender, "orders@shop.example");
    assert_eq!(mail.recipients, ["ada@example.com"]);
    assert_eq!(mail.content_type, "multipart/alternative");
    assert_eq!(mail.header("From"), "Waybill <orders@shop.example>");
    assert!(
        mail.header("To").ends_with("<ada@example.com>"),
        "{:?}",
        mail.headers
    );
    assert!(mail.header("To").contains("Zoë"), "{:?}", mail.headers);
    assert_eq!(
        mail.header("Subject"),
        format!("Your order {order} was cancelled")
    );
    assert_eq!(mail.header("Message-ID"), format!("<{}@shop.example>", event.id));
    assert_eq!(mail.header("Date"), "Tue, 14 Nov 2023 22:13:20 +0000");
    assert!(
        !mail
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("bcc"))
    );

    let plain = mail.plain.unwrap();
    assert!(
        plain.contains("Hello Zoë \"<b>\" Å  Bcc: eve@example.com,"),
        "{plain}"
    );
    assert!(plain.contains("- tea-1: 3 x 4.95 EUR = 14.85 EUR"), "{plain}");
    assert!(plain.contains("Total: 14.85 EUR"), "{plain}");
    assert!(plain.contains("Reason: changed my mind"), "{plain}");
    let html = mail.html.unwrap();
    assert!(html.contains("Zoë &#34;&#60;b&#62;&#34; Å"), "{html}");
    assert!(html.contains(">14.85 EUR<"), "{html}");
}

#[tokio::test]
async fn a_repeat_is_the_same_mail_under_the_same_message_id() {
    let server = SmtpServer::start().await;
    let user = id();
    let event = created(user, id());
    // Two instances that do not share their records, as after a crash between mail and record.
    for service in [service(&server), service(&server)] {
        service
            .contacts(&[registered(user, "ada@example.com", "Ada")])
            .await;
        assert_eq!(service.mail(std::slice::from_ref(&event)).await, [""]);
    }
    let [first, second] = server.received().try_into().unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn five_deliveries_are_one_mail() {
    let server = SmtpServer::start().await;
    let service = service(&server);
    let event = created(service.user("ada@example.com").await, id());
    for _ in 0..5 {
        assert_eq!(service.mail(std::slice::from_ref(&event)).await, [""]);
    }
    assert_eq!((server.received().len(), service.recorded().len()), (1, 1));
}

#[tokio::test]
async fn a_large_batch_goes_out_whole() {
    for pipelining in [true, false] {
        let server = server(pipelining).await;
        let service = service(&server);
        let user = service.user("ada@example.com").await;
        let batch: Vec<_> = (0..100).map(|_| created(user, id())).collect();
        assert_eq!(service.mail(&batch).await, [""; 100]);
        assert_eq!((server.received().len(), service.recorded().len()), (100, 100));
        let connections = server.connections();
        assert!((1..=MAX_CONNECTIONS).contains(&connections), "{connections}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_without_a_failed_mail() {
    let behaviour = Behaviour {
        patience: 0.5,
        ..Behaviour::default()
    };
    let server = SmtpServer::behaving(behaviour).await;
    let service = service(&server);
    let user = service.user("ada@example.com").await;
    // Whether one that is unused for longer still stands is asked before it is used.
    for (mails, longer) in [(1, 0), (2, 0), (3, 1100)] {
        wait::until("the server hangs up", async || {
            (server.open_connections() == 0).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(longer)).await;
        assert_eq!(service.mail(&[created(user, id())]).await, [""]);
        assert_eq!((server.received().len(), server.connections()), (mails, mails));
    }
}

#[tokio::test]
async fn refusals_tell_codes_and_no_address() {
    for pipelining in [true, false] {
        let server = server(pipelining).await;
        let service = service(&server);
        let busy = service.user("tempfail@example.com").await;
        let rejected = service.user("reject@example.com").await;
        let invalid = service.user("no address").await;
        let batch = [
            created(busy, id()),
            created(rejected, id()),
            created(invalid, id()),
        ];
        let outcomes = service.try_mail(&batch).await.unwrap();
        let failures: Vec<_> = outcomes.into_iter().map(Result::unwrap_err).collect();
        let told: Vec<_> = failures.iter().map(|f| (f.class, f.to_string())).collect();
        let rejected = "MAIL_REJECTED: mail was rejected: ";
        assert_eq!(
            told,
            [
                (
                    FailureClass::Transient,
                    "MAIL_NOT_ACCEPTED: mail was not accepted: the server replied 451".to_owned()
                ),
                (
                    FailureClass::Permanent,
                    format!("{rejected}the server replied 550")
                ),
                (
                    FailureClass::Permanent,
                    format!("{rejected}the recipient's address is not valid")
                ),
            ]
        );
        assert_eq!((server.received().len(), service.recorded().len()), (0, 0));

        // A refusal passes: the next attempt goes to where the user is reached by then.
        service
            .contacts(&[contact_changed(busy, "ada@example.com", "Ada", 2)])
            .await;
        assert_eq!(service.mail(&batch[..1]).await, [""]);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_a_transient_failure_and_is_found_again() {
    let mut server = SmtpServer::start().await;
    let service = service(&server);
    let user = service.user("ada@example.com").await;
    let (before, while_down) = (created(user, id()), created(user, id()));
    assert_eq!(service.mail(&[before]).await, [""]);

    server.stop();
    let outcomes = service.try_mail(std::slice::from_ref(&while_down)).await.unwrap();
    let failure = outcomes[0].clone().unwrap_err();
    assert_eq!(
        (failure.class, failure.reason),
        (FailureClass::Transient, "MAIL_UNAVAILABLE")
    );
    assert!(failure.message.ends_with("connection refused"), "{failure}");
    assert_eq!(service.recorded().len(), 1);

    server.restart().await;
    assert_eq!(service.mail(&[while_down]).await, [""]);
    assert_eq!((server.received().len(), service.recorded().len()), (2, 2));
}
