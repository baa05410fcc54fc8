//! `waybill order …`

mod item;
mod trace;
mod watch;

use std::io::{self, Write};

use anyhow::Result;
use clap::Subcommand;
use waybill::contract::{
    operations::v1::event_service_client::EventServiceClient,
    order::v1::{
        CancelOrderRequest, GetOrderRequest, ListOrdersRequest, Order, OrderState, PlaceOrderRequest,
        order_service_client::OrderServiceClient,
    },
};

use super::{
    amount::Amount,
    connection::{Connection, call, request_id},
    output::{Output, time},
};
use item::Item;

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Place an order.
    Place {
        /// UUID of the user who orders.
        #[arg(long = "user", value_name = "USER_ID")]
        user_id: String,
        /// An item, for instance `book:2:19.99`; may be given again.
        #[arg(long = "item", value_name = "PRODUCT:QUANTITY:UNIT_PRICE", required = true)]
        items: Vec<Item>,
        /// Currency of all prices, as in ISO 4217.
        #[arg(long, default_value = "EUR")]
        currency: String,
        /// UUID that makes a repeat of this command safe; made up if not given.
        #[arg(long)]
        request_id: Option<String>,
    },
    /// Show one order.
    Get {
        /// UUID of the order.
        order_id: String,
    },
    /// List a user's orders, newest first.
    List {
        /// UUID of the user.
        #[arg(long = "user", value_name = "USER_ID")]
        user_id: String,
        /// Orders to show.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
    /// Cancel an order.
    Cancel {
        /// UUID of the order.
        order_id: String,
        /// Why; the user is told.
        #[arg(long, default_value = "")]
        reason: String,
        /// UUID that makes a repeat of this command safe; made up if not given.
        #[arg(long)]
        request_id: Option<String>,
    },
    /// Tell an order's whole story: each event, who handled it, when, and in which attempt.
    Trace {
        /// UUID of the order.
        order_id: String,
    },
    /// Show every version of an order as it comes, until interrupted.
    Watch {
        /// UUID of the order.
        order_id: String,
        /// The last version already known.
        #[arg(long, default_value_t = 0)]
        after_version: i64,
    },
}

/// Runs the command.
pub(crate) async fn run(command: Command, connection: &Connection, output: &Output) -> Result<()> {
    let mut client = OrderServiceClient::new(connection.channel());
    match command {
        Command::Place {
            user_id,
            items,
            currency,
            request_id: id,
        } => {
            let body = PlaceOrderRequest {
                request_id: request_id(id),
                user_id,
                items: items.into_iter().map(|item| item.priced_in(&currency)).collect(),
            };
            let answer = call(body, async |request| client.place_order(request).await).await?;
            show(output, &answer.order.unwrap_or_default())
        }
        Command::Get { order_id } => {
            let answer = call(GetOrderRequest { order_id }, async |request| {
                client.get_order(request).await
            })
            .await?;
            show(output, &answer.order.unwrap_or_default())
        }
        Command::List { user_id, limit } => {
            let body = ListOrdersRequest {
                user_id,
                page_size: limit,
                ..ListOrdersRequest::default()
            };
            let answer = call(body, async |request| client.list_orders(request).await).await?;
            answer.orders.iter().try_for_each(|order| show(output, order))
        }
        Command::Cancel {
            order_id,
            reason,
            request_id: id,
        } => {
            let body = CancelOrderRequest {
                request_id: request_id(id),
                order_id,
                reason,
            };
            let answer = call(body, async |request| client.cancel_order(request).await).await?;
            show(output, &answer.order.unwrap_or_default())
        }
        Command::Trace { order_id } => {
            let mut events = EventServiceClient::new(connection.channel());
            trace::run(&mut client, &mut events, order_id, output).await
        }
        Command::Watch {
            order_id,
            after_version,
        } => watch::run(&mut client, order_id, after_version, |order| show(output, order)).await,
    }
}

fn show(output: &Output, order: &Order) -> Result<()> {
    output.print(order, |out| write(order, out))
}

fn write(order: &Order, out: &mut dyn Write) -> io::Result<()> {
    let state = match order.state() {
        OrderState::Placed => "placed",
        OrderState::Cancelled => "cancelled",
        OrderState::Unspecified => "unknown",
    };
    let total = order.total_amount.clone().unwrap_or_default();
    writeln!(out, "order {}", order.order_id)?;
    writeln!(out, "  user     {}", order.user_id)?;
    writeln!(out, "  state    {state} (version {})", order.version)?;
    if !order.cancel_reason.is_empty() {
        writeln!(out, "  reason   {}", order.cancel_reason)?;
    }
    writeln!(out, "  updated  {}", time(order.update_time.as_ref()))?;
    for item in &order.items {
        let price = item.unit_price.clone().unwrap_or_default();
        writeln!(
            out,
            "  {:>6} x {} at {}",
            item.quantity,
            item.product_id,
            Amount(&price)
        )?;
    }
    writeln!(out, "  total    {}", Amount(&total))
}
