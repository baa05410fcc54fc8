//! What is said over a connection to hand over mails, one after the other (an SMTP session, RFC 5321).
//!
//! A server that takes commands before it has answered those before (PIPELINING, RFC 2920, and most do) gets a mail
//! in two round trips: all that announces it, then the message. What announces the next mail may go with that
//! message, so that each of many takes one. Any other server gets one command at a time.

use std::mem;

use lettre::transport::smtp::{
    client::AsyncSmtpConnection,
    commands::{Data, Ehlo, Mail, Rcpt, Rset},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    response::Response,
};

use super::{
    super::compose::Composed,
    trouble::{Trouble, in_time},
};

/// What a server says that takes commands before it has answered those before.
const PIPELINING: &str = "PIPELINING";

/// Bytes for what goes with most messages: dots, the end, and what announces the next mail.
const BESIDE_MESSAGE: usize = 256;

pub(super) struct Session {
    connection: AsyncSmtpConnection,
    takes_ahead: bool,
    /// The next mail was announced with the message before, and the replies to that are still to come.
    is_announced: bool,
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
            is_announced: false,
            awaits_message: false,
        })
    }

    /// Announces a mail: until its message is sent, the server has nothing of it.
    pub(super) async fn announce(&mut self, mail: &Composed) -> Result<(), Trouble> {
        if mem::take(&mut self.is_announced) {
            let reply = in_time(self.connection.read_response()).await;
            return self.announced(reply, mail).await;
        }
        if self.takes_ahead {
            let announcement = self.announcement(mail)?;
            let reply = in_time(self.connection.command(announcement)).await;
            return self.announced(reply, mail).await;
        }
        for command in self.announcement(mail)?.split_inclusive('\n') {
            in_time(self.connection.command(command)).await?;
        }
        Ok(())
    }

    /// Whether the server wants the message of a mail that was announced ahead, by its replies of which this is the
    /// first: one to the sender, one to each recipient, and one to that the message comes next.
    async fn announced(&mut self, first: Result<Response, Trouble>, mail: &Composed) -> Result<(), Trouble> {
        let (mut reply, recipients) = (first, mail.envelope.to().len());
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

    /// The commands that announce a mail, a line each: who sends it, whom it is for, and that its message comes next.
    fn announcement(&self, mail: &Composed) -> Result<String, Trouble> {
        let mut commands = self.sender(mail)?.to_string();
        for to in mail.envelope.to() {
            commands += &Rcpt::new(to.clone(), Vec::new()).to_string();
        }
        Ok(commands + &Data.to_string())
    }

    /// The command that names who sends a mail, and what it needs.
    fn sender(&self, mail: &Composed) -> Result<Mail, Trouble> {
        let from = mail.envelope.from();
        let mut addresses = from
            .into_iter()
            .chain(mail.envelope.to())
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
        if !mail.message.is_ascii() {
            let eight_bit = MailParameter::Body(MailBodyParameter::EightBitMime);
            need(Extension::EightBitMime, eight_bit)?;
        }
        Ok(Mail::new(from.cloned(), parameters))
    }

    /// Sends the message of the mail that was announced, and with it, if the server takes commands ahead, what
    /// announces the next, which is to be [announced](Self::announce) after this. `Ok` means that the server has the
    /// first.
    pub(super) async fn hand_over(
        &mut self,
        mail: &Composed,
        next: Option<&Composed>,
    ) -> Result<(), Trouble> {
        let mut commands = ended(mail);
        if self.takes_ahead
            && let Some(next) = next
            && let Ok(announcement) = self.announcement(next)
        {
            commands += &announcement;
            self.is_announced = true;
        }
        in_time(self.connection.command(commands)).await.map(drop)
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

/// A message with the mark of its end, which no line of it looks like: one that begins with a dot gets a second
/// (RFC 5321, 4.5.2). Its lines end as composed, with CRLF.
fn ended(mail: &Composed) -> String {
    let mut text = String::with_capacity(mail.message.len() + BESIDE_MESSAGE);
    for line in mail.message.split_inclusive('\n') {
        if line.starts_with('.') {
            text.push('.');
        }
        text.push_str(line);
    }
    text.push_str(".\r\n");
    text
}

#[cfg(test)]
mod tests {
    use lettre::address::Envelope;

    use super::{
        super::peer::{Does, Peer},
        *,
    };

    fn to(recipients: &[&str]) -> Composed {
        let addresses = recipients.iter().map(|to| to.parse().unwrap());
        let envelope = Envelope::new(Some("orders@x".parse().unwrap()), addresses.collect());
        Composed {
            envelope: envelope.unwrap(),
            message: "Subject: s\r\n\r\nhello\r\n".to_owned(),
        }
    }

    async fn send(session: &mut Session, recipients: &[&str]) -> Result<(), Trouble> {
        let mail = to(recipients);
        session.announce(&mail).await?;
        session.hand_over(&mail, None).await
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
    async fn a_message_and_what_announces_the_next_mail_go_together() {
        let peer = Peer::start(|_, line| match line.get(..4).unwrap_or(line) {
            "EHLO" => OFFER,
            "MAIL" | "." => Does::Nothing,
            "RCPT" if line.contains("ada") => Does::Reply("250 ok\r\n250 ok"),
            // Of the message, then of the next mail.
            "RCPT" => Does::Reply("554 no such text\r\n250 ok\r\n250 ok"),
            _ => Does::Take,
        });
        let mut session = peer.await.server().connect().await.unwrap();
        let (first, next) = (to(&["ada@x"]), to(&["bob@x"]));
        session.announce(&first).await.unwrap();
        let sent = session.hand_over(&first, Some(&next)).await;
        assert!(sent.unwrap_err().is_refusal());
        session.announce(&next).await.unwrap();
    }

    #[test]
    fn no_line_of_a_message_looks_like_its_end() {
        let mut mail = to(&["ada@x"]);
        mail.message = ".\r\n..a\r\n.b.\r\n\r\n.\r\nc\r\n".to_owned();
        assert_eq!(ended(&mail), "..\r\n...a\r\n..b.\r\n\r\n..\r\nc\r\n.\r\n");
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
