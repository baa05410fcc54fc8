//! Orders and the rules they keep. Nothing here knows of a runtime, a wire format or a database.

mod money;
mod order;
mod validation;

pub use money::{Money, NANOS_PER_UNIT};
pub use order::{AlreadyCancelled, Change, Order, OrderItem, State};
pub use validation::{
    ItemDraft, MAX_ITEMS, MAX_PRODUCT_ID_CHARS, MAX_QUANTITY, MAX_REASON_CHARS, MAX_TOTAL_UNITS,
    MAX_UNIT_PRICE_UNITS, NewOrder, OrderDraft, PriceDraft, Reason, Violation,
};
