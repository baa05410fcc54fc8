//! Inserts that arrive while others are under way share the next one: group commit.
//!
//! Two writers take what waits, each as one unordered `insertMany`, and each caller gets the answer to
//! its own document. Nobody waits for company: while a writer is idle a document goes at once, and
//! alone. So a group is as large as the load makes it, and one round trip and one journal flush serve
//! all of it.

use std::sync::Arc;

use bson::RawDocumentBuf;
use mongodb::error::ErrorKind;
use serde::Serialize;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Collection, Command, error::DUPLICATE_KEY, store_error};
use crate::store::{Error, Result};

/// Writes under way at a time. With one, a document that comes would always wait for the group before; with more
/// than two, groups are smaller and cost the server more than it gains by doing them side by side.
const WRITERS: usize = 2;

/// Documents in a group: enough to make a round trip's cost small beside theirs, few enough that
/// the largest (some 200 KB) stay within one message of the server's 48 MB.
pub const MAX_GROUP: usize = 128;

/// Largest document, in bytes: the server takes 16 MiB, and one that it refuses for its size would be
/// refused with its whole group.
const MAX_DOCUMENT_BYTES: usize = 15 * 1024 * 1024;

/// Documents that wait for a writer; more callers wait for room.
const MAX_WAITING: usize = 1024;

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored, as durably as the client's write concern says.
    New,
    /// Another with the same key is there; nothing was stored.
    Duplicate,
}

/// Inserts into one collection. Clones share the writers, which end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct GroupInsert {
    collection: Collection<RawDocumentBuf>,
    waiting: mpsc::Sender<Waiting>,
}

/// A document, and who waits for its answer.
#[derive(Debug)]
struct Waiting {
    document: RawDocumentBuf,
    answer: oneshot::Sender<Result<Inserted>>,
}

impl GroupInsert {
    /// Inserts into `collection`. Must be called within a tokio runtime, in which the writers run.
    pub fn into(collection: &Collection<RawDocumentBuf>) -> Self {
        let (waiting, queue) = mpsc::channel(MAX_WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..WRITERS {
            tokio::spawn(write(collection.clone(), Arc::clone(&queue)));
        }
        Self {
            collection: collection.clone(),
            waiting,
        }
    }

    /// Inserts one document. A caller that stops waiting does not stop its document.
    pub fn insert<'a, D: Serialize>(
        &'a self,
        document: &D,
    ) -> impl Future<Output = Result<Inserted>> + use<'a, D> {
        // Here and not in the group, so that one that cannot be written fails alone; and at once, so that
        // bytes are all that waits.
        let document = bytes_of(document);
        async move {
            // The command that a group becomes is a step of no one caller, so each has one of its own.
            let span = self.collection.span(Command::Insert);
            let result = match document {
                Ok(document) => self.queue(document).await,
                Err(error) => Err(error),
            };
            span.end(result.as_ref().err().map(Error::kind));
            result
        }
    }

    async fn queue(&self, document: RawDocumentBuf) -> Result<Inserted> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { document, answer };
        let gone = || Error::Unavailable("the writers have stopped".to_owned());
        self.waiting.send(waiting).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn bytes_of(document: &impl Serialize) -> Result<RawDocumentBuf> {
    let document = bson::serialize_to_raw_document_buf(document)
        .map_err(|_| Error::Failed("a document cannot be written".to_owned()))?;
    let bytes = document.as_bytes().len();
    if bytes > MAX_DOCUMENT_BYTES {
        let text = format!("a document of {bytes} bytes is larger than {MAX_DOCUMENT_BYTES}");
        return Err(Error::Failed(text));
    }
    Ok(document)
}

async fn write(collection: Collection<RawDocumentBuf>, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    loop {
        if queue.lock().await.recv_many(&mut group, MAX_GROUP).await == 0 {
            return;
        }
        let (documents, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|w| (w.document, w.answer)).unzip();
        let results = insert(&collection, &documents).await;
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever no longer waits needs no answer.
            let _ = answer.send(result);
        }
    }
}

/// One answer a document.
async fn insert(
    collection: &Collection<RawDocumentBuf>,
    documents: &[RawDocumentBuf],
) -> Vec<Result<Inserted>> {
    let inserting = collection.insert_many(documents).ordered(false);
    let Err(error) = collection.observe(Command::Insert, inserting).await else {
        return vec![Ok(Inserted::New); documents.len()];
    };
    match &*error.kind {
        // Without a write concern error whatever is not named was stored, and lasts.
        ErrorKind::InsertMany(many) if many.write_concern_error.is_none() => {
            let mut results = vec![Ok(Inserted::New); documents.len()];
            for refused in many.write_errors.iter().flatten() {
                results[refused.index] = match refused.code {
                    DUPLICATE_KEY => Ok(Inserted::Duplicate),
                    code => Err(Error::Failed(format!("MongoDB answered with error {code}"))),
                };
            }
            results
        }
        _ => {
            let error = store_error(error);
            documents.iter().map(|_| Err(error.clone())).collect()
        }
    }
}
