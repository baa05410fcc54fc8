//! Mails that are on disk, and whose files may not be.

use std::{ops::RangeInclusive, path::Path, sync::Arc};

use waybill::{
    embedded::{
        Database,
        rusqlite::{self, Row, params},
    },
    store::Result,
};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE mail (
        -- Never given twice, so that whoever forgets a mail forgets no later one.
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
"];

const KEEP: &str = "INSERT INTO mail (name, bytes) VALUES (?1, ?2)";

const KEPT: &str = "SELECT (SELECT min(id) FROM mail), (SELECT max(id) FROM mail)";

const READ: &str = "SELECT id, name, bytes FROM mail WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";

const FORGET: &str = "DELETE FROM mail WHERE id BETWEEN ?1 AND ?2";

/// A mail as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpooledFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Ids of mails that were kept together. Nobody else's is among them, for one process writes at a time.
pub(crate) type Ids = RangeInclusive<i64>;

/// A database of mails. Several processes may use it.
#[derive(Debug, Clone)]
pub(crate) struct SqliteSpool(Database);

impl SqliteSpool {
    /// The spool in the file at `path`, which is made if need be.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// Keeps mails, at least one. When this returns `Ok`, they are on disk.
    pub(crate) async fn keep(&self, mails: Arc<[SpooledFile]>) -> Result<Ids> {
        let keep = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(KEEP)?;
            let mut ids = Vec::with_capacity(mails.len());
            for mail in mails.iter() {
                ids.push(statement.insert(params![mail.name, mail.bytes])?);
            }
            let (first, last) = (ids.first().copied(), ids.last().copied());
            Ok(first.unwrap_or(1)..=last.unwrap_or(0))
        };
        self.0.write(keep).await
    }

    /// The ids between which all mails stand that are kept. Empty when there are none.
    pub(crate) async fn kept(&self) -> Result<Ids> {
        let range = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let kept = self.0.read(move |c| c.prepare_cached(KEPT)?.query_row([], range));
        let (first, last): (Option<i64>, Option<i64>) = kept.await?;
        Ok(first.unwrap_or(1)..=last.unwrap_or(0))
    }

    /// The first mails of these, `limit` at most, with their ids.
    pub(crate) async fn read(&self, ids: &Ids, limit: usize) -> Result<Vec<(i64, SpooledFile)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters = [*ids.start(), *ids.end(), limit];
        let mail = |row: &Row<'_>| {
            let (name, bytes) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, SpooledFile { name, bytes }))
        };
        self.0
            .read(move |c| c.prepare_cached(READ)?.query_map(parameters, mail)?.collect())
            .await
    }

    /// Forgets mails. A power failure may bring them back.
    pub(crate) async fn forget(&self, groups: &[Ids]) -> Result<()> {
        let groups = groups.to_vec();
        let forget = move |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(FORGET)?;
            for ids in groups {
                statement.execute([ids.start(), ids.end()])?;
            }
            Ok(())
        };
        self.0.write_repeatable(forget).await
    }
}

#[cfg(test)]
mod tests {
    use waybill_testkit::sqlite::Watched;

    use super::*;

    fn mail(name: &str) -> SpooledFile {
        SpooledFile {
            name: name.to_owned(),
            bytes: b"text".to_vec(),
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_read_in_parts_until_it_is_forgotten_and_no_id_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.db");
        let _every_statement_has_an_index = Watched::new(&path);
        let spool = SqliteSpool::open(&path).unwrap();
        assert!(spool.kept().await.unwrap().is_empty());

        let first = spool
            .keep([mail("1"), mail("2"), mail("3")].into())
            .await
            .unwrap();
        let second = spool.keep([mail("4")].into()).await.unwrap();
        assert_eq!(spool.kept().await.unwrap(), *first.start()..=*second.end());
        let read = spool.read(&first, 2).await.unwrap();
        let names: Vec<_> = read.iter().map(|(_, mail)| mail.name.as_str()).collect();
        assert_eq!(names, ["1", "2"]);
        let rest = read[1].0 + 1..=*first.end();
        assert_eq!(spool.read(&rest, 2).await.unwrap()[0].1, mail("3"));

        spool.forget(&[first, second.clone()]).await.unwrap();
        assert!(spool.kept().await.unwrap().is_empty());
        let third = spool.keep([mail("5")].into()).await.unwrap();
        assert!(third.start() > second.end());
    }
}
