//! Put and get events.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::graph::commit::command::Write;
use crate::model::{Change, Event, Kind, Origin, Subject};
use crate::storage::tables::{events, nodes};
use crate::storage::{Database, Tx};

/// Records events between artifacts and executions that exist (`PutEvents`).
#[derive(Clone, Debug)]
pub struct PutEvents {
    pub events: Vec<Event>,
}

impl Write for PutEvents {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let now = origin.time;
        put(tx, &self.events, Written::default(), now).await
    }
}

/// The ids of nodes that the transaction has put, so that it need not look for them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::graph) struct Written<'a> {
    pub artifacts: &'a [i64],
    pub executions: &'a [i64],
}

/// Records events in order; the first that is refused decides the error.
pub(in crate::graph) async fn put(
    tx: &mut Tx,
    given: &[Event],
    written: Written<'_>,
    now: i64,
) -> Result<()> {
    let artifacts = given.iter().filter_map(|event| event.artifact_id);
    let artifacts = existing(tx, Kind::Artifact, artifacts, written.artifacts).await?;
    let executions = given.iter().filter_map(|event| event.execution_id);
    let executions = existing(tx, Kind::Execution, executions, written.executions).await?;
    let refused = given
        .iter()
        .enumerate()
        .find_map(|(place, event)| Some((place, check(event, &artifacts, &executions).err()?)));
    let valid = &given[..refused.as_ref().map_or(given.len(), |(place, _)| *place)];
    events::insert(tx, valid, now)
        .await
        .map_err(|error| error.on_duplicate(|| already_exists(valid)))?;
    tx.note_change(|| created(valid, now));
    match refused {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The changes that made these events.
fn created(new: &[Event], now: i64) -> impl Iterator<Item = Change> {
    new.iter().cloned().map(move |mut event| {
        event.milliseconds.get_or_insert(now);
        Change::created(Subject::Event(event))
    })
}

/// Records those of the events whose artifact, execution and type have none yet, each once. Both ends must exist.
///
/// # Errors
///
/// `Contention` when somebody else records one of them at the same time.
pub(in crate::graph) async fn put_missing(
    tx: &mut Tx,
    mut given: Vec<Event>,
    now: i64,
) -> Result<()> {
    let mut known = events::existing(tx, &given).await?;
    given.retain(|event| known.insert(events::key(event)));
    let inserted = events::insert(tx, &given, now).await;
    inserted.map_err(|error| {
        let text = already_exists(&given);
        match error {
            Error::AlreadyExists(_) => Error::Contention(text),
            other => other,
        }
    })?;
    tx.note_change(|| created(&given, now));
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

fn check(event: &Event, artifacts: &HashSet<i64>, executions: &HashSet<i64>) -> Result<()> {
    let Some(artifact) = event.artifact_id else {
        return Err(Error::invalid("No artifact id is specified."));
    };
    let Some(execution) = event.execution_id else {
        return Err(Error::invalid("No execution id is specified."));
    };
    if event.event_type.is_none() {
        return Err(Error::invalid("No event type is specified."));
    }
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
    Ok(())
}

fn already_exists(events: &[Event]) -> String {
    let first = events.first().cloned().unwrap_or_default();
    format!(
        "Given event already exists: {} artifact {}, execution {}",
        if events.len() == 1 {
            "between"
        } else {
            "one of several, the first between"
        },
        first.artifact_id.unwrap_or_default(),
        first.execution_id.unwrap_or_default(),
    )
}

/// The events of artifacts or of executions, each once, ascending by event id.
pub(in crate::graph) async fn of_nodes(
    database: &Database,
    kind: Kind,
    ids: &[i64],
) -> Result<Vec<Event>> {
    let mut tx = database.single_read().await?;
    let found = events::whole_of_nodes(&mut tx, kind, ids).await?;
    Ok(found.into_iter().map(|stored| stored.event).collect())
}
