//! What is looked for, as SQL that names the index which answers it.

use uuid::Uuid;
use waybill::{clock::unix_millis, embedded::rusqlite::types::Value, grpc::page::Cursor};

use crate::domain::{dead_letter::Phase, filter::Filter};

/// Before this, every letter stands.
const FIRST: Cursor = Cursor {
    time_ms: i64::MAX,
    id: Uuid::max(),
};

/// A table with the index to use and a condition, and the values of its parameters `?1`, `?2`, ….
#[derive(Debug)]
pub(super) struct Query {
    /// `dead_letter INDEXED BY … WHERE …`.
    pub(super) from: String,
    /// In the order of the parameters.
    pub(super) values: Vec<Value>,
}

impl Query {
    /// Letters of `phase` that match `filter` and stand after `after`.
    ///
    /// SQLite refuses a statement that cannot use the index it names, so that none scans the table.
    pub(super) fn of(phase: Phase, filter: &Filter, after: Option<Cursor>) -> Self {
        let mut query = Self {
            from: format!("dead_letter INDEXED BY {} WHERE phase = ?1", index_for(filter)),
            values: vec![Value::Integer(phase.number().into())],
        };
        for (column, value) in [
            ("consumer", &filter.consumer),
            ("event_type", &filter.event_type),
            ("reason", &filter.reason),
            ("order_id", &filter.order_id),
        ] {
            if let Some(value) = value {
                let parameter = query.bind(value.clone());
                query.and(&format!("{column} = {parameter}"));
            }
        }
        if let Some(since) = filter.failed_since {
            let parameter = query.bind(unix_millis(since));
            query.and(&format!("last_failure_ms >= {parameter}"));
        }
        // A page starts no later than what failed before: one bound says both.
        let before = filter.failed_before.map(|before| Cursor {
            time_ms: unix_millis(before),
            id: Uuid::nil(),
        });
        let after = after.or(before).unwrap_or(FIRST);
        let time = query.bind(after.time_ms);
        let id = query.bind(after.id.as_bytes().to_vec());
        query.and(&format!("(last_failure_ms, id) < ({time}, {id})"));
        query
    }

    /// Binds a value and answers the name of its parameter.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Asks for `condition` too.
    pub(super) fn and(&mut self, condition: &str) {
        self.from.push_str(" AND ");
        self.from.push_str(condition);
    }
}

fn index_for(filter: &Filter) -> &'static str {
    // An order has a handful of letters: what else is asked for is looked up in those.
    if filter.order_id.is_some() {
        return "letters_by_order";
    }
    match (&filter.consumer, &filter.event_type, &filter.reason) {
        (None, None, None) => "letters_by_time",
        (Some(_), None, None) => "letters_by_c",
        (None, Some(_), None) => "letters_by_t",
        (None, None, Some(_)) => "letters_by_r",
        (Some(_), Some(_), None) => "letters_by_ct",
        (Some(_), None, Some(_)) => "letters_by_cr",
        (None, Some(_), Some(_)) => "letters_by_tr",
        (Some(_), Some(_), Some(_)) => "letters_by_ctr",
    }
}
