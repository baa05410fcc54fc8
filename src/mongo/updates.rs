//! Updates of many documents, each its own, as one command.
//!
//! The driver makes a bulk write of them, a command that came with MongoDB 8 and is about several collections.
//! The older command for one collection takes as many updates, and takes less of the server's time.

use mongodb::{
    ClientSession,
    bson::{Bson, Document, deserialize_from_bson, doc, serialize_to_bson},
    error::{Error, ErrorKind, Result, WriteFailure},
};

use super::{Collection, Command};

/// An update of the document that a filter finds, or that is made of filter and update if it finds none.
#[derive(Debug, Clone, PartialEq)]
pub struct Upsert {
    /// What finds the document: its `_id`, or two of them that meet may make two documents.
    pub filter: Document,
    /// Operators such as `$inc` as a document, or a pipeline as an array.
    pub update: Bson,
}

impl<T: Send + Sync> Collection<T> {
    /// Makes `upserts`, in their order, by one command, of which the server takes 1 to 100,000 updates and 48 MB:
    /// in the transaction of `session`, or each for itself where there is none. The error is that of
    /// the first update that failed; later ones were not made. The driver does not try again.
    pub async fn upsert_each(
        &self,
        upserts: impl IntoIterator<Item = Upsert>,
        session: Option<&mut ClientSession>,
    ) -> Result<()> {
        let update = |one: Upsert| doc! {"q": one.filter, "u": one.update, "upsert": true};
        let updates: Vec<_> = upserts.into_iter().map(update).collect();
        let mut command = doc! {"update": self.name(), "updates": updates};
        // In a transaction its commit says how durable it is to be.
        if let (None, Some(concern)) = (&session, self.write_concern()) {
            command.insert("writeConcern", serialize_to_bson(concern)?);
        }
        let database = self.client().database(&self.namespace().db);
        let run = database.run_command(command);
        let run = match session {
            Some(session) => run.session(session),
            None => run,
        };
        self.observe(Command::Update, async { made(run.await?) }).await
    }
}

/// What the server answers: it says "ok" also when updates failed.
fn made(mut answer: Document) -> Result<()> {
    let failed = match answer.remove("writeErrors") {
        Some(Bson::Array(failed)) => failed.into_iter().next(),
        _ => None,
    };
    if let Some(failed) = failed {
        let failure = WriteFailure::WriteError(deserialize_from_bson(failed)?);
        return Err(Error::from(ErrorKind::Write(failure)));
    }
    if let Some(failed) = answer.remove("writeConcernError") {
        let failure = WriteFailure::WriteConcernError(deserialize_from_bson(failed)?);
        return Err(Error::from(ErrorKind::Write(failure)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{error::is_transient, is_duplicate_key},
        *,
    };

    #[test]
    fn an_answer_is_only_as_good_as_its_updates() {
        made(doc! {"ok": 1, "n": 2, "nModified": 2}).unwrap();
        made(doc! {"ok": 1, "n": 0, "writeErrors": []}).unwrap();

        let error = |index, code| doc! {"index": index, "code": code, "errmsg": "no"};
        let answer = doc! {"ok": 1, "n": 1, "writeErrors": [error(1, 11_000), error(2, 112)]};
        assert!(is_duplicate_key(&made(answer).unwrap_err()));

        let late = doc! {"code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waited"};
        let answer = doc! {"ok": 1, "n": 2, "writeConcernError": late};
        assert!(is_transient(&made(answer).unwrap_err()));
    }
}
