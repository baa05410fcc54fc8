//! What it was measured on, and of what.

use std::{env, fs, process::Command, thread::available_parallelism};

use jiff::Timestamp;
use serde::Serialize;
use waybill::clock::{Clock, SystemClock};

use crate::{floors::versions, group::Group};

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) commit: String,
    pub(crate) rust: String,
    pub(crate) rabbitmq: String,
    pub(crate) mongodb: String,
    pub(crate) date: String,
    pub(crate) command: String,
    /// Whether the code is a debug build, whose figures mean nothing.
    pub(crate) debug_build: bool,
}

impl Machine {
    /// This one, now.
    pub(crate) async fn here(group: Group) -> Self {
        let [rabbitmq, database] = versions::of_servers().await;
        let mongodb = match said("secantusd-rs", &["--version"]) {
            server if server.is_empty() => database,
            server => format!("{server}, which says MongoDB {database}"),
        };
        let now = Timestamp::try_from(SystemClock.now()).unwrap_or_default();
        // scripts/bench and cargo add these.
        let added = ["--bench", "--group", group.name()];
        let arguments = env::args()
            .skip(1)
            .filter(|argument| !added.contains(&argument.as_str()));
        let field = |file, name| field(file, name).unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: cores(),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse()
                .map_or(0, |kib: u64| kib / 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            commit: said("git", &["describe", "--always", "--dirty"]),
            rust: said("rustc", &["--version"]),
            rabbitmq,
            mongodb,
            date: now.strftime("%Y-%m-%d").to_string(),
            command: [format!("scripts/bench {}", group.name())]
                .into_iter()
                .chain(arguments)
                .collect::<Vec<_>>()
                .join(" "),
            debug_build: cfg!(debug_assertions),
        }
    }

    /// What a reader has to know, in a paragraph.
    pub(crate) fn told(&self) -> String {
        let caveat = if self.debug_build {
            "**A debug build: these figures mean nothing.**\n\n"
        } else {
            ""
        };
        format!(
            "{caveat}`{}` on {}, commit {}: {}, {} cores, {} MiB of memory, Linux {}. {}, RabbitMQ {}, {}.",
            self.command,
            self.date,
            self.commit,
            self.processor,
            self.cores,
            self.memory_mib,
            self.kernel,
            self.rust,
            self.rabbitmq,
            self.mongodb
        )
    }
}

/// Processors that this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The value of the first line of that name in a file of names and values.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The first line that a program says, or nothing.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().trim().to_owned()
}
