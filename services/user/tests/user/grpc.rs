//! The whole service on SQLite behind its port, through the generated client.

use std::{collections::BTreeMap, sync::Arc};

use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;
use waybill::{
    clock::{SystemClock, UuidV7Generator},
    config::ConsumerTrace,
    contract::{
        google::r#type::Money,
        user::v1::{
            GetOrderStatsRequest, GetUserRequest, ListUsersRequest, ListUsersResponse, RegisterUserRequest,
            UpdateUserRequest, User, user_service_client::UserServiceClient,
        },
    },
    grpc::reason,
    host::Host,
    message::Message,
    platform::{Databases, Platform},
    retry::RetryPolicy,
    topology::DEFAULT_PREFETCH,
};
use waybill_testkit::wait;

use crate::{
    stats::ORDER,
    support::{at, broker::Recorder, id},
};

/// A running service and a client of it.
struct Running {
    client: UserServiceClient<Channel>,
    broker: Recorder,
    stop: CancellationToken,
    host: JoinHandle<()>,
    _folder: TempDir,
}

/// Starts the service on a broker on which `messages` wait.
async fn start(messages: Vec<Message>) -> Running {
    let (folder, broker) = (tempfile::tempdir().unwrap(), Recorder::holding(messages));
    let platform = Platform {
        broker: Arc::new(broker.clone()),
        databases: Databases::Sqlite(folder.path().to_owned()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidV7Generator::default()),
        instance: "test".to_owned(),
        retry: RetryPolicy::default(),
        prefetch: DEFAULT_PREFETCH,
        retention: waybill::retention::Retention::default(),
        consumer_trace: ConsumerTrace::default(),
    };
    let (stop, background) = (CancellationToken::new(), CancellationToken::new());
    let service = waybill_user::service(&platform, &background).await.unwrap();
    let host = Host {
        grpc: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        http: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        subscriptions: waybill_user::subscriptions(),
        background,
        drain_timeout: wait::PATIENCE,
    };
    let url = format!("http://{}", host.grpc.local_addr().unwrap());
    let until = stop.clone();
    let host = tokio::spawn(async move { host.run(&platform, vec![service], &until).await.unwrap() });
    Running {
        client: UserServiceClient::connect(url).await.unwrap(),
        broker,
        stop,
        host,
        _folder: folder,
    }
}

impl Running {
    /// Stops the service, and gives the routing keys of the events that it published, in their order.
    async fn end(self) -> Vec<String> {
        self.stop.cancel();
        self.host.await.unwrap();
        let published = self.broker.published();
        // A slow machine's sweep may have published an event once more.
        let events = published
            .into_iter()
            .map(|m| (m.properties.message_id, m.routing_key));
        events.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    async fn register(&mut self, request: &RegisterUserRequest) -> Result<User, Status> {
        let response = self.client.register_user(request.clone()).await?;
        Ok(response.into_inner().user.unwrap())
    }

    async fn update(&mut self, request: &UpdateUserRequest) -> Result<User, Status> {
        let response = self.client.update_user(request.clone()).await?;
        Ok(response.into_inner().user.unwrap())
    }

    async fn list(&mut self, page_size: i32, page_token: &str) -> Result<ListUsersResponse, Status> {
        let request = ListUsersRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        Ok(self.client.list_users(request).await?.into_inner())
    }
}

fn registration(n: u128, email: &str) -> RegisterUserRequest {
    RegisterUserRequest {
        request_id: id(n).to_string(),
        email: email.to_owned(),
        display_name: "Ann".to_owned(),
    }
}

fn rename(n: u128, user: &User, name: &str) -> UpdateUserRequest {
    UpdateUserRequest {
        request_id: id(n).to_string(),
        user_id: user.user_id.clone(),
        email: String::new(),
        display_name: name.to_owned(),
    }
}

/// Code and reason of an error.
fn why(result: Result<impl std::fmt::Debug, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.reason)
}

