//! The port to what is known of users: a projection of the user service's events.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::store::Result;

use crate::domain::contact::Contact;

/// Keeps the newest contact of each user.
///
/// A contact replaces what is known only if its version is higher. So events may come twice and in
/// any order, and no record of handled events is needed.
#[async_trait]
pub trait Contacts: Send + Sync + 'static {
    /// Keeps contacts, at most one a user, in one round trip.
    async fn save(&self, contacts: &[Contact]) -> Result<()>;

    /// The contacts of these users, in one look-up. Users that are not known are left out.
    async fn find(&self, user_ids: &[Uuid]) -> Result<Vec<Contact>>;
}
