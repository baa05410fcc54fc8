//! `waybill events tail`: shows events as they pass, one a line.

use anyhow::Result;
use clap::Args;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Any;
use tonic::{Code, Status};
use waybill::{
    backoff::Backoff,
    contract::{
        self,
        operations::v1::{
            TailEventsRequest, TailEventsResponse, TailedEvent, event_service_client::EventServiceClient,
            tail_events_response::Passed,
        },
    },
};

use super::{
    connection::{Connection, explained},
    output::{Output, time_to_millis},
};

/// Which events to show.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// A type of event, for instance OrderCreated; may be given again.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// UUID of the order, or user, that events are about.
    #[arg(long = "order", value_name = "ORDER_ID", default_value = "")]
    subject: String,
}

/// Shows events until interrupted. A stream that is lost is begun anew; what passes meanwhile is not
/// seen, and that is said.
pub(crate) async fn run(tail: Tail, connection: &Connection, output: &Output) -> Result<()> {
    tokio::select! {
        result = follow(tail, connection, output) => result,
        // Whoever interrupts it has seen enough.
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn follow(tail: Tail, connection: &Connection, output: &Output) -> Result<()> {
    let pool = DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET)?;
    let mut client = EventServiceClient::new(connection.channel());
    let mut backoff = Backoff::default();
    loop {
        let request = TailEventsRequest {
            types: tail.types.clone(),
            subject: tail.subject.clone(),
        };
        let watch = async {
            let mut stream = client.tail_events(request).await?.into_inner();
            eprintln!("waybill: watching events");
            backoff.reset();
            while let Some(answer) = stream.message().await? {
                if let Err(error) = show(answer, &pool, output) {
                    return Ok(Err(error));
                }
            }
            Ok::<_, Status>(Ok(()))
        };
        match watch.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(status) if status.code() == Code::Unavailable => {
                eprintln!(
                    "waybill: {:#}; events are not seen until it is back",
                    explained(&status)
                );
            }
            Err(status) => return Err(explained(&status)),
        }
        backoff.wait().await;
    }
}

fn show(mut answer: TailEventsResponse, pool: &DescriptorPool, output: &Output) -> Result<()> {
    let mut decoded = None;
    if let Some(Passed::Event(event)) = &mut answer.passed {
        match event.event.as_ref().map(|body| decode(body, pool)) {
            Some(Ok(body)) => decoded = Some(body),
            Some(Err(problem)) => {
                // Printing it would fail as reading it did.
                event.event = None;
                event.problem = problem;
            }
            None => {}
        }
    }
    output.print(&answer, |out| match &answer.passed {
        Some(Passed::Event(event)) => writeln!(out, "{}", line(event, decoded.as_ref())),
        Some(Passed::Missed(missed)) => {
            writeln!(
                out,
                "({missed} events came faster than they were read, and were dropped)"
            )
        }
        None => Ok(()),
    })
}

/// The event in `body`, or why it cannot be read here.
fn decode(body: &Any, pool: &DescriptorPool) -> Result<DynamicMessage, String> {
    let name = body.type_url.rsplit('/').next().unwrap_or_default();
    let Some(descriptor) = pool.get_message_by_name(name) else {
        return Err(format!("no schema for {name} here"));
    };
    DynamicMessage::decode(descriptor, body.value.as_slice())
        .map_err(|error| format!("body is no {name}: {error}"))
}

fn line(event: &TailedEvent, decoded: Option<&DynamicMessage>) -> String {
    let what = match decoded {
        Some(decoded) => serde_json::to_string(decoded).unwrap_or_else(|error| format!("({error})")),
        None => format!("({})", event.problem),
    };
    let or_none = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    format!(
        "{} {} {} {what}",
        time_to_millis(event.event_time.as_ref()),
        or_none(&event.routing_key),
        or_none(&event.subject),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_cannot_be_read_says_why() {
        let pool = DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET).unwrap();
        let body = |name: &str, value: &[u8]| Any {
            type_url: format!("type.googleapis.com/{name}"),
            value: value.to_vec(),
        };
        let problem = decode(&body("shop.v1.Parcel", b""), &pool).unwrap_err();
        assert_eq!(problem, "no schema for shop.v1.Parcel here");
        let problem = decode(&body("waybill.order.v1.OrderCreated", b"\xff"), &pool).unwrap_err();
        assert!(
            problem.starts_with("body is no waybill.order.v1.OrderCreated: "),
            "{problem}"
        );
    }
}