/// The fields that an error names.
fn fields(result: Result<impl std::fmt::Debug, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let bad_request = status.get_details_bad_request().unwrap();
    let violations = bad_request.field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn a_bad_request_names_every_bad_field_and_stores_nothing() {
    let mut service = start(Vec::new()).await;
    let bad = RegisterUserRequest {
        request_id: "1".to_owned(),
        email: "a@b.org\r\nBcc: c@d.org".to_owned(),
        display_name: String::new(),
    };
    assert_eq!(
        fields(service.register(&bad).await),
        ["request_id", "email", "display_name"]
    );
    let bad = UpdateUserRequest {
        request_id: "1".to_owned(),
        user_id: "2".to_owned(),
        email: "3".to_owned(),
        display_name: "\n".to_owned(),
    };
    assert_eq!(
        fields(service.update(&bad).await),
        ["request_id", "user_id", "email", "display_name"]
    );
    let bad = GetUserRequest {
        user_id: String::new(),
    };
    assert_eq!(fields(service.client.get_user(bad).await), ["user_id"]);
    let bad = GetOrderStatsRequest {
        user_id: "x".to_owned(),
    };
    assert_eq!(fields(service.client.get_order_stats(bad).await), ["user_id"]);
    assert_eq!(fields(service.list(-1, "").await), ["page_size"]);
    assert_eq!(
        why(service.list(0, "nonsense").await),
        (Code::InvalidArgument, reason::INVALID_PAGE_TOKEN.to_owned())
    );
    assert_eq!(service.list(0, "").await.unwrap(), ListUsersResponse::default());
    assert_eq!(service.end().await, [""; 0]);
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_another_body_is_refused() {
    let mut service = start(Vec::new()).await;
    let ann = registration(1, "Ann@example.com");
    let first = service.register(&ann).await.unwrap();
    assert_eq!((first.email.as_str(), first.version), ("Ann@example.com", 1));
    let renamed = service.update(&rename(2, &first, "Bo")).await.unwrap();
    assert_eq!((renamed.display_name.as_str(), renamed.version), ("Bo", 2));
    assert_eq!(renamed.create_time, first.create_time);

    assert_eq!(service.register(&ann).await.unwrap(), first);
    assert_eq!(service.update(&rename(2, &first, "Bo")).await.unwrap(), renamed);
    let reused = (Code::AlreadyExists, reason::REQUEST_ID_REUSED.to_owned());
    let other = registration(1, "other@example.com");
    assert_eq!(why(service.register(&other).await), reused);
    assert_eq!(why(service.update(&rename(2, &first, "Carl")).await), reused);

    let request = GetUserRequest {
        user_id: first.user_id.clone(),
    };
    let stored = service.client.get_user(request).await.unwrap();
    assert_eq!(stored.into_inner().user, Some(renamed));
    assert_eq!(
        service.end().await,
        ["user.registered.v1", "user.contact_changed.v1"]
    );
}

#[tokio::test]
async fn an_address_is_given_once_and_who_is_not_there_is_not_found() {
    let mut service = start(Vec::new()).await;
    let ann = service
        .register(&registration(1, "ann@example.com"))
        .await
        .unwrap();
    let taken = (Code::AlreadyExists, reason::EMAIL_TAKEN.to_owned());
    let other = registration(2, "ANN@example.com");
    assert_eq!(why(service.register(&other).await), taken);

    // A request without an id is never a repeat.
    let nameless = RegisterUserRequest {
        request_id: String::new(),
        ..registration(3, "bo@example.com")
    };
    service.register(&nameless).await.unwrap();
    assert_eq!(why(service.register(&nameless).await), taken);
    let grab = UpdateUserRequest {
        email: "Bo@example.com".to_owned(),
        ..rename(4, &ann, "")
    };
    assert_eq!(why(service.update(&grab).await), taken);

    let missing = (Code::NotFound, reason::USER_NOT_FOUND.to_owned());
    let nobody = User {
        user_id: id(99).to_string(),
        ..User::default()
    };
    assert_eq!(why(service.update(&rename(5, &nobody, "x")).await), missing);
    let user_id = nobody.user_id;
    let request = GetUserRequest {
        user_id: user_id.clone(),
    };
    assert_eq!(why(service.client.get_user(request).await), missing);
    let request = GetOrderStatsRequest { user_id };
    assert_eq!(why(service.client.get_order_stats(request).await), missing);
    service.end().await;
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let mut service = start(Vec::new()).await;
    let mut registered = Vec::new();
    for n in 1..=5 {
        let request = registration(n, &format!("user{n}@example.com"));
        registered.push(service.register(&request).await.unwrap());
    }
    registered.reverse();
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = service.list(2, &token).await.unwrap();
        assert!(page.users.len() <= 2);
        listed.extend(page.users);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, registered);
    service.end().await;
}

#[tokio::test]
async fn statistics_follow_the_events_of_orders() {
    let events = [
        ORDER.created(1),
        ORDER.created(1),
        ORDER.cancelled(2),
        ORDER.created(3),
    ];
    let mut service = start(events.map(waybill::envelope::Envelope::into_message).into()).await;
    // Nobody of that id is registered; the orders are there all the same.
    let request = GetOrderStatsRequest {
        user_id: id(1).to_string(),
    };
    let client = service.client.clone();
    let stats = wait::until("the events are counted", async || {
        let response = client.clone().get_order_stats(request.clone()).await;
        response.ok()?.into_inner().stats
    });
    let stats = stats.await;
    assert_eq!((stats.orders_placed, stats.orders_cancelled), (2, 1));
    let spent = Money {
        currency_code: "EUR".to_owned(),
        units: 12,
        nanos: 340_000_000,
    };
    assert_eq!(stats.total_spent, [spent]);
    assert_eq!(stats.last_order_time, Some(at(7).into()));

    let ann = service
        .register(&registration(1, "ann@example.com"))
        .await
        .unwrap();
    let request = GetOrderStatsRequest {
        user_id: ann.user_id.clone(),
    };
    let stats = service
        .client
        .get_order_stats(request)
        .await
        .unwrap()
        .into_inner();
    let stats = stats.stats.unwrap();
    assert_eq!((stats.user_id, stats.orders_placed), (ann.user_id, 0));
    assert_eq!((stats.total_spent, stats.last_order_time), (vec![], None));
    service.end().await;
}
