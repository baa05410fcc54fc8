//! Contacts in SQLite.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    embedded::{
        Database,
        rusqlite::{OptionalExtension, Row, params},
    },
    store::Result,
};

use crate::{domain::contact::Contact, ports::contacts::Contacts};

const SAVE: &str = "
    INSERT INTO contacts (user_id, email, display_name, version) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (user_id) DO UPDATE
        SET email = excluded.email, display_name = excluded.display_name, version = excluded.version
        WHERE excluded.version > contacts.version";

const FIND: &str = "SELECT user_id, email, display_name, version FROM contacts WHERE user_id = ?1";

/// Contacts in a SQLite table.
#[derive(Debug, Clone)]
pub struct SqliteContacts(Database);

impl SqliteContacts {
    /// Contacts in a database that has this adapter's [schema](super::MIGRATIONS).
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

#[async_trait]
impl Contacts for SqliteContacts {
    async fn save(&self, contacts: &[Contact]) -> Result<()> {
        let contacts = contacts.to_vec();
        self.0
            .write(move |connection| {
                let mut save = connection.prepare_cached(SAVE)?;
                for c in &contacts {
                    save.execute(params![c.user_id.as_bytes(), c.email, c.display_name, c.version])?;
                }
                Ok(())
            })
            .await
    }

    async fn find(&self, user_ids: &[Uuid]) -> Result<Vec<Contact>> {
        let user_ids = user_ids.to_vec();
        self.0
            .read(move |connection| {
                let mut find = connection.prepare_cached(FIND)?;
                let mut found = Vec::with_capacity(user_ids.len());
                for user_id in &user_ids {
                    found.extend(find.query_row([user_id.as_bytes()], contact).optional()?);
                }
                Ok(found)
            })
            .await
    }
}

fn contact(row: &Row<'_>) -> waybill::embedded::rusqlite::Result<Contact> {
    Ok(Contact {
        user_id: Uuid::from_bytes(row.get("user_id")?),
        email: row.get("email")?,
        display_name: row.get("display_name")?,
        version: row.get("version")?,
    })
}
