//! Mail as files: `{notification id}.eml` in one folder, for a machine without a mail server.
//!
//! To have a file on disk takes a flush of the disk for it and one for its folder, which take longer than all
//! the rest. So mails that come while others are being written go together with the next ones, and share
//! the folder's.

mod folder;

use std::{io, path::PathBuf, thread};

use async_trait::async_trait;
use lettre::message::Mailbox;
use tokio::sync::{mpsc, oneshot};
use waybill::store;

use self::folder::{Folder, NewFile};
use super::compose::compose;
use crate::{
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Mails that are written together: as many as are recorded together. Each holds a file open.
const MAX_TOGETHER: usize = 64;

/// Writes each mail into a file of its own. A mail that is sent again overwrites itself.
#[derive(Debug)]
pub struct FileMailer {
    from: Mailbox,
    waiting: mpsc::Sender<Waiting>,
}

/// A mail to be written, and who waits for its answer.
#[derive(Debug)]
struct Waiting {
    file: NewFile,
    answer: oneshot::Sender<io::Result<()>>,
}

impl FileMailer {
    /// Writes into the folder at `path`, which is made if need be, by a thread that ends with this.
    pub fn new(path: PathBuf, from: Mailbox) -> store::Result<Self> {
        let failed = {
            let path = path.display().to_string();
            move |e: io::Error| store::Error::Failed(format!("mail folder {path}: {e}"))
        };
        let folder = Folder::open(path).map_err(&failed)?;
        let (waiting, queue) = mpsc::channel(MAX_TOGETHER);
        let writer = thread::Builder::new().name("mail-writer".to_owned());
        writer.spawn(move || write(&folder, queue)).map_err(failed)?;
        Ok(Self { from, waiting })
    }

    async fn write(&self, file: NewFile) -> io::Result<()> {
        let gone = || io::Error::other("the writer has ended");
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

    /// When this returns `Ok`, the mail is on disk.
    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let file = NewFile {
            name: format!("{}.eml", mail.notification_id),
            bytes: compose(&self.from, mail)?.formatted(),
        };
        let written = self.write(file).await;
        written.map_err(|e| Error::Unavailable(format!("mail folder: {}", e.kind())))
    }
}

/// Writes what is waiting, until nobody can send any more.
fn write(folder: &Folder, mut queue: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(MAX_TOGETHER);
    while queue.blocking_recv_many(&mut group, MAX_TOGETHER) > 0 {
        let (files, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|w| (w.file, w.answer)).unzip();
        for (answer, written) in answers.into_iter().zip(folder.write(&files)) {
            // Whoever no longer waits needs no answer.
            let _ = answer.send(written);
        }
    }
}
