//! `waybill up` and `waybill serve`: services in this process, until it is told to stop.

use std::{
    io::{self, Write},
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waybill::{
    config::Settings,
    grpc::events,
    host::Host,
    platform::{self, Platform},
    service::Service,
    shutdown,
    source::Published,
    story::Teller,
    telemetry,
    topology::Subscription,
};

use crate::{announce::Announcement, command_line::Flags, mail};

/// A service that a process may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Places, cancels and shows orders.
    Order,
    /// Registers users and counts their orders.
    User,
    /// Mails users about their orders.
    Notification,
    /// Keeps what consumers gave up, and sends it back or sets it aside.
    Operations,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Order, Self::User, Self::Notification, Self::Operations];

    /// Its short name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::User => "user",
            Self::Notification => "notification",
            Self::Operations => "operations",
        }
    }

    /// The events that it publishes.
    pub(crate) fn publishes(self) -> &'static [Published] {
        match self {
            Self::Order => waybill_order::publishes(),
            Self::User => waybill_user::publishes(),
            Self::Notification => waybill_notification::publishes(),
            // What it sends back is somebody else's.
            Self::Operations => &[],
        }
    }

    /// What it consumes.
    pub(crate) fn subscriptions(self) -> Vec<Subscription> {
        match self {
            Self::Order => waybill_order::subscriptions(),
            Self::User => waybill_user::subscriptions(),
            Self::Notification => waybill_notification::subscriptions(),
            // It takes dead letters of the others, and no events.
            Self::Operations => Vec::new(),
        }
    }

    async fn service(
        self,
        platform: &Platform,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Result<Service> {
        let service = match self {
            Self::Order => waybill_order::service(platform, stop).await,
            Self::User => waybill_user::service(platform, stop).await,
            Self::Notification => {
                waybill_notification::service(platform, mail::settings(settings)?, stop).await
            }
            Self::Operations => waybill_operations::service(platform, subscriptions(), stop).await,
        };
        service.with_context(|| format!("cannot start the {} service", self.name()))
    }
}

/// Runs `roles` in this process, which is called `process`, until it is told to stop.
pub(crate) async fn run(process: &str, roles: &[Role], flags: Flags) -> Result<()> {
    let settings = Settings::load(flags.values, flags.config)?;
    let _telemetry = telemetry::init(&settings, &service_name(process))?;
    let stop = shutdown::on_signal().context("cannot catch signals")?;

    let grpc = listen(&settings.grpc_addr).await?;
    let http = listen(&settings.http_addr).await?;
    let platform = Platform::open(&settings, process).await.map_err(cannot_open)?;
    // Also of services that run elsewhere: their queues must be there before anything is published.
    let subscriptions = subscriptions();
    let taps = platform::taps(&settings, process, &subscriptions).map_err(cannot_open)?;
    let stories = platform.stories()?;
    let (teller, telling) = Teller::new(Arc::clone(&stories));
    let background = CancellationToken::new();
    let mut services = Vec::new();
    for role in roles {
        let service = role.service(&platform, &settings, &background).await?;
        services.push(service.telling(&teller));
    }
    // Events belong to no service, and every process shows them: whichever runs here serves that too.
    if let Some(service) = services.pop() {
        let service = service.serving(events::service(taps, stories));
        services.push(service.running(&background, |stop| telling.run(stop)));
    }

    let announcement = Announcement {
        roles,
        settings: &settings,
        grpc: grpc.local_addr()?,
        http: http.local_addr()?,
        ids: platform.ids.as_ref(),
    };
    // Whoever started it may have closed its output; it runs all the same.
    let _ = writeln!(io::stdout(), "{announcement}");
    let host = Host {
        grpc,
        http,
        subscriptions,
        background,
        drain_timeout: settings.drain_timeout,
    };
    Ok(host.run(&platform, services, &stop).await?)
}

/// What all services consume.
fn subscriptions() -> Vec<Subscription> {
    Role::ALL.iter().flat_map(|role| role.subscriptions()).collect()
}

/// What a process is called in traces: `waybill-order` for one that serves orders alone.
fn service_name(process: &str) -> String {
    match process {
        "up" => "waybill".to_owned(),
        service => format!("waybill-{service}"),
    }
}

/// A wrong setting stays one, so that the process ends with its exit code.
fn cannot_open(error: platform::Error) -> anyhow::Error {
    match error {
        platform::Error::Settings(error) => error.into(),
        error @ platform::Error::Broker(_) => error.into(),
    }
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}
