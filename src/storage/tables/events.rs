//! The tables `Event` and `EventPath`.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::Tx;
use super::super::bulk::ColumnType::{Bool, Int as IntColumn, Text as TextColumn};
use super::super::bulk::{Rows, Table};
use super::super::column::{Flag, Int, Text};
use super::super::query::Cell;
use super::schema::NodeTables;
use crate::error::Result;
use crate::model::{Event, EventType, Kind, Step};

static EVENT: Table = Table {
    name: "Event",
    columns: &[
        ("artifact_id", IntColumn),
        ("execution_id", IntColumn),
        ("type", IntColumn),
        ("milliseconds_since_epoch", IntColumn),
    ],
    key: 3,
};

static EVENT_PATH: Table = Table {
    name: "EventPath",
    columns: &[
        ("event_id", IntColumn),
        ("is_index_step", Bool),
        ("step_index", IntColumn),
        ("step_key", TextColumn),
    ],
    key: 0,
};

/// Id, artifact, execution, type and time of an event.
type Row = (Int, Int, Int, Int, Option<Int>);

/// A step of a path: whether it is an index, the index, the key.
type StepRow = (Flag, Option<Int>, Option<Text>);

/// An event, then a step of its path, if it has one.
type JoinedRow = (
    Int,
    Int,
    Int,
    Int,
    Option<Int>,
    Option<Flag>,
    Option<Int>,
    Option<Text>,
);

fn stored((id, artifact_id, execution_id, event_type, time): Row) -> StoredEvent {
    StoredEvent {
        id: id.0,
        event: Event {
            artifact_id: Some(artifact_id.0),
            execution_id: Some(execution_id.0),
            event_type: Some(EventType(event_type.0)),
            milliseconds: time.map(|time| time.0),
            path: Vec::new(),
        },
    }
}

fn step((is_index, index, key): StepRow) -> Step {
    if is_index.0 {
        Step::Index(index.map_or(0, |index| index.0))
    } else {
        Step::Key(key.map(|key| key.0).unwrap_or_default())
    }
}

/// Inserts events and their paths. The time of an event without one is `now`, in milliseconds since epoch.
///
/// # Errors
///
/// `AlreadyExists` when artifact, execution and type have an event already.
pub async fn insert(tx: &mut Tx, events: &[Event], now: i64) -> Result<()> {
    let mut rows = Rows::new(&EVENT);
    for event in events {
        rows.push([
            Cell::Int(event.artifact_id),
            Cell::Int(event.execution_id),
            Cell::Int(event.event_type.map(|kind| kind.0)),
            event.milliseconds.unwrap_or(now).into(),
        ]);
    }
    if events.iter().all(|event| event.path.is_empty()) {
        return tx.insert_rows(&rows).await;
    }
    let ids = tx.insert_rows_for_ids(&rows).await?;
    let mut steps = Rows::new(&EVENT_PATH);
    for (id, event) in ids.into_iter().zip(events) {
        for step in &event.path {
            let (index, key) = match step {
                Step::Index(index) => (Some(*index), None),
                Step::Key(key) => (None, Some(key.as_str())),
            };
            let is_index = index.is_some();
            steps.push([id.into(), is_index.into(), index.into(), key.into()]);
        }
    }
    tx.insert_rows(&steps).await
}

/// Artifact, execution and type of an event, of which there is one.
pub type Key = (Option<i64>, Option<i64>, Option<i64>);

/// What an event is found by.
#[must_use]
pub fn key(event: &Event) -> Key {
    let event_type = event.event_type.map(|kind| kind.0);
    (event.artifact_id, event.execution_id, event_type)
}

/// The keys of those of the events that are stored.
///
/// # Errors
///
/// Those of the database.
pub async fn existing(tx: &mut Tx, events: &[Event]) -> Result<HashSet<Key>> {
    let mut keys = Rows::keys(&EVENT);
    for event in events {
        let (artifact, execution, event_type) = key(event);
        keys.push([artifact.into(), execution.into(), event_type.into()]);
    }
    let found: Vec<(Int, Int, Int)> = tx.existing_keys(&keys).await?;
    let key = |(artifact, execution, event_type): (Int, Int, Int)| {
        (Some(artifact.0), Some(execution.0), Some(event_type.0))
    };
    Ok(found.into_iter().map(key).collect())
}

/// An event as it is stored, its path left out until [`attach_paths`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: i64,
    pub event: Event,
}

/// The events of artifacts or of executions, ascending by event id and without their paths; of the given types only, if any
/// are given.
///
/// # Errors
///
/// Those of the database.
pub async fn of_nodes(
    tx: &mut Tx,
    kind: Kind,
    ids: &[i64],
    event_types: &[i64],
) -> Result<Vec<StoredEvent>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "events::of_nodes",
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event WHERE ",
    );
    query.push(NodeTables::of(kind).reference).push_in(ids);
    if !event_types.is_empty() {
        query.push(" AND type").push_in(event_types);
    }
    query.push(" ORDER BY id");
    let rows: Vec<Row> = tx.all(query).await?;
    Ok(rows.into_iter().map(stored).collect())
}

/// All events of artifacts or of executions, ascending by event id, with their paths, by one statement.
///
/// # Errors
///
/// Those of the database.
pub async fn whole_of_nodes(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<StoredEvent>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "events::whole_of_nodes",
        "SELECT e.id, e.artifact_id, e.execution_id, e.type, e.milliseconds_since_epoch, \
         p.is_index_step, p.step_index, p.step_key \
         FROM Event e LEFT JOIN EventPath p ON p.event_id = e.id WHERE e.",
    );
    query.push(NodeTables::of(kind).reference).push_in(ids);
    query.push(tx.dialect().in_insertion_order());
    let rows: Vec<JoinedRow> = tx.all(query).await?;
    let mut found: BTreeMap<i64, StoredEvent> = BTreeMap::new();
    for (id, artifact, execution, event_type, time, is_index, index, key) in rows {
        let row = (id, artifact, execution, event_type, time);
        let event = found.entry(id.0).or_insert_with(|| stored(row));
        if let Some(is_index) = is_index {
            event.event.path.push(step((is_index, index, key)));
        }
    }
    Ok(found.into_values().collect())
}

/// Reads the paths of events into them.
///
/// # Errors
///
/// Those of the database.
pub async fn attach_paths(tx: &mut Tx, events: &mut [StoredEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = events.iter().map(|stored| stored.id).collect();
    let mut query = tx.sql(
        "events::attach_paths",
        "SELECT p.event_id, p.is_index_step, p.step_index, p.step_key FROM EventPath p WHERE p.event_id",
    );
    query.push_in(&ids);
    query.push(tx.dialect().in_insertion_order());
    let rows: Vec<(Int, Flag, Option<Int>, Option<Text>)> = tx.all(query).await?;
    let places: HashMap<i64, usize> = ids.into_iter().zip(0..).collect();
    for (event_id, is_index, index, key) in rows {
        if let Some(&place) = places.get(&event_id.0) {
            events[place].event.path.push(step((is_index, index, key)));
        }
    }
    Ok(())
}
