//! A mail server that takes every mail and forgets it: mail goes over SMTP in earnest, and what a mail
//! server costs is not ours.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Listens until the process ends. Answers the server's URL.
pub(crate) async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let url = format!("smtp://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // A client that hangs up in the middle has its reasons.
            tokio::spawn(async move { drop(talk(connection).await) });
        }
    });
    url
}

async fn talk(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let (reading, mut writing) = connection.split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 here\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                while lines.next_line().await?.is_some_and(|line| line != ".") {}
                b"250 taken\r\n"
            }
            "EHLO" => b"250-here\r\n250 PIPELINING\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        writing.write_all(reply).await?;
    }
    Ok(())
}
