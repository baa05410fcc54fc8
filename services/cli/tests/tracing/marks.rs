//! What is personal or secret appears in no log line, no span and no metric: marked data goes through
//! every part of the flow, its failures too, and is then searched for.

use bytes::Bytes;
use tonic::{Code, Request, metadata::MetadataValue};
use waybill::contract::{
    notification::v1::list_notifications_request::Filter,
    order::v1::{CancelOrderRequest, order_service_client::OrderServiceClient},
    user::v1::{
        RegisterUserRequest, UpdateUserRequest, UserRegistered, user_service_client::UserServiceClient,
    },
};

use waybill_testkit::tools::without_go;

use crate::{
    one_trace::{PROCESS_MAIL, wait_for_contact},
    platform::{Caller, Platform},
    support::{
        client::{new_id, order_for},
        events::message,
        stack::Stack,
    },
};

/// Stands in everything that must not be told.
const MARK: &str = "zq7mark";

const SERVICES: [&str; 3] = ["waybill-order", "waybill-user", "waybill-notification"];

async fn marked_platform() -> Platform {
    let mut stack = Stack::real().await.keeping_the_log();
    let virtual_host = stack.virtual_host.as_ref().expect("the broker is RabbitMQ");
    let broker = virtual_host.url_with_password(&format!("{MARK}-password")).await;
    stack.set("WAYBILL_BROKER", &broker);
    let secret = format!("authorization={MARK}");
    let settings = [
        ("WAYBILL_LOG_FILTER", "info,waybill=trace"),
        ("WAYBILL_RETRY_MAX_ATTEMPTS", "2"),
        ("WAYBILL_RETRY_FIRST_DELAY", "50ms"),
        ("OTEL_EXPORTER_OTLP_HEADERS", secret.as_str()),
    ];
    Platform::on(stack, &settings).await
}

fn registration(email: &str) -> RegisterUserRequest {
    RegisterUserRequest {
        request_id: new_id(),
        email: email.to_owned(),
        display_name: format!("Ada {MARK}"),
    }
}

/// Registers, fails to register, changes: what a user service hears.
async fn users(platform: &Platform) -> [String; 3] {
    let mut users = UserServiceClient::new(platform.user.channel());
    let mut ids = Vec::new();
    // The mail server refuses the last two, and quotes them when it does.
    for local_part in [MARK, "reject", "tempfail"] {
        let email = format!("{local_part}@{MARK}.example");
        let answer = users.register_user(registration(&email)).await;
        let user = answer.expect("it is registered").into_inner().user;
        ids.push(user.expect("it is answered").user_id);
        let taken = users.register_user(registration(&email)).await;
        assert_eq!(
            taken.expect_err("the address is taken").code(),
            Code::AlreadyExists
        );
    }
    let wrong = users.register_user(registration(&format!("{MARK}@"))).await;
    assert_eq!(wrong.expect_err("it is no address").code(), Code::InvalidArgument);
    let change = UpdateUserRequest {
        request_id: new_id(),
        user_id: ids[0].clone(),
        email: format!("{MARK}-new@example.com"),
        display_name: String::new(),
    };
    users.update_user(change).await.expect("it is changed");
    ids.try_into().expect("there are three")
}

async fn cancel(platform: &Platform, order_id: &str) {
    let mut request = Request::new(CancelOrderRequest {
        request_id: new_id(),
        order_id: order_id.to_owned(),
        reason: format!("for {MARK}"),
    });
    let baggage = MetadataValue::try_from(format!("user={MARK}")).expect("it is ASCII");
    request.metadata_mut().insert("baggage", baggage);
    let cancelled = OrderServiceClient::new(platform.order.channel())
        .cancel_order(request)
        .await;
    cancelled.expect("it is cancelled");
}

/// An event of a marked user that nobody can read.
async fn poison(platform: &Platform) {
    let mut poison = message(&UserRegistered {
        user_id: new_id(),
        email: format!("{MARK}@example.com"),
        display_name: MARK.to_owned(),
        ..UserRegistered::default()
    });
    poison.body = Bytes::from([poison.body.as_ref(), b"\xff"].concat());
    platform.stack.publish([poison]).await;
    let virtual_host = platform
        .stack
        .virtual_host
        .as_ref()
        .expect("the broker is RabbitMQ");
    virtual_host
        .until_depth("waybill.notification.contacts.dead", 1)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_personal_or_secret_is_told_nowhere() {
    if without_go("what_is_personal_or_secret_is_told_nowhere") {
        return;
    }
    let platform = marked_platform().await;
    let [user, rejected, refused] = users(&platform).await;
    wait_for_contact(&platform, &user).await;
    let order = platform.place(order_for(&user, 1), &Caller::new()).await;
    cancel(&platform, &order.order_id).await;
    platform
        .client
        .notifications_of(Filter::OrderId(order.order_id), 2)
        .await;
    for user in [rejected, refused] {
        let caller = Caller::new();
        platform.place(order_for(&user, 1), &caller).await;
        let dead = "publish waybill.notification.mail.dead";
        platform
            .trace_with(&caller.correlation_id, &[PROCESS_MAIL, dead])
            .await;
    }
    poison(&platform).await;

    // It did go through: it is what the mails are about.
    let mails = platform.smtp.received();
    assert!(
        mails.iter().all(|mail| mail.recipients[0].contains(MARK)) && mails.len() >= 2,
        "{mails:?}"
    );
    for service in SERVICES {
        let url = format!(
            "{}/api/traces?service={service}&limit=1000",
            platform.jaeger.query_url()
        );
        let spans = fetch(url, "application/json").await;
        assert!(spans.contains("operationName"), "{service} has no spans");
        assert_unmarked(&spans, service);
    }
    for process in [&platform.order, &platform.user, &platform.notification] {
        for accepted in ["text/plain", "application/openmetrics-text"] {
            let metrics = fetch(format!("{}/metrics", process.http), accepted).await;
            assert!(metrics.contains("# TYPE"), "{metrics}");
            assert_unmarked(&metrics, "metrics");
        }
    }
    let log = platform.stack.log();
    assert!(
        log.contains("MAIL_REJECTED") && log.contains("INVALID_BODY"),
        "{log}"
    );
    assert_unmarked(&log, "the log");
}

async fn fetch(url: String, accepted: &'static str) -> String {
    let fetch = move || {
        let request = ureq::get(&url).header("accept", accepted);
        request
            .call()?
            .body_mut()
            .with_config()
            .limit(100 << 20)
            .read_to_string()
    };
    let text = tokio::task::spawn_blocking(fetch)
        .await
        .expect("it does not panic");
    text.expect("it is served")
}

fn assert_unmarked(text: &str, what: &str) {
    let lines = text.lines().filter(|line| line.to_lowercase().contains(MARK));
    let lines: Vec<_> = lines.map(around_mark).collect();
    assert!(lines.is_empty(), "{what}: {lines:#?}");
}

/// The part of a line that holds the mark: a document of spans is one line.
fn around_mark(line: &str) -> String {
    let at = line.to_lowercase().find(MARK).unwrap_or_default();
    let from = line.floor_char_boundary(at.saturating_sub(200));
    let to = line.floor_char_boundary((at + 200).min(line.len()));
    line[from..to].to_owned()
}
