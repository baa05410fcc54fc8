//! The service's rpcs.

use std::sync::Arc;

use prost_types::Timestamp;
use tonic::{Code, Request, Response, Status};
use waybill::{
    clock::unix_millis,
    contract::notification::v1::{
        GetNotificationRequest, GetNotificationResponse, ListNotificationsRequest, ListNotificationsResponse,
        Notification as WireNotification, NotificationState, NotificationType,
        list_notifications_request::Filter as WireFilter, notification_service_server::NotificationService,
    },
    grpc::{
        page::{Cursor, Page},
        reason, request,
        status::{self, Violations},
    },
};

use crate::{
    domain::notification::{Kind, Notification, State},
    ports::notifications::{Filter, Notifications},
};

/// `waybill.notification.v1.NotificationService`.
pub struct NotificationApi {
    notifications: Arc<dyn Notifications>,
}

impl NotificationApi {
    /// Shows what `notifications` holds.
    pub fn new(notifications: Arc<dyn Notifications>) -> Self {
        Self { notifications }
    }
}

#[tonic::async_trait]
impl NotificationService for NotificationApi {
    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let request = request.into_inner();
        let filter = filter(request.filter)?;
        let query = format!("ListNotifications {filter:?}");
        let page = Page::from_request(request.page_size, &request.page_token, &query)?;
        let found = self.notifications.list(filter, page).await;
        let mut found = found.map_err(|e| status::store_error(&e))?;
        let next_page_token = page.cut(&mut found, &query, cursor);
        Ok(Response::new(ListNotificationsResponse {
            notifications: found.into_iter().map(wire).collect(),
            next_page_token,
        }))
    }

    async fn get_notification(
        &self,
        request: Request<GetNotificationRequest>,
    ) -> Result<Response<GetNotificationResponse>, Status> {
        let mut violations = Violations::default();
        let text = request.into_inner().notification_id;
        let id = request::uuid("notification_id", &text, &mut violations);
        violations.into_result()?;
        let found = self.notifications.get(id).await;
        let found = found.map_err(|e| status::store_error(&e))?.ok_or_else(|| {
            status::error_with(
                Code::NotFound,
                reason::NOTIFICATION_NOT_FOUND,
                format!("there is no notification {id}"),
                [("notification_id".to_owned(), id.to_string())],
            )
        })?;
        Ok(Response::new(GetNotificationResponse {
            notification: Some(wire(found)),
        }))
    }
}

fn filter(filter: Option<WireFilter>) -> Result<Filter, Status> {
    let mut violations = Violations::default();
    let filter = match filter {
        Some(WireFilter::UserId(text)) => Filter::User(request::uuid("user_id", &text, &mut violations)),
        Some(WireFilter::OrderId(text)) => Filter::Order(request::uuid("order_id", &text, &mut violations)),
        None => {
            violations.add("user_id or order_id", "must be set");
            Filter::User(uuid::Uuid::nil())
        }
    };
    violations.into_result().map(|()| filter)
}

fn cursor(notification: &Notification) -> Cursor {
    Cursor {
        time_ms: unix_millis(notification.create_time),
        id: notification.id,
    }
}

fn wire(notification: Notification) -> WireNotification {
    let kind = match notification.kind {
        Kind::Confirmation => NotificationType::OrderConfirmation,
        Kind::Cancellation => NotificationType::OrderCancellation,
    };
    let state = match notification.state {
        State::Sent => NotificationState::Sent,
        State::Superseded => NotificationState::Superseded,
    };
    WireNotification {
        notification_id: notification.id.to_string(),
        r#type: kind.into(),
        state: state.into(),
        user_id: notification.user_id.to_string(),
        order_id: notification.order_id.to_string(),
        subject: notification.subject,
        message_id: notification.message_id,
        create_time: Some(Timestamp::from(notification.create_time)),
    }
}
