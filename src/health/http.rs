//! `/healthz`: the process lives. `/readyz`: it is ready, or what is missing.

use std::io;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::Report;

/// Answers on `listener` until `stop`.
pub async fn serve(
    listener: TcpListener,
    report: watch::Receiver<Report>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(report);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn readyz(State(report): State<watch::Receiver<Report>>) -> (StatusCode, Json<Report>) {
    let report = report.borrow().clone();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report))
}
