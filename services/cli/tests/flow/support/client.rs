//! A client of the platform that repeats what was not answered, as clients in the field do.

use std::collections::BTreeMap;

use tonic::{Code, Status, transport::Channel};
use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, UuidV7Generator},
    contract::{
        google::r#type::Money,
        notification::v1::{
            ListNotificationsRequest, Notification, list_notifications_request::Filter,
            notification_service_client::NotificationServiceClient,
        },
        order::v1::{
            CancelOrderRequest, ListOrdersRequest, Order, PlaceOrderItem, PlaceOrderRequest,
            order_service_client::OrderServiceClient,
        },
        user::v1::{
            GetOrderStatsRequest, GetOrderStatsResponse, OrderStats, RegisterUserRequest, User,
            user_service_client::UserServiceClient,
        },
    },
};
use waybill_testkit::wait;

/// Billionths in a unit.
const NANOS: i128 = 1_000_000_000;

/// A new UUIDv7, as text.
pub(crate) fn new_id() -> String {
    thread_local!(static IDS: UuidV7Generator = UuidV7Generator::default());
    IDS.with(IdGenerator::next_id).to_string()
}

/// Clients of all services, over whatever channel serves each.
#[derive(Clone)]
pub(crate) struct Client {
    orders: OrderServiceClient<Channel>,
    users: UserServiceClient<Channel>,
    notifications: NotificationServiceClient<Channel>,
}

impl Client {
    /// A client of a process that serves everything.
    pub(crate) fn of(channel: Channel) -> Self {
        Self::split(channel.clone(), channel.clone(), channel)
    }

    /// A client of one process per service.
    pub(crate) fn split(orders: Channel, users: Channel, notifications: Channel) -> Self {
        Self {
            orders: OrderServiceClient::new(orders),
            users: UserServiceClient::new(users),
            notifications: NotificationServiceClient::new(notifications),
        }
    }

    /// Registers a user with an address of its own.
    pub(crate) async fn register(&self) -> User {
        let id = new_id();
        let request = RegisterUserRequest {
            email: format!("{id}@example.com"),
            display_name: "Test User".into(),
            request_id: id,
        };
        let mut users = self.users.clone();
        let answer = persist(async || users.register_user(request.clone()).await).await;
        answer.user.expect("an answer holds the user")
    }

    /// Places an order; a call that was not answered is repeated.
    pub(crate) async fn place(&self, request: PlaceOrderRequest) -> Order {
        let mut orders = self.orders.clone();
        let answer = persist(async || orders.place_order(request.clone()).await).await;
        answer.order.expect("an answer holds the order")
    }

    /// Places an order, once.
    pub(crate) async fn place_once(&self, request: PlaceOrderRequest) -> Result<Order, Status> {
        let answer = self.orders.clone().place_order(request).await?.into_inner();
        Ok(answer.order.expect("an answer holds the order"))
    }

    /// Cancels an order; a call that was not answered is repeated.
    pub(crate) async fn cancel(&self, order_id: &str) -> Order {
        let request = CancelOrderRequest {
            request_id: new_id(),
            order_id: order_id.to_owned(),
            reason: "changed my mind".into(),
        };
        let mut orders = self.orders.clone();
        let answer = persist(async || orders.cancel_order(request.clone()).await).await;
        answer.order.expect("an answer holds the order")
    }

    /// All orders of a user, page by page.
    pub(crate) async fn orders(&self, user_id: &str) -> Vec<Order> {
        let mut request = ListOrdersRequest {
            user_id: user_id.to_owned(),
            page_size: 500,
            page_token: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let mut orders = self.orders.clone();
            let page = persist(async || orders.list_orders(request.clone()).await).await;
            found.extend(page.orders);
            if page.next_page_token.is_empty() {
                return found;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// All notifications that pass `filter`, page by page.
    pub(crate) async fn notifications(&self, filter: Filter) -> Vec<Notification> {
        let mut request = ListNotificationsRequest {
            filter: Some(filter),
            page_size: 500,
            page_token: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let mut notifications = self.notifications.clone();
            let page = persist(async || notifications.list_notifications(request.clone()).await).await;
            found.extend(page.notifications);
            if page.next_page_token.is_empty() {
                return found;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// A user's statistics; zeros while nothing is known of the user.
    pub(crate) async fn stats(&self, user_id: &str) -> OrderStats {
        let request = GetOrderStatsRequest {
            user_id: user_id.to_owned(),
        };
        let mut users = self.users.clone();
        let ask = async || match users.get_order_stats(request.clone()).await {
            Err(status) if status.code() == Code::NotFound => {
                Ok(tonic::Response::new(GetOrderStatsResponse::default()))
            }
            other => other,
        };
        persist(ask).await.stats.unwrap_or_default()
    }

    /// Waits until a user's statistics count this many orders.
    pub(crate) async fn stats_of(&self, user_id: &str, placed: i64, cancelled: i64) -> OrderStats {
        wait::until("the statistics count every order", async || {
            let stats = self.stats(user_id).await;
            let counted = (stats.orders_placed, stats.orders_cancelled);
            assert!(
                counted.0 <= placed && counted.1 <= cancelled,
                "counted more than happened: {stats:?}"
            );
            (counted == (placed, cancelled)).then_some(stats)
        })
        .await
    }

    /// Waits until there are this many notifications that pass `filter`.
    pub(crate) async fn notifications_of(&self, filter: Filter, count: usize) -> Vec<Notification> {
        wait::until("every mail is recorded", async || {
            let found = self.notifications(filter.clone()).await;
            assert!(found.len() <= count, "more than were asked for: {found:?}");
            (found.len() == count).then_some(found)
        })
        .await
    }
}

/// Repeats a call while it is not known whether it took effect.
async fn persist<T>(mut call: impl AsyncFnMut() -> Result<tonic::Response<T>, Status>) -> T {
    wait::until("the call is answered", async || match call().await {
        Ok(answer) => Some(answer.into_inner()),
        Err(status) if is_unanswered(&status) => None,
        Err(status) => panic!("{status:?}"),
    })
    .await
}

/// Whether a server died or was away. (A connection that breaks in a call is UNKNOWN to the client.)
fn is_unanswered(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded
    )
}

/// A request for two items whose prices depend on `seed`.
pub(crate) fn order_for(user_id: &str, seed: u32) -> PlaceOrderRequest {
    let item = |product_id: &str, quantity, cents: i64| PlaceOrderItem {
        product_id: product_id.into(),
        quantity,
        unit_price: Some(Money {
            currency_code: "EUR".into(),
            units: cents / 100,
            nanos: i32::try_from(cents % 100).expect("under a hundred") * 10_000_000,
        }),
    };
    PlaceOrderRequest {
        request_id: new_id(),
        user_id: user_id.to_owned(),
        items: vec![
            item("book", 1 + seed % 3, 1999 + i64::from(seed % 500)),
            item("pen", 2, 99),
        ],
    }
}

/// An amount in billionths, exactly.
pub(crate) fn nanos(money: &Money) -> i128 {
    i128::from(money.units) * NANOS + i128::from(money.nanos)
}

/// Exact sums by currency code, without currencies that come to nothing.
pub(crate) fn sums<'a>(amounts: impl IntoIterator<Item = &'a Money>) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for money in amounts {
        *sums.entry(money.currency_code.clone()).or_default() += nanos(money);
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// Reads an id that the platform gave.
pub(crate) fn uuid(text: &str) -> Uuid {
    text.parse().expect("ids are UUIDs")
}
