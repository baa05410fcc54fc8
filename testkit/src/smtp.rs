//! A private SMTP server (aiosmtpd) that keeps what it receives, as read by Python's mail parser.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{server::Server, wait};

/// The server's program; it documents which recipients it refuses.
const PROGRAM: &str = include_str!("smtp/server.py");

/// A running SMTP server. It ends with the test; what it received goes with it.
#[derive(Debug)]
pub struct SmtpServer {
    folder: tempfile::TempDir,
    port: u16,
    behaviour: Behaviour,
    certificate: Vec<u8>,
    server: Option<Server>,
}

/// What a server does beside taking mail.
#[derive(Debug, Clone, Serialize)]
pub struct Behaviour {
    /// How it insists on being secured, with a certificate for 127.0.0.1 that nobody vouches for.
    pub tls: Option<Tls>,
    /// The user and the password that it insists on.
    pub login: Option<(String, String)>,
    /// Whether it says that it takes commands before it has answered those before, as most servers do.
    pub pipelining: bool,
    /// After how many seconds it hangs up on a client that says nothing.
    pub patience: f64,
}

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// After a command.
    Starttls,
    /// From the first byte.
    Wrapped,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            tls: None,
            login: None,
            pipelining: true,
            patience: 300.0,
        }
    }
}

/// One mail, as a mail program sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Received {
    /// Sender on the envelope.
    pub sender: String,
    /// Recipients on the envelope.
    pub recipients: Vec<String>,
    /// MIME type of the whole.
    pub content_type: String,
    /// Headers in their order, decoded.
    pub headers: Vec<(String, String)>,
    /// The `text/plain` part, decoded.
    pub plain: Option<String>,
    /// The `text/html` part, decoded.
    pub html: Option<String>,
}

impl Received {
    /// The header of that name. Panics unless there is exactly one.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => value,
            _ => panic!("not exactly one {name} in {:?}", self.headers),
        }
    }
}

impl SmtpServer {
    /// Starts a server on a free port and waits until it listens.
    pub async fn start() -> Self {
        Self::behaving(Behaviour::default()).await
    }

    /// Starts a server as [`Self::start`] does, which behaves as told.
    pub async fn behaving(behaviour: Behaviour) -> Self {
        let folder = tempfile::tempdir().expect("a folder for mail can be made");
        let certificate = write_certificate(folder.path());
        let mut server = Self {
            folder,
            port: 0,
            behaviour,
            certificate,
            server: None,
        };
        server.restart().await;
        server
    }

    /// Ends the server at once, as a crash would. Connections to its port are refused.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server again, on the port that it had. It keeps what it received before.
    pub async fn restart(&mut self) {
        self.stop();
        check_installed();
        let told = self.folder.path().join("port");
        let _ = fs::remove_file(&told);
        let mut command = Command::new("python3");
        command
            .args(["-c", PROGRAM])
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .arg(serde_json::to_string(&self.behaviour).expect("strings and numbers are JSON"));
        self.server = Some(Server::start(&command).expect("a shell can be started"));
        self.port = wait::until("aiosmtpd listens", async || read_port(&told)).await;
    }

    /// URL of the server, without a login.
    pub fn url(&self) -> String {
        let address = format!("127.0.0.1:{}", self.port);
        match self.behaviour.tls {
            None => format!("smtp://{address}"),
            Some(Tls::Starttls) => format!("smtp://{address}?tls=required"),
            Some(Tls::Wrapped) => format!("smtps://{address}"),
        }
    }

    /// The server's certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// How many connections were made to the server since it was last started.
    pub fn connections(&self) -> usize {
        self.counts()[0]
    }

    /// How many connections to the server are open.
    pub fn open_connections(&self) -> usize {
        self.counts()[1]
    }

    fn counts(&self) -> [usize; 2] {
        let text = fs::read_to_string(self.folder.path().join("connections")).expect("the server counts");
        let counts: Vec<_> = text.split(' ').map(|n| n.parse().expect("a count")).collect();
        counts.try_into().expect("two counts")
    }

    /// Everything received so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        let entries = fs::read_dir(self.folder.path()).expect("the mail folder can be read");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("the mail folder can be read").path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect();
        files.sort();
        files.iter().map(|path| read_mail(path)).collect()
    }
}

/// Makes a certificate, as the server wants it, and answers it in DER.
fn write_certificate(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("ring makes a key");
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    fs::write(folder.join("certificate.pem"), pem).expect("the mail folder can be written");
    made.cert.der().to_vec()
}

fn read_port(path: &Path) -> Option<u16> {
    fs::read_to_string(path).ok()?.parse().ok()
}

fn read_mail(path: &Path) -> Received {
    let text = fs::read_to_string(path).expect("a mail can be read");
    serde_json::from_str(&text).expect("the server writes what is declared here")
}

fn check_installed() {
    let installed = Command::new("python3")
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(installed, "aiosmtpd is not installed: pip install aiosmtpd");
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
    };

    use super::*;

    /// Says `lines` and answers with the first three characters of each reply.
    fn talk(server: &SmtpServer, lines: &[&str]) -> Vec<String> {
        let address = server.url().replace("smtp://", "");
        let mut stream = TcpStream::connect(address).unwrap();
        let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut reply = || replies.next().unwrap().unwrap()[..3].to_owned();
        assert_eq!(reply(), "220");
        let mut say = |line: &&str| {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            reply()
        };
        lines.iter().map(&mut say).collect()
    }

    #[tokio::test]
    async fn mail_is_kept_over_a_restart_and_some_recipients_are_refused() {
        let mut server = SmtpServer::start().await;
        let mail = "From: a@x\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\nhello\r\n.";
        let script = [
            "HELO x",
            "MAIL FROM:<a@x>",
            "RCPT TO:<tempfail@x>",
            "RCPT TO:<reject@x>",
            "RCPT TO:<b@x>",
            "DATA",
            mail,
        ];
        assert_eq!(
            talk(&server, &script),
            ["250", "250", "451", "550", "250", "354", "250"]
        );
        server.stop();
        server.restart().await;
        talk(
            &server,
            &["HELO x", "MAIL FROM:<a@x>", "RCPT TO:<c@x>", "DATA", mail],
        );
        let received = server.received();
        assert_eq!(received.len(), 2);
        assert_eq!(received[0].recipients, ["b@x"]);
        assert_eq!(received[0].header("subject"), "café");
        assert_eq!(received[1].recipients, ["c@x"]);
    }
}
