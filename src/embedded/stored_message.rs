//! How a message stands in a row: as bytes, in the column `message`.

use rusqlite::{
    Row,
    types::{FromSqlError, Type},
};

use crate::message::Message;

/// Reads a message from a column.
pub(super) fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Message> {
    Message::from_bytes(row.get_ref(column)?.as_blob()?).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, FromSqlError::InvalidType.into())
    })
}
