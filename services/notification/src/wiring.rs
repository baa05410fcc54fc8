//! Puts the service together.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waybill::{
    contract::{
        notification::v1::notification_service_server::NotificationServiceServer,
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::{UserContactChanged, UserRegistered},
    },
    grpc::server::MAX_MESSAGE_BYTES,
    mongo::until_ensured,
    platform::{Database, Platform},
    service::Service,
    source::Published,
    store::Result,
    topology::Subscription,
};

use crate::{
    adapters::{
        events::{ContactsHandler, MailHandler},
        grpc::NotificationApi,
        mail::{FileMailer, ObservedMailer, SmtpMailer},
        mongo::{MongoContacts, MongoNotifications},
        sqlite::{self, SqliteContacts, SqliteNotifications},
    },
    app::notify::Notify,
    ports::{contacts::Contacts, mailer::Mailer, notifications::Notifications},
    settings::{MailSettings, MailTarget},
};

/// Short name of the service.
const NAME: &str = "notification";

/// The events that the service publishes: none, it ends what others began.
pub fn publishes() -> &'static [Published] {
    &[]
}

/// The queues that the service consumes. Contacts have one of their own, so that a mail server that
/// is down does not keep addresses from becoming known.
pub fn subscriptions() -> Vec<Subscription> {
    vec![contacts_queue(), mail_queue()]
}

fn contacts_queue() -> Subscription {
    Subscription::new("waybill.notification.contacts")
        .to::<UserRegistered>()
        .to::<UserContactChanged>()
}

fn mail_queue() -> Subscription {
    Subscription::new("waybill.notification.mail")
        .to::<OrderCreated>()
        .to::<OrderCancelled>()
}

/// The service on `platform`, mailing as `mail` says. It starts while database, broker and mail
/// server are away. Must be called, and dropped, inside a tokio runtime.
pub async fn service(platform: &Platform, mail: MailSettings, stop: &CancellationToken) -> Result<Service> {
    let database = platform.database(NAME, sqlite::MIGRATIONS)?;
    let mut service = Service::new(NAME, database.clone());
    let contacts: Arc<dyn Contacts>;
    let notifications: Arc<dyn Notifications>;
    match database {
        Database::Sqlite(database) => {
            contacts = Arc::new(SqliteContacts::new(database.clone()));
            let store = SqliteNotifications::new(database);
            let (keeper, clock) = (store.clone(), Arc::clone(&platform.clock));
            service = service.running(stop, |stop| {
                keeper.keep(platform.retention.notifications, clock, stop)
            });
            notifications = Arc::new(store);
        }
        Database::Mongo(database) => {
            contacts = Arc::new(MongoContacts::new(&database));
            let store = MongoNotifications::new(&database).keeping(platform.retention.notifications);
            service = service.running(stop, |stop| until_ensured(vec![store.indexes()], stop));
            notifications = Arc::new(store);
        }
    }
    let notify = Notify::new(
        Arc::clone(&contacts),
        Arc::clone(&notifications),
        mailer(&mail)?,
        Arc::clone(&platform.clock),
        mail.from.email.domain(),
    );
    let api = NotificationServiceServer::new(NotificationApi::new(notifications))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    Ok(service
        .serving(api)
        .consuming(platform.consumer(contacts_queue(), Arc::new(ContactsHandler::new(contacts))))
        .consuming(platform.consumer(mail_queue(), Arc::new(MailHandler::new(notify)))))
}

fn mailer(settings: &MailSettings) -> Result<Arc<dyn Mailer>> {
    let from = settings.from.clone();
    let mailer: Arc<dyn Mailer> = match &settings.target {
        MailTarget::Files(folder) => Arc::new(FileMailer::new(folder.clone(), from)?),
        MailTarget::Smtp(url) => Arc::new(SmtpMailer::new(url, from)?),
    };
    Ok(Arc::new(ObservedMailer::new(mailer, settings.target.server())))
}
