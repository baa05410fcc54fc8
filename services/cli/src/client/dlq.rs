//! `waybill dlq …`

mod act;
mod decode;
mod filter;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use waybill::contract::operations::v1::{
    DeadLetter, DeadLetterState, GetDeadLetterRequest, ListDeadLettersRequest, ListOperationsRequest,
    SummarizeDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient,
};

use self::{act::Act, filter::Which};
use super::{
    connection::{Connection, call},
    output::{Output, time},
};

/// Dead letters in one answer: the largest page.
const PAGE: i32 = 500;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List dead letters, the last to fail first.
    List(List),
    /// Count dead letters by cause.
    Stats {
        #[command(flatten)]
        which: Which,
    },
    /// Show one dead letter: why it failed, and what it says.
    Show {
        /// UUID of the dead letter.
        dead_letter_id: String,
        /// Decode its body by this file too: an encoded `FileDescriptorSet` with imports, as
        /// `buf build -o` and `protoc --include_imports --descriptor_set_out` write it.
        #[arg(long, value_name = "FILE")]
        descriptors: Option<std::path::PathBuf>,
    },
    /// Send dead letters back to the consumer that failed.
    Replay {
        #[command(flatten)]
        act: Act,
        /// Most messages a second.
        #[arg(long, default_value_t = 100, value_name = "N")]
        rate: u32,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Set dead letters aside for good. They are kept, with who did it, when and why.
    Discard {
        #[command(flatten)]
        act: Act,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// List replays and discards, newest first: who did what, when and why.
    Operations {
        /// Operations to show.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
}

/// What to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// Which of them.
    #[arg(long, value_enum, default_value_t = State::Open)]
    state: State,
    /// Dead letters to show, read page by page.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// Where dead letters stand.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Waiting, or on their way back.
    Open,
    /// Sent back.
    Replayed,
    /// Set aside.
    Discarded,
}

/// Runs the command.
pub(crate) async fn run(command: Command, connection: &Connection, output: &Output) -> Result<()> {
    let mut client = DeadLetterServiceClient::new(connection.channel());
    match command {
        Command::List(what) => list(client, what, output).await,
        Command::Stats { which } => {
            let body = SummarizeDeadLettersRequest {
                filter: Some(which.filter()?),
            };
            let answer = call(body, async |request| client.summarize_dead_letters(request).await).await?;
            output.print(&answer, |out| show::causes(&answer, out))
        }
        Command::Show {
            dead_letter_id,
            descriptors,
        } => {
            let schemas = decode::Schemas::with(descriptors.as_deref())?;
            let body = GetDeadLetterRequest { dead_letter_id };
            let answer = call(body, async |request| client.get_dead_letter(request).await).await?;
            show::whole(&answer, &schemas, output)
        }
        Command::Replay { act, rate, reason } => act::replay(client, act, rate, reason, output).await,
        Command::Discard { act, reason } => act::discard(client, act, reason, output).await,
        Command::Operations { limit } => {
            let body = ListOperationsRequest {
                page_size: limit,
                ..ListOperationsRequest::default()
            };
            let answer = call(body, async |request| client.list_operations(request).await).await?;
            answer
                .operations
                .iter()
                .try_for_each(|operation| output.print(operation, |out| show::operation(operation, out)))
        }
    }
}

/// Prints page by page, so that however many there are, no more than a page is held.
async fn list(
    mut client: DeadLetterServiceClient<tonic::transport::Channel>,
    what: List,
    output: &Output,
) -> Result<()> {
    let state = match what.state {
        State::Open => DeadLetterState::Unspecified,
        State::Replayed => DeadLetterState::Replayed,
        State::Discarded => DeadLetterState::Discarded,
    };
    let mut body = ListDeadLettersRequest {
        filter: Some(what.which.filter()?),
        state: state.into(),
        ..ListDeadLettersRequest::default()
    };
    let mut left = what.limit;
    output.text(|out| {
        writeln!(
            out,
            "{:<36}  {:<20}  {:>8}  {:<20}  {:<28}  EVENT",
            "DEAD LETTER", "LAST FAILED", "ATTEMPTS", "REASON", "CONSUMER"
        )
    })?;
    while left > 0 {
        body.page_size = i32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = call(body.clone(), async |request| {
            client.list_dead_letters(request).await
        })
        .await?;
        left = left.saturating_sub(page.dead_letters.len());
        page.dead_letters
            .iter()
            .try_for_each(|letter| line(letter, output))?;
        if page.next_page_token.is_empty() {
            break;
        }
        body.page_token = page.next_page_token;
    }
    Ok(())
}

fn line(letter: &DeadLetter, output: &Output) -> Result<()> {
    output.print(letter, |out| {
        let failure = letter.failure.clone().unwrap_or_default();
        writeln!(
            out,
            "{:<36}  {:<20}  {:>8}  {:<20}  {:<28}  {}",
            letter.dead_letter_id,
            time(letter.last_failure_time.as_ref()),
            letter.attempts,
            failure.reason,
            letter.consumer,
            letter.event_type
        )
    })
}
