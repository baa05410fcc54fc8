//! RabbitMQ's management API over HTTP, as far as tests need it.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use url::Url;

/// Client of one server's management API.
#[derive(Debug, Clone)]
pub struct Management {
    base: String,
    user: String,
    authorization: String,
}

impl Management {
    /// The API of the server at this AMQP URL, by its user.
    pub(super) fn of(amqp: &Url) -> Self {
        let host = amqp.host_str().unwrap_or("127.0.0.1");
        let base = super::variable("WAYBILL_TEST_AMQP_MANAGEMENT_URL").map_or_else(
            || format!("http://{host}:15672"),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        );
        let user = if amqp.username().is_empty() {
            "guest"
        } else {
            amqp.username()
        };
        Self::new(base, user, amqp.password().unwrap_or("guest"))
    }

    pub(super) fn new(base: String, user: &str, password: &str) -> Self {
        Self {
            base,
            user: user.to_owned(),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
        }
    }

    /// The user as whom it acts.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Reads. Panics when the server does not answer well, as all of these do.
    pub async fn get(&self, path: &str) -> Value {
        self.call_in_background("GET", path, None).await
    }

    /// Creates or replaces.
    pub async fn put(&self, path: &str, body: Value) {
        self.call_in_background("PUT", path, Some(body)).await;
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) {
        self.call_in_background("DELETE", path, None).await;
    }

    async fn call_in_background(&self, method: &'static str, path: &str, body: Option<Value>) -> Value {
        let (this, path) = (self.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || this.call(method, &path, body))
            .await
            .expect("the call does not panic")
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// One call, on this thread.
    pub(super) fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(crate::wait::PATIENCE))
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/api/{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default())?;
        let mut response = agent.run(request).with_context(|| format!("{method} {path}"))?;
        let text = response.body_mut().read_to_string()?;
        ensure!(
            response.status().is_success(),
            "{method} {path}: {} {text}",
            response.status()
        );
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
