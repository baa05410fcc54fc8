//! What is said over a connection to hand over one mail.

use lettre::{
    address::Envelope,
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Rcpt, Rset},
        extension::{Extension, MailBodyParameter, MailParameter},
    },
};

use super::trouble::{Trouble, in_time};

/// Announces a mail: until this is answered, the server has nothing of it.
pub(super) async fn announce(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    message: &[u8],
) -> Result<(), Trouble> {
    let mut addresses = envelope
        .from()
        .into_iter()
        .chain(envelope.to())
        .map(AsRef::<str>::as_ref);
    let mut parameters = Vec::new();
    let mut need = |extension, parameter| {
        parameters.push(parameter);
        let offered = connection.server_info().supports_feature(extension);
        offered.then_some(()).ok_or(Trouble::OnlyAscii)
    };
    if !addresses.all(str::is_ascii) {
        need(Extension::SmtpUtfEight, MailParameter::SmtpUtfEight)?;
    }
    if !message.is_ascii() {
        let eight_bit = MailParameter::Body(MailBodyParameter::EightBitMime);
        need(Extension::EightBitMime, eight_bit)?;
    }
    let mail = Mail::new(envelope.from().cloned(), parameters);
    in_time(connection.command(mail)).await?;
    Ok(())
}

/// Hands over the mail that was announced. `Ok` means that the server has it.
pub(super) async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    message: &[u8],
) -> Result<(), Trouble> {
    for recipient in envelope.to() {
        in_time(connection.command(Rcpt::new(recipient.clone(), Vec::new()))).await?;
    }
    in_time(connection.command(Data)).await?;
    in_time(connection.message(message)).await?;
    Ok(())
}

/// Makes the server forget a mail that it refused.
pub(super) async fn reset(connection: &mut AsyncSmtpConnection) -> Result<(), Trouble> {
    in_time(connection.command(Rset)).await?;
    Ok(())
}
