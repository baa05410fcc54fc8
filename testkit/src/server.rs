//! A server process that ends with the test that started it, however that ends.

use std::{
    io,
    net::TcpListener,
    process::{Child, Command, Stdio},
};

/// Waits for its input to close, which happens at the latest when the test process dies, and then
/// ends the server, whose command line is its arguments.
const KEEPER: &str = r#""$@" </dev/null & server=$!; cat >/dev/null; kill -9 $server; wait $server"#;

/// A running server. Dropping it ends the process (not gently: tests want to know what survives).
#[derive(Debug)]
pub struct Server {
    keeper: Child,
}

impl Server {
    /// Starts `command`. Its output goes wherever the command says.
    pub fn start(command: &Command) -> io::Result<Self> {
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(name, value),
                None => keeper.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            keeper.current_dir(folder);
        }
        Ok(Self {
            keeper: keeper.stdin(Stdio::piped()).spawn()?,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A TCP port on 127.0.0.1 that nobody listened on just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
