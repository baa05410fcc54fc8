//! The hot paths: what is done for every order, on its way from a request to statistics.

use std::{hint::black_box, sync::Arc};

use uuid::Uuid;
use waybill::{
    amqp,
    clock::{UuidV7Generator, unix_millis},
    context::Context,
    dead_letter::{FailedBy, record_failure},
    envelope::Envelope,
    failure::Failure,
    grpc::page::{Cursor, Page},
    message::Message,
};
use waybill_notification::{
    Mailbox,
    adapters::{events::notice_in, mail::compose},
    domain::{contact::Contact, mail::Mail},
};
use waybill_order::{adapters::events::ContractEvents, ports::OrderEvents};
use waybill_user::adapters::events::stats_change;

use crate::placement;

/// Does so many rounds.
type Path = fn(u64);

/// Every hot path by its name.
pub(crate) const ALL: &[(&str, Path)] = &[
    ("place_order", place_order),
    ("publish_event", publish_event),
    ("consume_event", consume_event),
    ("compose_mail", compose_mail),
    ("record_failure", failing),
    ("page_token", page_token),
];

/// A request's frame becomes an order and its event, and those MongoDB's document, and the answer.
fn place_order(rounds: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime can be built");
    let (mut service, frame) = (placement::service(), placement::request());
    runtime.block_on(async {
        for _ in 0..rounds {
            placement::place(&mut service, &frame).await;
        }
    });
}

fn events() -> ContractEvents {
    ContractEvents::new(Arc::new(UuidV7Generator::default()))
}

/// An order becomes an event, an envelope, a message, and that the properties of AMQP.
fn publish_event(rounds: u64) {
    let (events, order, context) = (events(), placement::order(), Context::new("c"));
    for _ in 0..rounds {
        let message = events.created(black_box(&order), &context);
        black_box(amqp::properties(message.properties, message.headers).expect("the message fits"));
    }
}

fn message() -> Message {
    events().created(&placement::order(), &Context::new("c"))
}

/// A message becomes an envelope, an event, and what changes in a user's statistics.
fn consume_event(rounds: u64) {
    let message = message();
    for _ in 0..rounds {
        let envelope = Envelope::from_message(black_box(&message)).expect("it is an event");
        black_box(stats_change(&envelope).expect("it changes statistics"));
    }
}

/// A message becomes an envelope, a notice, a letter, and that a mail's headers and body.
fn compose_mail(rounds: u64) {
    let message = message();
    let from: Mailbox = "Waybill <orders@example.com>".parse().expect("it is one");
    let contact = Contact {
        user_id: Uuid::from_u128(7),
        email: "ada@example.com".to_owned(),
        display_name: "Ada Lovelace".to_owned(),
        version: 1,
    };
    for _ in 0..rounds {
        let envelope = Envelope::from_message(black_box(&message)).expect("it is an event");
        let notice = notice_in(&envelope).expect("it is told");
        let mail = Mail::new(&notice, &contact, "example.com");
        black_box(compose(&from, &mail).expect("it can be mailed"));
    }
}

/// A message is given the headers that tell of a failure.
fn failing(rounds: u64) {
    let message = message();
    let failure = Failure::transient("DATABASE_UNAVAILABLE", "the database cannot be reached");
    let by = FailedBy {
        consumer: "waybill.user.order-stats",
        instance: "a",
    };
    for _ in 0..rounds {
        let mut failed = black_box(&message).clone();
        record_failure(&mut failed, &failure, &by, placement::time());
        black_box(failed);
    }
}

/// A page's token is made and read.
fn page_token(rounds: u64) {
    let cursor = |n: &u128| Cursor {
        time_ms: unix_millis(placement::time()),
        id: Uuid::from_u128(*n),
    };
    let query = "waybill.order.v1.ListOrders user_id=00000000-0000-0000-0000-000000000007";
    let page = Page { size: 1, after: None };
    for _ in 0..rounds {
        let token = page.cut(&mut vec![1, 2], black_box(query), cursor);
        black_box(Page::from_request(1, &token, query).expect("the token is good"));
    }
}
