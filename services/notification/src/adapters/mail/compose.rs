//! Makes an RFC 5322 message of a mail. The same mail gives the same bytes.

use std::time::UNIX_EPOCH;

use lettre::{
    Address,
    address::Envelope as SmtpEnvelope,
    message::{
        Mailbox, Mailboxes, MultiPart, SinglePart,
        header::{
            ContentType, Date, From, HeaderName, HeaderValue, MIME_VERSION_1_0, MessageId, Subject, To,
        },
    },
};

use crate::{
    domain::{mail::Mail, text::one_line},
    ports::mailer::Error,
};

/// Tells autoresponders not to answer (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// A message, and from whom to whom it goes.
pub struct Composed {
    /// What a mail server is told of it (RFC 5321).
    pub envelope: SmtpEnvelope,
    /// Headers and body, each line ended by `\r\n`.
    pub message: String,
}

/// The message from `from` that holds `mail`, or why its recipient can never get one.
///
/// It is put together as lettre's `MultiPart`, which may have any header, and not as its `Message`, which parses
/// those that it has just written.
pub fn compose(from: &Mailbox, mail: &Mail) -> Result<Composed, Error> {
    let to = recipient(mail)?;
    let envelope =
        SmtpEnvelope::new(Some(from.email.clone()), vec![to.email.clone()]).map_err(|_| unwritable())?;
    let mut message = MultiPart::builder()
        .header(MessageId::from(mail.message_id.clone()))
        // A mail date before 1970 cannot be written, and a stranger's event may claim one.
        .header(Date::new(mail.time.max(UNIX_EPOCH)))
        .header(From::from(Mailboxes::from(from.clone())))
        .header(To::from(Mailboxes::from(to)))
        .header(Subject::from(one_line(&mail.letter.subject)))
        .header(MIME_VERSION_1_0)
        .header(alternatives(mail))
        .singlepart(SinglePart::plain(mail.letter.plain.clone()))
        .singlepart(SinglePart::html(mail.letter.html.clone()));
    let headers = message.headers_mut();
    headers.insert_raw(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
    let message = String::from_utf8(message.formatted()).map_err(|_| unwritable())?;
    Ok(Composed { envelope, message })
}

/// Says that the parts tell the same. What separates them is unguessable (an event id has 74 random bits), so no text
/// can hold it and end a part.
fn alternatives(mail: &Mail) -> ContentType {
    let boundary = mail.notification_id.simple();
    let kind = format!("multipart/alternative; boundary=\"=_{boundary}\"");
    ContentType::parse(&kind).expect("a boundary of letters and digits is valid")
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
    let address: Address = mail.to_email.parse().map_err(|_| invalid())?;
    let name = one_line(&mail.to_name);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), address))
}

#[cfg(test)]
mod tests {
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
            first.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"),
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
    fn a_date_that_no_mail_can_have_is_the_earliest_that_one_can() {
        let from = "orders@example.com".parse().unwrap();
        let mut mail = mail("ada@example.com", "");
        mail.time = UNIX_EPOCH - std::time::Duration::from_secs(1);
        assert!(compose(&from, &mail).is_ok());
    }
}
