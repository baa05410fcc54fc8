//! The service's rpcs.

mod convert;
mod requests;

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use uuid::Uuid;
use waybill::{
    clock::{Clock, IdGenerator, unix_millis},
    contract::operations::v1::{
        DiscardDeadLettersRequest, DiscardDeadLettersResponse, GetDeadLetterRequest, GetDeadLetterResponse,
        GetOperationRequest, GetOperationResponse, ListDeadLettersRequest, ListDeadLettersResponse,
        ListOperationsRequest, ListOperationsResponse, ReplayDeadLettersRequest, ReplayDeadLettersResponse,
        SummarizeDeadLettersRequest, SummarizeDeadLettersResponse,
        dead_letter_service_server::DeadLetterService,
    },
    grpc::{
        page::{Cursor, Page},
        reason, request,
        status::{self, Violations},
    },
};

use crate::{
    app::{self, Begin},
    domain::{
        dead_letter::DeadLetter,
        filter::MAX_COUNTED,
        operation::{Operation, Order},
    },
    ports::Stores,
};

/// `waybill.operations.v1.DeadLetterService`.
pub struct DeadLetterApi {
    stores: Stores,
    begin: Begin,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

impl DeadLetterApi {
    /// Shows what `stores` hold, and begins operations by `begin`.
    pub fn new(stores: Stores, begin: Begin, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self {
            stores,
            begin,
            clock,
            ids,
        }
    }

    async fn operation(&self, order: Order, dry_run: bool) -> Result<Operation, Status> {
        let begun = if dry_run {
            self.begin.dry_run(order).await.map_err(app::Error::from)
        } else {
            self.begin.begin(order).await
        };
        begun.map_err(|error| match error {
            app::Error::IdReused => request::request_id_reused(),
            app::Error::TooMany => status::error(
                Code::ResourceExhausted,
                reason::TOO_MANY_OPERATIONS,
                "more operations are under way than are worked on, wait for one to end",
            ),
            app::Error::Store(error) => status::store_error(&error),
        })
    }
}

#[tonic::async_trait]
impl DeadLetterService for DeadLetterApi {
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let (phase, filter, page, query) = requests::list(request.into_inner())?;
        let found = self.stores.dead_letters.list(phase, &filter, page).await;
        let mut found = found.map_err(|e| status::store_error(&e))?;
        let next_page_token = page.cut(&mut found, &query, letter_cursor);
        Ok(Response::new(ListDeadLettersResponse {
            dead_letters: found.into_iter().map(convert::letter).collect(),
            next_page_token,
        }))
    }

    async fn get_dead_letter(
        &self,
        request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<GetDeadLetterResponse>, Status> {
        let id = one_id("dead_letter_id", &request.into_inner().dead_letter_id)?;
        let found = self.stores.dead_letters.get(id).await;
        let found = found.map_err(|e| status::store_error(&e))?;
        let (letter, message) = found
            .ok_or_else(|| not_found(reason::DEAD_LETTER_NOT_FOUND, "dead letter", "dead_letter_id", id))?;
        Ok(Response::new(GetDeadLetterResponse {
            dead_letter: Some(convert::letter(letter)),
            message: Some(convert::message(message)),
        }))
    }

    async fn summarize_dead_letters(
        &self,
        request: Request<SummarizeDeadLettersRequest>,
    ) -> Result<Response<SummarizeDeadLettersResponse>, Status> {
        let filter = requests::filter(request.into_inner().filter)?;
        // One more than is told, to know whether there are more.
        let causes = self.stores.dead_letters.causes(&filter, MAX_COUNTED + 1).await;
        let mut causes = causes.map_err(|e| status::store_error(&e))?;
        causes.sort_by(|a, b| {
            let cause = |c: &crate::domain::filter::Cause| {
                (c.consumer.clone(), c.event_type.clone(), c.reason.clone())
            };
            b.count.cmp(&a.count).then_with(|| cause(a).cmp(&cause(b)))
        });
        let counted: u64 = causes.iter().map(|cause| cause.count).sum();
        Ok(Response::new(SummarizeDeadLettersResponse {
            causes: causes.into_iter().map(convert::cause).collect(),
            counted: convert::count(counted),
            has_more: counted > MAX_COUNTED as u64,
        }))
    }

    async fn replay_dead_letters(
        &self,
        request: Request<ReplayDeadLettersRequest>,
    ) -> Result<Response<ReplayDeadLettersResponse>, Status> {
        let dry_run = request.get_ref().dry_run;
        let order = requests::replay(request, self.ids.as_ref(), self.clock.now())?;
        let operation = self.operation(order, dry_run).await?;
        Ok(Response::new(ReplayDeadLettersResponse {
            operation: Some(convert::operation(operation)),
        }))
    }

    async fn discard_dead_letters(
        &self,
        request: Request<DiscardDeadLettersRequest>,
    ) -> Result<Response<DiscardDeadLettersResponse>, Status> {
        let dry_run = request.get_ref().dry_run;
        let order = requests::discard(request, self.ids.as_ref(), self.clock.now())?;
        let operation = self.operation(order, dry_run).await?;
        Ok(Response::new(DiscardDeadLettersResponse {
            operation: Some(convert::operation(operation)),
        }))
    }

    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<GetOperationResponse>, Status> {
        let id = one_id("operation_id", &request.into_inner().operation_id)?;
        let found = self
            .begin
            .progress(id)
            .await
            .map_err(|e| status::store_error(&e))?;
        let operation =
            found.ok_or_else(|| not_found(reason::OPERATION_NOT_FOUND, "operation", "operation_id", id))?;
        Ok(Response::new(GetOperationResponse {
            operation: Some(convert::operation(operation)),
        }))
    }

    async fn list_operations(
        &self,
        request: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        const QUERY: &str = "ListOperations";
        let request = request.into_inner();
        let page = Page::from_request(request.page_size, &request.page_token, QUERY)?;
        let found = self.stores.operations.list(page).await;
        let mut found = found.map_err(|e| status::store_error(&e))?;
        let next_page_token = page.cut(&mut found, QUERY, operation_cursor);
        Ok(Response::new(ListOperationsResponse {
            operations: found.into_iter().map(convert::operation).collect(),
            next_page_token,
        }))
    }
}

fn one_id(field: &str, text: &str) -> Result<Uuid, Status> {
    let mut violations = Violations::default();
    let id = request::uuid(field, text, &mut violations);
    violations.into_result().map(|()| id)
}

fn not_found(reason: &str, what: &str, field: &str, id: Uuid) -> Status {
    status::error_with(
        Code::NotFound,
        reason,
        format!("there is no {what} {id}"),
        [(field.to_owned(), id.to_string())],
    )
}

fn letter_cursor(letter: &DeadLetter) -> Cursor {
    Cursor {
        time_ms: unix_millis(letter.last_failure),
        id: letter.id,
    }
}

fn operation_cursor(operation: &Operation) -> Cursor {
    Cursor {
        time_ms: unix_millis(operation.order.time),
        id: operation.order.id,
    }
}
