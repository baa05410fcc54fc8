//! Changes a user's address or name, once a request id.

use uuid::Uuid;
use waybill::context::Context;

use super::{Error, Result, Users};
use crate::{
    domain::{
        contact::ContactChange,
        user::{User, UserEvent},
    },
    ports::{Changed, RequestKey},
};

/// How often a change is tried on the version that another change has just made. Each conflict means
/// that somebody else's change of the same user went through, so more than a few in a row is a client at odds
/// with itself.
const MAX_TRIES: usize = 5;

impl Users {
    /// Changes a user and tells the world. A repeat of the request, while it is the user's latest
    /// change, gets the first answer; a change that changes nothing is answered with the user as is.
    pub async fn update_user(
        &self,
        request: RequestKey,
        user_id: Uuid,
        change: &ContactChange,
        context: &Context,
    ) -> Result<User> {
        for _ in 0..MAX_TRIES {
            let stored = self.repository.find(user_id).await?;
            let stored = stored.ok_or(Error::UserNotFound(user_id))?;
            if let Some(latest) = stored.latest_change
                && latest.id == request.id
            {
                return if latest == request {
                    Ok(stored.user)
                } else {
                    Err(Error::RequestIdReused)
                };
            }
            let Some(user) = stored.user.change(change, self.now()) else {
                return Ok(stored.user);
            };
            let event = UserEvent::ContactChanged(user.clone());
            let event = (self.write_event)(&event, self.ids.next_id(), context);
            match self.repository.change(&user, request, event).await? {
                Changed::Stored(entry) => {
                    self.relay.offer([entry]);
                    return Ok(user);
                }
                Changed::Conflict => {}
                Changed::EmailTaken => return Err(Error::EmailTaken),
            }
        }
        Err(Error::ConcurrentChange)
    }
}
