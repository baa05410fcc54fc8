//! A mail server for tests that does what no real one does on demand.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use waybill_testkit::wait;

use super::server::Server;

/// What the peer does when it is told something.
pub(super) enum Does {
    /// Go on, as a server that takes mail.
    Take,
    /// Reply this; more replies may follow, each on a line of its own.
    Reply(&'static str),
    /// Reply nothing, and listen on.
    Nothing,
    /// Close the connection.
    HangUp,
}

/// What it replies to DATA, if it takes the message.
const GO_ON: &str = "354 go on";

/// What it was told: the number of the connection, from 1, and the line or, of a message, its end.
type Heard = Vec<(usize, String)>;

pub(super) struct Peer {
    port: u16,
    heard: Arc<Mutex<Heard>>,
}

impl Peer {
    /// Starts a peer that does as `script` says when it is told a line on a connection.
    pub(super) async fn start(script: fn(usize, &str) -> Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Heard::new()));
        let peer = Self {
            port,
            heard: Arc::clone(&heard),
        };
        tokio::spawn(async move {
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let heard = Arc::clone(&heard);
                tokio::spawn(async move {
                    // A client that hangs up is one of the things that are tested.
                    let _ = talk(stream, number, script, &heard).await;
                    heard.lock().unwrap().push((number, "(closed)".to_owned()));
                });
            }
        });
        peer
    }

    /// Waits until it was told this word.
    pub(super) async fn hears(&self, word: &str) {
        let heard = async || self.heard().iter().any(|heard| heard == word).then_some(());
        wait::until(word, heard).await;
    }

    pub(super) fn server(&self) -> Server {
        let url = format!("smtp://127.0.0.1:{}", self.port);
        Server::at(&url.parse().unwrap()).unwrap()
    }

    /// The first words of all that was told, with the number of the connection.
    pub(super) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let word = |line: &str| line.split([' ', ':']).next().unwrap_or_default().to_owned();
        heard
            .iter()
            .map(|(number, line)| format!("{number} {}", word(line)))
            .collect()
    }
}

async fn talk(
    mut stream: TcpStream,
    number: usize,
    script: fn(usize, &str) -> Does,
    heard: &Mutex<Heard>,
) -> std::io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 here\r\n").await?;
    let mut is_message = false;
    while let Some(line) = lines.next_line().await? {
        if is_message && line != "." {
            continue;
        }
        is_message = false;
        heard.lock().unwrap().push((number, line.clone()));
        let reply = match script(number, &line) {
            Does::Take if line == "DATA" => GO_ON,
            Does::Take => "250 ok",
            Does::Reply(reply) => reply,
            Does::Nothing => continue,
            Does::HangUp => return Ok(()),
        };
        is_message = reply.ends_with(GO_ON);
        writing.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
