//! Client commands that are not given what they need.

use std::io::pipe;

use crate::process::{Up, run, waybill};

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_nobody_reads_any_more_is_no_error() {
    let up = Up::start(&["up"]);
    let folder = tempfile::tempdir().unwrap();
    let server = format!("http://{}", up.grpc());
    for format in [&["--json"][..], &[]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = waybill(folder.path())
            .args(["--server", &server, "user", "register", "--name", "Ada"])
            .args(["--email", &format!("ada+{}@example.com", format.len())])
            .args(format)
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success(), "{}", output.status);
    }
}

#[test]
fn a_server_that_is_no_http_url_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for server in [
        "127.0.0.1:50051",
        "nonsense",
        "https://u:secret@127.0.0.1:50051",
        "",
    ] {
        let output = run(folder.path(), &["--server", server, "user", "list"], &[]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(line.contains("must be a URL such as http://"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}
