//! `waybill events …`

use anyhow::Result;
use clap::{Args, Subcommand};

use super::{
    connection::Connection,
    output::{self, Output},
    tail::{self, Tail},
};
use crate::catalogue::{Catalogue, Entry, asyncapi, markdown};

/// What to do with events.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every event: its meaning, its fields, who publishes and who consumes it.
    Catalogue(Format),
    /// Show events as they pass, until interrupted.
    Tail(Tail),
}

/// How the catalogue is shown; as text for a terminal if nothing is said.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Format {
    /// As the page docs/events.md.
    #[arg(long)]
    markdown: bool,
    /// As an AsyncAPI 3.0 document.
    #[arg(long)]
    asyncapi: bool,
}

/// Runs the command.
pub(crate) async fn run(command: Command, connection: &Connection, output: &Output) -> Result<()> {
    match command {
        Command::Catalogue(format) => show_catalogue(&format, output),
        Command::Tail(tail) => tail::run(tail, connection, output).await,
    }
}

fn show_catalogue(format: &Format, output: &Output) -> Result<()> {
    let catalogue = Catalogue::new();
    let text = if format.markdown {
        markdown::page(&catalogue)
    } else if format.asyncapi {
        serde_yaml_ng::to_string(&asyncapi::document(&catalogue))?
    } else if output.is_json() {
        let lines: Result<Vec<_>, _> = catalogue.events.iter().map(serde_json::to_string).collect();
        lines?.join("\n") + "\n"
    } else {
        catalogue.events.iter().map(text).collect::<Vec<_>>().join("\n")
    };
    output::write(text.as_bytes())
}

fn text(event: &Entry) -> String {
    let consumers = event
        .consumers
        .iter()
        .map(|consumer| format!("{} ({})", consumer.service, consumer.queue));
    let fields = event
        .fields
        .iter()
        .map(|field| format!("    {:<13} {}: {}\n", field.name, field.type_text, field.meaning));
    format!(
        "{}\n  {}\n  routing key   {}\n  published by  {}\n  consumed by   {}\n  fields\n{}",
        event.type_name,
        event.meaning,
        event.routing_key,
        event.publishers.join(", "),
        consumers.collect::<Vec<_>>().join(", "),
        fields.collect::<String>(),
    )
}
