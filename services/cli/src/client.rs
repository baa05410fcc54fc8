//! Client commands: what a person or a script asks of a running platform.
//!
//! They are ordinary gRPC clients. Commands that change something send a request id and repeat the
//! call with the same id while the server is unavailable, which is safe.

mod amount;
mod connection;
mod dlq;
mod events;
mod health;
mod load;
mod notification;
mod order;
mod output;
mod tail;
mod user;

use anyhow::Result;
use clap::{Args, Subcommand};

use connection::Connection;
use output::{Closed, Output};

/// Where the platform is, and how to show its answers.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// gRPC address of the platform.
    #[arg(
        long,
        global = true,
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    server: String,
    /// Print JSON, one value a line, for scripts.
    #[arg(long, global = true)]
    json: bool,
}

/// Commands that talk to a running platform.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register, change and show users and their order statistics.
    #[command(subcommand)]
    User(user::Command),
    /// Place, show, list, cancel and watch orders.
    #[command(subcommand)]
    Order(order::Command),
    /// Show the mails that were written.
    #[command(subcommand)]
    Notification(notification::Command),
    /// Show what events there are, and watch them pass.
    #[command(subcommand)]
    Events(events::Command),
    /// Show what consumers gave up, and send it back or set it aside.
    #[command(subcommand)]
    Dlq(Box<dlq::Command>),
    /// Put a load on the platform, and measure how it bears it.
    Load(Box<load::Load>),
    /// Exit with 0 when the platform is ready, with 1 when it is not.
    Health(health::Health),
}

/// Runs a client command.
pub(crate) async fn run(command: Command, options: Options) -> Result<()> {
    let output = Output::new(options.json);
    let connection = Connection::new(&options.server)?;
    let result = match command {
        Command::User(command) => user::run(command, &connection, &output).await,
        Command::Order(command) => order::run(command, &connection, &output).await,
        Command::Notification(command) => notification::run(command, &connection, &output).await,
        Command::Events(command) => events::run(command, &connection, &output).await,
        Command::Dlq(command) => dlq::run(*command, &connection, &output).await,
        Command::Load(load) => load::run(*load, &options.server, &output).await,
        Command::Health(health) => health::run(&health).await,
    };
    // `waybill order list … | head -1` has all that it wants.
    result.or_else(|error| if error.is::<Closed>() { Ok(()) } else { Err(error) })
}
