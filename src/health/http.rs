//! `/healthz`: the process lives. `/readyz`: it is ready, or what is missing. `/metrics`: what it
//! counts and measures, as OpenMetrics for those who ask for it.

use std::{io, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
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

/// Media type of OpenMetrics text, in whichever version.
const OPEN_METRICS: &str = "application/openmetrics-text";

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

async fn metrics(headers: HeaderMap) -> Result<impl IntoResponse, StatusCode> {
    let (content_type, text) = if asks_for_open_metrics(&headers) {
        (metrics::OPEN_METRICS_CONTENT_TYPE, metrics::open_metrics())
    } else {
        (metrics::CONTENT_TYPE, metrics::text())
    };
    let text = text.map_err(|error| {
        error!(%error, "metrics cannot be written");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok(([(header::CONTENT_TYPE, content_type)], text))
}

/// Whether a client names OpenMetrics among what it accepts. One that accepts anything gets the classic
/// text, which everybody reads.
fn asks_for_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            media_type.eq_ignore_ascii_case(OPEN_METRICS) && !parts.any(is_refusal)
        })
}

/// Whether this parameter of a media type says that it is not accepted after all: `q=0`.
fn is_refusal(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let quality = value.trim().parse::<f32>();
        name.trim().eq_ignore_ascii_case("q") && quality.is_ok_and(|quality| quality <= 0.0)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn accepting(accepted: &[&'static str]) -> HeaderMap {
        let header = |value: &&'static str| (header::ACCEPT, value.parse().unwrap());
        accepted.iter().map(header).collect()
    }

    #[test]
    fn open_metrics_are_for_those_who_name_them() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accepted, is_asked_for) in [
            (&[prometheus][..], true),
            (&["text/html, Application/OpenMetrics-Text ; Q = 0.001"], true),
            (&["text/html", "application/openmetrics-text"], true),
            (&["application/openmetrics-text;q=0.0, */*"], false),
            (
                &["application/openmetrics-text;q=0,application/openmetrics-text;version=1.0.0"],
                true,
            ),
            (&["application/openmetrics-text-2, text/plain"], false),
            (&["*/*"], false),
            (&[""], false),
            (&[], false),
        ] {
            let asks = asks_for_open_metrics(&accepting(accepted));
            assert_eq!(asks, is_asked_for, "{accepted:?}");
        }
    }

    #[tokio::test]
    async fn metrics_come_in_the_format_that_is_asked_for() {
        // Something must have been recorded for there to be a text.
        let counter = metrics::meter().u64_counter("test.format").build();
        counter.add(1, &[]);
        for (accepted, content_type, family) in [
            (
                &[][..],
                metrics::CONTENT_TYPE,
                "# TYPE test_format_total counter\n",
            ),
            (
                &[OPEN_METRICS],
                metrics::OPEN_METRICS_CONTENT_TYPE,
                "# TYPE test_format counter\n",
            ),
        ] {
            let answer = metrics(accepting(accepted)).await.into_response();
            assert_eq!(answer.headers()[header::CONTENT_TYPE], content_type);
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let text = std::str::from_utf8(&body).unwrap();
            assert!(text.contains(family), "{text}");
        }
    }
}
