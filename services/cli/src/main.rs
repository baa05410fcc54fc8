//! The `waybill` binary: the whole platform in one process, one service of it, or a client.

mod announce;
mod catalogue;
mod client;
mod command_line;
mod mail;
mod serve;

use std::process::ExitCode;

use command_line::{Command, CommandLine};
use waybill::config;

/// Also that of SQLite, where C code can be given another.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command_line = command_line::read();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let result = runtime.block_on(run(command_line));
    // What was cut off must not keep the process alive.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(command_line: CommandLine) -> anyhow::Result<()> {
    match command_line.command {
        Command::Up => serve::run("up", &serve::Role::ALL, command_line.flags).await,
        Command::Serve { role } => serve::run(role.name(), &[role], command_line.flags).await,
        Command::Client(command) => client::run(command, command_line.client).await,
    }
}

/// Says on one line what went wrong. Wrong settings have an exit code of their own, so that whoever
/// restarts processes can tell that it will not help.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("waybill: {error:#}");
    match error.downcast_ref::<config::Error>() {
        Some(_) => config::EXIT_CODE.into(),
        None => ExitCode::FAILURE,
    }
}
