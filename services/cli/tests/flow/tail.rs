//! `waybill events tail` beside a running platform: what it shows, and how it ends.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::{Value, json};
use waybill::{contract::user::v1::UserRegistered, tap::MAX_HELD};
use waybill_testkit::wait::{self, PATIENCE};

use crate::support::{
    client::{Client, new_id, order_for},
    events::{created_and_cancelled, message},
    process::Process,
    stack::Stack,
};

/// A process of `waybill events tail` that is watching. Dropping it kills it.
struct Tail {
    child: Child,
    stdout: Option<ChildStdout>,
    complaints: Receiver<String>,
}

impl Tail {
    fn start(stack: &Stack, up: &Process, arguments: &[&str]) -> Self {
        let mut child = stack
            .command(&["events", "tail", "--server", &up.grpc])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (lines, complaints) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let stdout = child.stdout.take();
        let tail = Self {
            child,
            stdout,
            complaints,
        };
        assert_eq!(tail.complaint(), "waybill: watching events");
        tail
    }

    fn complaint(&self) -> String {
        self.complaints.recv_timeout(PATIENCE).expect("it says something")
    }

    /// Starts to read what it prints, on a thread of its own.
    fn lines(&mut self) -> Lines {
        let stdout = self.stdout.take().expect("nobody reads it yet");
        let (lines, printed) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Lines(printed)
    }

    /// Waits for its end, which must be a quiet one.
    async fn ends_quietly(mut self) {
        let status = wait::until("the tail ends", async || {
            self.child.try_wait().expect("it is our child")
        });
        assert!(status.await.success());
        let said: Vec<_> = self.complaints.iter().collect();
        assert_eq!(said, Vec::<String>::new());
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that a process prints.
struct Lines(Receiver<String>);

impl Lines {
    fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("a line comes")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.next()).expect("a line is JSON")
    }
}

