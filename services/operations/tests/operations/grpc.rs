//! The rpcs, through the generated client.

use std::sync::Arc;

use tokio::{net::TcpListener, sync::Notify};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt;
use waybill::{
    clock::{ManualClock, UuidV7Generator},
    contract::operations::v1::{
        DeadLetterFilter, DeadLetterIds, DeadLetterState, DiscardDeadLettersRequest, GetDeadLetterRequest,
        GetOperationRequest, ListDeadLettersRequest, ListOperationsRequest, OperationKind, OperationState,
        ReplayDeadLettersRequest, SummarizeDeadLettersRequest,
        dead_letter_service_client::DeadLetterServiceClient,
        dead_letter_service_server::DeadLetterServiceServer, discard_dead_letters_request,
        header_value::Kind as HeaderKind, operation, replay_dead_letters_request,
    },
    grpc::reason,
};
use waybill_operations::{adapters::grpc::DeadLetterApi, app::Begin};

use crate::support::{
    letters::{TRACE_ID, at, id, new},
    stores::Stored,
};

type Client = DeadLetterServiceClient<Channel>;

async fn serve(kept_in: &Stored) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let stores = kept_in.stores.clone();
    let api = DeadLetterApi::new(
        stores.clone(),
        Begin::new(stores, Arc::new(Notify::new())),
        Arc::new(ManualClock::new(at(60_000))),
        Arc::new(UuidV7Generator::default()),
    );
    let server = tonic::transport::Server::builder()
        .add_service(DeadLetterServiceServer::new(api))
        .serve_with_incoming(incoming);
    tokio::spawn(server);
    Client::connect(url).await.unwrap()
}

fn reason_of(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

fn replay(request_id: &str, filter: DeadLetterFilter) -> ReplayDeadLettersRequest {
    ReplayDeadLettersRequest {
        request_id: request_id.to_owned(),
        selection: Some(replay_dead_letters_request::Selection::Filter(filter)),
        actor: "ada".into(),
        ..ReplayDeadLettersRequest::default()
    }
}

#[tokio::test]
async fn a_letter_is_shown_whole() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    let failed = new("q", "BROKEN", 0);
    stored
        .stores
        .intake
        .record(std::slice::from_ref(&failed))
        .await
        .unwrap();
    let request = GetDeadLetterRequest {
        dead_letter_id: failed.dead_letter.id.to_string(),
    };
    let answer = client.get_dead_letter(request).await.unwrap().into_inner();
    let letter = answer.dead_letter.unwrap();
    assert_eq!(letter.consumer, "q");
    assert_eq!(letter.state(), DeadLetterState::Waiting);
    assert_eq!(letter.event_type, "waybill.order.v1.OrderCreated");
    assert_eq!(
        (letter.order_id.as_str(), letter.correlation_id.as_str()),
        ("o-1", "c-1")
    );
    assert_eq!(
        (letter.exchange.as_str(), letter.routing_key.as_str()),
        ("waybill.events", "order.created.v1")
    );
    assert_eq!((letter.trace_id.as_str(), letter.attempts), (TRACE_ID, 1));
    assert_eq!(letter.first_failure_time, Some(at(0).into()));
    let failure = letter.failure.unwrap();
    assert_eq!(
        (failure.reason.as_str(), failure.message.as_str()),
        ("BROKEN", "it broke")
    );
    assert_eq!(failure.instance, "instance-1");
    let message = answer.message.unwrap();
    assert_eq!(message.body, failed.message.body);
    assert_eq!(message.properties["message_id"], letter.message_id);
    assert_eq!(message.headers.len(), failed.message.headers.len());
    let attempts = message.headers["waybill-attempts"].kind.clone();
    assert_eq!(attempts, Some(HeaderKind::IntegerValue(1)));

    let unknown = GetDeadLetterRequest {
        dead_letter_id: id().to_string(),
    };
    let status = client.get_dead_letter(unknown).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::NotFound, reason::DEAD_LETTER_NOT_FOUND.into())
    );
}

#[tokio::test]
async fn letters_are_listed_by_pages_and_summarized_by_cause() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    let failures: Vec<_> = (0..5)
        .map(|n| new("q", if n == 2 { "B" } else { "A" }, n))
        .collect();
    stored.stores.intake.record(&failures).await.unwrap();
    let mut request = ListDeadLettersRequest {
        filter: Some(DeadLetterFilter {
            reason: "A".into(),
            ..DeadLetterFilter::default()
        }),
        page_size: 3,
        ..ListDeadLettersRequest::default()
    };
    let first = client
        .list_dead_letters(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.dead_letters.len(), 3);
    request.page_token = first.next_page_token;
    let second = client
        .list_dead_letters(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (second.dead_letters.len(), second.next_page_token.as_str()),
        (1, "")
    );
    request.filter = None;
    let status = client.list_dead_letters(request).await.unwrap_err();
    assert_eq!(
        reason_of(&status),
        reason::INVALID_PAGE_TOKEN,
        "the token is of another query"
    );

    let summary = client
        .summarize_dead_letters(SummarizeDeadLettersRequest::default())
        .await;
    let summary = summary.unwrap().into_inner();
    let counts: Vec<_> = summary
        .causes
        .iter()
        .map(|c| (c.reason.as_str(), c.count))
        .collect();
    assert_eq!(counts, [("A", 4), ("B", 1)]);
    assert_eq!((summary.counted, summary.has_more), (5, false));
}

