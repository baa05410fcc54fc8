//! A `waybill` process with a folder of its own, which ends with the test.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use tempfile::TempDir;

/// A command in an empty folder, without variables of the test's own environment.
pub(crate) fn waybill(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command
        .current_dir(folder)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end with these arguments and variables.
pub(crate) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    waybill(folder)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// A process that has said where it listens.
pub(crate) struct Up {
    child: Child,
    /// What it said, line by line.
    pub(crate) said: Vec<String>,
    _folder: TempDir,
}

impl Up {
    /// Starts with these further arguments, on free ports.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = waybill(folder.path())
            .args(arguments)
            .args(["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"])
            // A pipe that nobody reads would block it.
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().contains("grpcurl") {
                break;
            }
        }
        Self {
            child,
            said,
            _folder: folder,
        }
    }

    /// The text after a label such as `grpc`.
    pub(crate) fn told(&self, label: &str) -> &str {
        let mut lines = self.said.iter().map(|line| line.trim());
        lines
            .find_map(|line| line.strip_prefix(label)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("no {label} in {:?}", self.said))
            .trim()
    }

    /// Where gRPC listens.
    pub(crate) fn grpc(&self) -> SocketAddr {
        self.told("grpc").parse().unwrap()
    }

    /// Where HTTP listens.
    pub(crate) fn http(&self) -> SocketAddr {
        let url = self.told("http").strip_prefix("http://").unwrap();
        url.split(' ').next().unwrap().parse().unwrap()
    }

    /// Sends a signal, for instance `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and the body that a GET of `path` gives.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
