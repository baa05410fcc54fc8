//! Every query goes through an index, whatever there is in the tables.

use waybill::embedded::rusqlite::{Connection, Result};

use super::{MIGRATIONS, stats, users::rows as users};

/// Every step of the plan that SQLite makes for `sql`, with its parameters unset.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.raw_query().mapped(|row| row.get("detail"));
    steps.collect::<Result<Vec<String>>>().unwrap().join("; ")
}

#[test]
fn every_query_uses_an_index() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&MIGRATIONS.concat()).unwrap();
    for (sql, step) in [
        (users::BY_REQUEST, "(request_id=?)"),
        (users::EMAIL_TAKEN, "(email_key=?)"),
        (users::UPDATE, "(user_id=?)"),
        (users::BY_ID, "(user_id=?)"),
        (users::NEWEST, "users_by_age"),
        (users::OLDER_THAN, "users_by_age ((create_ms,user_id)<(?,?))"),
        (stats::STATS, "(user_id=?)"),
        (stats::TOTALS, "(user_id=?)"),
    ] {
        let plan = plan(&connection, sql);
        assert!(
            plan.contains(step) && !plan.contains("TEMP B-TREE"),
            "{sql}: {plan}"
        );
    }
}
