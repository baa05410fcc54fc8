//! The README's example and settings are those that there are, and the example does what it says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
};

use waybill::{
    broker::Broker,
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    config::KEYS,
    context::Context,
    contract::order::v1::OrderCreated,
    embedded::{EmbeddedBroker, rusqlite::Connection},
    envelope::Envelope,
    message::Message,
    publisher::{Destination, Publication},
    topology::Subscription,
};
use waybill_testkit::wait;

/// Longest that an example may be which a reader is to take in at once.
const MAX_LINES: usize = 60;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let example = fs::read_to_string(repository().join("examples/loyalty.rs")).expect("the example is there");
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README is there");
    assert!(
        readme.contains(&format!("```rust\n{example}```")),
        "the README shows something else"
    );
    assert!(example.lines().count() <= MAX_LINES);
}

#[test]
fn the_readme_lists_every_setting() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README is there");
    for key in KEYS {
        let row = format!(
            "| `{}` | `{}` | {} | {} |",
            key.name, key.default, key.takes, key.meaning
        );
        assert!(readme.contains(&row), "the README has no line\n{row}");
    }
}

/// The example as a process of its own, beside whoever publishes.
struct Example(Child);

impl Example {
    fn start(folder: &Path) -> Self {
        let child = Command::new(binary())
            .current_dir(folder)
            .env("WAYBILL_DATA_DIR", folder)
            .spawn()
            .expect("the example starts");
        Self(child)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo builds examples beside the tests, two folders up from where it puts those.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let binary = folder.join("examples/loyalty");
    assert!(
        binary.exists(),
        "run `cargo test -p waybill`, which builds examples too"
    );
    binary
}

fn created(user_id: &str) -> Message {
    let event = OrderCreated {
        order_id: UuidV7Generator::default().next_id().to_string(),
        user_id: user_id.to_owned(),
        ..OrderCreated::default()
    };
    let id = UuidV7Generator::default().next_id();
    Envelope::new(
        id,
        SystemClock.now(),
        "waybill.test",
        &Context::new("c-1"),
        &event,
    )
    .into_message()
}

fn points(folder: &Path, user_id: &str) -> Option<i64> {
    let connection = Connection::open(folder.join("loyalty.db")).ok()?;
    let sql = "SELECT points FROM points WHERE user_id = ?1";
    connection.query_row(sql, [user_id], |row| row.get(0)).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_gives_one_point_also_when_it_is_told_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let broker = EmbeddedBroker::open(&folder.path().join("broker.db"), Arc::new(SystemClock)).await;
    let broker = broker.expect("the file can be opened");
    // Before the example has run for the first time there is no queue for what is published.
    let queue = Subscription::new("waybill.loyalty.points").to::<OrderCreated>();
    broker.declare(&queue).await.expect("the broker is there");

    let once = created("ada");
    let messages = [created("ada"), once.clone(), once, created("bob")];
    let publications = messages.map(|message| Publication {
        destination: Destination::Events,
        message,
    });
    for result in broker.publisher().publish(publications.into()).await {
        result.expect("the broker confirms");
    }

    let _example = Example::start(folder.path());
    let bob = async || points(folder.path(), "bob").filter(|points| *points > 0);
    assert_eq!(wait::until("the last order is counted", bob).await, 1);
    assert_eq!(points(folder.path(), "ada"), Some(2));
}
