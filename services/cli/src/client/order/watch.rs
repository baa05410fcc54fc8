//! Follows an order, also past a lost stream.

use anyhow::Result;
use tonic::{Code, Status, transport::Channel};
use waybill::{
    backoff::Backoff,
    contract::order::v1::{Order, WatchOrderRequest, order_service_client::OrderServiceClient},
};

use crate::client::connection::explained;

/// Shows every version above `after_version`. A stream that is lost is resumed after the last
/// version seen, so that none is missed and none is shown twice.
pub(crate) async fn run(
    client: &mut OrderServiceClient<Channel>,
    order_id: String,
    mut after_version: i64,
    mut show: impl FnMut(&Order) -> Result<()>,
) -> Result<()> {
    let mut backoff = Backoff::default();
    loop {
        let request = WatchOrderRequest {
            order_id: order_id.clone(),
            after_version,
        };
        let follow = async {
            let mut stream = client.watch_order(request).await?.into_inner();
            while let Some(answer) = stream.message().await? {
                let order = answer.order.unwrap_or_default();
                after_version = order.version;
                backoff.reset();
                if let Err(error) = show(&order) {
                    return Ok(Err(error));
                }
            }
            Ok::<_, Status>(Ok(()))
        };
        match follow.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(status) if status.code() == Code::Unavailable => {}
            Err(status) => return Err(explained(&status)),
        }
        backoff.wait().await;
    }
}
