//! One trace covers an order, from its caller's span to the mail and the statistics.

use waybill::contract::notification::v1::list_notifications_request::Filter;
use waybill_testkit::{jaeger::Trace, tools::without_go};

use crate::{
    platform::{CONVERSATION, Caller, Platform, assert_says, only},
    support::client::order_for,
};

const PLACE: &str = "waybill.order.v1.OrderService/PlaceOrder";
pub(crate) const PUBLISH: &str = "publish waybill.events:order.created.v1";
pub(crate) const PROCESS_STATS: &str = "process waybill.events:order.created.v1:waybill.user.order-stats";
pub(crate) const PROCESS_MAIL: &str = "process waybill.events:order.created.v1:waybill.notification.mail";
pub(crate) const MAIL: &str = "send mail";
pub(crate) const ACK_STATS: &str = "ack waybill.events:order.created.v1:waybill.user.order-stats";
const ACK_MAIL: &str = "ack waybill.events:order.created.v1:waybill.notification.mail";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_from_its_caller_to_the_mail() {
    if without_go("an_order_is_one_trace_from_its_caller_to_the_mail") {
        return;
    }
    let platform = Platform::start(&[]).await;
    let user = platform.client.register().await;
    // Its contact is known when this is: both follow from one event, and mail needs no retry then.
    let caller = Caller::new();
    wait_for_contact(&platform, &user.user_id).await;
    let order = platform.place(order_for(&user.user_id, 1), &caller).await;
    let names = [
        PLACE,
        "insert orders",
        PUBLISH,
        PROCESS_STATS,
        "commitTransaction inbox",
        ACK_STATS,
        PROCESS_MAIL,
        MAIL,
        "insert notifications",
        ACK_MAIL,
    ];
    let trace = platform.trace_with(&caller.correlation_id, &names).await;

    assert_eq!(trace.trace_id, caller.trace_id);
    assert_tree(&trace, &caller.span_id);
    let message_id = only(&trace, PUBLISH).attributes["messaging.message.id"].clone();
    for span in &trace.spans {
        assert!(!span.status_is_error, "{span:#?}");
        assert_says(
            span,
            &[
                (CONVERSATION, &caller.correlation_id),
                ("order.id", &order.order_id),
            ],
        );
        assert_eq!(span.attributes["messaging.message.id"], message_id, "{span:#?}");
    }
    assert_conventions(&trace);
}

/// Spans below others: the one above, and then name and kind of what stands below it.
type Below<'a> = (&'a str, &'a [(&'a str, &'a str)]);

const TREE: &[Below<'_>] = &[
    (PLACE, &[("insert orders", "client"), (PUBLISH, "producer")]),
    (
        PUBLISH,
        &[(PROCESS_STATS, "consumer"), (PROCESS_MAIL, "consumer")],
    ),
    (
        PROCESS_STATS,
        &[("commitTransaction inbox", "client"), (ACK_STATS, "client")],
    ),
    (
        PROCESS_MAIL,
        &[
            (MAIL, "client"),
            ("insert notifications", "client"),
            (ACK_MAIL, "client"),
        ],
    ),
];

fn assert_tree(trace: &Trace, caller: &str) {
    let top = only(trace, PLACE);
    assert_eq!(
        (top.parent_id.as_deref(), top.kind.as_str()),
        (Some(caller), "server")
    );
    for (above, below) in TREE {
        let above = &only(trace, above).span_id;
        for (name, kind) in *below {
            let span = only(trace, name);
            let found = (span.parent_id.as_ref(), span.kind.as_str());
            assert_eq!(found, (Some(above), *kind), "{name} in {trace:#?}");
        }
    }
    for (name, service) in [
        (PLACE, "waybill-order"),
        (PUBLISH, "waybill-order"),
        (PROCESS_STATS, "waybill-user"),
        (PROCESS_MAIL, "waybill-notification"),
        (MAIL, "waybill-notification"),
    ] {
        assert_eq!(only(trace, name).service, service, "{name}");
    }
}

/// What each kind of span says by the semantic conventions.
fn assert_conventions(trace: &Trace) {
    assert_says(
        only(trace, PLACE),
        &[
            ("rpc.system.name", "grpc"),
            ("rpc.method", PLACE),
            ("rpc.response.status_code", "OK"),
        ],
    );
    assert_says(
        only(trace, "insert orders"),
        &[
            ("db.system.name", "mongodb"),
            ("db.operation.name", "insert"),
            ("db.collection.name", "orders"),
        ],
    );
    // A write that many share has no server of its own; any other command has.
    assert_says(
        only(trace, "insert notifications"),
        &[("db.system.name", "mongodb"), ("server.address", "127.0.0.1")],
    );
    assert_says(
        only(trace, PUBLISH),
        &[
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", "waybill.events:order.created.v1"),
            ("messaging.rabbitmq.destination.routing_key", "order.created.v1"),
            ("cloudevents.event_type", "waybill.order.v1.OrderCreated"),
            ("server.address", "127.0.0.1"),
        ],
    );
    assert_says(
        only(trace, PROCESS_STATS),
        &[
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            (
                "messaging.destination.name",
                "waybill.events:order.created.v1:waybill.user.order-stats",
            ),
            ("waybill.attempt", "1"),
        ],
    );
    assert_says(
        only(trace, ACK_STATS),
        &[
            ("messaging.operation.name", "ack"),
            ("messaging.operation.type", "settle"),
        ],
    );
    assert_says(only(trace, MAIL), &[("network.protocol.name", "smtp")]);
}

/// Waits until a mail to the user goes out at the first attempt: until one has.
pub(crate) async fn wait_for_contact(platform: &Platform, user_id: &str) {
    let order = platform.client.place(order_for(user_id, 9)).await;
    let about = Filter::OrderId(order.order_id);
    platform.client.notifications_of(about, 1).await;
}
