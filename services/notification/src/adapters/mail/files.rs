//! Mail as files: `{notification id}.eml` in one folder, for a machine without a mail server.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use lettre::message::Mailbox;
use waybill::store;

use super::compose::compose;
use crate::{
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Writes each mail into a file of its own. A mail that is sent again overwrites itself.
#[derive(Debug)]
pub struct FileMailer {
    folder: PathBuf,
    from: Mailbox,
}

impl FileMailer {
    /// Writes into `folder`, which is made if need be.
    pub fn new(folder: PathBuf, from: Mailbox) -> store::Result<Self> {
        fs::create_dir_all(&folder)
            .map_err(|e| store::Error::Failed(format!("mail folder {}: {e}", folder.display())))?;
        Ok(Self { folder, from })
    }
}

#[async_trait]
impl Mailer for FileMailer {
    /// When this returns `Ok`, the mail is on disk.
    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let message = compose(&self.from, mail)?.formatted();
        let folder = self.folder.clone();
        let name = format!("{}.eml", mail.notification_id);
        tokio::task::spawn_blocking(move || write(&folder, &name, &message))
            .await
            .map_err(|_| Error::Unavailable("writing ended in a panic".to_owned()))?
            .map_err(|e| Error::Unavailable(format!("mail folder: {}", e.kind())))
    }
}

/// Writes beside and renames, so that nobody sees half a mail under its name.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!(".{name}.part"));
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(name))?;
    // The name is on disk only when the folder is.
    File::open(folder)?.sync_all()
}
