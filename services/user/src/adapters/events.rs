//! The events that this service publishes, and what those that it receives mean to it.

use std::time::SystemTime;

use prost_types::Timestamp;
use uuid::Uuid;
use waybill::{
    context::Context,
    contract::{
        Event,
        google::r#type::Money,
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::{UserContactChanged, UserRegistered},
    },
    envelope::Envelope,
    failure::Failure,
    message::Message,
    source::{Published, Source},
    telemetry::trace,
};

use crate::domain::{
    amount::{Amount, Currency},
    stats::StatsChange,
    user::UserEvent,
};

/// This service, as the source of events.
#[derive(Debug)]
pub struct UserSource;

impl Source for UserSource {
    const NAME: &'static str = "waybill.user";
    const PUBLISHES: &'static [Published] = &[
        Published::of::<UserRegistered>(),
        Published::of::<UserContactChanged>(),
    ];
}

/// Writes an event as the message that carries it: a [`WriteEvent`](crate::ports::WriteEvent).
pub fn write_event(event: &UserEvent, event_id: Uuid, context: &Context) -> Message {
    let message = message(event, event_id, context);
    trace::writing(&message);
    message
}

fn message(event: &UserEvent, event_id: Uuid, context: &Context) -> Message {
    match event {
        UserEvent::Registered(user) => {
            let event = UserRegistered {
                user_id: user.user_id.to_string(),
                email: user.contact.email.as_str().to_owned(),
                display_name: user.contact.display_name.as_str().to_owned(),
                version: user.version,
                create_time: Some(user.create_time.into()),
            };
            Envelope::published_by::<UserSource, _>(event_id, user.create_time, context, &event)
                .into_message()
        }
        UserEvent::ContactChanged(user) => {
            let event = UserContactChanged {
                user_id: user.user_id.to_string(),
                email: user.contact.email.as_str().to_owned(),
                display_name: user.contact.display_name.as_str().to_owned(),
                version: user.version,
                update_time: Some(user.update_time.into()),
            };
            Envelope::published_by::<UserSource, _>(event_id, user.update_time, context, &event)
                .into_message()
        }
    }
}

/// What an event about an order changes in its user's statistics.
pub fn stats_change(envelope: &Envelope) -> Result<StatsChange, Failure> {
    match envelope.type_name.as_str() {
        OrderCreated::TYPE => {
            let event: OrderCreated = envelope.decode()?;
            let (currency, amount) = total(event.total_amount)?;
            let placed_at = time(event.create_time)?;
            Ok(StatsChange::placed(
                user(&event.user_id)?,
                currency,
                amount,
                placed_at,
            ))
        }
        OrderCancelled::TYPE => {
            let event: OrderCancelled = envelope.decode()?;
            let (currency, amount) = total(event.total_amount)?;
            Ok(StatsChange::cancelled(user(&event.user_id)?, currency, amount))
        }
        _ => Err(envelope.unknown_type()),
    }
}

fn user(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| invalid("user_id must be a UUID"))
}

fn total(money: Option<Money>) -> Result<(Currency, Amount), Failure> {
    let money = money.ok_or_else(|| invalid("total_amount is missing"))?;
    let currency = Currency::parse(&money.currency_code)
        .ok_or_else(|| invalid("total_amount.currency_code must be three capital letters"))?;
    if money.units < 0 || !(0..1_000_000_000).contains(&money.nanos) {
        return Err(invalid(
            "total_amount must not be negative and its nanos must be less than a unit",
        ));
    }
    Ok((currency, Amount::new(money.units, money.nanos.into())))
}

fn time(timestamp: Option<Timestamp>) -> Result<SystemTime, Failure> {
    let timestamp = timestamp.ok_or_else(|| invalid("create_time is missing"))?;
    if timestamp.seconds < 0 {
        return Err(invalid("create_time must not be before 1970"));
    }
    SystemTime::try_from(timestamp).map_err(|_| invalid("create_time is no time"))
}

/// An event that breaks its contract will break it in every attempt.
fn invalid(message: &str) -> Failure {
    Failure::permanent("INVALID_EVENT", message)
}

#[cfg(test)]
mod tests {
    use waybill::clock::from_unix_millis;

    use super::*;
    use crate::domain::{contact::Contact, user::User};

    fn user() -> User {
        let contact = Contact::parse("Ann@example.com", "Ann").unwrap();
        User::register(Uuid::from_u128(1), contact, from_unix_millis(1_500))
    }

    fn created() -> OrderCreated {
        OrderCreated {
            order_id: Uuid::from_u128(9).to_string(),
            user_id: Uuid::from_u128(1).to_string(),
            total_amount: Some(Money {
                currency_code: "EUR".into(),
                units: 12,
                nanos: 340_000_000,
            }),
            create_time: Some(from_unix_millis(1_500).into()),
            version: 1,
            ..OrderCreated::default()
        }
    }

