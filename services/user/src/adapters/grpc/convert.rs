//! Domain to wire, and what is wrong as a status.

use tonic::{Code, Status};
use uuid::Uuid;
use waybill::{
    contract::{
        google::r#type::Money,
        user::v1::{OrderStats, User},
    },
    grpc::{
        reason, request,
        status::{self, Violations},
    },
    store,
};

use crate::{
    app,
    domain::{
        amount::{Amount, Currency},
        contact::InvalidField,
        stats, user,
    },
};

/// What was parsed, unless it or what was read before is wrong: then everything that is.
pub(super) fn valid<T>(
    parsed: Result<T, Vec<InvalidField>>,
    mut violations: Violations,
) -> Result<T, Status> {
    match parsed {
        Ok(value) => violations.into_result().map(|()| value),
        Err(invalid) => {
            for InvalidField { field, takes } in invalid {
                violations.add(field, takes);
            }
            Err(violations.into_result().expect_err("a field was invalid"))
        }
    }
}

/// Reads the `user_id` of a request that has nothing else.
pub(super) fn user_id(text: &str) -> Result<Uuid, Status> {
    let mut violations = Violations::default();
    let user_id = request::uuid("user_id", text, &mut violations);
    violations.into_result().map(|()| user_id)
}

pub(super) fn user(user: &user::User) -> User {
    User {
        user_id: user.user_id.to_string(),
        email: user.contact.email.as_str().to_owned(),
        display_name: user.contact.display_name.as_str().to_owned(),
        version: user.version,
        create_time: Some(user.create_time.into()),
        update_time: Some(user.update_time.into()),
    }
}

/// Statistics; INTERNAL for a sum that no longer fits into the wire's 64-bit units.
pub(super) fn order_stats(user_id: Uuid, stats: &stats::OrderStats) -> Result<OrderStats, Status> {
    let total_spent = stats.spent.iter().map(money).collect::<Option<_>>();
    Ok(OrderStats {
        user_id: user_id.to_string(),
        orders_placed: stats.placed,
        orders_cancelled: stats.cancelled,
        total_spent: total_spent.ok_or_else(|| {
            status::store_error(&store::Error::Failed(format!("total of {user_id} is too large")))
        })?,
        last_order_time: stats.last_order_time.map(Into::into),
    })
}

fn money((currency, amount): (&Currency, &Amount)) -> Option<Money> {
    let (units, nanos) = amount.parts()?;
    Some(Money {
        currency_code: currency.as_str().to_owned(),
        units,
        nanos,
    })
}

/// What a client sees of a use case's error.
pub(super) fn status(error: app::Error) -> Status {
    match error {
        app::Error::UserNotFound(user_id) => status::error_with(
            Code::NotFound,
            reason::USER_NOT_FOUND,
            error.to_string(),
            [("user_id".to_owned(), user_id.to_string())],
        ),
        app::Error::EmailTaken => status::error(Code::AlreadyExists, reason::EMAIL_TAKEN, error.to_string()),
        app::Error::RequestIdReused => request::request_id_reused(),
        app::Error::ConcurrentChange => {
            status::error(Code::Aborted, reason::CONCURRENT_CHANGE, error.to_string())
        }
        app::Error::Store(error) => status::store_error(&error),
    }
}
