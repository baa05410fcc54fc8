//! Mail as files: `{notification id}.eml` in one folder, for a machine without a mail server.
//!
//! To have a file on disk takes a flush of the disk for it alone. So mails go into a spool, where those that
//! come together share a flush. Their files are written meanwhile and left to the file system. A mail
//! leaves the spool when the file system, which is asked now and then, has put its file on disk; what
//! is in the spool at the start may have lost its file in a power failure, and has it written again.

mod folder;
mod postman;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use lettre::message::Mailbox;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use waybill::{gather::gather, store};

use self::{
    folder::Folder,
    postman::{MAX_UNSETTLED, Postman},
};
use super::compose::compose;
use crate::{
    adapters::sqlite::{SpooledFile, SqliteSpool},
    app::notify::RECORDED_TOGETHER,
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Mails that are written together: as many as are recorded together.
const MAX_TOGETHER: usize = RECORDED_TOGETHER;

/// How long mails are gathered to be written together: those of one batch come one after the other, and the
/// first alone would have a flush of its own.
const GATHER: Duration = Duration::from_millis(1);

/// How long a mail waits for its file, as when a full disk keeps others from leaving the spool. A file that is
/// written later is the same file. A stop has 10 s.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Writes each mail into a file of its own. A mail that is sent again overwrites itself.
#[derive(Debug)]
pub struct FileMailer {
    from: Mailbox,
    waiting: mpsc::Sender<Waiting>,
}

/// A mail to be written, and who waits for its answer.
#[derive(Debug)]
struct Waiting {
    file: SpooledFile,
    answer: oneshot::Sender<Result<(), store::Error>>,
}

impl FileMailer {
    /// Writes into the folder at `path`, which is made if need be, and keeps the spool in a file beside it, of the
    /// same name with `.db`. Must be called inside a tokio runtime.
    pub fn new(path: PathBuf, from: Mailbox) -> store::Result<Self> {
        let spool = SqliteSpool::open(&path.with_extension("db"))?;
        let failed = {
            let path = path.display().to_string();
            move |e: io::Error| store::Error::Failed(format!("mail folder {path}: {e}"))
        };
        let folder = Arc::new(Folder::open(path).map_err(failed)?);
        let (waiting, queue) = mpsc::channel(MAX_TOGETHER);
        tokio::spawn(work(Postman { folder, spool }, queue));
        Ok(Self { from, waiting })
    }

    async fn write(&self, file: SpooledFile) -> Result<(), store::Error> {
        let gone = || store::Error::Unavailable("nobody writes any more".to_owned());
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { file, answer };
        self.waiting.send(waiting).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

#[async_trait]
impl Mailer for FileMailer {
    fn at_once(&self) -> usize {
        MAX_TOGETHER
    }

    /// When this returns `Ok`, the mail is on disk, and has its file.
    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let file = SpooledFile {
            name: format!("{}.eml", mail.notification_id),
            bytes: compose(&self.from, mail)?.message.into_bytes(),
        };
        match timeout(TIMEOUT, self.write(file)).await {
            Ok(written) => written.map_err(|e| Error::Unavailable(format!("mail folder: {e}"))),
            Err(_) => Err(Error::Unavailable("mail folder: timed out".to_owned())),
        }
    }
}

/// Works until the mailer is gone. What an earlier process left comes first: the same mails may be sent again.
async fn work(postman: Postman, mut queue: mpsc::Receiver<Waiting>) {
    postman.settle_left().await;
    let (written, unsettled) = mpsc::channel(MAX_UNSETTLED);
    tokio::spawn(postman.clone().settle_written(unsettled));
    let mut group = Vec::with_capacity(MAX_TOGETHER);
    while gather(&mut queue, &mut group, MAX_TOGETHER, GATHER).await {
        let (files, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|w| (w.file, w.answer)).unzip();
        for (answer, result) in answers.into_iter().zip(postman.write(files, &written).await) {
            // Whoever no longer waits needs no answer.
            let _ = answer.send(result);
        }
    }
}
