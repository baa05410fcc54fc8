//! Which service publishes which events: said once, in code, where the compiler can hold it.
//!
//! What consumes an event is said by [`Subscription`](crate::topology::Subscription)s. Both together
//! are what the catalogue of events tells.

use crate::contract::Event;

/// A service as the origin of events.
///
/// What it does not list it cannot publish: [`Envelope::published_by`](crate::envelope::Envelope::published_by)
/// does not compile for such an event.
///
/// ```
/// # use waybill::{clock::{Clock, SystemClock}, context::Context, contract::order::v1::{OrderCreated, OrderCancelled}};
/// # use waybill::{envelope::Envelope, source::{Published, Source}};
/// struct Orders;
/// impl Source for Orders {
///     const NAME: &'static str = "waybill.order";
///     const PUBLISHES: &'static [Published] = &[Published::of::<OrderCreated>()];
/// }
/// # let (id, now, context) = (Default::default(), SystemClock.now(), Context::new("c"));
/// let event = OrderCreated::default();
/// Envelope::published_by::<Orders, _>(id, now, &context, &event);
/// ```
///
/// ```compile_fail
/// # use waybill::{clock::{Clock, SystemClock}, context::Context, contract::order::v1::{OrderCreated, OrderCancelled}};
/// # use waybill::{envelope::Envelope, source::{Published, Source}};
/// # struct Orders;
/// # impl Source for Orders {
/// #     const NAME: &'static str = "waybill.order";
/// #     const PUBLISHES: &'static [Published] = &[Published::of::<OrderCreated>()];
/// # }
/// # let (id, now, context) = (Default::default(), SystemClock.now(), Context::new("c"));
/// let event = OrderCancelled::default();
/// Envelope::published_by::<Orders, _>(id, now, &context, &event);
/// ```
pub trait Source {
    /// What its events call it: the CloudEvents `source`, for instance `waybill.order`.
    const NAME: &'static str;
    /// Every event that it publishes.
    const PUBLISHES: &'static [Published];
}

/// An event in the list of its source. Only a contract's [`Event`] can stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    type_name: &'static str,
}

impl Published {
    /// The event `E`.
    pub const fn of<E: Event>() -> Self {
        Self { type_name: E::TYPE }
    }

    /// Its full protobuf name.
    pub const fn type_name(self) -> &'static str {
        self.type_name
    }
}

/// Whether `events` lists `E`. The build asks, so it compares bytes: text is not compared there.
pub(crate) const fn lists<E: Event>(events: &[Published]) -> bool {
    let wanted = E::TYPE.as_bytes();
    let mut at = 0;
    while at < events.len() {
        if same(events[at].type_name.as_bytes(), wanted) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::UserRegistered,
    };

    #[test]
    fn a_list_holds_what_stands_in_it_and_nothing_that_only_begins_alike() {
        let listed = [Published::of::<OrderCreated>(), Published::of::<UserRegistered>()];
        assert!(lists::<OrderCreated>(&listed) && lists::<UserRegistered>(&listed));
        assert!(!lists::<OrderCancelled>(&listed) && !lists::<OrderCreated>(&[]));
        assert!(!same(b"OrderCreated", b"OrderCreatedAgain"));
    }
}
