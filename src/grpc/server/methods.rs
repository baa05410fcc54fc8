//! Which methods answer with a stream: those live long and have no time limit of the server's.

use std::collections::HashSet;

use prost::Message;
use prost_types::FileDescriptorSet;

use super::{Error, reflection::DESCRIPTOR_SETS};

/// The streaming methods of all known services.
#[derive(Debug)]
pub(super) struct Methods {
    streaming: HashSet<String>,
}

impl Methods {
    /// Reads them from the descriptors.
    pub(super) fn read() -> Result<Self, Error> {
        let mut streaming = HashSet::new();
        for set in DESCRIPTOR_SETS {
            let set = FileDescriptorSet::decode(set).map_err(|e| Error::Descriptors(e.to_string()))?;
            for file in &set.file {
                for service in &file.service {
                    let streams = service
                        .method
                        .iter()
                        .filter(|m| m.server_streaming() || m.client_streaming())
                        .map(|m| format!("/{}.{}/{}", file.package(), service.name(), m.name()));
                    streaming.extend(streams);
                }
            }
        }
        Ok(Self { streaming })
    }

    /// Whether the method at `path` streams. Unknown ones do not.
    pub(super) fn is_streaming(&self, path: &str) -> bool {
        self.streaming.contains(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_stream_and_commands_do_not() {
        let methods = Methods::read().unwrap();
        assert!(methods.is_streaming("/waybill.order.v1.OrderService/WatchOrder"));
        assert!(methods.is_streaming("/grpc.health.v1.Health/Watch"));
        assert!(methods.is_streaming("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
        assert!(!methods.is_streaming("/waybill.order.v1.OrderService/PlaceOrder"));
        assert!(!methods.is_streaming("/no.Such/Method"));
    }
}
