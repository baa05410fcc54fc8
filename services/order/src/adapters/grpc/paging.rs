//! Pages of orders.

use prost::Message;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    contract::order::v1::{ListOrdersResponse, Order as OrderMessage},
    grpc::page::{Cursor, Page},
};

use super::requests::ListOrders;
use crate::{adapters::contract::order_message, domain::Order, ports::Position};

/// Largest page, in bytes: clients read 4 MiB unless told otherwise, and 500 orders of 500 items
/// would be six times that. A page ends early instead, as AIP-158 allows.
pub(super) const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Where the page starts.
pub(super) fn position(page: &Page) -> Option<Position> {
    page.after.map(|cursor| Position {
        create_time: from_unix_millis(cursor.time_ms),
        order_id: cursor.id,
    })
}

/// The page that `orders`, of which one more than the page's size was read, begin with.
pub(super) fn response(query: &ListOrders, orders: &[Order]) -> ListOrdersResponse {
    let mut bytes = 0;
    let mut entries: Vec<(Cursor, OrderMessage)> = Vec::with_capacity(orders.len());
    let mut size = query.page.size;
    for order in orders {
        let message = order_message(order);
        bytes += message.encoded_len();
        if bytes > MAX_PAGE_BYTES && !entries.is_empty() {
            size = size.min(entries.len());
        }
        entries.push((cursor(order), message));
        if entries.len() > size {
            break;
        }
    }
    let page = Page { size, ..query.page };
    let next_page_token = page.cut(&mut entries, &query.query, |(cursor, _)| *cursor);
    ListOrdersResponse {
        orders: entries.into_iter().map(|(_, message)| message).collect(),
        next_page_token,
    }
}

fn cursor(order: &Order) -> Cursor {
    Cursor {
        time_ms: unix_millis(order.create_time()),
        id: order.id(),
    }
}
