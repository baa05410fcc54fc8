//! `waybill notification …`

use anyhow::Result;
use clap::Subcommand;
use waybill::contract::notification::v1::{
    ListNotificationsRequest, Notification, NotificationState, NotificationType,
    list_notifications_request::Filter, notification_service_client::NotificationServiceClient,
};

use super::{
    connection::{Connection, call},
    output::{Output, time},
};

/// What to do with notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the notifications of a user or of an order, newest first.
    List {
        /// UUID of a user.
        #[arg(
            long = "user",
            value_name = "USER_ID",
            conflicts_with = "order_id",
            required_unless_present = "order_id"
        )]
        user_id: Option<String>,
        /// UUID of an order.
        #[arg(long = "order", value_name = "ORDER_ID")]
        order_id: Option<String>,
        /// Notifications to show.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
}

/// Runs the command.
pub(crate) async fn run(command: Command, connection: &Connection, output: &Output) -> Result<()> {
    let mut client = NotificationServiceClient::new(connection.channel());
    let Command::List {
        user_id,
        order_id,
        limit,
    } = command;
    let body = ListNotificationsRequest {
        filter: user_id.map(Filter::UserId).or(order_id.map(Filter::OrderId)),
        page_size: limit,
        page_token: String::new(),
    };
    let answer = call(body, async |request| client.list_notifications(request).await).await?;
    answer
        .notifications
        .iter()
        .try_for_each(|notification| show(output, notification))
}

fn show(output: &Output, notification: &Notification) -> Result<()> {
    let what = match notification.r#type() {
        NotificationType::OrderConfirmation => "confirmation",
        NotificationType::OrderCancellation => "cancellation",
        NotificationType::Unspecified => "unknown",
    };
    let state = match notification.state() {
        NotificationState::Sent => "sent",
        NotificationState::Superseded => "superseded",
        NotificationState::Unspecified => "unknown",
    };
    output.print(notification, |out| {
        writeln!(out, "notification {}", notification.notification_id)?;
        writeln!(out, "  {what}, {state}")?;
        writeln!(out, "  order    {}", notification.order_id)?;
        writeln!(out, "  user     {}", notification.user_id)?;
        writeln!(out, "  subject  {}", notification.subject)?;
        writeln!(out, "  created  {}", time(notification.create_time.as_ref()))
    })
}
