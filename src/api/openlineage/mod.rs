//! `OpenLineage`: `POST /api/v1/lineage` takes one event, `POST /api/v1/lineage/batch` an array.
//!
//! * `event`: the JSON of an event; `time`: its times.
//! * `report`: converts an event into run events of the graph; `names`: the names of nodes.
//! * `facets`: the facts in facets; `secrets`: values that are not to be stored.
//! * `batch`: the answer to an array; `refusal`: errors.
//! * `out`: what the graph has, as events.

mod batch;
mod event;
mod facets;
pub(super) mod names;
pub mod out;
pub(super) mod refusal;
pub(super) mod report;
mod secrets;
pub(super) mod time;

use std::borrow::Cow;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use crate::api::call::{Call, Calls};
use crate::api::http::{body, is_json};
use crate::api::message_ids::stored_id;
use crate::error::Error;
use crate::graph::{Message, Recordable, Reply};
use crate::model::Door;
use event::{EventSubject, LineageEvent};
use refusal::Refusal;
use secrets::without_secrets;

/// How long an event may wait to be stored. Clients wait five seconds for the answer, and send the
/// event again after an error.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// How events are taken.
#[derive(Clone, Debug)]
struct EventIntake {
    calls: Calls,
    /// Whether secrets in facets are stored as they were sent.
    keeps_secrets: bool,
}

/// The routes. The server limits the size of bodies before they get here. `keeps_secrets` says
/// whether secrets in facets are stored.
pub fn routes(calls: Calls, keeps_secrets: bool) -> Router {
    Router::new()
        .route("/api/v1/lineage", post(lineage))
        .route("/api/v1/lineage/batch", post(batch::batch))
        .layer(DefaultBodyLimit::disable())
        .with_state(EventIntake {
            calls,
            keeps_secrets,
        })
}

/// Stores one event, and answers 201 when it is durable.
async fn lineage(State(intake): State<EventIntake>, request: Request) -> Result<Response, Refusal> {
    let stored = timeout(ANSWER_TIMEOUT, store_one(&intake, request)).await;
    let late = |_| Error::Exhausted("the event was not stored in time; send it again".into());
    stored.map_err(late)??;
    Ok(StatusCode::CREATED.into_response())
}

async fn store_one(intake: &EventIntake, request: Request) -> Result<(), Refusal> {
    let (call, body) = receive(&intake.calls, request).await?;
    let kept = intake.kept(&body);
    let event = LineageEvent::parse(&kept)?;
    let own_store = own_store(&call, &[&event]).await?;
    if has_returned(&event, own_store.as_ref()) {
        return Ok(());
    }
    let message = message(&event, &body);
    let mut replies = store(&call, vec![(message, body.len())]).await?;
    match replies.pop() {
        Some(outcome) => outcome,
        None => Err(Error::internal("an event has no reply").into()),
    }
}

/// The call of a request, and its body, which must be JSON.
async fn receive(calls: &Calls, request: Request) -> Result<(Call, Bytes), Refusal> {
    check_content(request.headers())?;
    let call = calls.call(Door::OpenLineage, request.extensions()).await?;
    Ok((call, body(request).await?))
}

/// Refuses what is not JSON, and compressions that the server has not undone.
fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |text| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    if !is_json(headers) {
        return Err(refused("the content type must be application/json"));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            Err(refused("the content encoding must be gzip or none"))
        }
        _ => Ok(()),
    }
}

impl EventIntake {
    /// The text of an event as it is kept, without secrets.
    fn kept<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.keeps_secrets {
            Cow::Borrowed(text)
        } else {
            without_secrets(text)
        }
    }
}

/// The id of the database, if one of the events came through any.
async fn own_store(call: &Call, events: &[&LineageEvent<'_>]) -> Result<Option<String>, Refusal> {
    if events.iter().all(|event| hops(event).is_empty()) {
        return Ok(None);
    }
    Ok(Some(call.graph.store_id().await?))
}

/// Whether an event is about a run that came from this database, and was sent back to it. Such an
/// event says nothing that is not known here.
fn has_returned(event: &LineageEvent<'_>, own_store: Option<&String>) -> bool {
    own_store.is_some_and(|id| hops(event).contains(id))
}

fn hops(event: &LineageEvent<'_>) -> Vec<String> {
    match &event.subject {
        EventSubject::Run(run, _) => facets::hops(run.facets.as_ref()),
        EventSubject::Job(_) | EventSubject::Dataset(_) => Vec::new(),
    }
}

/// The message that stores an event, whose text has been sent.
fn message(event: &LineageEvent<'_>, text: &[u8]) -> Message {
    let change = Recordable::Report(report::report(event));
    let digest = digest(&SHA256, text);
    let half = digest.as_ref().first_chunk();
    Message {
        id: format!("openlineage:{}", hex::encode(digest)),
        digest: half.map_or(0, |half| u128::from_be_bytes(*half)),
        change,
        caller: None,
        missing_right: None,
    }
}

/// Stores messages with their sizes, and returns what became of each.
async fn store(
    call: &Call,
    mut messages: Vec<(Message, usize)>,
) -> Result<Vec<Result<(), Refusal>>, Refusal> {
    let mut rights = call.missing_type_rights();
    for (message, _) in &mut messages {
        message.missing_right = rights.of_message();
        let id = std::mem::take(&mut message.id);
        message.id = stored_id(&call.caller.principal, id);
    }
    let outcomes = call.graph.queue_messages(&call.caller, messages).await;
    rights.note();
    let refusal = |outcome| match outcome {
        Ok(Reply::Stored(_) | Reply::Repeated(_)) => Ok(()),
        Ok(Reply::Refused(error)) => Err(Refusal::from(error)),
        Err(error) => Err(Refusal::from(error)),
    };
    Ok(outcomes?.into_iter().map(refusal).collect())
}
