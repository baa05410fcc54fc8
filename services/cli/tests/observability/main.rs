//! What watches the platform: alerts with promtool, dashboards as files, and all of it on a running
//! platform that a real Prometheus fetches from.

#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod support;

mod alerts;
mod dashboard;
mod dashboards;
mod files;
mod pages;
mod platform;
mod running;
