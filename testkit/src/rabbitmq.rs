//! A private RabbitMQ node, with a virtual host a test.
//!
//! [`VirtualHost::fresh`] is what most tests want: a virtual host on a node that the tests of one
//! binary share, or on the server that `WAYBILL_TEST_AMQP_URL` names (its management API is at
//! `WAYBILL_TEST_AMQP_MANAGEMENT_URL`, or at port 15672 of the same host). A test that ends its node or
//! reaches into it takes a [`Node`] of its own.

mod management;
mod node;

use std::fmt;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;
use waybill::clock::{IdGenerator, UuidV7Generator};

pub use self::{management::Management, node::Node};
use crate::wait;

/// A virtual host that only one test uses. It is deleted in the end.
pub struct VirtualHost {
    name: String,
    url: String,
    management: Management,
}

impl VirtualHost {
    /// A new one on the node that is shared.
    pub async fn fresh() -> Self {
        static SHARED: OnceCell<Node> = OnceCell::const_new();
        if let Some(url) = given_url() {
            return Self::on(&url, Management::of(&url)).await;
        }
        Self::fresh_on(SHARED.get_or_init(Node::start).await).await
    }

    /// A new one on a node of one's own.
    pub async fn fresh_on(node: &Node) -> Self {
        Self::on(&node.url(), node.management()).await
    }

    async fn on(server: &Url, management: Management) -> Self {
        let name = format!("t{}", UuidV7Generator::default().next_id().simple());
        let mut url = server.clone();
        url.set_path(&name);
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let user = management.user().to_owned();
        management.put(&format!("vhosts/{name}"), json!({})).await;
        management.put(&format!("permissions/{name}/{user}"), all).await;
        Self {
            name,
            url: url.into(),
            management,
        }
    }

    /// URL to connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// URL to connect to as a user of its own, with this password.
    pub async fn url_with_password(&self, password: &str) -> String {
        let user = &self.name;
        let (account, all) = (
            json!({"password": password, "tags": ""}),
            json!({"configure": ".*", "write": ".*", "read": ".*"}),
        );
        self.management.put(&format!("users/{user}"), account).await;
        self.management
            .put(&format!("permissions/{}/{user}", self.name), all)
            .await;
        let mut url = Url::parse(&self.url).expect("it is a URL");
        let named = url
            .set_username(user)
            .and_then(|()| url.set_password(Some(password)));
        named.expect("an AMQP URL takes a user");
        url.into()
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Queues by name, each with its `arguments`.
    pub async fn queues(&self) -> Vec<Value> {
        let path = format!("queues/{}?columns=name,type,arguments", self.name);
        let Value::Array(queues) = self.management.get(&path).await else {
            panic!("queues are a list")
        };
        queues
    }

    /// Messages that are ready in a queue now.
    pub async fn depth(&self, queue: &str) -> u32 {
        self.channel()
            .await
            .queue_declare(queue.into(), passive(), lapin::types::FieldTable::default())
            .await
            .unwrap_or_else(|error| panic!("queue {queue}: {error}"))
            .message_count()
    }

    /// Waits until that many messages are ready in a queue.
    pub async fn until_depth(&self, queue: &str, depth: u32) {
        let what = format!("{depth} messages in {queue}");
        wait::until(&what, || async {
            (self.depth(queue).await == depth).then_some(())
        })
        .await;
    }

    /// A channel of the test's own, for what no adapter does. Dropping it closes its connection.
    pub async fn channel(&self) -> lapin::Channel {
        lapin::Connection::connect(&self.url, lapin::ConnectionProperties::default())
            .await
            .expect("the server takes connections")
            .create_channel()
            .await
            .expect("a connection has channels")
    }

    /// Sets limits by policy on every queue of that name, as an operator would.
    pub async fn limit(&self, queue: &str, definition: Value) {
        let policy = json!({"pattern": format!("^{queue}$"), "definition": definition, "apply-to": "queues"});
        self.management
            .put(&format!("policies/{}/limit", self.name), policy)
            .await;
    }

    /// Deletes a queue or exchange (`kind` is `queues` or `exchanges`), as an operator might.
    pub async fn delete(&self, kind: &str, name: &str) {
        self.management
            .delete(&format!("{kind}/{}/{name}", self.name))
            .await;
    }

    /// Waits until connections with these names are there, and closes them on the server's side.
    pub async fn close_connections(&self, named: &str) {
        let path = format!("vhosts/{}/connections", self.name);
        let found = wait::until(named, || async {
            let Value::Array(all) = self.management.get(&path).await else {
                return None;
            };
            let ours = |c: &Value| c["client_properties"]["connection_name"].as_str() == Some(named);
            let found: Vec<_> = all
                .iter()
                .filter(|c| ours(c))
                .filter_map(|c| c["name"].as_str().map(str::to_owned))
                .collect();
            (!found.is_empty()).then_some(found)
        })
        .await;
        for name in found {
            let name = name.replace(' ', "%20").replace('>', "%3E");
            self.management.delete(&format!("connections/{name}")).await;
        }
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        // The node may be gone already, and with it the virtual host; most have no user of their own.
        for what in ["vhosts", "users"] {
            let path = format!("{what}/{}", self.name);
            let _ = self.management.call("DELETE", &path, None);
        }
    }
}

impl fmt::Debug for VirtualHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn passive() -> lapin::options::QueueDeclareOptions {
    lapin::options::QueueDeclareOptions {
        passive: true,
        ..lapin::options::QueueDeclareOptions::default()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests are told of a server by variables"
)]
fn variable(name: &str) -> Option<Url> {
    let text = std::env::var(name).ok()?;
    Some(Url::parse(&text).with_context(|| name.to_owned()).expect("a URL"))
}

fn given_url() -> Option<Url> {
    variable("WAYBILL_TEST_AMQP_URL")
}
