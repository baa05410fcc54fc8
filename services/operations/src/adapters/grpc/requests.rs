//! Reads requests, and notes everything that is wrong with them.

use std::time::SystemTime;

use prost_types::Timestamp;
use tonic::{Request, Status};
use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, from_unix_millis, unix_millis},
    contract::operations::v1::{
        DeadLetterFilter, DeadLetterIds, DeadLetterState, DiscardDeadLettersRequest, ListDeadLettersRequest,
        ReplayDeadLettersRequest, discard_dead_letters_request, replay_dead_letters_request,
    },
    grpc::{page::Page, request, status::Violations},
};

use crate::domain::{
    dead_letter::Phase,
    filter::{Filter, MAX_IDS, Selection},
    operation::{DEFAULT_RATE, Kind, MAX_ACTOR_BYTES, MAX_RATE, MAX_REASON_BYTES, Order},
};

/// Metadata that says who asks.
const ACTOR: &str = "x-waybill-actor";

/// Longest text to look for, in bytes: no name of a queue, a type or a reason is longer.
const MAX_TEXT_BYTES: usize = 255;

/// What to list, and the query that its page tokens belong to.
pub(super) fn list(request: ListDeadLettersRequest) -> Result<(Phase, Filter, Page, String), Status> {
    let mut violations = Violations::default();
    let phase = match request.state() {
        DeadLetterState::Unspecified | DeadLetterState::Waiting => Phase::Open,
        DeadLetterState::Replayed => Phase::Replayed,
        DeadLetterState::Discarded => Phase::Discarded,
        _ => {
            violations.add("state", "must be WAITING, REPLAYED or DISCARDED");
            Phase::Open
        }
    };
    let filter = filter_of(request.filter, "filter", &mut violations);
    violations.into_result()?;
    let query = format!("ListDeadLetters {phase:?} {filter:?}");
    let page = Page::from_request(request.page_size, &request.page_token, &query)?;
    Ok((phase, filter, page, query))
}

/// A filter that is asked for alone.
pub(super) fn filter(filter: Option<DeadLetterFilter>) -> Result<Filter, Status> {
    let mut violations = Violations::default();
    let filter = filter_of(filter, "filter", &mut violations);
    violations.into_result().map(|()| filter)
}

/// What a replay is to be.
pub(super) fn replay(
    request: Request<ReplayDeadLettersRequest>,
    ids: &dyn IdGenerator,
    now: SystemTime,
) -> Result<Order, Status> {
    use replay_dead_letters_request::Selection as Wire;
    let actor = metadata_actor(&request);
    let request = request.into_inner();
    let fingerprint = request::fingerprint(
        "ReplayDeadLetters",
        &ReplayDeadLettersRequest {
            request_id: String::new(),
            ..request.clone()
        },
    );
    let mut violations = Violations::default();
    let rate = match request.max_per_second {
        0 => DEFAULT_RATE,
        rate => rate,
    };
    if rate > MAX_RATE {
        violations.add("max_per_second", format!("must be at most {MAX_RATE}"));
    }
    let order = Order {
        id: request::request_id(&request.request_id, ids, &mut violations),
        fingerprint,
        kind: Kind::Replay,
        selection: match request.selection {
            Some(Wire::Ids(ids)) => selected(ids, &mut violations),
            Some(Wire::Filter(filter)) => {
                Selection::Filter(filter_of(Some(filter), "filter", &mut violations))
            }
            None => nothing_selected(&mut violations),
        },
        actor: actor_of(request.actor, actor, request.dry_run, &mut violations),
        reason: reason_of(request.reason, false, &mut violations),
        rate,
        time: from_unix_millis(unix_millis(now)),
    };
    violations.into_result().map(|()| order)
}

