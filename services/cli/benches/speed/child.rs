//! Parts of the benchmark in processes of their own, so that each has its own processor time: this
//! executable, started again with a word for what to be.

use std::{
    env, io,
    process::{ExitStatus, Stdio},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stdin},
    process::{Child, Command},
};

use crate::{
    floors::{self, Floor},
    mail,
    scenarios::{calls::Calls, orders::Orders},
};

/// What a child is.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "a process has one")]
pub(crate) enum Role {
    /// Answers calls at once.
    EchoServer,
    /// Takes every mail.
    MailSink,
    /// Measures a floor, and tells a [`Sample`](crate::statistics::Sample).
    Floor(Floor),
    /// Places orders, and tells what that took.
    Orders(Orders),
    /// Makes calls, and tells a [`Sample`](crate::statistics::Sample).
    Calls(Calls),
}

impl Role {
    /// What this process was told to be.
    pub(crate) fn told() -> Self {
        let mut line = String::new();
        io::stdin().read_line(&mut line).expect("the parent writes it");
        serde_json::from_str(&line).expect("the parent writes it")
    }

    /// Is it, in this process.
    pub(crate) async fn play(self) {
        match self {
            Self::EchoServer => serve(&floors::echo::serve().await).await,
            Self::MailSink => serve(&mail::start().await).await,
            Self::Floor(floor) => tell(&floor.measure().await),
            Self::Orders(orders) => tell(&orders.place().await),
            Self::Calls(calls) => tell(&calls.make().await),
        }
    }

    /// A child that has been told what to be, in a line of its input: with many users a role is larger
    /// than an argument may be.
    async fn start(&self, stderr: Stdio) -> Child {
        let mut child = Command::new(env::current_exe().expect("this is a program"))
            .arg("--child")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let told = serde_json::to_string(self).expect("it is JSON") + "\n";
        let stdin = child.stdin.as_mut().expect("it is piped");
        stdin.write_all(told.as_bytes()).await.expect("it listens");
        child
    }
}

/// Says where it listens, and goes on until whoever started it is gone.
async fn serve(url: &str) {
    println!("{url}");
    let mut rest = Vec::new();
    // Nothing ever comes: the end of the input is the end of the parent.
    let _ = stdin().read_to_end(&mut rest).await;
}

fn tell(result: &impl Serialize) {
    println!("{}", serde_json::to_string(result).expect("it is JSON"));
}

/// Runs a child that tells a result, to its end.
pub(crate) async fn result<T: DeserializeOwned>(role: &Role) -> T {
    let child = role.start(Stdio::piped()).await;
    let what = format!("{role:?}");
    output(&format!("{what:.200}"), child.wait_with_output()).await
}

/// The JSON that a program prints. What it says beside goes where this program's errors go.
pub(crate) async fn output<T: DeserializeOwned>(
    what: &str,
    output: impl Future<Output = std::io::Result<std::process::Output>>,
) -> T {
    let output = output.await.expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(ExitStatus::success(&output.status), "{what}: {said}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{what}: {error} in {}", String::from_utf8_lossy(&output.stdout)))
}

/// A server in a child. It ends when this is dropped, and at the latest with this process.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) pid: u32,
    _child: Child,
}

impl Server {
    pub(crate) async fn start(role: Role) -> Self {
        let mut child = role.start(Stdio::inherit()).await;
        let stdout = child.stdout.take().expect("it is piped");
        let url = BufReader::new(stdout).lines().next_line().await;
        Self {
            url: url.ok().flatten().expect("a server says where it listens"),
            pid: child.id().expect("it runs"),
            _child: child,
        }
    }
}
