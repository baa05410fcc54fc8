//! What services tell of themselves at `/metrics`.

use std::collections::BTreeMap;

use waybill::topology::EVENTS_EXCHANGE;

use crate::process::Process;

/// The method by which orders are placed.
pub(crate) const PLACE_ORDER: &str = "waybill.order.v1.OrderService/PlaceOrder";

/// What a process tells now.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) async fn of(process: &Process) -> Self {
        let url = format!("{}/metrics", process.http);
        let text = tokio::task::spawn_blocking(move || {
            let mut response = ureq::get(&url).call().expect("it is served");
            response.body_mut().read_to_string().expect("it is text")
        });
        Self(text.await.expect("the request does not panic"))
    }

    /// Events of a type that the consumer of a queue has handled well: their effects are committed.
    pub(crate) fn handled(&self, queue: &str, event_type: &str) -> usize {
        let queue = format!("messaging_destination_name=\"{queue}\"");
        let event_type = format!("waybill_event_type=\"{event_type}\"");
        self.samples("messaging_process_duration_seconds_count")
            .filter(|(labels, _)| labels.contains(&queue) && labels.contains(&event_type))
            .filter(|(labels, _)| !labels.contains("error_type="))
            .map(|(_, value)| value)
            .sum()
    }

    /// Calls of a method that were answered well.
    pub(crate) fn answered(&self, method: &str) -> usize {
        let method = format!("rpc_method=\"{method}\"");
        self.samples("rpc_server_call_duration_seconds_count")
            .filter(|(labels, _)| labels.contains(&method) && labels.contains("=\"OK\""))
            .map(|(_, value)| value)
            .sum()
    }

    /// Events that the broker has confirmed.
    pub(crate) fn published(&self) -> usize {
        self.samples("messaging_client_sent_messages_total")
            .filter(|(labels, _)| labels.contains(EVENTS_EXCHANGE) && !labels.contains("error_type="))
            .map(|(_, value)| value)
            .sum()
    }

    /// Mails that somebody else is responsible for now.
    pub(crate) fn mailed(&self) -> usize {
        self.samples("waybill_mail_sent_total")
            .map(|(_, value)| value)
            .sum()
    }

    /// Operations at the database so far, by name. Each is a round trip.
    pub(crate) fn database_operations(&self) -> BTreeMap<String, usize> {
        let mut operations = BTreeMap::new();
        for (labels, value) in self.samples("db_client_operation_duration_seconds_count") {
            let name = labels.split("db_operation_name=\"").nth(1);
            let name = name.and_then(|rest| rest.split('"').next()).unwrap_or_default();
            *operations.entry(name.to_owned()).or_default() += value;
        }
        operations
    }

    /// Labels and value of every series of a name.
    fn samples(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            Some((labels, value.parse().ok()?))
        })
    }
}
