//! Users in SQLite, one row each, written in one transaction with their events.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded::{
        Database, outbox,
        rusqlite::{self, Connection, OptionalExtension, Row, named_params, params},
    },
    grpc::page::Cursor,
    message::Message,
    outbox::Entry,
    store::Result,
};

use crate::{
    domain::{contact::Contact, user::User},
    ports::{Changed, Registered, Registration, RequestKey, StoredUser, UserRepository},
};

/// The table: a user as it is, the request that registered it with what that was answered, and the
/// request of its latest change.
pub(super) const SCHEMA: &str = "
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

const INSERT: &str = "
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

/// Users in a database whose schema is that of [`MIGRATIONS`](super::MIGRATIONS).
#[derive(Debug, Clone)]
pub struct SqliteUserRepository {
    database: Database,
}

impl SqliteUserRepository {
    /// The users in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl UserRepository for SqliteUserRepository {
    async fn register(&self, registration: &Registration, event: Message) -> Result<Registered> {
        let registration = registration.clone();
        self.database
            .write(move |c| register(c, &registration, event))
            .await
    }

    async fn change(&self, user: &User, request: RequestKey, event: Message) -> Result<Changed> {
        let user = user.clone();
        self.database
            .write(move |c| change(c, &user, request, event))
            .await
    }

    async fn find(&self, user_id: Uuid) -> Result<Option<StoredUser>> {
        self.database
            .read(move |c| {
                c.prepare_cached(BY_ID)?
                    .query_row([user_id.as_bytes()], |row| {
                        Ok(StoredUser {
                            user: user(row)?,
                            latest_change: request_key(row, 6)?,
                        })
                    })
                    .optional()
            })
            .await
    }

    async fn list(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database
            .read(move |c| match after {
                None => c.prepare_cached(NEWEST)?.query_map([limit], user)?.collect(),
                Some(after) => c
                    .prepare_cached(OLDER_THAN)?
                    .query_map(params![limit, after.time_ms, after.id.as_bytes()], user)?
                    .collect(),
            })
            .await
    }
}

fn register(
    connection: &Connection,
    registration: &Registration,
    event: Message,
) -> rusqlite::Result<Registered> {
    let Registration { request, user } = registration;
    let before = connection
        .prepare_cached(BY_REQUEST)?
        .query_row([request.id.as_bytes()], first_answer)
        .optional()?;
    if let Some(before) = before {
        return Ok(Registered::Before(before));
    }
    if email_taken(connection, user)? {
        return Ok(Registered::EmailTaken);
    }
    let mut insert = connection.prepare_cached(INSERT)?;
    insert.execute(named_params! {
        ":user_id": user.user_id.as_bytes(),
        ":email_key": user.contact.email.key(),
        ":email": user.contact.email.as_str(),
        ":display_name": user.contact.display_name.as_str(),
        ":version": user.version,
        ":create_ms": unix_millis(user.create_time),
        ":update_ms": unix_millis(user.update_time),
        ":request_id": request.id.as_bytes(),
        ":fingerprint": request.fingerprint,
    })?;
    publish(connection, user, event).map(Registered::Stored)
}

fn change(
    connection: &Connection,
    user: &User,
    request: RequestKey,
    event: Message,
) -> rusqlite::Result<Changed> {
    if email_taken(connection, user)? {
        return Ok(Changed::EmailTaken);
    }
    let mut update = connection.prepare_cached(UPDATE)?;
    let updated = update.execute(named_params! {
        ":user_id": user.user_id.as_bytes(),
        ":email_key": user.contact.email.key(),
        ":email": user.contact.email.as_str(),
        ":display_name": user.contact.display_name.as_str(),
        ":version": user.version,
        ":update_ms": unix_millis(user.update_time),
        ":request_id": request.id.as_bytes(),
        ":fingerprint": request.fingerprint,
    })?;
    if updated == 0 {
        return Ok(Changed::Conflict);
    }
    publish(connection, user, event).map(Changed::Stored)
}

fn email_taken(connection: &Connection, user: &User) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(EMAIL_TAKEN)?
        .exists(params![user.contact.email.key(), user.user_id.as_bytes()])
}

fn publish(connection: &Connection, user: &User, message: Message) -> rusqlite::Result<Entry> {
    let owner = user.user_id.to_string();
    let entry = Entry { owner, message };
    outbox::insert(connection, std::slice::from_ref(&entry))?;
    Ok(entry)
}

/// Reads a row of [`BY_REQUEST`].
fn first_answer(row: &Row<'_>) -> rusqlite::Result<Registration> {
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
fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        user_id: Uuid::from_bytes(row.get(0)?),
        contact: Contact::accepted(row.get(1)?, row.get(2)?),
        version: row.get(3)?,
        create_time: from_unix_millis(row.get(4)?),
        update_time: from_unix_millis(row.get(5)?),
    })
}

/// Reads a request's id and fingerprint, if there are any.
fn request_key(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<RequestKey>> {
    let id: Option<[u8; 16]> = row.get(first)?;
    let Some(id) = id else {
        return Ok(None);
    };
    Ok(Some(RequestKey {
        id: Uuid::from_bytes(id),
        fingerprint: row.get(first + 1)?,
    }))
}
