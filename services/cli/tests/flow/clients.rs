//! Clients that were not made here: grpcurl by reflection, and Python with stubs and by reflection.

use std::process::{Command, Output};

use waybill_testkit::tools::without_go;

use crate::support::{process::Process, stack::Stack};

fn run(command: &mut Command, missing: &str) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap_or_else(|e| panic!("{missing}: {e}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn grpcurl(arguments: &[&str]) -> String {
    let missing = "grpcurl is not on the path: run scripts/install, then test through scripts/test";
    run(Command::new("grpcurl").arg("-plaintext").args(arguments), missing)
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_finds_its_way_by_reflection() {
    if without_go("grpcurl_finds_its_way_by_reflection") {
        return;
    }
    let up = Process::start(&Stack::embedded(), &["up"]).ready().await;
    let address = up.grpc.trim_start_matches("http://");
    let services = grpcurl(&[address, "list"]);
    for service in [
        "grpc.health.v1.Health",
        "waybill.notification.v1.NotificationService",
        "waybill.operations.v1.DeadLetterService",
        "waybill.order.v1.OrderService",
        "waybill.user.v1.UserService",
    ] {
        assert!(
            services.lines().any(|line| line == service),
            "{service} is not in {services}"
        );
    }
    let described = grpcurl(&[address, "describe", "waybill.order.v1.OrderService.PlaceOrder"]);
    assert!(
        described.contains("waybill.order.v1.PlaceOrderRequest"),
        "{described}"
    );
    let health = grpcurl(&[
        "-d",
        r#"{"service": "waybill.order.v1.OrderService"}"#,
        address,
        "grpc.health.v1.Health/Check",
    ]);
    assert!(health.contains("SERVING"), "{health}");
    let registered = grpcurl(&[
        "-d",
        r#"{"email": "ada@example.com", "display_name": "Ada"}"#,
        address,
        "waybill.user.v1.UserService/RegisterUser",
    ]);
    assert!(
        registered.contains(r#""email": "ada@example.com""#),
        "{registered}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn python_uses_generated_stubs_and_reflection() {
    let up = Process::start(&Stack::embedded(), &["up"]).ready().await;
    let address = up.grpc.trim_start_matches("http://");
    let folder = env!("CARGO_MANIFEST_DIR");
    let script = format!("{folder}/tests/flow/clients/python_client.py");
    let protos = format!("{folder}/../../proto");
    let missing = "python3 is not on the path: run scripts/install, then test through scripts/test";
    let printed = run(Command::new("python3").args([&script, address, &protos]), missing);
    assert_eq!(printed.lines().count(), 2, "{printed}");
}
