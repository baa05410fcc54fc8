//! The rpcs, through the generated client.

use std::sync::Arc;

use tokio::net::TcpListener;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;
use uuid::Uuid;
use waybill::{
    clock::from_unix_millis,
    contract::notification::v1::{
        GetNotificationRequest, ListNotificationsRequest, ListNotificationsResponse, NotificationState,
        NotificationType, list_notifications_request::Filter,
        notification_service_client::NotificationServiceClient,
        notification_service_server::NotificationServiceServer,
    },
    grpc::reason,
};
use waybill_notification::{
    adapters::grpc::NotificationApi,
    domain::notification::{Kind, Notification, State},
    ports::notifications::Notifications,
};

use crate::support::{
    events::{EVENT_TIME_MS, id},
    memory::MemoryNotifications,
};

type Client = NotificationServiceClient<Channel>;

/// A server of `notifications`, and a client of it.
async fn serve(notifications: Arc<MemoryNotifications>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let api = NotificationServiceServer::new(NotificationApi::new(notifications));
    let server = tonic::transport::Server::builder()
        .add_service(api)
        .serve_with_incoming(incoming);
    tokio::spawn(server);
    Client::connect(url).await.unwrap()
}

fn notification(user_id: Uuid, n: i64) -> Notification {
    Notification {
        id: id(),
        kind: Kind::Confirmation,
        state: State::Sent,
        user_id,
        order_id: id(),
        subject: format!("number {n}"),
        message_id: format!("<{n}@shop.example>"),
        create_time: from_unix_millis(EVENT_TIME_MS + n),
    }
}

fn request(filter: Option<Filter>, page_size: i32, page_token: &str) -> ListNotificationsRequest {
    ListNotificationsRequest {
        filter,
        page_size,
        page_token: page_token.to_owned(),
    }
}

async fn list(
    client: &mut Client,
    filter: Option<Filter>,
    page_size: i32,
    page_token: &str,
) -> Result<ListNotificationsResponse, Status> {
    let response = client
        .list_notifications(request(filter, page_size, page_token))
        .await?;
    Ok(response.into_inner())
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn one_notification_is_shown_whole_or_not_found() {
    let notifications = Arc::new(MemoryNotifications::default());
    let recorded = notification(id(), 5);
    notifications
        .record(std::slice::from_ref(&recorded))
        .await
        .unwrap();
    let mut client = serve(notifications).await;
    let mut get = async |text: String| {
        let request = GetNotificationRequest {
            notification_id: text,
        };
        let response = client.get_notification(request).await?;
        Ok::<_, Status>(response.into_inner().notification.unwrap())
    };

    let shown = get(recorded.id.to_string()).await.unwrap();
    assert_eq!(shown.r#type(), NotificationType::OrderConfirmation);
    assert_eq!(shown.state(), NotificationState::Sent);
    assert_eq!(shown.notification_id, recorded.id.to_string());
    assert_eq!(shown.user_id, recorded.user_id.to_string());
    assert_eq!(shown.order_id, recorded.order_id.to_string());
    assert_eq!(
        (shown.subject.as_str(), shown.message_id.as_str()),
        ("number 5", "<5@shop.example>")
    );
    let create_time = shown.create_time.unwrap();
    assert_eq!(
        (create_time.seconds, create_time.nanos),
        (1_700_000_000, 5_000_000)
    );

    let missing = get(id().to_string()).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(reason(&missing), reason::NOTIFICATION_NOT_FOUND);
    let malformed = get("x".into()).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert_eq!(malformed.message(), "notification_id must be a UUID");
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_tokens_belong_to_their_filter() {
    let notifications = Arc::new(MemoryNotifications::default());
    let user = id();
    let recorded: Vec<_> = (0..3).map(|n| notification(user, n)).collect();
    notifications.record(&recorded).await.unwrap();
    notifications.record(&[notification(id(), 9)]).await.unwrap();
    let mut client = serve(notifications).await;
    let of_user = Some(Filter::UserId(user.to_string()));

    let first = list(&mut client, of_user.clone(), 2, "").await.unwrap();
    let second = list(&mut client, of_user.clone(), 2, &first.next_page_token)
        .await
        .unwrap();
    assert_eq!(second.next_page_token, "");
    let subjects: Vec<_> = first
        .notifications
        .iter()
        .chain(&second.notifications)
        .map(|n| n.subject.as_str())
        .collect();
    assert_eq!(subjects, ["number 2", "number 1", "number 0"]);

    let of_order = Some(Filter::OrderId(recorded[0].order_id.to_string()));
    let about = list(&mut client, of_order.clone(), 0, "").await.unwrap();
    assert_eq!(about.notifications.len(), 1);
    // The same id as another kind of filter is another query, too.
    for other in [of_order, Some(Filter::OrderId(user.to_string()))] {
        let status = list(&mut client, other, 2, &first.next_page_token)
            .await
            .unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, reason::INVALID_PAGE_TOKEN)
        );
    }
}

#[tokio::test]
async fn a_filter_is_required_and_must_be_a_uuid() {
    let mut client = serve(Arc::default()).await;
    for (filter, message) in [
        (None, "user_id or order_id must be set"),
        (Some(Filter::UserId("x".into())), "user_id must be a UUID"),
        (Some(Filter::OrderId(String::new())), "order_id must be a UUID"),
    ] {
        let status = list(&mut client, filter, 0, "").await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, message)
        );
        assert_eq!(reason(&status), reason::INVALID_FIELD);
    }
    let of_user = Some(Filter::UserId(id().to_string()));
    let status = list(&mut client, of_user, -1, "").await.unwrap_err();
    assert_eq!(status.message(), "page_size must not be negative");
}
