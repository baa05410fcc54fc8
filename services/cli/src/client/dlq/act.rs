//! Replays and discards, followed to their end.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tonic::transport::Channel;
use waybill::{
    config,
    contract::operations::v1::{
        DeadLetterIds, DiscardDeadLettersRequest, GetOperationRequest, Operation, OperationState,
        ReplayDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient,
        discard_dead_letters_request, replay_dead_letters_request,
    },
};

use super::{filter::Which, show};
use crate::client::{
    connection::{call, request_id},
    output::Output,
};

/// How often it is asked how far an operation is.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// To which dead letters something is done, and by whom.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// UUIDs of dead letters.
    #[arg(value_name = "DEAD_LETTER_ID")]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// All of them, if nothing else is said.
    #[arg(long)]
    all: bool,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
    /// Who does it [default: whoever runs this].
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// UUID that makes a repeat of this command safe; made up if not given.
    #[arg(long)]
    request_id: Option<String>,
}

impl Act {
    /// Refuses what is not clear: everything is only meant when that is said.
    fn check(&self) -> Result<()> {
        match (self.ids.is_empty(), self.which.is_all(), self.all) {
            (true, true, false) => bail!("say which: ids, or filters such as --error, or --all"),
            (false, false, _) | (false, _, true) => bail!("say ids or filters, not both"),
            _ => Ok(()),
        }
    }

    /// Who does it. Nobody needs to be named for what is not done.
    fn actor(&self) -> Result<String> {
        let named = self.actor.clone().or_else(config::user_name);
        match named {
            None if !self.dry_run => bail!("say who does it: --actor NAME (USER is not set)"),
            named => Ok(named.unwrap_or_default()),
        }
    }
}

/// Sends dead letters back.
pub(super) async fn replay(
    mut client: DeadLetterServiceClient<Channel>,
    act: Act,
    rate: u32,
    reason: String,
    output: &Output,
) -> Result<()> {
    use replay_dead_letters_request::Selection;
    act.check()?;
    let body = ReplayDeadLettersRequest {
        request_id: request_id(act.request_id.clone()),
        selection: Some(if act.ids.is_empty() {
            Selection::Filter(act.which.filter()?)
        } else {
            Selection::Ids(DeadLetterIds { ids: act.ids.clone() })
        }),
        max_per_second: rate,
        dry_run: act.dry_run,
        actor: act.actor()?,
        reason,
    };
    let answer = call(body, async |request| client.replay_dead_letters(request).await).await?;
    follow(client, answer.operation.unwrap_or_default(), &act, output).await
}

/// Sets dead letters aside.
pub(super) async fn discard(
    mut client: DeadLetterServiceClient<Channel>,
    act: Act,
    reason: String,
    output: &Output,
) -> Result<()> {
    use discard_dead_letters_request::Selection;
    act.check()?;
    let body = DiscardDeadLettersRequest {
        request_id: request_id(act.request_id.clone()),
        selection: Some(if act.ids.is_empty() {
            Selection::Filter(act.which.filter()?)
        } else {
            Selection::Ids(DeadLetterIds { ids: act.ids.clone() })
        }),
        dry_run: act.dry_run,
        actor: act.actor()?,
        reason,
    };
    let answer = call(body, async |request| client.discard_dead_letters(request).await).await?;
    follow(client, answer.operation.unwrap_or_default(), &act, output).await
}

/// Waits for the end, showing how far it is where somebody looks, and reports. The operation goes on
/// whatever becomes of this process.
async fn follow(
    mut client: DeadLetterServiceClient<Channel>,
    mut operation: Operation,
    act: &Act,
    output: &Output,
) -> Result<()> {
    if act.dry_run {
        let matched = operation.matched_count;
        output.text(|out| writeln!(out, "{matched} dead letters match; nothing was done"))?;
        return match output.value(&operation)? {
            Some(value) => output.json(&value),
            None => Ok(()),
        };
    }
    let bar = progress_bar(&operation);
    while operation.state() == OperationState::Running && !act.no_wait {
        bar.set_position(u64::try_from(operation.done_count + operation.refused_count).unwrap_or(0));
        tokio::time::sleep(POLL_INTERVAL).await;
        let body = GetOperationRequest {
            operation_id: operation.operation_id.clone(),
        };
        let answer = call(body, async |request| client.get_operation(request).await).await;
        let answer = answer.with_context(|| {
            let id = &operation.operation_id;
            format!("operation {id} goes on; `waybill dlq operations` tells how far it is")
        })?;
        operation = answer.operation.unwrap_or_default();
    }
    bar.finish_and_clear();
    output.print(&operation, |out| show::operation(&operation, out))
}

/// Shows itself on standard error, and only where that is a terminal.
fn progress_bar(operation: &Operation) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(operation.matched_count).unwrap_or(0));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left");
    bar.set_style(style.expect("the template is well-formed"));
    bar
}
