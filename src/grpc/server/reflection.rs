//! Reflection, in both versions: older tools, grpcurl 1.8 among them, ask for `v1alpha`.

use tonic::service::RoutesBuilder;
use tonic_reflection::server::Builder;

use super::Error;
use crate::contract;

/// Every descriptor set that a client may ask for. The details of errors are among them, so that
/// tools can print them.
pub(super) const DESCRIPTOR_SETS: [&[u8]; 5] = [
    contract::FILE_DESCRIPTOR_SET,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    tonic_types::pb::FILE_DESCRIPTOR_SET,
];

/// What every server serves beside its own services.
const OWN_NAMES: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Adds reflection of the services called `names`, and of health and reflection themselves.
pub(super) fn add(routes: &mut RoutesBuilder, names: &[&str]) -> Result<(), Error> {
    let error = |e: tonic_reflection::server::Error| Error::Descriptors(e.to_string());
    routes.add_service(builder(names).build_v1().map_err(error)?);
    routes.add_service(builder(names).build_v1alpha().map_err(error)?);
    Ok(())
}

fn builder(names: &[&str]) -> Builder<'static> {
    let names = names.iter().chain(&OWN_NAMES);
    let builder = DESCRIPTOR_SETS.into_iter().fold(
        Builder::configure().include_reflection_service(false),
        Builder::register_encoded_file_descriptor_set,
    );
    names.fold(builder, |builder, name| builder.with_service_name(*name))
}
