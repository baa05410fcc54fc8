//! What is looked for, as documents.

use mongodb::bson::{DateTime, Document, doc};
use waybill::{clock::unix_millis, grpc::page::Cursor};

use crate::domain::{dead_letter::Phase, filter::Filter};

/// The order in which letters are shown, and in which indexes hold them.
pub(super) fn newest_first() -> Document {
    doc! {"last_failure": -1, "_id": -1}
}

/// Letters of `phase` that match `filter` and stand after `after`.
pub(super) fn of(phase: Phase, filter: &Filter, after: Option<Cursor>) -> Document {
    let mut query = doc! {"phase": phase.number()};
    for (field, value) in [
        ("consumer", &filter.consumer),
        ("event_type", &filter.event_type),
        ("reason", &filter.reason),
        ("order_id", &filter.order_id),
    ] {
        if let Some(value) = value {
            query.insert(field, value);
        }
    }
    let mut times = Document::new();
    if let Some(since) = filter.failed_since {
        // Times are whole milliseconds, so this is the same as $gte: which not every server that speaks
        // the protocol gets right at the end of a descending index.
        times.insert("$gt", DateTime::from_millis(unix_millis(since) - 1));
    }
    if let Some(after) = after {
        // The first bound is what lets the index start at the page; the rest is for equal times.
        let (time, id) = (DateTime::from_millis(after.time_ms), after.id.to_string());
        times.insert("$lte", time);
        query.insert(
            "$or",
            [
                doc! {"last_failure": {"$lt": time}},
                doc! {"last_failure": time, "_id": {"$lt": id}},
            ],
        );
    } else if let Some(before) = filter.failed_before {
        times.insert("$lt", DateTime::from_millis(unix_millis(before)));
    }
    if !times.is_empty() {
        query.insert("last_failure", times);
    }
    query
}
