//! Ten thousand orders of two hundred users while processes are killed with `kill -9`.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt, stream};
use waybill::contract::{
    notification::v1::{NotificationType, list_notifications_request::Filter},
    order::v1::Order,
};

use crate::support::{
    client::{Client, order_for, sums, uuid},
    process::Process,
    stack::Stack,
};

const ORDERS: u32 = 10_000;
const USERS: usize = 200;
const IN_FLIGHT: usize = 32;

/// Time between two kills: long enough for a process to come up and do some work.
const KILL_INTERVAL: Duration = Duration::from_secs(2);

/// Two processes of everything, of which one is killed every now and then, and started again.
struct Fleet<'a> {
    stack: &'a Stack,
    processes: RefCell<Vec<Process>>,
    turn: Cell<usize>,
}

impl<'a> Fleet<'a> {
    fn start(stack: &'a Stack) -> Self {
        let processes = (0..2).map(|_| Process::start(stack, &["up"])).collect();
        Self {
            stack,
            processes: RefCell::new(processes),
            turn: Cell::new(0),
        }
    }

    /// A client of the next process in turn, as a load balancer would pick one.
    fn client(&self) -> Client {
        let turn = self.turn.replace(self.turn.get() + 1);
        let processes = self.processes.borrow();
        Client::of(processes[turn % processes.len()].channel())
    }

    fn kill_one(&self, n: usize) {
        let started = Process::start(self.stack, &["up"]);
        let n = n % self.processes.borrow().len();
        let killed = std::mem::replace(&mut self.processes.borrow_mut()[n], started);
        killed.kill();
    }
}

async fn survive_kills(stack: Stack) {
    let fleet = Fleet::start(&stack);
    let register = async |_| fleet.client().register().await.user_id;
    let users: Vec<_> = stream::iter(0..USERS).then(register).collect().await;

    let placed = place_all(&fleet, &users).await;
    let mut by_user: HashMap<&str, Vec<&Order>> = HashMap::new();
    for order in &placed {
        by_user.entry(&order.user_id).or_default().push(order);
    }
    for (user_id, placed) in by_user {
        check(&fleet.client(), user_id, &placed).await;
    }
}

/// Places every order; whoever was not answered asks again, at another process, under the same id.
async fn place_all(fleet: &Fleet<'_>, users: &[String]) -> Vec<Order> {
    let place = async |seed: u32| {
        let request = order_for(&users[seed as usize % users.len()], seed);
        loop {
            match fleet.client().place_once(request.clone()).await {
                Ok(order) => return order,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let placing = stream::iter(0..ORDERS)
        .map(place)
        .buffer_unordered(IN_FLIGHT)
        .collect();
    let killing = async {
        for n in 0.. {
            tokio::time::sleep(KILL_INTERVAL).await;
            fleet.kill_one(n);
        }
    };
    tokio::select! {
        placed = placing => placed,
        () = killing => unreachable!("killing goes on until all is placed"),
    }
}

/// Every order is stored, the statistics are exact, one confirmation is recorded per order.
async fn check(client: &Client, user_id: &str, placed: &[&Order]) {
    let mut expected: Vec<_> = placed.iter().map(|order| uuid(&order.order_id)).collect();
    let mut stored: Vec<_> = client
        .orders(user_id)
        .await
        .iter()
        .map(|order| uuid(&order.order_id))
        .collect();
    expected.sort_unstable();
    stored.sort_unstable();
    assert_eq!(stored, expected, "what was answered is stored, once");

    let count = i64::try_from(placed.len()).expect("few enough");
    let stats = client.stats_of(user_id, count, 0).await;
    assert_eq!(
        sums(&stats.total_spent),
        sums(placed.iter().filter_map(|order| order.total_amount.as_ref()))
    );

    let notifications = client
        .notifications_of(Filter::UserId(user_id.to_owned()), placed.len())
        .await;
    let mut confirmations = BTreeMap::new();
    for notification in &notifications {
        assert_eq!(notification.r#type(), NotificationType::OrderConfirmation);
        *confirmations.entry(uuid(&notification.order_id)).or_insert(0) += 1;
    }
    assert!(
        confirmations
            .into_iter()
            .eq(expected.into_iter().map(|id| (id, 1))),
        "one confirmation an order"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_survive_kills_on_rabbitmq_and_mongodb() {
    survive_kills(Stack::real().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_survive_kills_embedded() {
    survive_kills(Stack::embedded()).await;
}
