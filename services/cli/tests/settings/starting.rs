//! A process that starts, becomes ready, and stops when it is told to.

use tonic::{Code, transport::Channel};
use waybill::contract::user::v1::{ListUsersRequest, user_service_client::UserServiceClient};
use waybill_testkit::wait::until;

use crate::process::{Up, get};

async fn channel(up: &Up) -> Channel {
    let url = format!("http://{}", up.grpc());
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

async fn ready(up: &Up) {
    until("ready", || async {
        (get(up.http(), "/readyz").0 == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_everything_is_and_becomes_ready() {
    let up = Up::start(&["up"]);
    assert_eq!(up.told("broker"), "embedded");
    assert_eq!(up.told("database"), "sqlite");
    assert_eq!(up.told("mail"), "./waybill-data/mail");
    assert_eq!(get(up.http(), "/healthz"), (200, "ok\n".to_owned()));
    ready(&up).await;
    let (_, report) = get(up.http(), "/readyz");
    for check in [
        "broker",
        "order.database",
        "order.outbox",
        "user.database",
        "notification.database",
        "operations.database",
    ] {
        assert!(report.contains(&format!("{{\"name\":\"{check}\"}}")), "{report}");
    }
    let mut users = UserServiceClient::new(channel(&up).await);
    users.list_users(ListUsersRequest::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_serves_no_other() {
    let up = Up::start(&["serve", "order"]);
    let mut users = UserServiceClient::new(channel(&up).await);
    let status = users.list_users(ListUsersRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn either_signal_ends_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let up = Up::start(&["up"]);
        ready(&up).await;
        up.signal(signal);
        assert_eq!(up.end().code(), Some(0), "after {signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_cleanly_while_its_broker_was_never_there() {
    let port = waybill_testkit::server::free_port();
    let up = Up::start(&[
        "serve",
        "order",
        "--broker",
        &format!("amqp://u:secret@127.0.0.1:{port}"),
    ]);
    assert_eq!(up.told("broker"), format!("amqp://u:***@127.0.0.1:{port}"));
    until("the broker is missed", || async {
        let (status, report) = get(up.http(), "/readyz");
        (status == 503 && report.contains("{\"name\":\"broker\",\"problem\":")).then_some(())
    })
    .await;
    up.signal("TERM");
    assert_eq!(up.end().code(), Some(0));
}

#[test]
fn an_address_in_use_is_a_failure_and_no_wrong_setting() {
    let up = Up::start(&["serve", "user"]);
    let address = up.grpc().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = crate::process::run(folder.path(), &["up", "--grpc-addr", &address], &[]);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(
        line.starts_with(&format!("waybill: cannot listen on {address}")),
        "{line}"
    );
}
