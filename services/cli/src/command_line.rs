//! The command line. Its flags for settings come from the table of settings.

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use waybill::config::{CONFIG, KEYS};

use crate::{client, serve::Role};

/// The heading under which help shows the flags for settings.
const HEADING: &str = "Settings (also WAYBILL_… variables, and keys of waybill.toml)";

/// What was asked for.
pub(crate) struct CommandLine {
    /// What to do.
    pub(crate) command: Command,
    /// Options of client commands.
    pub(crate) client: client::Options,
    /// What was said about settings.
    pub(crate) flags: Flags,
}

/// What the command line says about settings.
pub(crate) struct Flags {
    /// Values by key.
    pub(crate) values: Vec<(&'static str, String)>,
    /// The file that it names.
    pub(crate) config: Option<String>,
}

#[derive(Debug, Parser)]
#[command(name = "waybill", version, about = "An event-driven order platform")]
struct Parsed {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    client: client::Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all services in this process.
    Up,
    /// Run one service in this process.
    Serve {
        /// Which one.
        #[arg(value_name = "SERVICE")]
        role: Role,
    },
    #[command(flatten)]
    Client(client::Command),
}

/// Reads the command line of this process. One that cannot be read ends it, with exit code 2.
pub(crate) fn read() -> CommandLine {
    let matches = with_settings(Parsed::command()).get_matches();
    let parsed = Parsed::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let value = |name: &str| matches.get_one::<String>(name).cloned();
    CommandLine {
        command: parsed.command,
        client: parsed.client,
        flags: Flags {
            values: KEYS
                .iter()
                .filter_map(|key| Some((key.name, value(key.name)?)))
                .collect(),
            config: value(CONFIG),
        },
    }
}

fn with_settings(command: clap::Command) -> clap::Command {
    let config = Arg::new(CONFIG)
        .value_name("FILE")
        .help("TOML file of settings [default: waybill.toml, if there is one]");
    let settings = KEYS.iter().map(|key| {
        let help = format!("{} [default: {}]", key.meaning, key.default);
        Arg::new(key.name).value_name("VALUE").help(help)
    });
    let flags = [config].into_iter().chain(settings).map(|arg| {
        let flag = arg.get_id().as_str().replace('_', "-");
        arg.long(flag)
            .global(true)
            .hide_short_help(true)
            .help_heading(HEADING)
    });
    command.args(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault_with_the_command_line() {
        with_settings(Parsed::command()).debug_assert();
    }

    #[test]
    fn settings_may_stand_before_or_after_the_command() {
        for line in [
            ["waybill", "--grpc-addr", "a:1", "up"],
            ["waybill", "up", "--grpc-addr", "a:1"],
        ] {
            let matches = with_settings(Parsed::command()).get_matches_from(line);
            assert_eq!(matches.get_one::<String>("grpc_addr").unwrap(), "a:1");
        }
    }
}
