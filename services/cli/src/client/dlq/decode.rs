//! Bodies as JSON, by the schemas of this build and by those that it is given.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context as _, Result};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use waybill::contract;

/// Schemas, those that were given first.
pub(crate) struct Schemas(Vec<DescriptorPool>);

impl Schemas {
    /// Those of this build, and those in `file`.
    pub(crate) fn with(file: Option<&Path>) -> Result<Self> {
        let mut pools = Vec::new();
        if let Some(file) = file {
            let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let pool = DescriptorPool::decode(bytes.as_slice())
                .with_context(|| format!("{} holds no descriptors with their imports", file.display()))?;
            pools.push(pool);
        }
        let ours =
            DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET).expect("the build wrote the descriptors");
        pools.push(ours);
        Ok(Self(pools))
    }

    /// A body of that type as JSON, or why not.
    pub(crate) fn decode(&self, type_name: &str, body: &[u8]) -> Result<Value> {
        let descriptor = self
            .0
            .iter()
            .find_map(|pool| pool.get_message_by_name(type_name))
            .with_context(|| {
                format!("no schema for {type_name:?} is known here; --descriptors may give it")
            })?;
        let message = DynamicMessage::decode(descriptor, body)
            .with_context(|| format!("the body is no {type_name}"))?;
        Ok(serde_json::to_value(&message)?)
    }
}

/// Bytes as hexadecimal digits, the first few of many.
pub(crate) fn hex(body: &[u8]) -> String {
    const SHOWN: usize = 64;
    let mut text = String::with_capacity(2 * SHOWN);
    for byte in body.iter().take(SHOWN) {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    if body.len() > SHOWN {
        text.push('…');
    }
    text
}
