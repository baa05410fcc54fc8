//! What is known of methods: which answer with a stream (those live long and have no time limit of
//! the server's), and how long their calls take.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use prost_types::FileDescriptorSet;

use super::{Error, reflection::DESCRIPTOR_SETS};
use crate::telemetry::metrics::rpc::Calls;

/// The methods of all known services, by path.
#[derive(Debug)]
pub(super) struct Methods {
    known: HashMap<String, Method>,
    unknown: Arc<Calls>,
}

#[derive(Debug)]
struct Method {
    is_streaming: bool,
    calls: Arc<Calls>,
}

impl Methods {
    /// Reads them from the descriptors.
    pub(super) fn read() -> Result<Self, Error> {
        let mut known = HashMap::new();
        for set in DESCRIPTOR_SETS {
            let set = FileDescriptorSet::decode(set).map_err(|e| Error::Descriptors(e.to_string()))?;
            for file in &set.file {
                for service in &file.service {
                    known.extend(service.method.iter().map(|method| {
                        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        let method = Method {
                            is_streaming: method.server_streaming() || method.client_streaming(),
                            calls: Arc::new(Calls::of(&path)),
                        };
                        (path, method)
                    }));
                }
            }
        }
        Ok(Self {
            known,
            unknown: Arc::new(Calls::of_unknown()),
        })
    }

    /// Whether the method at `path` streams. Unknown ones do not.
    pub(super) fn is_streaming(&self, path: &str) -> bool {
        self.known.get(path).is_some_and(|method| method.is_streaming)
    }

    /// The metrics of the method at `path`. Unknown ones share theirs: a caller may ask for any path.
    pub(super) fn calls(&self, path: &str) -> Arc<Calls> {
        Arc::clone(self.known.get(path).map_or(&self.unknown, |method| &method.calls))
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