async fn an_order_is_watched(stack: Stack) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let mut everything = Tail::start(&stack, &up, &["--json"]);
    let everything = everything.lines();
    let user = client.register().await;
    let order = client.place(order_for(&user.user_id, 7)).await;
    let mut about_order = Tail::start(&stack, &up, &["--order", &order.order_id]);
    let mut cancellations = Tail::start(&stack, &up, &["--json", "--type", "OrderCancelled"]);
    client.place(order_for(&user.user_id, 8)).await;
    client.cancel(&order.order_id).await;

    let seen: Vec<Value> = (0..4).map(|_| everything.json()["event"].clone()).collect();
    let types: Vec<_> = seen.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let (created, cancelled) = ("waybill.order.v1.OrderCreated", "waybill.order.v1.OrderCancelled");
    assert_eq!(
        types,
        ["waybill.user.v1.UserRegistered", created, created, cancelled]
    );
    let first = &seen[1];
    assert_eq!(first["routingKey"], "order.created.v1");
    assert_eq!(first["source"], "waybill.order");
    assert_eq!(first["subject"], json!(order.order_id));
    assert_eq!(first["event"]["orderId"], json!(order.order_id));
    assert_eq!(first["event"]["totalAmount"]["currencyCode"], "EUR");
    assert!(first["correlationId"].is_string(), "{first}");

    // One order's line, though another was placed before; one type's, though others passed.
    let line = about_order.lines().next();
    let words: Vec<_> = line.splitn(4, ' ').collect();
    assert_eq!(words[1..3], ["order.cancelled.v1", order.order_id.as_str()]);
    let body: Value = serde_json::from_str(words[3]).expect("the event is JSON");
    assert_eq!(body["reason"], "changed my mind");
    assert_eq!(cancellations.lines().json()["event"]["type"], cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_watched_embedded() {
    an_order_is_watched(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_watched_on_rabbitmq_and_mongodb() {
    an_order_is_watched(Stack::real().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_shows_what_another_publishes() {
    let stack = Stack::embedded();
    let order = Process::start(&stack, &["serve", "order"]).ready().await;
    let notification = Process::start(&stack, &["serve", "notification"]).ready().await;
    let mut tail = Tail::start(&stack, &notification, &["--json"]);
    let client = Client::of(order.channel());
    let placed = client.place(order_for(&new_id(), 1)).await;
    assert_eq!(tail.lines().json()["event"]["subject"], json!(placed.order_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_quietly_when_interrupted_and_when_nobody_reads() {
    let stack = Stack::embedded();
    let up = Process::start(&stack, &["up"]).ready().await;
    let interrupted = Tail::start(&stack, &up, &[]);
    let told = Command::new("kill")
        .args(["-INT", &interrupted.child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(told.success());
    interrupted.ends_quietly().await;

    let mut unread = Tail::start(&stack, &up, &[]);
    drop(unread.stdout.take());
    Client::of(up.channel()).register().await;
    unread.ends_quietly().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_type_is_refused_with_those_there_are() {
    let stack = Stack::embedded();
    let up = Process::start(&stack, &["up"]).ready().await;
    let output = stack
        .command(&["events", "tail", "--type", "OrderCreatd", "--server", &up.grpc])
        .output()
        .expect("the binary under test starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("types[0] must be one of waybill.order.v1.OrderCancelled, "),
        "{said}"
    );
}

/// What is neither protobuf nor an event stands there all the same, with what is wrong with it.
async fn what_cannot_be_read_is_shown_as_such(stack: Stack) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let mut tail = Tail::start(&stack, &up, &["--json"]);
    let lines = tail.lines();
    let (created, _) = created_and_cancelled(&new_id());
    let mut no_protobuf = message(&created);
    no_protobuf.body = "\u{7f}".into();
    let mut no_event = message(&created);
    no_event.headers.clear();
    stack.publish([no_protobuf, no_event, message(&created)]).await;
    let problem = |event: &Value| event["event"]["problem"].as_str().unwrap_or_default().to_owned();
    let problems = [lines.json(), lines.json(), lines.json()].map(|event| problem(&event));
    assert!(
        problems[0].starts_with("body is no waybill.order.v1.OrderCreated: "),
        "{problems:?}"
    );
    assert_eq!(problems[1..], ["cloudEvents_specversion is missing", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_shown_as_such_embedded() {
    what_cannot_be_read_is_shown_as_such(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_shown_as_such_on_rabbitmq_and_mongodb() {
    what_cannot_be_read_is_shown_as_such(Stack::real().await).await;
}

/// Nobody reads what the tail prints, until far more has passed than is held on the way. The platform
/// works meanwhile; then every event is accounted for.
async fn a_tail_that_nobody_reads(stack: Stack) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let mut tail = Tail::start(&stack, &up, &["--json"]);
    // What pipes and windows hold is some megabytes: a display name makes an event large.
    let count = 3 * MAX_HELD;
    for _ in 0..count / 100 {
        let registered = (0..100).map(|_| {
            message(&UserRegistered {
                user_id: new_id(),
                email: format!("{}@example.com", new_id()),
                display_name: "x".repeat(8 * 1024),
                version: 1,
                create_time: None,
            })
        });
        stack.publish(registered).await;
    }
    // The contacts' consumer has kept pace with what the tail did not read.
    let user = client.register().await;
    let order = client.place(order_for(&user.user_id, 7)).await;
    let about = waybill::contract::notification::v1::list_notifications_request::Filter::OrderId;
    client.notifications_of(about(order.order_id.clone()), 1).await;

    let lines = tail.lines();
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < count + 2 {
        match lines.json()["missed"].as_str() {
            Some(dropped) => missed += dropped.parse::<usize>().expect("a count"),
            None => seen += 1,
        }
    }
    assert!(missed > 0, "{seen} events were seen and none was dropped");
    assert_eq!(seen + missed, count + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_nobody_reads_holds_nobody_up_and_tells_what_it_dropped_embedded() {
    a_tail_that_nobody_reads(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_nobody_reads_holds_nobody_up_and_tells_what_it_dropped_on_rabbitmq() {
    a_tail_that_nobody_reads(Stack::real().await).await;
}