#[tokio::test]
async fn a_repeat_gets_the_same_operation_and_another_request_none() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    stored.stores.intake.record(&[new("q", "A", 0)]).await.unwrap();
    let request_id = id().to_string();
    let request = replay(&request_id, DeadLetterFilter::default());
    let dry = ReplayDeadLettersRequest {
        dry_run: true,
        actor: String::new(),
        ..request.clone()
    };
    let dry = client
        .replay_dead_letters(dry)
        .await
        .unwrap()
        .into_inner()
        .operation
        .unwrap();
    assert_eq!(dry.matched_count, 1);
    let get = GetOperationRequest {
        operation_id: request_id.clone(),
    };
    let status = client.get_operation(get.clone()).await.unwrap_err();
    assert_eq!(
        reason_of(&status),
        reason::OPERATION_NOT_FOUND,
        "a dry run leaves nothing"
    );

    let first = client
        .replay_dead_letters(request.clone())
        .await
        .unwrap()
        .into_inner();
    let second = client
        .replay_dead_letters(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, second);
    let operation = first.operation.unwrap();
    assert_eq!(operation.operation_id, request_id);
    assert_eq!(
        (operation.kind(), operation.state()),
        (OperationKind::Replay, OperationState::Running)
    );
    assert_eq!((operation.actor.as_str(), operation.max_per_second), ("ada", 100));
    assert!(matches!(
        operation.selection,
        Some(operation::Selection::Filter(_))
    ));
    assert_eq!(
        client.get_operation(get).await.unwrap().into_inner().operation,
        Some(operation.clone())
    );
    let listed = client
        .list_operations(ListOperationsRequest::default())
        .await
        .unwrap();
    assert_eq!(listed.into_inner().operations, [operation]);

    let other = ReplayDeadLettersRequest {
        max_per_second: 1,
        ..request
    };
    let status = client.replay_dead_letters(other).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::AlreadyExists, reason::REQUEST_ID_REUSED.into())
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    let request = ReplayDeadLettersRequest {
        request_id: "no".into(),
        max_per_second: 10_001,
        reason: "x".repeat(1001),
        ..ReplayDeadLettersRequest::default()
    };
    let status = client.replay_dead_letters(request).await.unwrap_err();
    let expected = ["max_per_second", "request_id", "ids or filter", "actor", "reason"];
    assert_eq!(fields(&status), expected);
    let request = DiscardDeadLettersRequest {
        selection: Some(discard_dead_letters_request::Selection::Ids(DeadLetterIds {
            ids: vec![id().to_string(), "no".into()],
        })),
        ..DiscardDeadLettersRequest::default()
    };
    let status = client.discard_dead_letters(request).await.unwrap_err();
    assert_eq!(fields(&status), ["ids.ids[1]", "actor", "reason"]);
    let request = ListDeadLettersRequest {
        state: DeadLetterState::Staged.into(),
        ..ListDeadLettersRequest::default()
    };
    let status = client.list_dead_letters(request).await.unwrap_err();
    assert_eq!(fields(&status), ["state"]);
}

#[tokio::test]
async fn metadata_may_say_who_asks() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    let mut request = Request::new(ReplayDeadLettersRequest {
        actor: String::new(),
        ..replay("", DeadLetterFilter::default())
    });
    request
        .metadata_mut()
        .insert("x-waybill-actor", "grace".parse().unwrap());
    let operation = client
        .replay_dead_letters(request)
        .await
        .unwrap()
        .into_inner()
        .operation;
    assert_eq!(operation.unwrap().actor, "grace");
}

#[tokio::test]
async fn no_more_operations_are_begun_than_are_worked_on() {
    let stored = Stored::sqlite();
    let mut client = serve(&stored).await;
    let mut begun = 0;
    let status = loop {
        match client
            .replay_dead_letters(replay("", DeadLetterFilter::default()))
            .await
        {
            Ok(_) => begun += 1,
            Err(status) => break status,
        }
    };
    assert_eq!(begun, waybill_operations::domain::operation::MAX_RUNNING);
    assert_eq!(
        (status.code(), reason_of(&status)),
        (Code::ResourceExhausted, reason::TOO_MANY_OPERATIONS.into())
    );
}
