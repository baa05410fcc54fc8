//! The floor of a mail: the bytes of one that confirms an order, handed over SMTP to a server that takes
//! it at once, on connections that stay open. They do not wait for acknowledgements (Nagle's algorithm):
//! lettre's own transport does, which costs each mail the 40 ms for which the other end puts those off.

use std::sync::{Arc, Mutex};

use lettre::{
    Message,
    address::Envelope,
    message::{Mailbox, MultiPart, SinglePart},
    transport::smtp::{client::AsyncSmtpConnection, extension::ClientId},
};
use tokio::net::TcpStream;

use super::Floor;
use crate::{client::new_id, pace, payload::Payload, servers::address, statistics::Sample};

/// Mails on their way at a time, each on a connection of its own.
const IN_FLIGHT: usize = 16;

pub(super) async fn measure(floor: &Floor) -> Sample {
    let mut idle = Vec::new();
    for _ in 0..IN_FLIGHT {
        idle.push(connect(&floor.smtp).await);
    }
    let sending = Arc::new((Mutex::new(idle), message()));
    let send = move || {
        let sending = Arc::clone(&sending);
        async move {
            let (idle, (envelope, bytes)) = &*sending;
            let idle = || idle.lock().expect("no holder of the lock panics");
            let connection = idle().pop();
            let mut connection = connection.expect("there is one for each mail on its way");
            let sent = connection.send(envelope, bytes).await;
            sent.expect("the server takes it");
            idle().push(connection);
        }
    };
    pace::closed(IN_FLIGHT, 1, floor.times, &floor.watched, send).await
}

async fn connect(url: &str) -> AsyncSmtpConnection {
    let stream = TcpStream::connect(address(url))
        .await
        .expect("the server listens");
    stream.set_nodelay(true).expect("it is TCP");
    let name = ClientId::Domain("waybill.example".to_owned());
    let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name);
    connecting.await.expect("the server speaks SMTP")
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
