//! Reflection, as tools of either age ask for it.

use std::collections::BTreeSet;

use futures::stream;
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic_reflection::pb::{v1, v1alpha};

use crate::Served;

const SERVED: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "waybill.order.v1.OrderService",
];

/// What a client of one version sees: the services, and the file of a symbol.
macro_rules! reflects {
    ($test:ident, $version:ident) => {
        #[tokio::test]
        async fn $test() {
            use $version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            let served = Served::start().await;
            let ask = async |question| {
                let request = ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(question),
                };
                let mut client = ServerReflectionClient::new(served.channel.clone());
                let answers = client.server_reflection_info(stream::iter([request])).await;
                let answer = answers.unwrap().into_inner().message().await.unwrap();
                answer.unwrap().message_response.unwrap()
            };

            let MessageResponse::ListServicesResponse(list) =
                ask(MessageRequest::ListServices(String::new())).await
            else {
                panic!("a list was asked for");
            };
            let names: BTreeSet<_> = list.service.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(names, BTreeSet::from(SERVED));

            for symbol in [
                "waybill.order.v1.OrderService.PlaceOrder",
                "google.type.Money",
                "google.rpc.ErrorInfo",
                "grpc.health.v1.HealthCheckRequest",
            ] {
                let MessageResponse::FileDescriptorResponse(files) =
                    ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await
                else {
                    panic!("a file was asked for");
                };
                let file = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
                assert!(
                    symbol.starts_with(file.package()),
                    "{symbol} in {}",
                    file.name()
                );
            }
        }
    };
}

reflects!(version_1_names_what_is_served_and_finds_symbols, v1);
reflects!(version_1alpha_does_the_same, v1alpha);
