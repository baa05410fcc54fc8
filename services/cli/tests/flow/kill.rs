//! Tens of thousands of orders of two hundred users while processes are killed with `kill -9`: what was
//! answered is there, and whatever follows from it happens once.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Duration,
};

use futures::{StreamExt, stream};
use waybill::contract::{
    notification::v1::{NotificationType, list_notifications_request::Filter},
    operations::v1::{ListDeadLettersRequest, dead_letter_service_client::DeadLetterServiceClient},
    order::v1::Order,
};
use waybill_testkit::wait;

use crate::support::{
    client::{Client, order_for, sums, uuid},
    process::Process,
    stack::Stack,
};

const USERS: usize = 200;

/// How a platform is driven while it is killed.
struct Drive {
    /// Orders that are answered in the end.
    orders: u32,
    /// Orders that are asked for at the same time.
    in_flight: usize,
    /// Processes of everything.
    processes: usize,
}

/// Processes of everything, of which one is killed every now and then, and started again.
struct Fleet<'a> {
    stack: &'a Stack,
    processes: RefCell<Vec<(Process, Client)>>,
    turn: Cell<usize>,
}

impl<'a> Fleet<'a> {
    fn start(stack: &'a Stack, processes: usize) -> Self {
        let fleet = Self {
            stack,
            processes: RefCell::default(),
            turn: Cell::new(0),
        };
        (0..processes).for_each(|_| fleet.start_one());
        fleet
    }

    fn start_one(&self) {
        let process = Process::start(self.stack, &["up"]);
        let client = Client::of(process.channel());
        self.processes.borrow_mut().push((process, client));
    }

    /// A client of the next process in turn, as a load balancer would pick one.
    fn client(&self) -> Client {
        let turn = self.turn.replace(self.turn.get() + 1);
        let processes = self.processes.borrow();
        processes[turn % processes.len()].1.clone()
    }

    /// Kills the process that was started first, and starts another.
    fn kill_one(&self) {
        let (killed, _) = self.processes.borrow_mut().remove(0);
        killed.kill();
        self.start_one();
    }
}

impl Drive {
    async fn survive_kills(&self, stack: Stack) {
        let fleet = Fleet::start(&stack, self.processes);
        let register = async |_| fleet.client().register().await.user_id;
        let users: Vec<_> = stream::iter(0..USERS).then(register).collect().await;

        let placed = self.place_all(&fleet, &users).await;
        until_mailed(&stack, placed.len()).await;
        let mut by_user: HashMap<&str, Vec<&Order>> = HashMap::new();
        for order in &placed {
            by_user.entry(&order.user_id).or_default().push(order);
        }
        let mut confirmed = Vec::new();
        for (user_id, placed) in by_user {
            confirmed.append(&mut check(&fleet.client(), user_id, &placed).await);
        }
        let mut mailed: Vec<_> = stack.mails().iter().map(|mail| message_id(mail)).collect();
        mailed.sort_unstable();
        confirmed.sort_unstable();
        assert_eq!(mailed.len(), placed.len(), "one mail an order");
        assert!(mailed == confirmed, "the mails are those that are recorded");

        let channel = fleet.processes.borrow()[0].0.channel();
        let given_up = DeadLetterServiceClient::new(channel)
            .list_dead_letters(ListDeadLettersRequest::default())
            .await
            .expect("the process is there");
        assert_eq!(given_up.into_inner().dead_letters, []);
    }

    /// Places every order; whoever was not answered asks again, perhaps another process, under the same id.
    async fn place_all(&self, fleet: &Fleet<'_>, users: &[String]) -> Vec<Order> {
        let answered = Cell::new(0);
        let place = async |seed: u32| {
            let request = order_for(&users[seed as usize % users.len()], seed);
            loop {
                match fleet.client().place_once(request.clone()).await {
                    Ok(order) => {
                        answered.set(answered.get() + 1);
                        return order;
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        let placing = stream::iter(0..self.orders)
            .map(place)
            .buffer_unordered(self.in_flight)
            .collect();
        tokio::select! {
            placed = placing => placed,
            () = self.kill_again_and_again(fleet, &answered) => unreachable!("it goes on until all is placed"),
        }
    }

    /// Kills a process whenever some more orders were `answered`, and a random moment later: 6 to 12 times
    /// in all, which is less than the deliveries after which a message is given up.
    async fn kill_again_and_again(&self, fleet: &Fleet<'_>, answered: &Cell<u32>) {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        loop {
            let next = answered.get() + random.u32(self.orders / 12..self.orders / 6);
            while answered.get() < next {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(random.u64(..50))).await;
            fleet.kill_one();
        }
    }
}

/// Waits until there are this many mails, for as long as they become more.
async fn until_mailed(stack: &Stack, count: usize) {
    let mut mailed = stack.mail_files().len();
    while mailed < count {
        mailed = wait::until("another mail is written", async || {
            // A look at that many files takes its time, which the platform is to have.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = stack.mail_files().len();
            (now > mailed).then_some(now)
        })
        .await;
    }
}

/// Every order is stored, the statistics are exact, one confirmation is recorded per order. Gives the
/// Message-IDs of those.
async fn check(client: &Client, user_id: &str, placed: &[&Order]) -> Vec<String> {
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
    for notification in &notifications {
        assert_eq!(notification.r#type(), NotificationType::OrderConfirmation);
    }
    let mut confirmed: Vec<_> = notifications.iter().map(|n| uuid(&n.order_id)).collect();
    confirmed.sort_unstable();
    assert_eq!(confirmed, expected, "one confirmation an order");
    notifications.into_iter().map(|n| n.message_id).collect()
}

/// The Message-ID of a mail.
fn message_id(mail: &str) -> String {
    let header = mail.lines().find_map(|line| line.strip_prefix("Message-ID: "));
    header.expect("a mail has a Message-ID").to_owned()
}

const TEN_THOUSAND: Drive = Drive {
    orders: 10_000,
    in_flight: 32,
    processes: 2,
};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_survive_kills_on_rabbitmq_and_mongodb() {
    TEN_THOUSAND.survive_kills(Stack::real().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_survive_kills_embedded() {
    TEN_THOUSAND.survive_kills(Stack::embedded()).await;
}

/// `scripts/test` runs this with the release build too, whose full speed is several times that of another.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_orders_at_full_speed_survive_kills_embedded() {
    let drive = Drive {
        orders: 30_000,
        in_flight: 256,
        processes: 1,
    };
    drive.survive_kills(Stack::embedded()).await;
}
