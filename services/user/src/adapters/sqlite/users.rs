//! Users in SQLite, one row each, written in one transaction with their events.

pub(super) mod rows;

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    embedded::{
        Database, outbox,
        rusqlite::{self, Connection, OptionalExtension, named_params, params},
    },
    grpc::page::Cursor,
    message::Message,
    outbox::Entry,
    store::Result,
};

use self::rows::{
    BY_ID, BY_REQUEST, EMAIL_TAKEN, INSERT, NEWEST, OLDER_THAN, UPDATE, first_answer, request_key, user,
};
use crate::{
    domain::user::User,
    ports::{Changed, Registered, Registration, RequestKey, StoredUser, UserRepository},
};

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
