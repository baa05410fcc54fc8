//! What is said over a connection to hand over mails, one after the other (an SMTP session, RFC 5321).
//!
//! A server that takes commands before it has answered those before (PIPELINING, RFC 2920, and most do) gets a mail
//! in two round trips: all that announces it, then the message. Any other gets one command at a time.

use lettre::{
    address::Envelope,
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Ehlo, Mail, Rcpt, Rset},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};

use super::trouble::{Trouble, in_time};

/// What a server says that takes commands before it has answered those before.
const PIPELINING: &str = "PIPELINING";

pub(super) struct Session {
    connection: AsyncSmtpConnection,
    takes_ahead: bool,
    /// The server has said to go on with a message, which it does not get: one of its recipients was refused.
    awaits_message: bool,
}

impl Session {
    /// A session over a connection that is secured as it has to be. lettre keeps little of what the server
    /// says that it can, so it is asked again.
    pub(super) async fn over(mut connection: AsyncSmtpConnection, name: &ClientId) -> Result<Self, Trouble> {
        let can = in_time(connection.command(Ehlo::new(name.clone()))).await?;
        Ok(Self {
            takes_ahead: can
                .message()
                .any(|line| line.trim().eq_ignore_ascii_case(PIPELINING)),
            connection,
            awaits_message: false,
        })
    }

    /// Announces a mail: until its message is sent, the server has nothing of it.
    pub(super) async fn announce(&mut self, envelope: &Envelope, message: &[u8]) -> Result<(), Trouble> {
        let mail = self.mail(envelope, message)?;
        let recipients = envelope.to().iter();
        let recipients = recipients.map(|to| Rcpt::new(to.clone(), Vec::new()));
        if self.takes_ahead {
            let recipients: String = recipients.map(|recipient| recipient.to_string()).collect();
            let commands = format!("{mail}{recipients}{Data}");
            self.announce_ahead(&commands, envelope.to().len()).await
        } else {
            in_time(self.connection.command(mail)).await?;
            for recipient in recipients {
                in_time(self.connection.command(recipient)).await?;
            }
            in_time(self.connection.command(Data)).await.map(drop)
        }
    }

    /// Sends commands that name a sender and so many recipients, and that the message comes next.
    async fn announce_ahead(&mut self, commands: &str, recipients: usize) -> Result<(), Trouble> {
        let mut reply = in_time(self.connection.command(commands)).await;
        let mut refused = None;
        for _ in 0..=recipients {
            match reply {
                Err(trouble) if trouble.is_refusal() => {
                    refused.get_or_insert(trouble);
                }
                other => {
                    other?;
                }
            }
            reply = in_time(self.connection.read_response()).await;
        }
        let Some(refused) = refused else {
            return reply.map(drop);
        };
        self.awaits_message = reply.is_ok();
        Err(refused)
    }

    fn mail(&self, envelope: &Envelope, message: &[u8]) -> Result<Mail, Trouble> {
        let mut addresses = envelope
            .from()
            .into_iter()
            .chain(envelope.to())
            .map(AsRef::<str>::as_ref);
        let mut parameters = Vec::new();
        let mut need = |extension, parameter| {
            parameters.push(parameter);
            let offered = self.connection.server_info().supports_feature(extension);
            offered.then_some(()).ok_or(Trouble::OnlyAscii)
        };
        if !addresses.all(str::is_ascii) {
            need(Extension::SmtpUtfEight, MailParameter::SmtpUtfEight)?;
        }
        if !message.is_ascii() {
            let eight_bit = MailParameter::Body(MailBodyParameter::EightBitMime);
            need(Extension::EightBitMime, eight_bit)?;
        }
        Ok(Mail::new(envelope.from().cloned(), parameters))
    }

    /// Sends the message of the mail that was announced. `Ok` means that the server has it.
    pub(super) async fn hand_over(&mut self, message: &[u8]) -> Result<(), Trouble> {
        in_time(self.connection.message(message)).await.map(drop)
    }

    /// Makes the server forget a mail that it refused. `false` when the session cannot go on.
    pub(super) async fn reset(&mut self) -> bool {
        // An empty message would be what takes the server out of that, and some recipient could get it.
        !self.awaits_message && in_time(self.connection.command(Rset)).await.is_ok()
    }

    /// Whether the server still answers.
    pub(super) async fn stands(&mut self) -> bool {
        self.connection.test_connected().await
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) {
        // It is closed, whatever the server says to that.
        let _ = in_time(self.connection.quit()).await;
    }

    #[cfg(test)]
    pub(super) fn is_encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::peer::{Does, Peer},
        *,
    };

    fn to(recipients: &[&str]) -> Envelope {
        let addresses = recipients.iter().map(|to| to.parse().unwrap());
        Envelope::new(Some("orders@x".parse().unwrap()), addresses.collect()).unwrap()
    }

    async fn send(session: &mut Session, recipients: &[&str]) -> Result<(), Trouble> {
        let message = b"Subject: s\r\n\r\nhello\r\n";
        session.announce(&to(recipients), message).await?;
        session.hand_over(message).await
    }

    /// Says that it takes commands ahead.
    const OFFER: Does = Does::Reply("250-here\r\n250-PIPELINING\r\n250 8BITMIME");

    #[tokio::test]
    async fn a_server_that_takes_commands_ahead_gets_all_before_it_answers_any() {
        let peer = Peer::start(|_, line| match line.get(..4) {
            Some("EHLO") => OFFER,
            Some("MAIL" | "RCPT") => Does::Nothing,
            Some("DATA") => Does::Reply("250 ok\r\n250 ok\r\n250 ok\r\n354 go on"),
            _ => Does::Take,
        });
        let mut session = peer.await.server().connect().await.unwrap();
        for _ in 0..2 {
            send(&mut session, &["ada@x", "bob@x"]).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_whatever_comes_after_it() {
        let peer = Peer::start(|_, line| match line.get(..4) {
            Some("EHLO") => OFFER,
            Some("MAIL") => Does::Reply("452 full"),
            Some("RCPT" | "DATA") => Does::Reply("503 what sender"),
            _ => Does::Take,
        });
        let mut session = peer.await.server().connect().await.unwrap();
        let trouble = send(&mut session, &["ada@x"]).await.unwrap_err();
        let Trouble::Smtp(error) = &trouble else {
            panic!("{trouble:?}")
        };
        assert_eq!(error.status().map(u16::from), Some(452));
        assert!(trouble.is_refusal() && session.reset().await);
    }

    #[tokio::test]
    async fn a_server_that_waits_for_a_message_with_a_refused_recipient_gets_none() {
        let peer = Peer::start(|_, line| match line.get(..4) {
            Some("EHLO") => OFFER,
            Some("RCPT") if line.contains("nobody") => Does::Reply("550 nobody"),
            _ => Does::Take,
        });
        let peer = peer.await;
        let mut session = peer.server().connect().await.unwrap();
        let trouble = send(&mut session, &["nobody@x", "ada@x"]).await.unwrap_err();
        assert!(trouble.is_refusal() && !session.reset().await);
        drop(session);
        peer.hears("1 (closed)").await;
        let told = ["1 MAIL", "1 RCPT", "1 RCPT", "1 DATA", "1 (closed)"];
        assert_eq!(peer.heard()[2..], told);
    }
}
