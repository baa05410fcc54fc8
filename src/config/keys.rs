//! The table of settings.

use super::{Broker, ConsumerTrace, Database, Error, LogFormat, Mail, Origin, ServerUrl, Settings, value};
use crate::retention;

/// Name of the setting that names the file: a flag and a variable, but no key of the file itself.
pub const CONFIG: &str = "config";

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What it holds when nobody says.
    pub default: &'static str,
    /// What it takes, as it stands in errors.
    pub takes: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// Takes a value over; `None` when the value is not one that it takes.
    pub(super) set: fn(&mut Settings, &str) -> Option<()>,
}

impl Key {
    /// Its flag, without the dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("WAYBILL_{}", self.name.to_uppercase())
    }

    /// The key of that name, which must be one.
    pub(super) fn named(name: &str) -> &'static Self {
        KEYS.iter()
            .find(|key| key.name == name)
            .expect("callers name keys of the table")
    }

    pub(super) fn refuse(&self, value: &str, origin: Origin) -> Error {
        Error::Invalid {
            key: self.name,
            value: ServerUrl::masked(value),
            origin,
            takes: self.takes,
        }
    }
}

/// The names of all settings, for a message.
pub(super) fn names() -> String {
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    names.join(", ")
}

/// Every setting.
pub const KEYS: &[Key] = &[
    Key {
        name: "data_dir",
        default: "./waybill-data",
        takes: "a folder, which is made if need be",
        meaning: "Folder of the SQLite files and of mail written as files",
        set: |s, text| value::not_empty(text).map(|text| s.data_dir = text.into()),
    },
    Key {
        name: "grpc_addr",
        default: "127.0.0.1:50051",
        takes: "HOST:PORT, such as 127.0.0.1:50051; port 0 picks a free one",
        meaning: "Where gRPC listens",
        set: |s, text| value::host_port(text).map(|address| s.grpc_addr = address),
    },
    Key {
        name: "http_addr",
        default: "127.0.0.1:9464",
        takes: "HOST:PORT, such as 127.0.0.1:9464; port 0 picks a free one",
        meaning: "Where HTTP listens: /healthz, /readyz, /metrics",
        set: |s, text| value::host_port(text).map(|address| s.http_addr = address),
    },
    Key {
        name: "broker",
        default: "embedded",
        takes: "embedded, amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…",
        meaning: "Where events go through: a broker in the data folder, or RabbitMQ",
        set: |s, text| {
            s.broker = match text {
                "embedded" => Broker::Embedded,
                url => Broker::Amqp(ServerUrl::parse(url, &["amqp", "amqps"])?),
            };
            Some(())
        },
    },
    Key {
        name: "database",
        default: "sqlite",
        takes: "sqlite, mongodb://HOST:PORT/… or mongodb+srv://…",
        meaning: "Where services keep their state: SQLite files in the data folder, or MongoDB",
        set: |s, text| {
            s.database = match text {
                "sqlite" => Database::Sqlite,
                url => Database::Mongo(ServerUrl::parse(url, &["mongodb", "mongodb+srv"])?),
            };
            Some(())
        },
    },
    Key {
        name: "smtp",
        default: "files",
        takes: "files, smtp://USER:PASSWORD@HOST:PORT or smtps://…",
        meaning: "Where mail goes: .eml files in the data folder, or an SMTP server",
        set: |s, text| {
            s.mail = match text {
                "files" => Mail::Files,
                url => Mail::Smtp(ServerUrl::parse(url, &["smtp", "smtps"])?),
            };
            Some(())
        },
    },
    Key {
        name: "mail_from",
        default: "Waybill <orders@waybill.example>",
        takes: "a mail address, such as Shop <orders@shop.example>",
        meaning: "Sender of every mail",
        set: |s, text| value::mailbox(text).map(|mailbox| s.mail_from = mailbox),
    },
    Key {
        name: "log_format",
        default: "pretty",
        takes: "pretty or json",
        meaning: "How log lines look: for people, or one JSON object a line",
        set: |s, text| {
            s.log_format = match text {
                "pretty" => LogFormat::Pretty,
                "json" => LogFormat::Json,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        name: "log_filter",
        default: "info",
        takes: "a level (off, error, warn, info, debug, trace) and TARGET=LEVEL, joined by commas",
        meaning: "Which log lines there are, for instance info,waybill=debug",
        set: |s, text| value::log_filter(text).map(|filter| s.log_filter = filter),
    },
    Key {
        name: "retry_max_attempts",
        default: "7",
        takes: "a number from 1 to 100",
        meaning: "How often a message is tried, the first time included, before it is a dead letter",
        set: |s, text| value::number(text, 1..=100).map(|n| s.retry.max_attempts = n),
    },
    Key {
        name: "retry_first_delay",
        default: "1s",
        takes: "a time from 1ms to 1h, such as 500ms, 4s or 10m",
        meaning: "Wait after the first attempt",
        set: |s, text| value::delay(text).map(|delay| s.retry.first_delay = delay),
    },
    Key {
        name: "retry_multiplier",
        default: "4",
        takes: "a number from 1 to 100",
        meaning: "Factor by which each wait is longer than the one before",
        set: |s, text| value::number(text, 1..=100).map(|n| s.retry.multiplier = n),
    },
    Key {
        name: "retry_max_delay",
        default: "10m",
        takes: "a time from retry_first_delay to 1h, such as 500ms, 4s or 10m",
        meaning: "Longest wait between two attempts",
        set: |s, text| value::delay(text).map(|delay| s.retry.max_delay = delay),
    },
    Key {
        name: "prefetch",
        default: "256",
        takes: "a number from 1 to 2000",
        meaning: "Unacknowledged messages at one consumer, which are handled together; those from RabbitMQ half at a time",
        set: |s, text| value::number(text, 1..=super::MAX_PREFETCH).map(|n| s.prefetch = n),
    },
    Key {
        name: "inbox_retention",
        default: "90d",
        takes: "a time from 31d to 3650d, such as 90d",
        meaning: "How long consumers remember which events they handled; one that comes again later has its effect again",
        set: |s, text| {
            value::time(text)
                .filter(|time| (retention::MIN_INBOX..=retention::MAX).contains(time))
                .map(|time| s.retention.inbox = time)
        },
    },
    Key {
        name: "notification_retention",
        default: "400d",
        takes: "a time from inbox_retention to 3650d, such as 400d",
        meaning: "How long it is kept which mails were sent; what is no longer kept can be sent again",
        set: |s, text| {
            value::time(text)
                .filter(|time| *time <= retention::MAX)
                .map(|time| s.retention.notifications = time)
        },
    },
    Key {
        name: "consumer_trace",
        default: "continue",
        takes: "continue or link",
        meaning: "Trace in which an event is processed: its publisher's, or one of its own with a link to that",
        set: |s, text| {
            s.consumer_trace = match text {
                "continue" => ConsumerTrace::Continue,
                "link" => ConsumerTrace::Link,
                _ => return None,
            };
            Some(())
        },
    },
    Key {
        name: "drain_timeout",
        default: "10s",
        takes: "a time from 1ms to 10s, such as 5s",
        meaning: "Longest that stopping may take before what still runs is cut off",
        set: |s, text| {
            value::time(text)
                .filter(|time| !time.is_zero() && *time <= super::MAX_DRAIN_TIMEOUT)
                .map(|time| s.drain_timeout = time)
        },
    },
];
