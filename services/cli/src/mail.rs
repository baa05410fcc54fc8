//! Which way mail goes.

use anyhow::Result;
use waybill::config::{Mail, Settings};
use waybill_notification::{MailSettings, MailTarget};

/// Folder of mail that is written as files, in the data folder.
pub(crate) const FOLDER: &str = "mail";

/// How mail leaves.
pub(crate) fn settings(settings: &Settings) -> Result<MailSettings> {
    let from = &settings.mail_from;
    Ok(MailSettings {
        from: from.parse().map_err(|_| Settings::refused("mail_from", from))?,
        target: match &settings.mail {
            Mail::Files => MailTarget::Files(settings.data_dir.join(FOLDER)),
            Mail::Smtp(url) => {
                let target = MailTarget::smtp(url.expose());
                target.ok_or_else(|| Settings::refused("smtp", url.expose()))?
            }
        },
    })
}
