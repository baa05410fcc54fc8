//! Statistics in MongoDB: a document a user, `_id` being the user's id.
//!
//! Units and nanos of a sum grow apart and are brought together when they are read, so a sum is exact
//! and may reach 9.2 × 10^18 units (`int64`). A change that would go beyond fails and leaves what was
//! there.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    mongo::{
        Collection, Command, Database, MongoEffects, Upsert,
        mongodb::{
            ClientSession,
            bson::{DateTime, Document, doc},
            error::{Error as DriverError, Result as DriverResult},
        },
        store_error,
    },
    store::{Error, Result},
};

use crate::{
    domain::{
        amount::{Amount, Currency},
        stats::{OrderStats, StatsChange},
    },
    ports::StatsRepository,
};

const COLLECTION: &str = "order_stats";

/// A user's statistics as stored.
#[derive(Debug, Deserialize)]
struct StatsDocument {
    orders_placed: i64,
    orders_cancelled: i64,
    last_order_time: Option<DateTime>,
    totals: BTreeMap<String, TotalDocument>,
}

/// A sum, whose nanos may be of any size and sign.
#[derive(Debug, Deserialize)]
struct TotalDocument {
    units: i64,
    nanos: i64,
}

/// Statistics in the collection `order_stats`.
#[derive(Debug, Clone)]
pub struct MongoStatsRepository {
    stats: Collection<StatsDocument>,
}

impl MongoStatsRepository {
    /// The statistics in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            stats: database.collection(COLLECTION),
        }
    }
}

#[async_trait]
impl StatsRepository for MongoStatsRepository {
    async fn find(&self, user_id: Uuid) -> Result<Option<OrderStats>> {
        let filter = doc! {"_id": user_id.to_string()};
        let found = self
            .stats
            .observe(Command::Find, self.stats.find_one(filter))
            .await;
        let document = found.map_err(store_error)?;
        document.map(stats).transpose()
    }
}

/// Adds to statistics, one command a batch: the effects of a
/// [`MongoInbox`](waybill::mongo::MongoInbox).
#[derive(Debug, Clone)]
pub struct MongoStatsEffects {
    stats: Collection<Document>,
}

impl MongoStatsEffects {
    /// Adds to the statistics in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            stats: database.collection(COLLECTION),
        }
    }
}

#[async_trait]
impl MongoEffects<StatsChange> for MongoStatsEffects {
    async fn apply(&self, session: &mut ClientSession, effects: &[&StatsChange]) -> DriverResult<()> {
        let additions = StatsChange::merge(effects.iter().copied())
            .iter()
            .map(upsert)
            .collect::<DriverResult<Vec<_>>>()?;
        self.stats.upsert_each(additions, Some(session)).await
    }
}

fn upsert(change: &StatsChange) -> DriverResult<Upsert> {
    Ok(Upsert {
        filter: doc! {"_id": change.user_id.to_string()},
        update: addition(&change.added)?.into(),
    })
}

/// The update that adds to a user's statistics.
fn addition(added: &OrderStats) -> DriverResult<Document> {
    let mut sums = doc! {"orders_placed": added.placed, "orders_cancelled": added.cancelled};
    for (currency, amount) in &added.spent {
        let (units, nanos) = amount
            .parts()
            .ok_or_else(|| DriverError::custom("sum is too large"))?;
        let currency = currency.as_str();
        sums.insert(format!("totals.{currency}.units"), units);
        sums.insert(format!("totals.{currency}.nanos"), i64::from(nanos));
    }
    let mut update = doc! {"$inc": sums};
    if let Some(time) = added.last_order_time {
        let time = DateTime::from_millis(unix_millis(time));
        update.insert("$max", doc! {"last_order_time": time});
    }
    Ok(update)
}

fn stats(document: StatsDocument) -> Result<OrderStats> {
    let total = |(currency, total): (String, TotalDocument)| {
        let currency = Currency::parse(&currency)
            .ok_or_else(|| Error::Failed("a currency in the database is none".to_owned()))?;
        Ok((currency, Amount::new(total.units, total.nanos)))
    };
    Ok(OrderStats {
        placed: document.orders_placed,
        cancelled: document.orders_cancelled,
        spent: document.totals.into_iter().map(total).collect::<Result<_>>()?,
        last_order_time: document
            .last_order_time
            .map(|time| from_unix_millis(time.timestamp_millis())),
    })
}

#[cfg(test)]
mod tests {
    use waybill::mongo::bson;
    use waybill_testkit::stated;

    use super::*;

    /// docs/performance.md states it. MongoDB's own limit is 16 MiB.
    const LARGEST_DOCUMENT: usize = 720_000;

    #[test]
    fn statistics_in_every_currency_stay_far_from_the_limit_of_a_document() {
        let letters = || (b'A'..=b'Z').map(char::from);
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        let spent = codes.map(|code| {
            let code = String::from_iter(code);
            let currency = Currency::parse(&code).unwrap();
            (currency, Amount::new(1, 1))
        });
        let added = OrderStats {
            placed: 1,
            cancelled: 1,
            spent: spent.collect(),
            last_order_time: Some(from_unix_millis(1)),
        };
        let update = addition(&added).unwrap();
        let mut document = doc! {"_id": Uuid::nil().to_string(), "totals": {}};
        for (path, value) in update.get_document("$inc").unwrap() {
            let parts: Vec<_> = path.split('.').collect();
            let [.., field] = parts[..] else { unreachable!() };
            let holder = match parts[..] {
                [totals, currency, _] => document
                    .get_document_mut(totals)
                    .unwrap()
                    .entry(currency.to_owned())
                    .or_insert_with(|| doc! {}.into())
                    .as_document_mut()
                    .unwrap(),
                _ => &mut document,
            };
            holder.insert(field, value.clone());
        }
        document.extend(update.get_document("$max").unwrap().clone());
        let bytes = bson::serialize_to_vec(&document).unwrap().len();
        assert!(bytes <= LARGEST_DOCUMENT, "{bytes}");
        stated::in_a_table(&format!("{} bytes", stated::count(LARGEST_DOCUMENT)));
    }
}
