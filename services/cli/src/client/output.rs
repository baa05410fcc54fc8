//! Answers, for people or for scripts.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Timestamp;
use waybill::contract;

/// Prints answers.
pub(crate) struct Output {
    /// The schema, when answers are printed as JSON.
    json: Option<DescriptorPool>,
}

impl Output {
    /// Prints JSON (the canonical protobuf mapping) or text.
    pub(crate) fn new(json: bool) -> Self {
        let pool = || {
            DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET).expect("the build wrote the descriptors")
        };
        Self {
            json: json.then(pool),
        }
    }

    /// Prints one answer: as one line of JSON, or by `text`.
    pub(crate) fn print<M: Message + Name>(
        &self,
        message: &M,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        if let Some(pool) = &self.json {
            let descriptor = pool
                .get_message_by_name(&M::full_name())
                .with_context(|| format!("no schema for {}", M::full_name()))?;
            let mut dynamic = DynamicMessage::new(descriptor);
            dynamic.transcode_from(message)?;
            serde_json::to_writer(&mut out, &dynamic)?;
            writeln!(out)?;
        } else {
            text(&mut out)?;
        }
        out.flush()?;
        Ok(())
    }
}

/// A time as people read it, in UTC to the second; `-` for none.
pub(crate) fn time(timestamp: Option<&Timestamp>) -> String {
    timestamp
        .and_then(|t| jiff::Timestamp::new(t.seconds, t.nanos).ok())
        .map_or_else(|| "-".to_owned(), |t| format!("{t:.0}"))
}
