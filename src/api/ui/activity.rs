//! `/activity`: the newest changes, and `/activity/stream`: those to come, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::Ui;
use super::page::{Links, Section, Shell, html, set_safety_headers};
use super::text;
use super::views::{kind_glyph, label};
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::graph::{Changes, NewestChanges, SentMemory, Since, Watch, WatchQuery};
use crate::model::{JournalEntry, Kind, Operation, Subject};

/// How many changes the page shows at most.
const MAX_CHANGES: usize = 100;

/// How long the stream is silent at most. A proxy may close one that is silent for longer.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// How long a browser waits before it connects again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The most changes of one event.
const MAX_EVENT_CHANGES: usize = 500;

/// A change, as a row.
struct ChangeView {
    time: String,
    word: &'static str,
    /// Of the node that it is about; empty for other things.
    kind: &'static str,
    glyph: &'static str,
    text: String,
    link: Option<String>,
    type_name: String,
    /// The artifacts and executions that it touches, such as `a42`.
    touched: Vec<String>,
}

#[derive(Template)]
#[template(path = "ui/activity.html")]
struct ActivityPage {
    page: Shell,
    /// The newest first.
    changes: Vec<ChangeView>,
    /// After the newest change.
    cursor: String,
    stream: String,
    /// Why there is nothing to show; empty where there is.
    why_not: String,
}

/// The word for what has happened.
const fn operation_word(operation: Operation) -> &'static str {
    match operation {
        Operation::Created => "created",
        Operation::Updated => "changed",
        Operation::Reconciled => "found",
        Operation::Deleted => "deleted",
        Operation::Erased => "erased",
        Operation::Restored => "restored",
        Operation::Adopted => "adopted",
    }
}

/// The key of an artifact or an execution in pictures.
fn touched(kind: Kind, id: i64) -> Option<String> {
    match kind {
        Kind::Artifact => Some(format!("a{id}")),
        Kind::Execution => Some(format!("e{id}")),
        Kind::Context => None,
    }
}

impl ChangeView {
    fn new(links: &Links, entry: &JournalEntry) -> Self {
        let mut view = Self {
            time: text::time(entry.origin.time),
            word: operation_word(entry.change.operation),
            kind: "",
            glyph: "",
            text: String::new(),
            link: None,
            type_name: String::new(),
            touched: Vec::new(),
        };
        match &entry.change.subject {
            Subject::Node(kind, node) => {
                view.at(links, *kind, node.id);
                view.text = label(node);
                view.type_name = text::cell(node.type_name.as_deref().unwrap_or_default());
            }
            Subject::Type(kind, of) => {
                let name = &of.value.name;
                view.text = format!("{} type {}", kind.noun(), text::cell(name));
                view.link = Some(links.node_type(*kind, name));
            }
            Subject::Event(event) => {
                let (artifact, run) = (event.artifact_id, event.execution_id);
                view.at(links, Kind::Execution, run);
                view.touched.extend(touched(Kind::Artifact, artifact));
                let word = if event.event_type.is_input() {
                    "input"
                } else {
                    "output"
                };
                view.text = format!("artifact #{artifact} as {word} of execution #{run}");
            }
            Subject::Membership(kind, member) => {
                view.at(links, *kind, member.node_id);
                let (noun, node, context) = (kind.noun(), member.node_id, member.context_id);
                view.text = format!("{noun} #{node} in context #{context}");
            }
        }
        view
    }

    /// Makes it a change of a node.
    fn at(&mut self, links: &Links, kind: Kind, id: i64) {
        self.kind = kind.noun();
        self.glyph = kind_glyph(kind);
        self.link = Some(links.node(kind, id));
        self.touched.extend(touched(kind, id));
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "time": self.time,
            "word": self.word,
            "kind": self.kind,
            "glyph": self.glyph,
            "text": self.text,
            "link": self.link,
            "type": self.type_name,
            "touched": self.touched,
        })
    }
}

/// `GET /activity`.
pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let (newest, why_not) = match visit.call.graph.browse().newest_changes(MAX_CHANGES).await {
        Ok(newest) => (newest, String::new()),
        Err(Error::FailedPrecondition(reason)) => (NewestChanges::default(), reason),
        Err(error) => return Err(error.into()),
    };
    let links = visit.links();
    let changes = newest.changes.iter().rev();
    let shown = ActivityPage {
        changes: changes.map(|entry| ChangeView::new(links, entry)).collect(),
        cursor: newest.cursor,
        stream: links.to("/activity/stream"),
        why_not,
        page: visit.page(Section::Activity),
    };
    Ok(html(StatusCode::OK, &shown)?)
}

/// `GET /activity/stream`: events with changes, each with the cursor after them as its id, from the
/// one in `Last-Event-ID` or in `?after=` on.
pub(super) async fn stream(
    State(ui): State<Ui>,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id");
    let last = last
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let cursor = last.or_else(|| visit.asked("after"));
    let since = cursor.map_or(Since::Now, |cursor| Since::Cursor(cursor.to_owned()));
    let query = WatchQuery {
        since,
        ..WatchQuery::default()
    };
    let watch = visit.call.graph.watch(query).await?;
    let (sender, receiver) = mpsc::channel(1);
    let links = visit.links().clone();
    visit
        .call
        .tasks
        .spawn(send_changes(watch, links, ui.stop, sender));
    let mut response = Sse::new(ReceiverStream::new(receiver)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    set_safety_headers(headers);
    Ok(response)
}

/// Sends changes and heartbeats until the server stops, the watch fails, or the browser has left.
async fn send_changes(
    mut watch: Watch,
    links: Links,
    stop: CancellationToken,
    sender: Sender<Result<Event, Infallible>>,
) {
    let mut memory = SentMemory::default();
    // The first event is sent at once: its id is where a browser resumes.
    let mut silence = Duration::ZERO;
    // Nothing is read from the database before the browser has room for it.
    while let Ok(place) = sender.reserve().await {
        drop(std::mem::take(&mut memory));
        let next = tokio::select! {
            next = watch.next(silence) => next,
            () = stop.cancelled() => return,
            () = sender.closed() => return,
        };
        // The browser connects again, and then learns why.
        let Ok(changes) = next else {
            return;
        };
        silence = HEARTBEAT_INTERVAL;
        place.send(Ok(event(&links, &changes)));
        memory = changes.memory;
    }
}

/// Changes as an event; one without changes is a heartbeat.
fn event(links: &Links, changes: &Changes) -> Event {
    let seen = changes.changes.iter().take(MAX_EVENT_CHANGES);
    let seen: Vec<_> = seen
        .map(|entry| ChangeView::new(links, entry).json())
        .collect();
    let more = changes.changes.len() - seen.len();
    Event::default()
        .id(&changes.cursor)
        .retry(RETRY_INTERVAL)
        .data(json!({"changes": seen, "more": more}).to_string())
}
