//! Makes an RFC 5322 message of a mail. The same mail gives the same bytes.

use lettre::{address::Envelope as SmtpEnvelope, message::Mailbox};
use mail_builder::{
    MessageBuilder,
    headers::{address::Address, content_type::ContentType, date::Date, raw::Raw},
    mime::MimePart,
};
use waybill::clock::unix_millis;

use crate::{
    domain::{mail::Mail, text::one_line},
    ports::mailer::Error,
};

/// A message, and from whom to whom it goes.
pub struct Composed {
    /// What a mail server is told of it (RFC 5321).
    pub envelope: SmtpEnvelope,
    /// Headers and body, each line ended by `\r\n`.
    pub message: String,
}

/// The message from `from` that holds `mail`, or why its recipient can never get one.
pub fn compose(from: &Mailbox, mail: &Mail) -> Result<Composed, Error> {
    let to = recipient(mail)?;
    let message = MessageBuilder::new()
        .message_id(mail.message_id.trim_matches(['<', '>']))
        .date(date(mail))
        .from(address(from))
        .to(address(&to))
        .subject(one_line(&mail.letter.subject))
        // Tells autoresponders not to answer (RFC 3834).
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .body(alternatives(mail))
        .write_to_string()
        .map_err(|_| unwritable())?;
    let envelope = SmtpEnvelope::new(Some(from.email.clone()), vec![to.email]).map_err(|_| unwritable())?;
    Ok(Composed { envelope, message })
}

/// When the event happened. A stranger's may claim a time that no mail can have: 1970 is the earliest.
fn date(mail: &Mail) -> Date {
    Date::new(unix_millis(mail.time) / 1000)
}

fn address(of: &Mailbox) -> Address<'_> {
    Address::new_address(of.name.as_deref(), AsRef::<str>::as_ref(&of.email))
}

/// Both parts tell the same. What separates them is unguessable (an event id has 74 random bits), so no text can hold
/// it and end a part.
fn alternatives(mail: &Mail) -> MimePart<'_> {
    let boundary = format!("=_{}", mail.notification_id.simple());
    let kind = ContentType::new("multipart/alternative").attribute("boundary", boundary);
    let plain = MimePart::new("text/plain", mail.letter.plain.as_str());
    let html = MimePart::new("text/html", mail.letter.html.as_str());
    MimePart::new(kind, vec![plain, html])
}

fn unwritable() -> Error {
    Error::Rejected("no message can be made for the recipient".to_owned())
}

fn recipient(mail: &Mail) -> Result<Mailbox, Error> {
    let invalid = || Error::Rejected("the recipient's address is not valid".to_owned());
    // A quoted local part may hold line breaks by the grammar; a header must not.
    if mail.to_email.chars().any(char::is_control) {
        return Err(invalid());
    }
    let address = mail.to_email.parse().map_err(|_| invalid())?;
    let name = one_line(&mail.to_name);
    Ok(Mailbox::new(
        (!name.is_empty()).then(|| name.into_owned()),
        address,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use uuid::Uuid;

    use super::*;
    use crate::domain::letter::Letter;

    fn mail(to_email: &str, to_name: &str) -> Mail {
        Mail {
            notification_id: Uuid::from_u128(1),
            message_id: "<1@example.com>".into(),
            time: UNIX_EPOCH,
            to_email: to_email.into(),
            to_name: to_name.into(),
            letter: Letter {
                subject: "Subject".into(),
                plain: "plain\n".into(),
                html: "<p>html</p>\n".into(),
            },
        }
    }

    fn message(to_email: &str, to_name: &str) -> Result<String, Error> {
        let from = "Waybill <orders@example.com>".parse().unwrap();
        compose(&from, &mail(to_email, to_name)).map(|composed| composed.message)
    }

    #[test]
    fn the_same_mail_gives_the_same_bytes() {
        let first = message("ada@example.com", "Ada").unwrap();
        assert_eq!(first, message("ada@example.com", "Ada").unwrap());
        assert!(
            first.contains("Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"),
            "{first}"
        );
    }

    #[test]
    fn no_name_and_no_address_adds_a_header() {
        for name in [
            "Ada\r\nBcc: eve@example.com",
            "Ada\nBcc: eve@example.com",
            "\u{85}\u{2028}\r\n\r\nBcc: x",
        ] {
            let message = message("ada@example.com", name).unwrap();
            assert!(!message.contains("\nBcc"), "{message}");
        }
        for email in [
            "ada@example.com\r\nBcc: eve@example.com",
            "\"a\r\n b\"@example.com",
            "ada@example.com, eve@example.com",
            "Ada <ada@example.com>",
            "",
            "ada",
        ] {
            assert!(
                matches!(message(email, "Ada"), Err(Error::Rejected(_))),
                "{email:?}"
            );
        }
    }

    #[test]
    fn whatever_is_told_travels_as_short_lines_of_ascii() {
        let from = "W\u{e4}ybill <orders@example.com>".parse().unwrap();
        let mut mail = mail("ada@example.com", &"Zo\u{eb} ".repeat(60));
        mail.letter.subject = "\u{1f375}".repeat(60);
        mail.letter.plain = format!("{}\n", "x".repeat(1000));
        mail.letter.html = "\u{fc} \u{1f375}\n".repeat(60);
        let message = compose(&from, &mail).unwrap().message;
        assert!(message.is_ascii(), "{message}");
        for line in message.split("\r\n") {
            assert!(line.len() <= 78 && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_date_that_no_mail_can_have_is_the_earliest_that_one_can() {
        let from = "orders@example.com".parse().unwrap();
        let mut mail = mail("ada@example.com", "");
        mail.time = UNIX_EPOCH - std::time::Duration::from_secs(1);
        let message = compose(&from, &mail).unwrap().message;
        assert!(
            message.contains("\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n"),
            "{message}"
        );
    }
}