/// What a discard is to be.
pub(super) fn discard(
    request: Request<DiscardDeadLettersRequest>,
    ids: &dyn IdGenerator,
    now: SystemTime,
) -> Result<Order, Status> {
    use discard_dead_letters_request::Selection as Wire;
    let actor = metadata_actor(&request);
    let request = request.into_inner();
    let fingerprint = request::fingerprint(
        "DiscardDeadLetters",
        &DiscardDeadLettersRequest {
            request_id: String::new(),
            ..request.clone()
        },
    );
    let mut violations = Violations::default();
    let order = Order {
        id: request::request_id(&request.request_id, ids, &mut violations),
        fingerprint,
        kind: Kind::Discard,
        selection: match request.selection {
            Some(Wire::Ids(ids)) => selected(ids, &mut violations),
            Some(Wire::Filter(filter)) => {
                Selection::Filter(filter_of(Some(filter), "filter", &mut violations))
            }
            None => nothing_selected(&mut violations),
        },
        actor: actor_of(request.actor, actor, request.dry_run, &mut violations),
        reason: reason_of(request.reason, true, &mut violations),
        rate: 0,
        time: from_unix_millis(unix_millis(now)),
    };
    violations.into_result().map(|()| order)
}

fn metadata_actor<T>(request: &Request<T>) -> String {
    let actor = request.metadata().get(ACTOR);
    let actor = actor.and_then(|actor| actor.to_str().ok());
    actor.unwrap_or_default().to_owned()
}

/// Nobody needs to say who asks for what is not done.
fn actor_of(field: String, metadata: String, is_dry_run: bool, violations: &mut Violations) -> String {
    let actor = if field.is_empty() { metadata } else { field };
    if (actor.trim().is_empty() && !is_dry_run) || actor.len() > MAX_ACTOR_BYTES {
        let takes = format!("must be set, or the metadata {ACTOR}, and have at most {MAX_ACTOR_BYTES} bytes");
        violations.add("actor", takes);
    }
    actor
}

fn reason_of(reason: String, is_required: bool, violations: &mut Violations) -> String {
    if is_required && reason.trim().is_empty() {
        violations.add("reason", "must be set");
    }
    if reason.len() > MAX_REASON_BYTES {
        violations.add("reason", format!("must have at most {MAX_REASON_BYTES} bytes"));
    }
    reason
}

fn selected(ids: DeadLetterIds, violations: &mut Violations) -> Selection {
    if !(1..=MAX_IDS).contains(&ids.ids.len()) {
        violations.add("ids.ids", format!("must be 1 to {MAX_IDS}"));
        return Selection::Ids(Vec::new());
    }
    let read = |(n, text): (usize, &String)| {
        Uuid::try_parse(text).unwrap_or_else(|_| {
            violations.add(format!("ids.ids[{n}]"), "must be a UUID");
            Uuid::nil()
        })
    };
    Selection::Ids(ids.ids.iter().enumerate().map(read).collect())
}

fn nothing_selected(violations: &mut Violations) -> Selection {
    violations.add("ids or filter", "must be set");
    Selection::Ids(Vec::new())
}

fn filter_of(filter: Option<DeadLetterFilter>, field: &str, violations: &mut Violations) -> Filter {
    let filter = filter.unwrap_or_default();
    let mut text = |name: &str, text: String| {
        if text.len() > MAX_TEXT_BYTES {
            violations.add(
                format!("{field}.{name}"),
                format!("must have at most {MAX_TEXT_BYTES} bytes"),
            );
        }
        Some(text).filter(|text| !text.is_empty())
    };
    let (consumer, event_type) = (
        text("consumer", filter.consumer),
        text("event_type", filter.event_type),
    );
    let (reason, order_id) = (text("reason", filter.reason), text("order_id", filter.order_id));
    let mut time = |name: &str, time: Option<Timestamp>| {
        let time = time.map(SystemTime::try_from)?;
        if time.is_err() {
            violations.add(format!("{field}.{name}"), "must be a time");
        }
        // Stores keep milliseconds.
        time.ok().map(|time| from_unix_millis(unix_millis(time)))
    };
    Filter {
        consumer,
        event_type,
        reason,
        order_id,
        failed_since: time("failed_since", filter.failed_since),
        failed_before: time("failed_before", filter.failed_before),
    }
}
