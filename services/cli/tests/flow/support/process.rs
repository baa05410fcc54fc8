//! A process of the binary under test, which a test may kill.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use tonic::transport::{Channel, Endpoint};
use waybill_testkit::wait::{self, PATIENCE};

use super::stack::Stack;

/// One `waybill` process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    /// gRPC address, as a URL.
    pub(crate) grpc: String,
    /// HTTP address, as a URL.
    pub(crate) http: String,
}

impl Process {
    /// Starts `waybill ROLE…` on the stack's parts, on ports of its own, and waits until it listens.
    pub(crate) fn start(stack: &Stack, role: &[&str]) -> Self {
        let mut child = stack
            .command(role)
            .args(["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("the binary under test starts");
        let addresses = addresses(&mut child);
        let find = |what: &str| {
            let found = addresses
                .iter()
                .find_map(|(name, address)| (name == what).then_some(address));
            found
                .unwrap_or_else(|| panic!("{what} is not among what it prints: {addresses:?}"))
                .clone()
        };
        Self {
            grpc: format!("http://{}", find("grpc")),
            http: find("http"),
            child,
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(self) -> Self {
        wait::until("the process is ready", async || {
            self.is_ready().await.then_some(())
        })
        .await;
        self
    }

    /// What `/readyz` says now.
    pub(crate) async fn is_ready(&self) -> bool {
        let url = format!("{}/readyz", self.http);
        tokio::task::spawn_blocking(move || ureq::get(&url).call().is_ok())
            .await
            .expect("the request does not panic")
    }

    /// A channel to it.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(self.grpc.clone())
            .expect("the address is a URL")
            .connect_lazy()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the process is there to be killed");
        self.child.wait().expect("the process is our child");
    }

    /// Asks it to end, as an orchestrator does, and waits for that.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let told = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        assert!(told.success());
        wait::until("the process has ended", async || {
            self.child.try_wait().expect("it is our child")
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process prints on start, a name and an address a line, until the line with the example call.
fn addresses(child: &mut Child) -> Vec<(String, String)> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (lines, printed) = mpsc::channel();
    // The thread reads on to the end, so that the process never waits for a reader.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let mut addresses = Vec::new();
    while let Ok(line) = printed.recv_timeout(PATIENCE) {
        if line.contains("grpcurl") {
            return addresses;
        }
        let mut words = line.split_whitespace();
        if let (Some(name), Some(address)) = (words.next(), words.next()) {
            addresses.push((name.to_owned(), address.to_owned()));
        }
    }
    panic!("the process ended, or did not say where it listens: {addresses:?}");
}