    fn received(event: &impl Event) -> Envelope {
        let time = from_unix_millis(2_000);
        Envelope::new(
            Uuid::from_u128(7),
            time,
            "waybill.order",
            &Context::new("c"),
            event,
        )
    }

    /// A released event, as it once crossed the broker.
    fn golden<E: Event>(bytes: &'static [u8]) -> Envelope {
        let mut envelope = received(&E::default());
        envelope.body = bytes.into();
        envelope
    }

    #[test]
    fn released_events_change_statistics_as_ever() {
        let placed = golden::<OrderCreated>(include_bytes!(
            "../../../../tests/golden/waybill.order.v1.OrderCreated.binpb"
        ));
        let cancelled = golden::<OrderCancelled>(include_bytes!(
            "../../../../tests/golden/waybill.order.v1.OrderCancelled.binpb"
        ));
        let ada = Uuid::parse_str("019366f0-0000-7000-8000-000000000002").unwrap();
        let euro = Currency::parse("EUR").unwrap();
        let amount = || Amount::new(14, 980_000_000);
        let placed_at = from_unix_millis(1_795_521_600_123);
        assert_eq!(
            stats_change(&placed),
            Ok(StatsChange::placed(ada, euro, amount(), placed_at))
        );
        assert_eq!(
            stats_change(&cancelled),
            Ok(StatsChange::cancelled(ada, euro, amount()))
        );
    }

    #[test]
    fn an_event_tells_the_user_as_it_left_them() {
        let message = write_event(
            &UserEvent::Registered(user()),
            Uuid::from_u128(2),
            &Context::new("c-1"),
        );
        let envelope = Envelope::from_message(&message).unwrap();
        assert_eq!(
            (envelope.id, envelope.source.as_str()),
            (Uuid::from_u128(2), UserSource::NAME)
        );
        assert_eq!(envelope.context.correlation_id, "c-1");
        assert_eq!(envelope.subject, user().user_id.to_string());
        let event: UserRegistered = envelope.decode().unwrap();
        assert_eq!((event.email.as_str(), event.version), ("Ann@example.com", 1));
        assert_eq!(event.create_time, Some(user().create_time.into()));

        let changed = User {
            version: 2,
            update_time: from_unix_millis(9_000),
            ..user()
        };
        let message = write_event(
            &UserEvent::ContactChanged(changed),
            Uuid::from_u128(3),
            &Context::new("c"),
        );
        let envelope = Envelope::from_message(&message).unwrap();
        let event: UserContactChanged = envelope.decode().unwrap();
        assert_eq!((event.display_name.as_str(), event.version), ("Ann", 2));
        assert_eq!(event.update_time, Some(from_unix_millis(9_000).into()));
    }

    #[test]
    fn events_about_orders_become_changes() {
        let (user, eur) = (Uuid::from_u128(1), Currency::parse("EUR").unwrap());
        let amount = Amount::new(12, 340_000_000);
        assert_eq!(
            stats_change(&received(&created())),
            Ok(StatsChange::placed(user, eur, amount, from_unix_millis(1_500)))
        );
        let cancelled = OrderCancelled {
            user_id: user.to_string(),
            total_amount: created().total_amount,
            ..OrderCancelled::default()
        };
        assert_eq!(
            stats_change(&received(&cancelled)),
            Ok(StatsChange::cancelled(user, eur, amount))
        );
    }

    #[test]
    fn an_event_that_breaks_its_contract_fails_for_good() {
        let money = |currency: &str, units, nanos| {
            Some(Money {
                currency_code: currency.into(),
                units,
                nanos,
            })
        };
        let broken: [fn(&mut OrderCreated); 3] = [
            |event| event.user_id = "ann".into(),
            |event| event.total_amount = None,
            |event| event.create_time = None,
        ];
        let mut events: Vec<_> = broken
            .iter()
            .map(|break_it| {
                let mut event = created();
                break_it(&mut event);
                event
            })
            .collect();
        for total_amount in [
            money("$x", 1, 0),
            money("EUR", -1, 0),
            money("EUR", 1, -1),
            money("EUR", 1, 1_000_000_000),
        ] {
            events.push(OrderCreated {
                total_amount,
                ..created()
            });
        }
        for event in events {
            let failure = stats_change(&received(&event)).unwrap_err();
            assert_eq!(failure.reason, "INVALID_EVENT", "{event:?}");
        }
        let unknown = received(&UserRegistered::default());
        assert_eq!(stats_change(&unknown).unwrap_err().reason, "UNKNOWN_TYPE");
    }
}
