//! What is kept, where and for how long, on running platforms, held against the table in
//! `docs/performance.md`.

mod mongodb;
mod sqlite;
mod table;

use std::{collections::BTreeMap, time::Duration};

use waybill::{contract::notification::v1::list_notifications_request::Filter, retention::Retention, story};
use waybill_operations::domain::operation::REPLAYED_RETENTION;

use self::table::Row;
use crate::support::client::{Client, order_for};

/// Places and cancels an order, and waits until every service has dealt with both.
async fn an_order_comes_and_goes(client: &Client) {
    let user = client.register().await;
    let order = client.place(order_for(&user.user_id, 1)).await;
    client.cancel(&order.order_id).await;
    client.stats_of(&user.user_id, 1, 1).await;
    client.notifications_of(Filter::UserId(user.user_id), 2).await;
}

#[test]
fn the_periods_are_those_of_the_code() {
    let table = table::rows();
    let stated: BTreeMap<&str, Duration> = table
        .iter()
        .filter_map(|row| Some((row.what.as_str(), row.period()?)))
        .collect();
    let Retention { inbox, notifications } = Retention::default();
    let expected = BTreeMap::from([
        ("inbox entries", inbox),
        ("notifications", notifications),
        ("stories", story::RETENTION),
        ("replayed dead letters", REPLAYED_RETENTION),
        // Nobody else needs to know it: the server's documents show that it is so.
        ("sessions of inboxes", Duration::from_hours(24)),
    ]);
    assert_eq!(stated, expected);
    let settings = |setting| table.iter().any(|row: &Row| row.kept.contains(setting));
    assert!(settings("`inbox_retention`") && settings("`notification_retention`"));
}
