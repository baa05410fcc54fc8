//! The parts that a platform under test stands on: RabbitMQ and MongoDB, or embedded ones.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;
use waybill::{
    amqp::AmqpBroker,
    broker::Broker,
    clock::SystemClock,
    embedded::EmbeddedBroker,
    message::Message,
    publisher::{Destination, Publication},
};
use waybill_testkit::{
    mongodb::{Databases, PrivateServer},
    rabbitmq::{Node, VirtualHost},
};

/// Parts that no other test uses.
pub(crate) struct Stack {
    folder: TempDir,
    broker: String,
    database: String,
    settings: Vec<(String, String)>,
    log_is_kept: bool,
    /// The virtual host, when the broker is RabbitMQ.
    pub(crate) virtual_host: Option<VirtualHost>,
    _databases: Option<Databases>,
    _database_server: Option<PrivateServer>,
}

impl Stack {
    /// RabbitMQ and MongoDB.
    pub(crate) async fn real() -> Self {
        Self::on(VirtualHost::fresh().await, Databases::new().await)
    }

    /// RabbitMQ, and a MongoDB server of its own.
    #[allow(dead_code, reason = "benchmarks share this file, and they alone need it")]
    pub(crate) async fn real_with_own_database() -> Self {
        let server = PrivateServer::start().await;
        let stack = Self::on(VirtualHost::fresh().await, Databases::fresh_on(&server));
        Self {
            _database_server: Some(server),
            ..stack
        }
    }

    /// A RabbitMQ node of the test's own, which it may stop, and MongoDB.
    pub(crate) async fn real_on(node: &Node) -> Self {
        Self::on(VirtualHost::fresh_on(node).await, Databases::new().await)
    }

    fn on(virtual_host: VirtualHost, databases: Databases) -> Self {
        Self {
            folder: folder(),
            broker: virtual_host.url().to_owned(),
            database: databases.url().to_owned(),
            settings: Vec::new(),
            log_is_kept: false,
            virtual_host: Some(virtual_host),
            _databases: Some(databases),
            _database_server: None,
        }
    }

    /// Nothing but a folder.
    pub(crate) fn embedded() -> Self {
        Self {
            folder: folder(),
            broker: "embedded".into(),
            database: "sqlite".into(),
            settings: Vec::new(),
            log_is_kept: false,
            virtual_host: None,
            _databases: None,
            _database_server: None,
        }
    }

    /// Starts processes with a setting beside the defaults.
    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.set(variable, value);
        self
    }

    /// Starts processes with a setting from now on.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.settings.push((variable.to_owned(), value.to_owned()));
    }

    /// Keeps the log of processes that are started from now on, instead of showing it.
    pub(crate) fn keeping_the_log(mut self) -> Self {
        self.log_is_kept = true;
        self
    }

    /// The log that was kept.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).expect("the log is kept, and is text")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A command that runs the binary on these parts.
    pub(crate) fn command(&self, role: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(role)
            .current_dir(self.folder.path())
            .env("WAYBILL_DATA_DIR", self.data_dir())
            .env("WAYBILL_BROKER", &self.broker)
            .env("WAYBILL_DATABASE", &self.database)
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        if self.log_is_kept {
            let log = File::options().create(true).append(true).open(self.log_file());
            command.stderr(log.expect("the folder is ours"));
        }
        command
    }

    /// The setting that says where services keep their state.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Where the platform keeps its files.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The mails that were written, as files.
    pub(crate) fn mails(&self) -> Vec<String> {
        let read = |path| std::fs::read_to_string(path).expect("a mail is text");
        self.mail_files().into_iter().map(read).collect()
    }

    /// Where each mail was written.
    pub(crate) fn mail_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.data_dir().join("mail")) else {
            return Vec::new();
        };
        let is_mail = |path: &PathBuf| path.extension().is_some_and(|e| e == "eml");
        entries
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(is_mail)
            .collect()
    }

    /// The broker, as another program would use it.
    pub(crate) async fn broker(&self) -> Arc<dyn Broker> {
        if self.virtual_host.is_some() {
            Arc::new(AmqpBroker::new(&self.broker, "test").expect("the URL is well-formed"))
        } else {
            let path: &Path = &self.data_dir().join("broker.db");
            Arc::new(
                EmbeddedBroker::open(path, Arc::new(SystemClock))
                    .await
                    .expect("the file can be opened"),
            )
        }
    }

    /// Publishes messages as another program would, and waits until they are confirmed.
    pub(crate) async fn publish(&self, messages: impl IntoIterator<Item = Message>) {
        let publications = messages
            .into_iter()
            .map(|message| Publication {
                destination: Destination::Events,
                message,
            })
            .collect();
        for result in self.broker().await.publisher().publish(publications).await {
            result.expect("the broker confirms");
        }
    }
}

/// The binary that `WAYBILL_TEST_BINARY` names, such as a release build; otherwise that of the tests.
fn binary() -> String {
    #[allow(clippy::disallowed_methods, reason = "tests are told by variables")]
    let named = std::env::var("WAYBILL_TEST_BINARY");
    named.unwrap_or_else(|_| env!("CARGO_BIN_EXE_waybill").to_owned())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}
