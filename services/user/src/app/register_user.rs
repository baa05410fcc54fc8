//! Registers a user, once a request id.

use waybill::context::Context;

use super::{Error, Result, Users};
use crate::{
    domain::{
        contact::Contact,
        user::{User, UserEvent},
    },
    ports::{Registered, Registration, RequestKey},
};

impl Users {
    /// Registers a user and tells the world. A repeat of the request gets the first answer, also
    /// when the user has changed since.
    pub async fn register_user(
        &self,
        request: RequestKey,
        contact: Contact,
        context: &Context,
    ) -> Result<User> {
        let user = User::register(self.ids.next_id(), contact, self.now());
        let event = (self.write_event)(&UserEvent::Registered(user.clone()), self.ids.next_id(), context);
        let registration = Registration { request, user };
        match self.repository.register(&registration, event).await? {
            Registered::Stored(entry) => {
                self.relay.offer([entry]);
                Ok(registration.user)
            }
            Registered::Before(first) if first.request == request => Ok(first.user),
            Registered::Before(_) => Err(Error::RequestIdReused),
            Registered::EmailTaken => Err(Error::EmailTaken),
        }
    }
}
