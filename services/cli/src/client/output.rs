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
        match self.value(message)? {
            Some(value) => write(&[value.to_string().as_bytes(), b"\n"].concat()),
            None => self.text(text),
        }
    }

    /// Prints what is for people only, as headings are.
    pub(crate) fn text(&self, text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        if self.json.is_some() {
            return Ok(());
        }
        let mut out = Vec::new();
        text(&mut out)?;
        write(&out)
    }

    /// Prints a value that is for scripts only, as one line.
    pub(crate) fn json(&self, value: &serde_json::Value) -> Result<()> {
        match self.json {
            Some(_) => write(&[value.to_string().as_bytes(), b"\n"].concat()),
            None => Ok(()),
        }
    }

    /// Whether answers are for scripts.
    pub(crate) fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// A message as JSON, when answers are printed so.
    pub(crate) fn value<M: Message + Name>(&self, message: &M) -> Result<Option<serde_json::Value>> {
        let Some(pool) = &self.json else {
            return Ok(None);
        };
        let descriptor = pool
            .get_message_by_name(&M::full_name())
            .with_context(|| format!("no schema for {}", M::full_name()))?;
        let mut dynamic = DynamicMessage::new(descriptor);
        dynamic.transcode_from(message)?;
        Ok(Some(serde_json::to_value(&dynamic)?))
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
