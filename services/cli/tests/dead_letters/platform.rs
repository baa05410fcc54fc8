//! A platform, and an operator at it.

use serde_json::Value;
use waybill::{
    contract::{order::v1::OrderCreated, user::v1::UserRegistered},
    dead_letter::{FailedBy, record_failure},
    failure::Failure,
    message::Message,
    publisher::{Destination, Publication},
};
use waybill_testkit::wait;

use crate::support::{
    client::{Client, new_id},
    events::{created_and_cancelled, message},
    process::Process,
    stack::Stack,
};

pub(crate) const STATS: &str = "waybill.user.order-stats";
pub(crate) const MAIL: &str = "waybill.notification.mail";

/// A process of everything, in which a message is given up when it has failed twice.
pub(crate) struct Platform {
    pub(crate) stack: Stack,
    pub(crate) up: Process,
    pub(crate) client: Client,
}

impl Platform {
    pub(crate) async fn start(stack: Stack) -> Self {
        let stack = stack
            .with("WAYBILL_RETRY_MAX_ATTEMPTS", "2")
            .with("WAYBILL_RETRY_FIRST_DELAY", "20ms");
        let up = Process::start(&stack, &["up"]).ready().await;
        let client = Client::of(up.channel());
        Self { stack, up, client }
    }

    /// What `waybill dlq …` prints as JSON, a value a line.
    pub(crate) async fn dlq(&self, arguments: &[&str]) -> Vec<Value> {
        self.try_dlq(arguments).await.expect("the command succeeds")
    }

    /// The same, or what it complains of.
    pub(crate) async fn try_dlq(&self, arguments: &[&str]) -> Result<Vec<Value>, String> {
        dlq_at(&self.stack, &self.up.grpc, arguments).await
    }

    /// Waits until there are this many letters that are open.
    pub(crate) async fn letters(&self, count: usize) -> Vec<Value> {
        self.until_listed(&["list", "--limit", "1000"], count).await
    }

    /// Waits until a list has this many lines.
    pub(crate) async fn until_listed(&self, list: &[&str], count: usize) -> Vec<Value> {
        wait::until("as many letters are listed", async || {
            let listed = self.dlq(list).await;
            (listed.len() == count).then_some(listed)
        })
        .await
    }

    /// An order of somebody whom nobody knows; its mail becomes a dead letter.
    pub(crate) async fn order_of_a_stranger(&self) -> (OrderCreated, Value) {
        let (created, _) = created_and_cancelled(&new_id());
        self.stack.publish([message(&created)]).await;
        let of_order = ["list", "--order", &created.order_id];
        let letter = self.until_listed(&of_order, 1).await.remove(0);
        (created, letter)
    }

    /// Mends what was missing: the stranger is known from now on.
    pub(crate) async fn introduce(&self, user_id: &str) {
        let registered = UserRegistered {
            user_id: user_id.to_owned(),
            email: format!("{user_id}@example.com"),
            display_name: "Stranger".into(),
            version: 1,
            ..UserRegistered::default()
        };
        self.stack.publish([message(&registered)]).await;
    }

    /// Puts a message into the dead-letter queue of `consumer`, as that does.
    pub(crate) async fn give_up(&self, consumer: &str, mut message: Message) {
        let by = FailedBy {
            consumer,
            instance: "gone",
        };
        let now = waybill::clock::Clock::now(&waybill::clock::SystemClock);
        record_failure(&mut message, &Failure::permanent("TEST", "given up"), &by, now);
        let publication = Publication {
            destination: Destination::Queue(format!("{consumer}.dead")),
            message,
        };
        let publisher = self.stack.broker().await.publisher();
        for result in publisher.publish(vec![publication]).await {
            result.expect("the broker confirms");
        }
    }
}

/// What `waybill dlq …` prints as JSON when it asks the process at `url`, or what it complains of.
pub(crate) async fn dlq_at(stack: &Stack, url: &str, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let mut command = stack.command(&["dlq"]);
    command
        .args(arguments)
        .args(["--json", "--server", url])
        .env("USER", "ada");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("running a command does not panic")
        .expect("the binary under test starts");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let read = |line| serde_json::from_str(line).expect("a line is a value");
    Ok(lines.lines().map(read).collect())
}

/// The text of a field.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    let found = value.pointer(field).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {field} in {value:#}"))
}

/// The number of a field, which JSON has as text, and 0 as nothing.
pub(crate) fn number(value: &Value, field: &str) -> i64 {
    match value.pointer(field) {
        None => 0,
        Some(number) => number
            .as_str()
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no number {field} in {value:#}")),
    }
}
