//! `POST /api/v1/lineage/batch`: an array of events, each of which is stored or refused alone.

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::value::RawValue;

use super::event::LineageEvent;
use super::refusal::Refusal;
use super::{EventIntake, has_returned, message, own_store, receive, store};

/// The most events of an array.
const MAX_BATCH_EVENTS: usize = 10_000;

/// The answer, as `OpenLineage`'s specification has it.
#[derive(Serialize)]
pub(super) struct BatchAnswer {
    status: &'static str,
    summary: Summary,
    failed_events: Vec<FailedEvent>,
}

#[derive(Serialize)]
struct Summary {
    received: usize,
    successful: usize,
    failed: usize,
    retriable: usize,
    non_retriable: usize,
}

#[derive(Serialize)]
struct FailedEvent {
    /// In the array.
    index: usize,
    reason: String,
    /// Whether it may be stored when it is sent again.
    retriable: bool,
}

pub(super) async fn batch(
    State(intake): State<EventIntake>,
    request: Request,
) -> Result<Json<BatchAnswer>, Refusal> {
    let (call, body) = receive(&intake.calls, request).await?;
    let texts: Vec<&RawValue> =
        serde_json::from_slice(&body).map_err(|error| Refusal::malformed(error.to_string()))?;
    if texts.len() > MAX_BATCH_EVENTS {
        let text = format!("the array has more than {MAX_BATCH_EVENTS} events");
        return Err(Refusal::malformed(text));
    }
    let received = texts.len();
    let mut failed = Vec::new();
    let mut indexes = Vec::new();
    let mut messages = Vec::new();
    let texts = texts.into_iter().map(|text| text.get().as_bytes());
    let texts: Vec<_> = texts.map(|text| (text, intake.kept(text))).collect();
    let parsed: Vec<_> = texts
        .iter()
        .map(|(text, kept)| (*text, LineageEvent::parse(kept)))
        .collect();
    let events = parsed.iter().filter_map(|(_, event)| event.as_ref().ok());
    let own_store = own_store(&call, &events.collect::<Vec<_>>()).await?;
    for (index, (text, event)) in parsed.into_iter().enumerate() {
        match event {
            Ok(event) if has_returned(&event, own_store.as_ref()) => {}
            Ok(event) => {
                indexes.push(index);
                messages.push((message(&event, text), text.len()));
            }
            Err(refusal) => failed.push((index, refusal)),
        }
    }
    let outcomes = indexes.into_iter().zip(store(&call, messages).await?);
    failed.extend(outcomes.filter_map(|(index, outcome)| Some((index, outcome.err()?))));
    failed.sort_by_key(|(index, _)| *index);
    Ok(Json(BatchAnswer::new(received, &failed)))
}

impl BatchAnswer {
    fn new(received: usize, failed: &[(usize, Refusal)]) -> Self {
        let failed_event = |(index, refusal): &(usize, Refusal)| FailedEvent {
            index: *index,
            reason: refusal.message().to_owned(),
            retriable: refusal.is_retriable(),
        };
        let failed_events: Vec<FailedEvent> = failed.iter().map(failed_event).collect();
        let retriable = failed_events.iter().filter(|it| it.retriable).count();
        let failed = failed_events.len();
        Self {
            status: if failed == 0 {
                "success"
            } else {
                "partial_success"
            },
            summary: Summary {
                received,
                successful: received - failed,
                failed,
                retriable,
                non_retriable: failed - retriable,
            },
            failed_events,
        }
    }
}
