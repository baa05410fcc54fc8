//! Operations as they are kept.

use serde::{Deserialize, Serialize};
use waybill::{
    clock::{from_unix_millis, unix_millis},
    store::{Error, Result},
};

use super::{StoredFilter, TextId};
use crate::domain::{
    filter::Selection,
    operation::{Batch, Kind, Operation, Order, Step},
};

/// An [`Operation`] as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::adapters) struct StoredOperation {
    id: TextId,
    fingerprint: Vec<u8>,
    kind: String,
    selection: StoredSelection,
    actor: String,
    reason: String,
    rate: u32,
    time_ms: i64,
    matched: u64,
    done: u64,
    refused: u64,
    refusal: String,
    batch: Option<StoredBatch>,
    end_ms: Option<i64>,
    revision: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredSelection {
    Ids(Vec<TextId>),
    Filter(StoredFilter),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredBatch {
    id: TextId,
    step: String,
    size: u64,
    refused: u64,
}

impl From<&Operation> for StoredOperation {
    fn from(operation: &Operation) -> Self {
        let order = &operation.order;
        Self {
            id: TextId(order.id),
            fingerprint: order.fingerprint.to_vec(),
            kind: order.kind.as_str().to_owned(),
            selection: match &order.selection {
                Selection::Ids(ids) => StoredSelection::Ids(ids.iter().copied().map(TextId).collect()),
                Selection::Filter(filter) => StoredSelection::Filter(filter.into()),
            },
            actor: order.actor.clone(),
            reason: order.reason.clone(),
            rate: order.rate,
            time_ms: unix_millis(order.time),
            matched: operation.matched,
            done: operation.done,
            refused: operation.refused,
            refusal: operation.refusal.clone(),
            batch: operation.batch.map(|batch| StoredBatch {
                id: TextId(batch.id),
                step: batch.step.as_str().to_owned(),
                size: batch.size,
                refused: batch.refused,
            }),
            end_ms: operation.end.map(unix_millis),
            revision: operation.revision,
        }
    }
}

impl TryFrom<StoredOperation> for Operation {
    type Error = Error;

    fn try_from(stored: StoredOperation) -> Result<Self> {
        let unknown = |word: &str| Error::Failed(format!("an operation holds the unknown word {word:?}"));
        let batch = |batch: StoredBatch| {
            Ok(Batch {
                id: batch.id.0,
                step: Step::from_word(&batch.step).ok_or_else(|| unknown(&batch.step))?,
                size: batch.size,
                refused: batch.refused,
            })
        };
        let fingerprint = stored.fingerprint.try_into();
        Ok(Self {
            order: Order {
                id: stored.id.0,
                fingerprint: fingerprint
                    .map_err(|_| Error::Failed("an operation's fingerprint is too short".to_owned()))?,
                kind: Kind::from_word(&stored.kind).ok_or_else(|| unknown(&stored.kind))?,
                selection: match stored.selection {
                    StoredSelection::Ids(ids) => Selection::Ids(ids.into_iter().map(|id| id.0).collect()),
                    StoredSelection::Filter(filter) => Selection::Filter(filter.into()),
                },
                actor: stored.actor,
                reason: stored.reason,
                rate: stored.rate,
                time: from_unix_millis(stored.time_ms),
            },
            matched: stored.matched,
            done: stored.done,
            refused: stored.refused,
            refusal: stored.refusal,
            batch: stored.batch.map(batch).transpose()?,
            end: stored.end_ms.map(from_unix_millis),
            revision: stored.revision,
        })
    }
}
