//! Compiles `proto/` into Rust and a descriptor set, in pure Rust: no `protoc` is needed.

use std::{env, fs, path::PathBuf};

use prost::Message;

#[path = "build/event_impls.rs"]
mod event_impls;
#[path = "build/examples.rs"]
mod examples;
#[path = "build/proto_files.rs"]
mod proto_files;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its output folder by a variable only"
)]
fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=tests/golden");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = PathBuf::from("proto");

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(proto_files::under(&root)?)?;

    // Encoded before prost sees it: prost's own types drop the event option.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.binpb"), &descriptors)?;

    let impls = event_impls::generate(&compiler.descriptor_pool())?;
    fs::write(out.join("events.rs"), impls)?;

    let examples = examples::table(&PathBuf::from("tests/golden"))?;
    fs::write(out.join("examples.rs"), examples)?;

    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .include_file("contract.rs")
        .codec_path("crate::grpc::codec::SmallBuffers")
        .compile_fds_with_config(Message::decode(descriptors.as_slice())?, config)?;
    Ok(())
}
