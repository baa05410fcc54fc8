//! Health (`grpc.health.v1`): per service, and for the whole under the empty name.

use tonic::Code;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response::ServingStatus as Wire, health_client::HealthClient},
};
use waybill::grpc::reason;

use crate::{Served, reason};

const ORDER: &str = "waybill.order.v1.OrderService";

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn check_answers_for_what_is_served_and_nothing_else() {
    let served = Served::start().await;
    served
        .health
        .set_service_status(ORDER, ServingStatus::NotServing)
        .await;
    let mut client = HealthClient::new(served.channel.clone());
    let status = client.check(of(ORDER)).await.unwrap().into_inner().status();
    assert_eq!(status, Wire::NotServing);
    client.check(of("")).await.unwrap();

    let unknown = client.check(of("no.such.Service")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(reason(&unknown), reason::NAME_UNKNOWN);
}

#[tokio::test]
async fn watch_tells_every_change() {
    let served = Served::start().await;
    let set = async |status| served.health.set_service_status(ORDER, status).await;
    set(ServingStatus::NotServing).await;
    let mut client = HealthClient::new(served.channel.clone());
    let mut changes = client.watch(of(ORDER)).await.unwrap().into_inner();
    for (told, seen) in [
        (None, Wire::NotServing),
        (Some(ServingStatus::Serving), Wire::Serving),
        (Some(ServingStatus::NotServing), Wire::NotServing),
    ] {
        if let Some(status) = told {
            set(status).await;
        }
        assert_eq!(changes.message().await.unwrap().unwrap().status(), seen);
    }
}
