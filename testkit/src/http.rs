//! GET requests to the servers of a test.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Longest that one answer may take. Those who wait for a server ask again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a GET of `url` with these parameters answers, which is JSON or, otherwise, comes as text. Any
/// status but success is an error.
pub(crate) async fn get(url: &str, parameters: &[(&str, &str)]) -> Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .build()
        .into();
    let request = agent.get(url).query_pairs(parameters.iter().copied());
    let call = move || {
        let mut response = request.call()?;
        let text = response.body_mut().read_to_string()?;
        anyhow::Ok((response.status(), text))
    };
    let (status, text) = tokio::task::spawn_blocking(call)
        .await?
        .with_context(|| format!("GET {url}"))?;
    ensure!(status.is_success(), "GET {url} {parameters:?}: {status} {text}");
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
