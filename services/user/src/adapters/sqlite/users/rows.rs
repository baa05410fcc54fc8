//! The table of users, what is asked of it, and how its rows are read.

use uuid::Uuid;
use waybill::{
    clock::from_unix_millis,
    embedded::rusqlite::{self, Row},
};

use crate::{
    domain::{contact::Contact, user::User},
    ports::{Registration, RequestKey},
};

/// The table: a user as it is, the request that registered it with what that was answered, and the
/// request of its latest change.
pub(in crate::adapters::sqlite) const SCHEMA: &str = "
    CREATE TABLE users (
        user_id BLOB PRIMARY KEY,
        email_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        display_name TEXT NOT NULL,
        version INTEGER NOT NULL,
        create_ms INTEGER NOT NULL,
        update_ms INTEGER NOT NULL,
        request_id BLOB NOT NULL UNIQUE,
        request_fingerprint BLOB NOT NULL,
        registered_email TEXT NOT NULL,
        registered_name TEXT NOT NULL,
        change_id BLOB,
        change_fingerprint BLOB
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX users_by_age ON users (create_ms, user_id);";

pub(super) const BY_REQUEST: &str = "
    SELECT user_id, registered_email, registered_name, create_ms, request_id, request_fingerprint
    FROM users WHERE request_id = ?1";

pub(super) const EMAIL_TAKEN: &str = "SELECT 1 FROM users WHERE email_key = ?1 AND user_id <> ?2";

pub(super) const INSERT: &str = "
    INSERT INTO users (user_id, email_key, email, display_name, version, create_ms, update_ms,
                       request_id, request_fingerprint, registered_email, registered_name)
    VALUES (:user_id, :email_key, :email, :display_name, :version, :create_ms, :update_ms,
            :request_id, :fingerprint, :email, :display_name)";

pub(super) const UPDATE: &str = "
    UPDATE users SET email_key = :email_key, email = :email, display_name = :display_name,
                     version = :version, update_ms = :update_ms,
                     change_id = :request_id, change_fingerprint = :fingerprint
    WHERE user_id = :user_id AND version = :version - 1";

pub(super) const BY_ID: &str = "
    SELECT user_id, email, display_name, version, create_ms, update_ms, change_id, change_fingerprint
    FROM users WHERE user_id = ?1";

pub(super) const NEWEST: &str = "
    SELECT user_id, email, display_name, version, create_ms, update_ms
    FROM users ORDER BY create_ms DESC, user_id DESC LIMIT ?1";

pub(super) const OLDER_THAN: &str = "
    SELECT user_id, email, display_name, version, create_ms, update_ms
    FROM users WHERE (create_ms, user_id) < (?2, ?3) ORDER BY create_ms DESC, user_id DESC LIMIT ?1";

/// Reads a row of [`BY_REQUEST`].
pub(super) fn first_answer(row: &Row<'_>) -> rusqlite::Result<Registration> {
    let contact = Contact::accepted(row.get(1)?, row.get(2)?);
    let create_time = from_unix_millis(row.get(3)?);
    Ok(Registration {
        request: RequestKey {
            id: Uuid::from_bytes(row.get(4)?),
            fingerprint: row.get(5)?,
        },
        user: User::register(Uuid::from_bytes(row.get(0)?), contact, create_time),
    })
}

/// Reads the first six columns of [`BY_ID`] and of the lists.
pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        user_id: Uuid::from_bytes(row.get(0)?),
        contact: Contact::accepted(row.get(1)?, row.get(2)?),
        version: row.get(3)?,
        create_time: from_unix_millis(row.get(4)?),
        update_time: from_unix_millis(row.get(5)?),
    })
}

/// Reads a request's id and fingerprint, if there are any.
pub(super) fn request_key(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<RequestKey>> {
    let id: Option<[u8; 16]> = row.get(first)?;
    let Some(id) = id else {
        return Ok(None);
    };
    Ok(Some(RequestKey {
        id: Uuid::from_bytes(id),
        fingerprint: row.get(first + 1)?,
    }))
}
