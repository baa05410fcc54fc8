//! A shell in an empty folder that knows the commands a reader has: `cargo run` and `waybill` run the
//! binary under test, on ports of its own.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use tempfile::TempDir;
use waybill_testkit::{server::free_port, wait::PATIENCE};

/// The ports that documents name.
const GRPC: &str = "50051";
const HTTP: &str = "9464";

/// Ends the output of a command; its exit code follows.
const END: &str = "--- end of command, exit code ";

/// What the shell knows before the first command: no setting but its ports. `up` stays in the background once it is ready:
/// what it has printed until then is its output. Whatever ends the shell ends `up`.
const PRELUDE: &str = r#"
unset ${!WAYBILL_@}
export WAYBILL_GRPC_ADDR=127.0.0.1:$GRPC_PORT WAYBILL_HTTP_ADDR=127.0.0.1:$HTTP_PORT
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
waybill() {
    if [ "$1" != up ]; then
        "$BINARY" --server "http://127.0.0.1:$GRPC_PORT" "$@"
        return
    fi
    "$BINARY" "$@" >"$LOGS/out" 2>"$LOGS/log" &
    until "$BINARY" health --addr "127.0.0.1:$HTTP_PORT" >/dev/null 2>&1; do
        if ! kill -0 $! 2>/dev/null; then
            cat "$LOGS/out" "$LOGS/log"
            return 1
        fi
        sleep 0.05
    done
    cat "$LOGS/out"
}
cargo() {
    if [ "$1 $2 $3" != "run --release --" ]; then
        echo "only cargo run --release -- … is known here: $*"
        return 1
    fi
    shift 3
    waybill "$@"
}
"#;

/// A running shell. Its folders go with it.
pub(crate) struct Shell {
    bash: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    /// Ports of the document, and of this shell in their place.
    ports: [(&'static str, String); 2],
    _folders: [TempDir; 2],
}

impl Shell {
    /// Starts a shell for `binary`.
    pub(crate) fn start(binary: &str) -> Self {
        // What the reader sees, and what the reader does not.
        let [folder, logs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let ports = [(GRPC, free_port().to_string()), (HTTP, free_port().to_string())];
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder.path())
            .env("BINARY", binary)
            .env("LOGS", logs.path())
            .env("GRPC_PORT", &ports[0].1)
            .env("HTTP_PORT", &ports[1].1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is installed");
        let (line, output) = mpsc::channel();
        let stdout = BufReader::new(bash.stdout.take().unwrap());
        thread::spawn(move || {
            for read in stdout.lines() {
                if line.send(read.unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut input = bash.stdin.take().unwrap();
        input.write_all(PRELUDE.as_bytes()).unwrap();
        Self {
            bash,
            input: Some(input),
            output,
            ports,
            _folders: [folder, logs],
        }
    }

    /// Runs a command as typed. Its exit code and lines, errors among them.
    pub(crate) fn run(&mut self, command: &str) -> (i32, Vec<String>) {
        let command = self.ports.iter().fold(command.to_owned(), |text, (shown, used)| {
            text.replace(&format!(":{shown}"), &format!(":{used}"))
        });
        // In braces, so that variables stay; the mark starts a line whatever the command printed.
        let script = format!("{{ {command}\n}} </dev/null 2>&1; printf '\\n{END}%d\\n' $?\n");
        let input = self.input.as_mut().expect("open until dropped");
        input.write_all(script.as_bytes()).unwrap();

        let mut lines = Vec::new();
        loop {
            let line = self
                .output
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|e| panic!("{e}: {command}\nafter {lines:#?}"));
            if let Some(code) = line.strip_prefix(END) {
                return (code.parse().unwrap(), lines);
            }
            lines.push(self.as_documented(&line));
        }
    }

    fn as_documented(&self, line: &str) -> String {
        self.ports.iter().fold(line.to_owned(), |text, (shown, used)| {
            text.replace(&format!(":{used}"), &format!(":{shown}"))
        })
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.bash.wait();
    }
}

#[test]
fn a_shell_keeps_variables_and_tells_output_and_exit_code() {
    let mut shell = Shell::start("/bin/echo");
    assert_eq!(
        shell.run("x=1; echo a; echo b >&2"),
        (0, vec!["a".into(), "b".into(), String::new()])
    );
    assert_eq!(shell.run("printf $x; false"), (1, vec!["1".into()]));
    let (_, lines) = shell.run("cargo run --release -- order get 127.0.0.1:50051");
    assert_eq!(
        lines[0],
        "--server http://127.0.0.1:50051 order get 127.0.0.1:50051"
    );
    assert_eq!(shell.run("cargo test").0, 1);
}
