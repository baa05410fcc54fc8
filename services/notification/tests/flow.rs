//! The whole service, from events on a broker to mail, on SQLite and on MongoDB; and its logs, which
//! hold nobody's address or name.
//!
//! A binary of its own, since it captures the logs of its whole process.

#[path = "notification/support/events.rs"]
mod events;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status, transport::Channel};
use tracing::Level;
use uuid::Uuid;
use waybill::{
    broker::Broker,
    clock::{SystemClock, UuidV7Generator},
    config::ConsumerTrace,
    contract::notification::v1::{
        ListNotificationsRequest, Notification, NotificationState, list_notifications_request::Filter,
        notification_service_client::NotificationServiceClient,
    },
    embedded::EmbeddedBroker,
    envelope::Envelope,
    grpc::server::Server,
    message::Message,
    mongo,
    platform::{Databases, Platform},
    publisher::{Destination, Publication},
    retry::RetryPolicy,
    topology::Subscription,
};
use waybill_notification::{MailSettings, MailTarget, service, subscriptions};
use waybill_testkit::{mongodb, smtp::SmtpServer, wait};

use events::{cancelled, contact_changed, created, id, registered};

/// Stands in every user's address and name.
const MARK: &str = "Zyxomma";

/// Everything this process logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Appends to [`LOG`].
struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}

/// Waits until the log tells that an event failed for this reason.
async fn logged_failure(event: &Envelope, reason: &str) {
    let message_id = format!("message_id=\"{}\"", event.id);
    wait::until(reason, async || {
        let log = logged();
        let mut lines = log.lines().filter(|line| line.contains(reason));
        lines.any(|line| line.contains(&message_id)).then_some(())
    })
    .await;
}

/// The service as a host runs it.
struct Running {
    broker: EmbeddedBroker,
    client: NotificationServiceClient<Channel>,
    smtp: SmtpServer,
    _folder: TempDir,
    _stop: DropGuard,
}

impl Running {
    /// Starts it on a broker, a mail server and a folder of its own; `databases` may be in that.
    async fn start(databases: impl FnOnce(&Path) -> Databases) -> Self {
        // Only the first test of the process can set it; it captures for all.
        let _ = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(|| LogWriter)
            .try_init();
        let folder = tempfile::tempdir().unwrap();
        let smtp = SmtpServer::start().await;
        let clock = Arc::new(SystemClock);
        let path = folder.path().join("broker.db");
        let broker = EmbeddedBroker::open(&path, Arc::clone(&clock) as _)
            .await
            .unwrap();
        let platform = Platform {
            broker: Arc::new(broker.clone()),
            databases: databases(folder.path()),
            clock,
            ids: Arc::new(UuidV7Generator::default()),
            instance: "test".into(),
            prefetch: 16,
            retention: waybill::retention::Retention::default(),
            consumer_trace: ConsumerTrace::default(),
            retry: RetryPolicy {
                max_attempts: 100,
                first_delay: Duration::from_millis(50),
                multiplier: 2,
                max_delay: Duration::from_secs(2),
            },
        };
        let mail = MailSettings {
            target: MailTarget::Smtp(smtp.url().parse().unwrap()),
            from: "Shop <orders@shop.example>".parse().unwrap(),
        };
        let stop = CancellationToken::new();
        let client = run(&platform, mail, &stop).await;
        Self {
            broker,
            client,
            smtp,
            _folder: folder,
            _stop: stop.drop_guard(),
        }
    }

