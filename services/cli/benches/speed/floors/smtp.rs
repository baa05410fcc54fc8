//! The floor of a mail: the bytes of one that confirms an order, handed over SMTP to a server that takes
//! it at once, by connections that are used again.

use std::sync::Arc;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{Mailbox, MultiPart, SinglePart},
    transport::smtp::PoolConfig,
};

use super::Floor;
use crate::{client::new_id, pace, payload::Payload, statistics::Sample};

/// Mails on their way at a time, each on a connection of its own.
const IN_FLIGHT: usize = 16;

pub(super) async fn measure(floor: &Floor) -> Sample {
    let connections = u32::try_from(IN_FLIGHT).expect("it is small");
    let transport: AsyncSmtpTransport<Tokio1Executor> =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&floor.smtp)
            .expect("it is a URL")
            .pool_config(PoolConfig::new().max_size(connections))
            .build();
    let sending = Arc::new((transport, message()));
    let send = move || {
        let sending = Arc::clone(&sending);
        async move {
            let (transport, (envelope, bytes)) = &*sending;
            transport
                .send_raw(envelope, bytes)
                .await
                .expect("the server takes it");
        }
    };
    pace::closed(IN_FLIGHT, 1, floor.times, &floor.watched, send).await
}

/// The mail as it goes over the wire, in the shape that the notification service gives it.
fn message() -> (Envelope, Vec<u8>) {
    let mail = Payload::new(&new_id()).mail();
    let from: Mailbox = "Waybill <orders@waybill.example>"
        .parse()
        .expect("it is an address");
    let to = mail.to_email.parse().expect("it is an address");
    let parts = MultiPart::alternative()
        .boundary(format!("=_{}", mail.notification_id.simple()))
        .singlepart(SinglePart::plain(mail.letter.plain.clone()))
        .singlepart(SinglePart::html(mail.letter.html.clone()));
    let message = Message::builder()
        .message_id(Some(mail.message_id))
        .date(mail.time)
        .from(from)
        .to(Mailbox::new(Some(mail.to_name), to))
        .subject(mail.letter.subject)
        .multipart(parts)
        .expect("it is a mail");
    (message.envelope().clone(), message.formatted())
}
