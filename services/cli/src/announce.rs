//! What a process says when it has started: where everything is, and one call to try.

use std::{fmt, net::SocketAddr};

use waybill::{
    clock::IdGenerator,
    config::{Broker, Database, Mail, Settings},
};

use crate::{mail, serve::Role};

/// Where everything is, as lines of text. Passwords are masked.
pub(crate) struct Announcement<'a> {
    pub(crate) roles: &'a [Role],
    pub(crate) settings: &'a Settings,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) ids: &'a dyn IdGenerator,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.roles.iter().map(|role| role.name()).collect();
        let settings = self.settings;
        let folder = settings.data_dir.display();
        writeln!(f, "waybill {}: {}", env!("CARGO_PKG_VERSION"), names.join(", "))?;
        writeln!(f, "  grpc      {}", self.grpc)?;
        writeln!(
            f,
            "  http      http://{} (/healthz, /readyz, /metrics)",
            self.http
        )?;
        writeln!(f, "  data      {folder}")?;
        match &settings.broker {
            Broker::Embedded => writeln!(f, "  broker    embedded"),
            Broker::Amqp(url) => writeln!(f, "  broker    {url}"),
        }?;
        match &settings.database {
            Database::Sqlite => writeln!(f, "  database  sqlite"),
            Database::Mongo(url) => writeln!(f, "  database  {url}"),
        }?;
        match &settings.mail {
            Mail::Files => writeln!(f, "  mail      {folder}/{}", mail::FOLDER),
            Mail::Smtp(url) => writeln!(f, "  mail      {url}"),
        }?;
        let (body, method) = self.call();
        writeln!(f, "try:")?;
        write!(f, "  grpcurl -plaintext -d '{body}' {} {method}", self.grpc)
    }
}

impl Announcement<'_> {
    /// A call that succeeds, however often it is made.
    fn call(&self) -> (String, &'static str) {
        let id = self.ids.next_id();
        if self.roles.contains(&Role::User) {
            let body = format!(
                r#"{{"request_id": "{id}", "email": "ada+{:08x}@example.com", "display_name": "Ada"}}"#,
                id.as_u128() & 0xffff_ffff
            );
            return (body, "waybill.user.v1.UserService/RegisterUser");
        }
        if self.roles == [Role::Operations] {
            let method = "waybill.operations.v1.DeadLetterService/SummarizeDeadLetters";
            return ("{}".to_owned(), method);
        }
        let body = format!(r#"{{"user_id": "{id}"}}"#);
        if self.roles.contains(&Role::Order) {
            (body, "waybill.order.v1.OrderService/ListOrders")
        } else {
            (
                body,
                "waybill.notification.v1.NotificationService/ListNotifications",
            )
        }
    }
}