    async fn publish(&self, events: &[&Envelope]) {
        let publication = |event: &&Envelope| Publication {
            destination: Destination::Events,
            message: (*event).clone().into_message(),
        };
        let results = self
            .broker
            .publisher()
            .publish(events.iter().map(publication).collect())
            .await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    /// What is shown of a user, oldest first.
    async fn list(&self, user_id: Uuid) -> Result<Vec<Notification>, Status> {
        let request = ListNotificationsRequest {
            filter: Some(Filter::UserId(user_id.to_string())),
            ..ListNotificationsRequest::default()
        };
        let response = self.client.clone().list_notifications(request).await?;
        Ok(response.into_inner().notifications.into_iter().rev().collect())
    }

    /// Waits until `count` notifications of a user are shown.
    async fn shown(&self, user_id: Uuid, count: usize) -> Vec<Notification> {
        wait::until("notifications are shown", async || {
            self.list(user_id).await.ok().filter(|shown| shown.len() >= count)
        })
        .await
    }

    /// The next message that a consumer gave up.
    async fn dead_letter(&self) -> Message {
        let queue = subscriptions()[1].dead_letter_queue();
        let mut deliveries = self.broker.subscribe(&Subscription::new(queue)).await.unwrap();
        let mut batch = tokio::time::timeout(wait::PATIENCE, deliveries.next(1))
            .await
            .unwrap()
            .unwrap();
        batch.messages.remove(0)
    }
}

/// Runs every part of the service until `stop`, and connects to it.
async fn run(
    platform: &Platform,
    mail: MailSettings,
    stop: &CancellationToken,
) -> NotificationServiceClient<Channel> {
    let mut service = service(platform, mail, stop).await.unwrap();
    // Before anything is published: an exchange keeps nothing for queues to come.
    for subscription in subscriptions() {
        platform
            .broker
            .declare(&subscription.retrying(platform.retry))
            .await
            .unwrap();
    }
    for consumer in service.consumers.drain(..) {
        tokio::spawn(consumer.run(stop.clone()));
    }
    for work in service.background.drain(..) {
        tokio::spawn(work);
    }
    let mut server = Server::new(Arc::clone(&platform.ids));
    server.add(&mut service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server.serve(listener, stop.clone()));
    NotificationServiceClient::connect(url).await.unwrap()
}

/// An address at a domain that holds the mark.
fn address(local_part: &str) -> String {
    format!("{local_part}@{}.example", MARK.to_lowercase())
}

/// An order of a user who becomes known only then, a repeat of everything, one who cannot be reached
/// and one who can after a while.
async fn orders_become_mail(running: &Running) {
    let name = format!("Ada {MARK}");
    let [ada, busy, nobody] = [id(), id(), id()];
    let order = id();
    let (placed, ended) = (created(ada, order), cancelled(ada, order));
    let (waiting, lost) = (created(busy, id()), created(nobody, id()));
    running.publish(&[&placed, &waiting, &lost]).await;
    logged_failure(&placed, "CONTACT_UNKNOWN").await;
    running
        .publish(&[
            &contact_changed(ada, &address("ada"), &name, 2),
            &registered(ada, &address("old"), &name),
            &registered(busy, &address("tempfail"), &name),
            &registered(nobody, &address("reject"), &name),
        ])
        .await;
    running.shown(ada, 1).await;
    for _ in 0..5 {
        running.publish(&[&placed, &ended]).await;
    }

    let shown = running.shown(ada, 2).await;
    assert_eq!(shown.len(), 2);
    for (notification, event) in shown.iter().zip([&placed, &ended]) {
        assert_eq!(notification.notification_id, event.id.to_string());
        assert_eq!(notification.state(), NotificationState::Sent);
    }
    logged_failure(&waiting, "MAIL_NOT_ACCEPTED").await;
    let dead = running.dead_letter().await;
    assert!(format!("{dead:?}").contains("MAIL_REJECTED"), "{dead:?}");
    assert!(!holds_mark(&format!("{dead:?}")), "{dead:?}");

    running
        .publish(&[&contact_changed(busy, &address("busy"), &name, 2)])
        .await;
    running.shown(busy, 1).await;
    let received = running.smtp.received();
    let mut mailed: Vec<_> = received
        .iter()
        .map(|m| (m.recipients.concat(), m.header("Message-ID")))
        .collect();
    mailed.sort_unstable();
    let message_id = |event: &Envelope| format!("<{}@shop.example>", event.id);
    let (to_ada, to_busy) = (address("ada"), address("busy"));
    assert_eq!(
        mailed,
        [
            (to_ada.clone(), message_id(&placed).as_str()),
            (to_ada, message_id(&ended).as_str()),
            (to_busy, message_id(&waiting).as_str()),
        ]
    );
}

fn holds_mark(text: &str) -> bool {
    text.to_lowercase().contains(&MARK.to_lowercase())
}

fn assert_logs_name_nobody() {
    let log = logged();
    assert_eq!(log.lines().find(|line| holds_mark(line)), None);
}

#[tokio::test]
async fn orders_become_mail_on_sqlite_and_the_logs_name_nobody() {
    let running = Running::start(|folder| Databases::Sqlite(folder.to_owned())).await;
    orders_become_mail(&running).await;
    assert_logs_name_nobody();
}

#[tokio::test]
async fn orders_become_mail_on_mongodb_and_the_logs_name_nobody() {
    let databases = mongodb::Databases::new().await;
    let client = mongo::Client::new(databases.url()).await.unwrap();
    let running = Running::start(|_| Databases::Mongo(client)).await;
    orders_become_mail(&running).await;
    assert_logs_name_nobody();
}

#[tokio::test]
async fn it_starts_while_its_database_is_away_and_works_when_that_is_back() {
    let mut server = mongodb::PrivateServer::start().await;
    server.kill();
    let client = mongo::Client::new(&server.url()).await.unwrap();
    let running = Running::start(|_| Databases::Mongo(client)).await;
    let (user, order) = (id(), id());
    running
        .publish(&[&registered(user, &address("ada"), MARK), &created(user, order)])
        .await;
    let status = running.list(user).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(running.smtp.received().is_empty());

    server.restart().await;
    assert_eq!(running.shown(user, 1).await[0].order_id, order.to_string());
    assert_eq!(running.smtp.received().len(), 1);
    assert_logs_name_nobody();
}
