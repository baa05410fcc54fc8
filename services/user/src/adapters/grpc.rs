//! The rpcs of `waybill.user.v1.UserService`: reads requests, calls use cases, writes answers.

mod convert;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waybill::{
    clock::unix_millis,
    contract::user::v1::{
        GetOrderStatsRequest, GetOrderStatsResponse, GetUserRequest, GetUserResponse, ListUsersRequest,
        ListUsersResponse, RegisterUserRequest, RegisterUserResponse, UpdateUserRequest, UpdateUserResponse,
        user_service_server::UserService,
    },
    grpc::{
        page::{Cursor, Page},
        request,
        status::Violations,
    },
    telemetry::trace,
};

use crate::{
    app::Users,
    domain::contact::{Contact, ContactChange},
    ports::RequestKey,
};

/// What a page token of `ListUsers` belongs to: there is one list of users.
const LIST_USERS: &str = "ListUsers";

/// Serves the use cases over gRPC.
#[derive(Debug)]
pub struct GrpcUserService {
    users: Arc<Users>,
}

impl GrpcUserService {
    /// Serves these use cases.
    pub fn new(users: Arc<Users>) -> Self {
        Self { users }
    }
}

#[tonic::async_trait]
impl UserService for GrpcUserService {
    async fn register_user(
        &self,
        request: Request<RegisterUserRequest>,
    ) -> Result<Response<RegisterUserResponse>, Status> {
        let context = request::context(&request);
        let mut body = request.into_inner();
        let mut violations = Violations::default();
        let request_id = std::mem::take(&mut body.request_id);
        let key = RequestKey {
            id: request::request_id(&request_id, self.users.ids.as_ref(), &mut violations),
            fingerprint: request::fingerprint("RegisterUser", &body),
        };
        let contact = Contact::parse(&body.email, &body.display_name);
        let contact = convert::valid(contact, violations)?;
        let user = self.users.register_user(key, contact, &context).await;
        let user = user.map_err(convert::status)?;
        trace::about("user_id", &user.user_id.to_string());
        Ok(Response::new(RegisterUserResponse {
            user: Some(convert::user(&user)),
        }))
    }

    async fn update_user(
        &self,
        request: Request<UpdateUserRequest>,
    ) -> Result<Response<UpdateUserResponse>, Status> {
        let context = request::context(&request);
        let mut body = request.into_inner();
        let mut violations = Violations::default();
        let request_id = std::mem::take(&mut body.request_id);
        let key = RequestKey {
            id: request::request_id(&request_id, self.users.ids.as_ref(), &mut violations),
            fingerprint: request::fingerprint("UpdateUser", &body),
        };
        let user_id = request::uuid("user_id", &body.user_id, &mut violations);
        let change = ContactChange::parse(&body.email, &body.display_name);
        let change = convert::valid(change, violations)?;
        let user = self.users.update_user(key, user_id, &change, &context).await;
        let user = user.map_err(convert::status)?;
        Ok(Response::new(UpdateUserResponse {
            user: Some(convert::user(&user)),
        }))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let user_id = convert::user_id(&request.get_ref().user_id)?;
        let user = self.users.get_user(user_id).await.map_err(convert::status)?;
        Ok(Response::new(GetUserResponse {
            user: Some(convert::user(&user)),
        }))
    }

    async fn get_order_stats(
        &self,
        request: Request<GetOrderStatsRequest>,
    ) -> Result<Response<GetOrderStatsResponse>, Status> {
        let user_id = convert::user_id(&request.get_ref().user_id)?;
        let stats = self.users.get_order_stats(user_id).await;
        let stats = stats.map_err(convert::status)?;
        Ok(Response::new(GetOrderStatsResponse {
            stats: Some(convert::order_stats(user_id, &stats)?),
        }))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let body = request.get_ref();
        let page = Page::from_request(body.page_size, &body.page_token, LIST_USERS)?;
        // One more than the page holds tells whether there is a next one.
        let users = self.users.list_users(page.after, page.size + 1).await;
        let mut users = users.map_err(convert::status)?;
        let next_page_token = page.cut(&mut users, LIST_USERS, |user| Cursor {
            time_ms: unix_millis(user.create_time),
            id: user.user_id,
        });
        Ok(Response::new(ListUsersResponse {
            users: users.iter().map(convert::user).collect(),
            next_page_token,
        }))
    }
}
