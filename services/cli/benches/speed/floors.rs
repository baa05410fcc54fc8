//! What wire and disk allow: the least that any program must do to take orders, store them, publish and
//! consume their events and mail about them, by the drivers alone. Each is measured in a child process.

pub(crate) mod bulk;
mod consume;
pub(crate) mod databases;
pub(crate) mod echo;
mod insert;
mod paced;
mod publish;
mod smtp;
pub(crate) mod versions;

use serde::{Deserialize, Serialize};

use crate::{
    child::{self, Role},
    measure::Watched,
    pace::Times,
    scenarios::Setting,
    stack::Stack,
    statistics::Sample,
};

/// The floors, by name.
pub(crate) const NAMES: [&str; 10] = [
    "echo",
    "insert_one_32",
    "insert_one_256",
    "insert_many",
    "publish_1",
    "publish_32",
    "consume",
    "consume_multiple",
    "smtp",
    "echo_insert_300",
];

/// A floor to measure: everything that the child has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Floor {
    pub(crate) name: String,
    /// Servers.
    pub(crate) echo: String,
    pub(crate) database: String,
    pub(crate) broker: String,
    pub(crate) smtp: String,
    /// The processes of the servers.
    pub(crate) watched: Watched,
    pub(crate) times: Times,
    /// Times at a fixed rate, at which few calls are made.
    pub(crate) paced_times: Times,
    /// Messages to consume.
    pub(crate) messages: usize,
}

impl Floor {
    /// Measures it in this process.
    pub(crate) async fn measure(mut self) -> Sample {
        let servers: &[&str] = match self.name.as_str() {
            "echo" => &["echo server"],
            "echo_insert_300" => &["echo server", "database"],
            "smtp" => &["mail server"],
            name if name.starts_with("insert") => &["database"],
            _ => &["broker"],
        };
        self.watched = self.watched.only(servers).and("driver", std::process::id());
        match self.name.as_str() {
            "echo" => echo::measure(&self).await,
            "insert_one_32" => insert::one(&self, 32).await,
            "insert_one_256" => insert::one(&self, 256).await,
            "insert_many" => insert::many(&self).await,
            "publish_1" => publish::measure(&self, 1).await,
            "publish_32" => publish::measure(&self, 32).await,
            "consume" => consume::measure(&self, 1).await,
            "consume_multiple" => consume::measure(&self, 32).await,
            "smtp" => smtp::measure(&self).await,
            "echo_insert_300" => paced::measure(&self).await,
            other => panic!("{other} is no floor"),
        }
    }
}

/// Measures one in a child, on a virtual host and a database of its own.
pub(crate) async fn run(name: &str, setting: Setting<'_>) -> Sample {
    let Setting { servers, sizes, .. } = setting;
    let stack = Stack::real().await;
    let host = stack.virtual_host.as_ref().expect("it is RabbitMQ");
    let floor = Floor {
        name: name.to_owned(),
        echo: servers.echo.url.clone(),
        database: stack.database().to_owned(),
        broker: host.url().to_owned(),
        smtp: servers.mail.url.clone(),
        watched: servers.watched(&stack),
        times: sizes.times,
        paced_times: sizes.paced_times,
        messages: sizes.messages,
    };
    let sample = child::result(&Role::Floor(floor)).await;
    databases::forget(stack.database()).await;
    sample
}
