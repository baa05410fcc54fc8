//! The use cases, on a database in memory and with a clock that stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    clock::{ManualClock, UuidV7Generator},
    context::Context,
    contract::user::v1::{UserContactChanged, UserRegistered},
    envelope::Envelope,
    grpc::page::Cursor,
    message::Message,
    outbox::Outbox,
    relay::Relay,
    store::Result,
};
use waybill_testkit::wait;
use waybill_user::{
    adapters::{events::write_event, memory::InMemoryDatabase},
    app::{Error, Users},
    domain::user::User,
    ports::{Changed, Registered, Registration, RequestKey, StoredUser, UserRepository},
};

use crate::support::{at, broker::Recorder, change, clock, contact, id, request};

/// The use cases, and what is around them.
struct World {
    users: Users,
    clock: Arc<ManualClock>,
    outbox: Arc<dyn Outbox>,
    relay: Relay,
    published: Arc<Recorder>,
}

fn world() -> World {
    let database = Arc::new(InMemoryDatabase::default());
    world_with(Arc::clone(&database) as _, database)
}

fn world_with(repository: Arc<dyn UserRepository>, database: Arc<InMemoryDatabase>) -> World {
    let (clock, published) = (clock(), Arc::new(Recorder::default()));
    let outbox: Arc<dyn Outbox> = Arc::clone(&database) as _;
    let (relay, handle) = Relay::new(
        Arc::clone(&outbox),
        Arc::clone(&published) as _,
        Arc::clone(&clock) as _,
        "test",
    );
    let users = Users {
        repository,
        stats: database,
        relay: handle,
        write_event,
        clock: Arc::clone(&clock) as _,
        ids: Arc::new(UuidV7Generator::default()),
    };
    World {
        users,
        clock,
        outbox,
        relay,
        published,
    }
}

impl World {
    async fn register(&self, n: u128, email: &str) -> std::result::Result<User, Error> {
        let context = Context::new("c-1");
        self.users
            .register_user(request(n, 1), contact(email, "Ann"), &context)
            .await
    }

    async fn update(&self, request: RequestKey, user: Uuid, name: &str) -> std::result::Result<User, Error> {
        let context = Context::new("c-2");
        self.users
            .update_user(request, user, &change("", name), &context)
            .await
    }

    async fn events(&self) -> u64 {
        self.outbox.backlog().await.unwrap().depth
    }
}

#[tokio::test]
async fn a_repeated_registration_gets_the_first_answer_even_after_a_change() {
    let world = world();
    let first = world.register(1, "ann@example.com").await.unwrap();
    assert_eq!(
        (first.version, first.create_time, first.update_time),
        (1, at(0), at(0))
    );
    world.clock.advance(Duration::from_mins(1));
    let changed = world.update(request(2, 1), first.user_id, "Bo").await.unwrap();
    assert_eq!((changed.version, changed.update_time), (2, at(60)));

    assert_eq!(world.register(1, "ann@example.com").await.unwrap(), first);
    assert_eq!(world.events().await, 2);
}

#[tokio::test]
async fn another_body_under_the_same_request_id_is_refused() {
    let world = world();
    let user = world.register(1, "ann@example.com").await.unwrap();
    let other = world
        .users
        .register_user(
            request(1, 2),
            contact("bo@example.com", "Bo"),
            &Context::default(),
        )
        .await;
    assert!(matches!(other, Err(Error::RequestIdReused)), "{other:?}");

    world.update(request(2, 1), user.user_id, "Bo").await.unwrap();
    let other = world.update(request(2, 2), user.user_id, "Carl").await;
    assert!(matches!(other, Err(Error::RequestIdReused)), "{other:?}");
    assert_eq!(world.events().await, 2);
}

#[tokio::test]
async fn a_repeated_change_gets_the_first_answer_and_happens_once() {
    let world = world();
    let user = world.register(1, "ann@example.com").await.unwrap();
    let first = world.update(request(2, 1), user.user_id, "Bo").await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(
        world.update(request(2, 1), user.user_id, "Bo").await.unwrap(),
        first
    );
    // A new request for what is so already changes nothing, and says nothing.
    assert_eq!(
        world.update(request(3, 1), user.user_id, "Bo").await.unwrap(),
        first
    );
    assert_eq!(world.events().await, 2);
}

