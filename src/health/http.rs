//! `/healthz`: the process lives. `/readyz`: it is ready, or what is missing. `/metrics`: what it
//! counts and measures.

use std::{io, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Report;
use crate::telemetry::metrics;

/// How long connections may take to close: nothing is lost with what a client has not asked in full.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// Answers on `listener` until `stop`.
pub async fn serve(
    listener: TcpListener,
    report: watch::Receiver<Report>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(report);
    let stopping = stop.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = serving => served,
        () = async {
            stopping.cancelled().await;
            tokio::time::sleep(GOODBYE_TIME).await;
        } => Ok(()),
    }
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

async fn metrics() -> Result<impl IntoResponse, StatusCode> {
    let text = metrics::text().map_err(|error| {
        error!(%error, "metrics cannot be written");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}
