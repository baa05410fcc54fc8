//! Answers, for people or for scripts.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Timestamp;
use waybill::contract;

/// Whoever read the output has closed it: there is nobody left to tell.
#[derive(Debug, thiserror::Error)]
#[error("output was closed")]
pub(crate) struct Closed;

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

    /// Prints one answer: as one line of JSON, or by `text`. [`Closed`] when nobody reads any more.
    pub(crate) fn print<M: Message + Name>(
        &self,
        message: &M,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        let mut out = Vec::new();
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
        write(&out)
    }

    /// Whether answers are for scripts.
    pub(crate) fn is_json(&self) -> bool {
        self.json.is_some()
    }
}

/// Writes to the standard output, at once. [`Closed`] when nobody reads any more.
pub(crate) fn write(out: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        written => Ok(written?),
    }
}

/// A time as people read it, in UTC to the second; `-` for none.
pub(crate) fn time(timestamp: Option<&Timestamp>) -> String {
    to_digits(timestamp, 0)
}

/// A time as people read it who compare it with others, in UTC to the millisecond; `-` for none.
pub(crate) fn time_to_millis(timestamp: Option<&Timestamp>) -> String {
    to_digits(timestamp, 3)
}

fn to_digits(timestamp: Option<&Timestamp>, digits: usize) -> String {
    timestamp
        .and_then(|t| jiff::Timestamp::new(t.seconds, t.nanos).ok())
        .map_or_else(|| "-".to_owned(), |t| format!("{t:.digits$}"))
}
