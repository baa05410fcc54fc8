//! The programs that tests run, which `scripts/install` brings and `scripts/tools-path` puts in reach.

use std::{env, path::PathBuf};

/// Where `program` is. Panics with how to get it when it is not in the path: a missing program is a
/// failure, never a skip.
pub fn installed(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{program} is not in the path: run scripts/install, then test through scripts/test, or with \
                 PATH=\"$(scripts/tools-path):$PATH\""
            )
        })
}

/// Whether the tools that are built with Go are left out, as `scripts/test --without-go` says through
/// `WAYBILL_TEST_WITHOUT_GO=1`. Says so too, so that nobody takes what did not run for passed.
pub fn without_go(test: &str) -> bool {
    let left_out = env::var_os("WAYBILL_TEST_WITHOUT_GO").is_some_and(|value| value == "1");
    if left_out {
        eprintln!("left out, since WAYBILL_TEST_WITHOUT_GO is 1: {test}");
    }
    left_out
}
