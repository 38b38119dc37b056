//! Events: links between artifacts and executions.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::model::{Change, Event, EventInput, Kind, Side, Subject};
use crate::storage::tables::{events, nodes};
use crate::storage::{Database, Tx};

/// The ids of nodes that the transaction has put, so that it need not look for them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::graph) struct Written<'a> {
    pub artifacts: &'a [i64],
    pub executions: &'a [i64],
}

/// Records events in order; the first that is refused decides the error. Returns the outputs,
/// without their paths.
pub(in crate::graph) async fn put(
    tx: &mut Tx,
    given: Vec<EventInput>,
    written: Written<'_>,
    now: i64,
) -> Result<Vec<Event>> {
    let artifacts = given.iter().filter_map(|event| event.artifact_id);
    let artifacts = existing(tx, Kind::Artifact, artifacts, written.artifacts).await?;
    let executions = given.iter().filter_map(|event| event.execution_id);
    let executions = existing(tx, Kind::Execution, executions, written.executions).await?;
    let mut valid = Vec::with_capacity(given.len());
    let mut refused = None;
    for event in given {
        match check(event, (&artifacts, &executions), now) {
            Ok(event) => valid.push(event),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    events::insert(tx, &valid)
        .await
        .map_err(|error| error.on_duplicate(|| already_exists(&valid)))?;
    let outputs = valid.iter().filter(|event| event.event_type.is_output());
    let outputs = outputs.map(|event| Event {
        path: Vec::new(),
        ..*event
    });
    let outputs = outputs.collect();
    tx.note_change(|| created(valid));
    refused.map_or(Ok(outputs), Err)
}

/// The changes that made these events.
fn created(new: Vec<Event>) -> impl Iterator<Item = Change> {
    let change = |event| Change::created(Subject::Event(event));
    new.into_iter().map(change)
}

/// Records those of the events whose artifact, execution and type have none yet, each once. Both
/// ends must exist.
///
/// # Errors
///
/// `Contention` when a concurrent write records one of them.
pub(in crate::graph) async fn put_missing(tx: &mut Tx, mut given: Vec<Event>) -> Result<()> {
    let mut known = events::existing(tx, &given).await?;
    given.retain(|event| known.insert(events::key(event)));
    let inserted = events::insert(tx, &given).await;
    inserted.map_err(|error| {
        let text = already_exists(&given);
        match error {
            Error::AlreadyExists(_) => Error::Contention(text),
            other => other,
        }
    })?;
    tx.note_change(|| created(given));
    Ok(())
}

/// Deletes events that have no paths.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn delete(tx: &mut Tx, stored: Vec<Event>) -> Result<()> {
    events::delete(tx, &stored).await?;
    let change = |event| Change::deleted(Subject::Event(event));
    tx.note_change(|| stored.into_iter().map(change));
    Ok(())
}

/// Those of the ids that exist, as the written ones do.
async fn existing(
    tx: &mut Tx,
    kind: Kind,
    ids: impl Iterator<Item = i64>,
    written: &[i64],
) -> Result<HashSet<i64>> {
    let mut known: HashSet<i64> = written.iter().copied().collect();
    let others: Vec<i64> = ids.filter(|id| !known.contains(id)).collect();
    known.extend(nodes::existing(tx, kind, &others).await?);
    Ok(known)
}

/// The event that is stored, with the time of the write if it has none.
fn check(
    event: EventInput,
    (artifacts, executions): (&HashSet<i64>, &HashSet<i64>),
    now: i64,
) -> Result<Event> {
    let Some(artifact) = event.artifact_id else {
        return Err(Error::invalid("No artifact id is specified."));
    };
    let Some(execution) = event.execution_id else {
        return Err(Error::invalid("No execution id is specified."));
    };
    let Some(event_type) = event.event_type else {
        return Err(Error::invalid("No event type is specified."));
    };
    if !artifacts.contains(&artifact) {
        return Err(Error::invalid(format!(
            "No artifact with the given id {artifact}"
        )));
    }
    if !executions.contains(&execution) {
        return Err(Error::invalid(format!(
            "No execution with the given id {execution}"
        )));
    }
    Ok(Event {
        artifact_id: artifact,
        execution_id: execution,
        event_type,
        milliseconds: event.milliseconds.or(Some(now)),
        path: event.path,
    })
}

fn already_exists(events: &[Event]) -> String {
    let which = match events {
        [] => String::new(),
        [event] => format!(" between {}", describe_ends(event)),
        [event, ..] => format!(
            " one of several, the first between {}",
            describe_ends(event)
        ),
    };
    format!("Given event already exists:{which}")
}

fn describe_ends(event: &Event) -> String {
    let (artifact, execution) = (event.artifact_id, event.execution_id);
    format!("artifact {artifact}, execution {execution}")
}

/// The events of artifacts or of executions, each once, ascending by event id.
pub(in crate::graph) async fn of_nodes(
    database: &Database,
    side: Side,
    ids: &[i64],
) -> Result<Vec<Event>> {
    let mut tx = database.single_read().await?;
    let found = events::whole_of_nodes(&mut tx, side, ids).await?;
    Ok(found.into_iter().map(|stored| stored.value).collect())
}
