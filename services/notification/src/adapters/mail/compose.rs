//! Makes an RFC 5322 message of a mail. The same mail gives the same bytes.

use std::time::UNIX_EPOCH;

use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

use crate::{
    domain::{mail::Mail, text::one_line},
    ports::mailer::Error,
};

/// Tells autoresponders not to answer (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// The message from `from` that holds `mail`, or why its recipient can never get one.
pub(super) fn compose(from: &Mailbox, mail: &Mail) -> Result<Message, Error> {
    // Unguessable (an event id has 74 random bits), so no text can hold it and end a part.
    let parts = MultiPart::alternative()
        .boundary(format!("=_{}", mail.notification_id.simple()))
        .singlepart(SinglePart::plain(mail.letter.plain.clone()))
        .singlepart(SinglePart::html(mail.letter.html.clone()));
    Message::builder()
        .message_id(Some(mail.message_id.clone()))
        // A mail date before 1970 cannot be written, and a stranger's event may claim one.
        .date(mail.time.max(UNIX_EPOCH))
        .from(from.clone())
        .to(recipient(mail)?)
        .subject(one_line(&mail.letter.subject))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .multipart(parts)
        .map_err(|_| Error::Rejected("no message can be made for the recipient".to_owned()))
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

    fn bytes(to_email: &str, to_name: &str) -> Result<String, Error> {
        let from = "Waybill <orders@example.com>".parse().unwrap();
        let message = compose(&from, &mail(to_email, to_name))?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    #[test]
    fn the_same_mail_gives_the_same_bytes() {
        let message = bytes("ada@example.com", "Ada").unwrap();
        assert_eq!(message, bytes("ada@example.com", "Ada").unwrap());
        assert!(
            message.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"),
            "{message}"
        );
    }

    #[test]
    fn no_name_and_no_address_adds_a_header() {
        for name in [
            "Ada\r\nBcc: eve@example.com",
            "Ada\nBcc: eve@example.com",
            "\u{85}\u{2028}\r\n\r\nBcc: x",
        ] {
            let message = bytes("ada@example.com", name).unwrap();
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
                matches!(bytes(email, "Ada"), Err(Error::Rejected(_))),
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
