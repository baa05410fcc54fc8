//! Runs a path under valgrind and reads how many instructions it took.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Rounds of the shorter run. What is done now and then (a buffer that grows) is spread over them.
const ROUNDS: u64 = 200;

/// Instructions of one round of the path `name`.
pub(crate) fn of_a_round(name: &str) -> Result<u64> {
    let (short, long) = (of_a_run(name, ROUNDS)?, of_a_run(name, 2 * ROUNDS)?);
    Ok(long.saturating_sub(short) / ROUNDS)
}

fn of_a_run(name: &str, rounds: u64) -> Result<u64> {
    let program = std::env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["run", name, &rounds.to_string()])
        .output()
        .context("valgrind cannot be run: scripts/install brings it")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} under valgrind failed: {text}");
    collected(&text).with_context(|| format!("valgrind tells no count: {text}"))
}

/// The count in what callgrind says in the end: `==1== Collected : 123`.
fn collected(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_found() {
        let text = "==1== Events    : Ir\n==1== Collected : 123\n==1== \n";
        assert_eq!(collected(text), Some(123));
        assert_eq!(collected("==1== killed"), None);
    }
}
