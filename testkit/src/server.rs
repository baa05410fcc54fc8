//! A server process, and its folder, that end with the test that started them, however that ends.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use tempfile::TempDir;

/// Waits for its input to close, which happens at the latest when the test process dies, and then
/// ends the server, whose command line is its arguments. A signal to the whole process group, as
/// Ctrl-C sends it, must not end the keeper before its work is done.
const KEEPER: &str = r#"
trap '' INT TERM HUP
"$@" </dev/null & server=$!
cat >/dev/null
{ kill -9 $server; wait $server; } 2>/dev/null
"#;

/// A running server. Dropping it ends the process (not gently: tests want to know what survives).
#[derive(Debug)]
pub struct Server {
    keeper: Child,
}

impl Server {
    /// Starts `command`. Its output goes where the test's goes.
    pub fn start(command: &Command) -> io::Result<Self> {
        Self::keep(keeper(command))
    }

    /// Starts `command`, with its output at the end of the file `log`.
    pub fn start_logging(command: &Command, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut keeper = keeper(command);
        keeper.stdout(log.try_clone()?).stderr(log);
        Self::keep(keeper)
    }

    fn keep(mut keeper: Command) -> io::Result<Self> {
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

fn keeper(command: &Command) -> Command {
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
    keeper
}

/// Waits for its input to close, then removes the folder, which a server that is being killed at
/// this moment may still write to.
const REMOVER: &str =
    r#"trap '' INT TERM HUP; cat >/dev/null; for try in 1 2 3; do rm -rf "$1" && exit; sleep 1; done"#;

/// A folder that is removed when it is dropped, and at the latest when the test process ends: what
/// lives in a `static` is never dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    remover: Child,
}

impl Folder {
    /// A new, empty folder whose name starts with `prefix`.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let path = TempDir::with_prefix(prefix)?.keep();
        let remover = Command::new("sh")
            .args(["-c", REMOVER, "remover"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()?;
        Ok(Self { path, remover })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _ = self.remover.wait();
    }
}

/// Ports that tests listen on: below those that the system gives to clients, which could take one
/// in the time between choosing it and listening on it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Ports given out, which their servers may not listen on yet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A TCP port on 127.0.0.1 that nobody listened on just now, and that no other test of this process was given.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().expect("no holder of the lock can panic");
    std::iter::repeat_with(|| fastrand::u16(PORTS))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok() && given.insert(*port))
        .expect("the ports do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<_> = std::iter::repeat_with(free_port).take(1_000).collect();
        assert_eq!(ports.len(), 1_000);
    }
}
