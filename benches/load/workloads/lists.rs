//! Lists: in pages, with filters, and without options.

use std::pin::pin;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body::Body as _;
use pedigree::proto::ml_metadata::list_operation_options::OrderByField;
use pedigree::proto::ml_metadata::list_operation_options::order_by_field::Field;
use pedigree::proto::ml_metadata::{
    GetArtifactsByIdRequest, GetArtifactsByIdResponse, GetArtifactsRequest, GetArtifactsResponse,
    GetExecutionsByContextRequest, GetExecutionsRequest, ListOperationNextPageToken,
    ListOperationOptions,
};
use prost::Message;
use tower::Service;

use super::{Call, Turn, store};
use crate::Result;
use crate::client::{Client, Connection};

/// The token of the page after an artifact, in a list by a field with this value.
fn behind_value(id: i64, field: Field, value: i64) -> String {
    let token = ListOperationNextPageToken {
        id_offset: Some(id),
        field_offset: Some(value),
        set_options: Some(options(field, None)),
        ..Default::default()
    };
    BASE64_URL_SAFE_NO_PAD.encode(token.encode_to_vec())
}

/// The token of the page after an artifact, in a list by id.
pub fn behind(id: i64) -> String {
    behind_value(id, Field::Id, id)
}

fn options(field: Field, filter: Option<String>) -> ListOperationOptions {
    ListOperationOptions {
        max_result_size: Some(100),
        order_by_field: Some(OrderByField {
            field: Some(field.into()),
            is_asc: Some(true),
        }),
        filter_query: filter,
        ..Default::default()
    }
}

fn page(options: ListOperationOptions) -> Call {
    let request = GetArtifactsRequest {
        options: Some(options),
        ..Default::default()
    };
    Call::new("GetArtifacts", &request)
}

/// A page of artifacts by id.
pub fn artifacts(token: Option<String>, filter: Option<String>) -> Call {
    page(ListOperationOptions {
        next_page_token: token,
        ..options(Field::Id, filter)
    })
}

pub fn by_property(number: i64) -> Call {
    let filter = ["properties.p0.int_value = ", &number.to_string()].concat();
    artifacts(None, Some(filter))
}

pub fn by_pattern(turn: Turn) -> Call {
    let filter = ["name LIKE 'a", &turn.pick(10, 90).to_string(), "1%'"].concat();
    artifacts(None, Some(filter))
}

fn executions(filter: String) -> Call {
    let request = GetExecutionsRequest {
        options: Some(options(Field::Id, Some(filter))),
        ..Default::default()
    };
    Call::new("GetExecutions", &request)
}

pub fn by_type_and_state() -> Call {
    executions("type = 'Train' AND last_known_state = RUNNING".to_owned())
}

pub fn by_context(turn: Turn) -> Call {
    let run = store::run_name(turn.run());
    executions(["contexts_a.name = '", &run, "'"].concat())
}

/// The tasks of a DAG in a run, as the driver of Kubeflow Pipelines asks for them.
pub fn of_dag(turn: Turn) -> Call {
    let run = turn.run();
    let filter = [
        "custom_properties.parent_dag_id.int_value = ",
        &run.to_string(),
    ]
    .concat();
    in_context(store::run(run), options(Field::Id, Some(filter)))
}

fn in_context(context: i64, options: ListOperationOptions) -> Call {
    let request = GetExecutionsByContextRequest {
        context_id: Some(context),
        options: Some(options),
        ..Default::default()
    };
    Call::new("GetExecutionsByContext", &request)
}

/// A page from a scattered position in the context that has every execution.
pub fn in_pipeline(turn: Turn) -> Call {
    let token = behind(turn.execution());
    let options = ListOperationOptions {
        next_page_token: Some(token),
        ..options(Field::Id, None)
    };
    in_context(store::PIPELINE_CONTEXT, options)
}

/// The first ten pages.
pub async fn pages(client: &mut Client) -> Result<Duration> {
    let (mut took, mut token) = (Duration::ZERO, None);
    for _ in 0..10 {
        let (time, answer) = client.call(&artifacts(token.take(), None)).await?;
        took += time;
        token = GetArtifactsResponse::decode(answer)?.next_page_token;
        if token.as_deref().is_none_or(str::is_empty) {
            break;
        }
    }
    Ok(took)
}

/// The page after an artifact in the order of creation. The request for its creation time is not
/// measured.
pub async fn page_by_time(client: &mut Client, turn: Turn) -> Result<Duration> {
    let request = GetArtifactsByIdRequest {
        artifact_ids: vec![turn.artifact()],
        ..Default::default()
    };
    let (_, found) = client
        .call(&Call::new("GetArtifactsByID", &request))
        .await?;
    let found = GetArtifactsByIdResponse::decode(found)?;
    let artifact = found.artifacts.first().ok_or("an artifact is missing")?;
    let made = artifact.create_time_since_epoch();
    let options = ListOperationOptions {
        next_page_token: Some(behind_value(artifact.id(), Field::CreateTime, made)),
        ..options(Field::CreateTime, None)
    };
    client.call(&page(options)).await.map(|(took, _)| took)
}

/// The speed of a slow client, in bytes per second.
const SLOW_READER_BYTES_PER_SECOND: f64 = 16e6;

/// All artifacts, read slowly and thrown away: a test of the server's memory.
pub async fn everything(connection: &Connection) -> Result<Duration> {
    // A message without options is empty: its length is all of it.
    let request = http::Request::post(["http://server", &page_of_all().path()].concat())
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(axum::body::Body::from(vec![0; 5])))?;
    let mut channel = connection.channel.clone();
    let began = Instant::now();
    std::future::poll_fn(|context| channel.poll_ready(context)).await?;
    let mut body = pin!(channel.call(request).await?.into_body());
    let (mut read, mut code) = (0_usize, None);
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let frame = frame?;
        if let Some(trailers) = frame.trailers_ref() {
            code = trailers.get("grpc-status").cloned();
        }
        read += frame.data_ref().map_or(0, prost::bytes::Bytes::len);
        let due = began + Duration::from_secs_f64(read as f64 / SLOW_READER_BYTES_PER_SECOND);
        tokio::time::sleep_until(due.into()).await;
    }
    match code {
        Some(code) if code == "0" => Ok(began.elapsed()),
        code => Err(format!("the list ended with {code:?} after {read} bytes").into()),
    }
}

fn page_of_all() -> Call {
    Call::new("GetArtifacts", &GetArtifactsRequest::default())
}
