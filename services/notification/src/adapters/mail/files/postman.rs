//! Takes mails from the spool into files, and lets the spool forget those whose files are on disk.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::spawn_blocking};
use tracing::warn;
use waybill::{backoff::Backoff, gather::gather, store};

use super::folder::Folder;
use crate::adapters::sqlite::{Ids, SpooledFile, SqliteSpool};

/// Groups of mails that wait to be settled, and as many again while those before are: with
/// [`MAX_TOGETHER`](super::MAX_TOGETHER) in each the spool holds some 130,000 mails at most. A power
/// failure has the files of all of them written again.
pub(super) const MAX_UNSETTLED: usize = 256;

/// How long mails wait to be settled, unless there are [`MAX_UNSETTLED`] groups of them before: to sync a file
/// system takes others along who write to it.
const SETTLE_INTERVAL: Duration = Duration::from_secs(5);

/// Mails that are written again at a time.
const BATCH: usize = 64;

/// Writes files and has them stay.
#[derive(Debug, Clone)]
pub(super) struct Postman {
    pub(super) folder: Arc<Folder>,
    pub(super) spool: SqliteSpool,
}

impl Postman {
    /// Writes mails: one answer each. What is answered with `Ok` is on disk, and has its file.
    pub(super) async fn write(
        &self,
        mails: Vec<SpooledFile>,
        written: &mpsc::Sender<Ids>,
    ) -> Vec<Result<(), store::Error>> {
        let count = mails.len();
        match self.try_to_write(mails, written).await {
            Ok(results) => results
                .into_iter()
                .map(|result| result.map_err(|e| failed(&e)))
                .collect(),
            Err(error) => vec![Err(error); count],
        }
    }

    /// Both at once: a file without a promise does no harm, for the same mail has the same file.
    async fn try_to_write(
        &self,
        mails: Vec<SpooledFile>,
        written: &mpsc::Sender<Ids>,
    ) -> store::Result<Vec<io::Result<()>>> {
        let mails: Arc<[SpooledFile]> = mails.into();
        let files = Arc::clone(&mails);
        let write = move |folder: &Folder| files.iter().map(|mail| folder.write(mail)).collect();
        let (kept, results) = tokio::join!(self.spool.keep(mails), self.in_folder(write));
        // A mail that has no file was not sent, and need not be kept either.
        let _ = written.send(kept?).await;
        results
    }

    /// Settles what was written, until nobody writes any more. What is written last stays in the spool.
    pub(super) async fn settle_written(self, mut written: mpsc::Receiver<Ids>) {
        let mut groups = Vec::new();
        while gather(&mut written, &mut groups, MAX_UNSETTLED, SETTLE_INTERVAL).await {
            // A stop is not held up by the file system: the next process finds them in the spool.
            if written.is_closed() {
                break;
            }
            self.settle(&groups, true).await;
            groups.clear();
        }
    }

    /// Settles what an earlier process left in the spool.
    pub(super) async fn settle_left(&self) {
        let mut backoff = Backoff::default();
        let left = loop {
            match self.spool.kept().await {
                Ok(left) => break left,
                Err(error) => warn!(%error, "it cannot be seen which mails are in the spool"),
            }
            backoff.wait().await;
        };
        if !left.is_empty() {
            self.settle(&[left], false).await;
        }
    }

    /// Has mails leave the spool once their files are on disk, however long that takes.
    async fn settle(&self, groups: &[Ids], mut have_files: bool) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.try_to_settle(groups, have_files).await {
            warn!(%error, "mails cannot leave the spool now");
            have_files = false;
            backoff.wait().await;
        }
    }

    async fn try_to_settle(&self, groups: &[Ids], have_files: bool) -> store::Result<()> {
        if !have_files {
            for ids in groups {
                self.write_again(ids).await?;
            }
        }
        self.in_folder(Folder::sync).await?.map_err(|e| failed(&e))?;
        self.spool.forget(groups).await
    }

    async fn write_again(&self, ids: &Ids) -> store::Result<()> {
        let (mut next, last) = (*ids.start(), *ids.end());
        loop {
            let batch = self.spool.read(&(next..=last), BATCH).await?;
            let Some((id, _)) = batch.last() else {
                return Ok(());
            };
            next = id + 1;
            let write = move |folder: &Folder| batch.iter().try_for_each(|(_, mail)| folder.write(mail));
            self.in_folder(write).await?.map_err(|e| failed(&e))?;
        }
    }

    /// Does what blocks where that holds up nobody.
    async fn in_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> T + Send + 'static,
    ) -> store::Result<T> {
        let folder = Arc::clone(&self.folder);
        let working = spawn_blocking(move || work(&folder)).await;
        working.map_err(|e| store::Error::Failed(e.to_string()))
    }
}

fn failed(error: &io::Error) -> store::Error {
    store::Error::Unavailable(error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mails(names: &[&str]) -> Vec<SpooledFile> {
        let bytes = b"text".to_vec();
        let mail = |name: &&str| SpooledFile {
            name: (*name).to_owned(),
            bytes: bytes.clone(),
        };
        names.iter().map(mail).collect()
    }

    fn postman(home: &std::path::Path) -> Postman {
        Postman {
            folder: Arc::new(Folder::open(home.join("mail")).unwrap()),
            spool: SqliteSpool::open(&home.join("mail.db")).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_mail_that_has_no_file_fails_alone() {
        let home = tempfile::tempdir().unwrap();
        let postman = postman(home.path());
        let (written, mut unsettled) = mpsc::channel(1);
        let names = ["1", "nowhere/2", "3"];
        let results = postman.write(mails(&names), &written).await;
        let failed: Vec<_> = results.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false]);
        assert_eq!(fs::read(home.path().join("mail/3")).unwrap(), b"text");
        assert_eq!(unsettled.recv().await.unwrap().count(), names.len());
    }

    #[tokio::test]
    async fn mails_stay_in_the_spool_until_they_have_files() {
        let home = tempfile::tempdir().unwrap();
        let postman = postman(home.path());
        let ids = postman.spool.keep(mails(&["1", "2"]).into()).await.unwrap();
        let groups = [ids.clone()];
        fs::remove_dir(home.path().join("mail")).unwrap();
        assert!(postman.try_to_settle(&groups, false).await.is_err());
        assert_eq!(postman.spool.kept().await.unwrap(), ids);

        fs::create_dir(home.path().join("mail")).unwrap();
        postman.settle(&groups, false).await;
        assert!(postman.spool.kept().await.unwrap().is_empty());
        assert_eq!(fs::read(home.path().join("mail/2")).unwrap(), b"text");
    }
}