#[tokio::test]
async fn addresses_are_taken_and_users_are_missing() {
    let world = world();
    let ann = world.register(1, "ann@example.com").await.unwrap();
    let taken = world.register(2, "ANN@example.com").await;
    assert!(matches!(taken, Err(Error::EmailTaken)), "{taken:?}");

    world.register(3, "bo@example.com").await.unwrap();
    let grab = change("BO@example.com", "");
    let taken = world
        .users
        .update_user(request(4, 1), ann.user_id, &grab, &Context::default())
        .await;
    assert!(matches!(taken, Err(Error::EmailTaken)), "{taken:?}");

    let missing = world.update(request(5, 1), id(99), "Bo").await;
    assert!(matches!(missing, Err(Error::UserNotFound(user)) if user == id(99)));
    assert!(matches!(
        world.users.get_user(id(99)).await,
        Err(Error::UserNotFound(_))
    ));
    assert!(matches!(
        world.users.get_order_stats(id(99)).await,
        Err(Error::UserNotFound(_))
    ));
    assert_eq!(world.users.get_order_stats(ann.user_id).await.unwrap().placed, 0);
}

#[tokio::test]
async fn what_was_stored_is_published_with_the_context_of_its_call() {
    let world = world();
    let user = world.register(1, "ann@example.com").await.unwrap();
    world.update(request(2, 1), user.user_id, "Bo").await.unwrap();

    let stop = CancellationToken::new();
    let running = tokio::spawn(world.relay.run(stop.clone()));
    let outbox = Arc::clone(&world.outbox);
    wait::until("the outbox is empty", async || {
        let backlog = outbox.backlog().await.unwrap();
        (backlog.depth == 0).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();

    let messages = world.published.published();
    let envelope = |n: usize| Envelope::from_message(&messages[n]).unwrap();
    let registered: UserRegistered = envelope(0).decode().unwrap();
    assert_eq!(
        (registered.email.as_str(), registered.version),
        ("ann@example.com", 1)
    );
    assert_eq!(envelope(0).context.correlation_id, "c-1");
    let changed: UserContactChanged = envelope(1).decode().unwrap();
    assert_eq!((changed.display_name.as_str(), changed.version), ("Bo", 2));
    assert_eq!(envelope(1).context.correlation_id, "c-2");
}

/// A repository in which somebody else's change comes in between, `conflicts` times.
struct Contended {
    database: Arc<InMemoryDatabase>,
    conflicts: AtomicUsize,
}

#[async_trait]
impl UserRepository for Contended {
    async fn register(&self, registration: &Registration, event: Message) -> Result<Registered> {
        self.database.register(registration, event).await
    }

    async fn change(&self, user: &User, request: RequestKey, event: Message) -> Result<Changed> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if left.is_ok() {
            return Ok(Changed::Conflict);
        }
        self.database.change(user, request, event).await
    }

    async fn find(&self, user_id: Uuid) -> Result<Option<StoredUser>> {
        UserRepository::find(self.database.as_ref(), user_id).await
    }

    async fn list(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>> {
        self.database.list(after, limit).await
    }
}

#[tokio::test]
async fn a_change_that_meets_others_is_tried_again_a_few_times() {
    for (conflicts, succeeds) in [(2, true), (1_000, false)] {
        let database = Arc::new(InMemoryDatabase::default());
        let contended = Contended {
            database: Arc::clone(&database),
            conflicts: AtomicUsize::new(conflicts),
        };
        let world = world_with(Arc::new(contended), database);
        let user = world.register(1, "ann@example.com").await.unwrap();
        match world.update(request(2, 1), user.user_id, "Bo").await {
            Ok(changed) => assert!(succeeds && changed.version == 2),
            Err(error) => assert!(!succeeds && matches!(error, Error::ConcurrentChange)),
        }
    }
}
