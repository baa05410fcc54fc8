//! A private server that speaks the MongoDB protocol, with database names of its own a test.
//!
//! [`Databases`] is what most tests want: names of its own on a server that the tests of one binary
//! share, or on the one that `WAYBILL_TEST_MONGODB_URL` names. [`PrivateServer`] is for a test that
//! kills its server.

mod commands;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use mongodb::bson::{Document, doc};
use tokio::sync::OnceCell;
use waybill::clock::{IdGenerator, UuidV7Generator};

pub use self::commands::{Commands, Plan};
use crate::{
    server::{Folder, Server},
    wait,
};

const BINARY: &str = "secantusd-rs";

const HOW_TO_GET_IT: &str = "secantusd-rs, a server that speaks the MongoDB protocol, is not installed: run \
    `cargo install secantus-mdb --version 0.5.3-beta.193 --ignore-rust-version`, or set \
    WAYBILL_TEST_MONGODB_URL to the URL of a MongoDB replica set";

/// The databases of one test.
#[derive(Debug)]
pub struct Databases {
    url: String,
}

impl Databases {
    /// Names that no other test uses, on the server that is shared.
    pub async fn new() -> Self {
        static SHARED: OnceCell<PrivateServer> = OnceCell::const_new();
        let url = match given_url() {
            Some(url) => url,
            None => SHARED.get_or_init(PrivateServer::start).await.url(),
        };
        Self::at(&url)
    }

    /// Names on a server of one's own.
    pub fn fresh_on(server: &PrivateServer) -> Self {
        Self::at(&server.url())
    }

    fn at(url: &str) -> Self {
        let prefix = format!("t{}", UuidV7Generator::default().next_id().simple());
        Self {
            url: with_path(url, &prefix),
        }
    }

    /// URL for `waybill::mongo::Client`, which keeps to databases of this test.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn given_url() -> Option<String> {
    variable("WAYBILL_TEST_MONGODB_URL")
}

/// Memory for a private server's cache: small, since a machine runs many of them, unless
/// `WAYBILL_TEST_MONGODB_CACHE` says otherwise, as `8G`.
fn cache_size() -> String {
    variable("WAYBILL_TEST_MONGODB_CACHE").unwrap_or_else(|| "256M".to_owned())
}

#[allow(clippy::disallowed_methods, reason = "tests have no other configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `url` with its path, if there is one, replaced.
fn with_path(url: &str, path: &str) -> String {
    let (rest, options) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, authority) = rest.split_once("://").expect("a MongoDB URL has a scheme");
    let (authority, auth_source) = authority.split_once('/').unwrap_or((authority, ""));
    let source = if auth_source.is_empty() {
        "admin"
    } else {
        auth_source
    };
    let options = match options {
        "" if authority.contains('@') => format!("authSource={source}"),
        options if authority.contains('@') && !options.contains("authSource=") => {
            format!("{options}&authSource={source}")
        }
        options => options.to_owned(),
    };
    format!("{scheme}://{authority}/{path}?{options}")
}

/// A server of its own, whose commits survive being killed.
#[derive(Debug)]
pub struct PrivateServer {
    server: Option<Server>,
    port: u16,
    folder: Folder,
}

impl PrivateServer {
    /// Starts a server with no data, and waits until it answers.
    pub async fn start() -> Self {
        let mut server = Self {
            server: None,
            port: 0,
            folder: Folder::new("waybill-mongodb-").expect("a temporary folder can be made"),
        };
        server.restart().await;
        server
    }

    /// URL of the server. It stays the same over restarts.
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// Ends the server as `kill -9` does.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts the server again on its port and data, after killing it if it runs.
    pub async fn restart(&mut self) {
        self.kill();
        let log = self.folder.path().join("log");
        let deadline = Instant::now() + wait::PATIENCE;
        loop {
            self.server = Some(self.spawn(&log));
            match wait::until("the MongoDB server says how it started", async || started(&log)).await {
                Ok(port) => break self.port = port,
                // Whoever tries to connect to a dead server may be using its port for the other end.
                Err(text) if text.contains("Address already in use") && Instant::now() < deadline => {}
                Err(text) => panic!("the MongoDB server did not start: {text}"),
            }
        }
        self.answers().await;
    }

    fn spawn(&self, log: &Path) -> Server {
        let _ = fs::remove_file(log);
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"log=$1; shift; exec "$@" >"$log" 2>&1"#, "sh"])
            .arg(log)
            .arg(binary())
            .args(["--port", &self.port.to_string()])
            .arg("--storage-path")
            .arg(self.folder.path().join("data"))
            .args(["--cache-size", &cache_size(), "--log-file-max", "16MB"])
            .args(["--log-level", "WARNING", "--sync-on-commit"]);
        Server::start(&command).expect("sh can be started")
    }

    async fn answers(&self) {
        let client = mongodb::Client::with_uri_str(self.url())
            .await
            .expect("the URL is well-formed");
        let ping = async || {
            let pong: mongodb::error::Result<Document> =
                client.database("admin").run_command(doc! {"ping": 1}).await;
            pong.ok()
        };
        wait::until("the MongoDB server answers", ping).await;
    }
}

/// The port on which the server listens, or why it does not; `None` while it has said neither.
fn started(log: &Path) -> Option<Result<u16, String>> {
    let text = fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.starts_with(BINARY))?;
    let port = line
        .split_once("listening on ")
        .and_then(|(_, address)| address.rsplit_once(':'));
    Some(match port.and_then(|(_, port)| port.parse().ok()) {
        Some(port) => Ok(port),
        None => Err(text),
    })
}

/// The server's program: on the path, or where cargo installs programs.
fn binary() -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default();
    let candidates = [PathBuf::from(BINARY), home.join(".cargo/bin").join(BINARY)];
    let runs = |program: &PathBuf| {
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        !matches!(version, Err(error) if error.kind() == io::ErrorKind::NotFound)
    };
    candidates
        .into_iter()
        .find(runs)
        .unwrap_or_else(|| panic!("{HOW_TO_GET_IT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_its_own_path_on_a_given_server() {
        assert_eq!(
            with_path("mongodb://a:1/?directConnection=true", "p"),
            "mongodb://a:1/p?directConnection=true"
        );
        assert_eq!(with_path("mongodb://a:1", "p"), "mongodb://a:1/p?");
        assert_eq!(
            with_path("mongodb://u:w@a/x?tls=true", "p"),
            "mongodb://u:w@a/p?tls=true&authSource=x"
        );
        assert_eq!(
            with_path("mongodb://u:w@a", "p"),
            "mongodb://u:w@a/p?authSource=admin"
        );
    }
}
