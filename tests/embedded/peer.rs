//! Another process that uses the same broker file: this test binary, started again as a child.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use waybill::{broker::Broker, clock::SystemClock, embedded::EmbeddedBroker, publisher::Publisher};

use crate::broker::{event, subscription};

const ROLE: &str = "WAYBILL_TEST_PEER_ROLE";
const FOLDER: &str = "WAYBILL_TEST_PEER_FOLDER";

/// What the child's words are marked with, among the lines of its test harness.
const MARK: &str = "peer says ";

/// A child process. It is killed when dropped.
pub(crate) struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub(crate) fn start(role: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "peer::acts_when_started_as_a_child", "--nocapture"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits for the next thing it says.
    pub(crate) fn next_word(&mut self) -> String {
        self.words().next().expect("the peer ended")
    }

    /// Kills it as `kill -9` does. Answers what else it had said.
    pub(crate) fn kill(&mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.words().collect()
    }

    fn words(&mut self) -> impl Iterator<Item = String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix(MARK).map(str::to_owned))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's side; nothing when the suite runs it.
#[tokio::test]
async fn acts_when_started_as_a_child() {
    let (Some(role), Some(folder)) = (std::env::var_os(ROLE), std::env::var_os(FOLDER)) else {
        return;
    };
    println!();
    let path = Path::new(&folder).join("broker.db");
    let broker = EmbeddedBroker::open(&path, Arc::new(SystemClock)).await.unwrap();
    match role.to_str().unwrap() {
        "publish" => publish(&broker).await,
        "hold" => hold(&broker).await,
        "consume" => consume(&broker).await,
        role => panic!("no role {role}"),
    }
}

async fn publish(broker: &EmbeddedBroker) {
    for start in (0..).step_by(5) {
        let results = broker.publish((start..start + 5).map(event).collect()).await;
        for (id, result) in (start..).zip(results) {
            result.unwrap();
            println!("{MARK}{id}");
        }
    }
}

async fn hold(broker: &EmbeddedBroker) {
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let batch = deliveries.next(10).await.unwrap();
    println!("{MARK}{}", batch.messages.len());
    std::future::pending::<()>().await;
}

async fn consume(broker: &EmbeddedBroker) {
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    println!("{MARK}ready");
    loop {
        let batch = deliveries.next(10).await.unwrap();
        // Said first, so that everything acknowledged has been said.
        for message in &batch.messages {
            println!("{MARK}{}", message.properties.message_id.as_deref().unwrap());
        }
        batch.acknowledgement.ack().await.unwrap();
    }
}
