//! What a process is told from outside: flag over variable over file over default.
//!
//! One table, [`KEYS`], says of every setting its name, its default, what it takes and what it
//! means. Flags, variables, file keys, errors and documentation all come from it. This is the only
//! place that reads the environment.

mod keys;
mod otel;
mod server_url;
mod sources;
mod value;

use std::{path::PathBuf, time::Duration};

pub use keys::{CONFIG, KEYS, Key};
pub use otel::{Otel, Protocol};
pub use server_url::ServerUrl;
pub use sources::{Origin, Sources};
pub use value::time;

use crate::{retention::Retention, retry::RetryPolicy};

/// The exit code of a process whose settings are wrong: `EX_CONFIG` of `sysexits.h`.
pub const EXIT_CODE: u8 = 78;

/// Longest that a process may take to stop, and the default: whoever stops containers gives them
/// about that long before it kills them.
pub const MAX_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Most messages that one consumer may hold unacknowledged: quorum queues take no more.
pub const MAX_PREFETCH: u16 = 2000;

/// What is wrong with the settings. One line each; passwords in URLs are masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting of no known name.
    #[error("{origin}: there is no setting {name}; settings are {}", keys::names())]
    Unknown {
        /// Its name.
        name: String,
        /// Where it came from.
        origin: Origin,
    },
    /// A setting that does not hold what it must.
    #[error("{origin}: {key} is {value:?}, but takes {takes}")]
    Invalid {
        /// Its name.
        key: &'static str,
        /// What it holds, passwords masked.
        value: String,
        /// Where it came from.
        origin: Origin,
        /// What it takes.
        takes: &'static str,
    },
    /// The file cannot be read, or is no TOML.
    #[error("config is {path:?}, but takes a readable TOML file: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it, on one line.
        problem: String,
    },
}

/// Who runs this process, as the system's variables `USER` or `LOGNAME` have it.
pub fn user_name() -> Option<String> {
    let named = |name| sources::variable(name).filter(|name| !name.is_empty());
    named("USER").or_else(|| named("LOGNAME"))
}

/// Every setting, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of everything that is kept on this machine.
    pub data_dir: PathBuf,
    /// Where gRPC listens, `HOST:PORT`.
    pub grpc_addr: String,
    /// Where HTTP (health, readiness, metrics) listens, `HOST:PORT`.
    pub http_addr: String,
    /// Where events go through.
    pub broker: Broker,
    /// Where services keep their state.
    pub database: Database,
    /// Where mail goes.
    pub mail: Mail,
    /// Sender of every mail.
    pub mail_from: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are: levels by target.
    pub log_filter: String,
    /// How often and how soon consumers try again.
    pub retry: RetryPolicy,
    /// Unacknowledged messages at one consumer.
    pub prefetch: u16,
    /// How long is remembered what somebody might send again.
    pub retention: Retention,
    /// In which trace an event is processed.
    pub consumer_trace: ConsumerTrace,
    /// Longest that stopping may take; at most [`MAX_DRAIN_TIMEOUT`].
    pub drain_timeout: Duration,
    /// What is exported: what the standard variables say, if this process has read its own.
    pub otel: Otel,
}

/// Where events go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broker {
    /// The broker on SQLite, in the data folder.
    Embedded,
    /// RabbitMQ.
    Amqp(ServerUrl),
}

/// Where services keep their state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// SQLite files in the data folder.
    Sqlite,
    /// MongoDB.
    Mongo(ServerUrl),
}

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// `.eml` files in the data folder.
    Files,
    /// An SMTP server.
    Smtp(ServerUrl),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// In which trace an event is processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConsumerTrace {
    /// In its publisher's: one trace tells the whole story.
    #[default]
    Continue,
    /// In one of its own, with a link to the publisher's, which is what the semantic conventions
    /// have as the default.
    Link,
}

impl Settings {
    /// Reads the settings of this process. `flags` are what the command line said, by key;
    /// `config` is the file it named.
    pub fn load(flags: Vec<(&'static str, String)>, config: Option<String>) -> Result<Self, Error> {
        let mut settings = Self::from_sources(&Sources::of_this_process(flags, config)?)?;
        settings.otel = Otel::read(sources::variable)?;
        Ok(settings)
    }

    /// The settings that `sources` come to.
    pub fn from_sources(sources: &Sources) -> Result<Self, Error> {
        let mut settings = Self::default();
        for (name, (text, origin)) in sources.merged() {
            let key = KEYS
                .iter()
                .find(|key| key.name == name)
                .ok_or_else(|| Error::Unknown {
                    name: name.to_owned(),
                    origin: origin.clone(),
                })?;
            (key.set)(&mut settings, text).ok_or_else(|| key.refuse(text, origin.clone()))?;
        }
        let Retention { inbox, notifications } = settings.retention;
        for (contradicts, key) in [
            (
                settings.retry.max_delay < settings.retry.first_delay,
                "retry_max_delay",
            ),
            (notifications < inbox, "notification_retention"),
        ] {
            if contradicts {
                let text = sources.text(key);
                return Err(Key::named(key).refuse(&text, sources.origin(key)));
            }
        }
        Ok(settings)
    }

    /// The error of a setting that looked right, but that whatever it is for did not take.
    pub fn refused(key: &'static str, value: &str) -> Error {
        Key::named(key).refuse(value, Origin::Settings)
    }
}

impl Default for Settings {
    /// Every key's default.
    fn default() -> Self {
        let mut settings = Self {
            data_dir: PathBuf::new(),
            grpc_addr: String::new(),
            http_addr: String::new(),
            broker: Broker::Embedded,
            database: Database::Sqlite,
            mail: Mail::Files,
            mail_from: String::new(),
            log_format: LogFormat::Pretty,
            log_filter: String::new(),
            retry: RetryPolicy::default(),
            prefetch: 0,
            retention: Retention::default(),
            consumer_trace: ConsumerTrace::default(),
            otel: Otel::default(),
            drain_timeout: Duration::ZERO,
        };
        for key in KEYS {
            (key.set)(&mut settings, key.default).expect("a key takes its default");
        }
        settings
    }
}
