//! The tables `Event` and `EventPath`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::schema::NodeTables;
use crate::error::Result;
use crate::model::{Event, EventType, Side, Step, Stored};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn, Text as TextColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, FromRows, Row};
use crate::storage::query::{Cell, Query};

pub(super) static EVENT: Table = Table {
    name: "Event",
    columns: &[
        ("artifact_id", IntColumn),
        ("execution_id", IntColumn),
        ("type", IntColumn),
        ("milliseconds_since_epoch", IntColumn),
    ],
    unwritten: &["id"],
    key: 3,
};

pub(super) static EVENT_PATH: Table = Table {
    name: "EventPath",
    columns: &[
        ("event_id", IntColumn),
        ("is_index_step", Bool),
        ("step_index", IntColumn),
        ("step_key", TextColumn),
    ],
    unwritten: &[],
    key: 0,
};

/// An event without its path, from its id, artifact, execution, type and time.
impl FromRow for Stored<Event> {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            id: row.get(0)?,
            value: Event {
                artifact_id: row.get(1)?,
                execution_id: row.get(2)?,
                event_type: EventType::from_number(row.get(3)?),
                milliseconds: row.get(4)?,
                path: Vec::new(),
            },
        })
    }
}

/// Decodes a step of a path from whether it is an index, the index and the key, which begin at this
/// column. `None` where an outer join found no step.
fn step<R: Row>(row: &R, index: usize) -> Result<Option<Step>, R::Error> {
    Ok(match row.get(index)? {
        None => None,
        Some(true) => Some(Step::Index(row.get::<Option<i64>>(index + 1)?.unwrap_or(0))),
        Some(false) => Some(Step::Key(
            row.get::<Option<String>>(index + 2)?.unwrap_or_default(),
        )),
    })
}

/// Collects events from rows of an event and one of the steps of its path, if it has any.
#[derive(Default)]
struct JoinedEvents(BTreeMap<i64, Stored<Event>>);

impl FromRows for JoinedEvents {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let found = match self.0.entry(row.get(0)?) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(new) => new.insert(Stored::from_row(row)?),
        };
        found.value.path.extend(step(row, 5)?);
        Ok(())
    }
}

/// Steps of paths with the ids of their events.
#[derive(Default)]
struct OwnedSteps(Vec<(i64, Step)>);

impl FromRows for OwnedSteps {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let owner = row.get(0)?;
        self.0.extend(step(row, 1)?.map(|step| (owner, step)));
        Ok(())
    }
}

/// Inserts events and their paths.
///
/// # Errors
///
/// `AlreadyExists` when artifact, execution and type have an event already.
pub async fn insert(tx: &mut Tx, events: &[Event]) -> Result<()> {
    let mut rows = Rows::new(&EVENT);
    for event in events {
        rows.push([
            Cell::from(event.artifact_id),
            event.execution_id.into(),
            event.event_type.number().into(),
            Cell::Int(event.milliseconds),
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

/// Deletes events that have no paths.
///
/// # Errors
///
/// Those of the database.
pub async fn delete(tx: &mut Tx, events: &[Event]) -> Result<()> {
    let mut keys = Rows::keys(&EVENT);
    for event in events {
        let (artifact, execution, event_type) = key(event);
        keys.push([artifact.into(), execution.into(), event_type.into()]);
    }
    tx.delete_rows(&keys).await
}

/// The unique key of an event: artifact, execution and number of the type.
pub type EventKey = (i64, i64, i64);

/// The unique key of an event.
#[must_use]
pub const fn key(event: &Event) -> EventKey {
    let event_type = event.event_type.number();
    (event.artifact_id, event.execution_id, event_type)
}

/// Returns the keys of the events that are stored.
///
/// # Errors
///
/// Those of the database.
pub async fn existing(tx: &mut Tx, events: &[Event]) -> Result<HashSet<EventKey>> {
    let mut keys = Rows::keys(&EVENT);
    for event in events {
        let (artifact, execution, event_type) = key(event);
        keys.push([artifact.into(), execution.into(), event_type.into()]);
    }
    let found: Vec<EventKey> = tx.existing_keys(&keys).await?;
    Ok(found.into_iter().collect())
}

/// The events of artifacts or of executions, ascending by event id and without their paths. If
/// types are given, only events of these types.
///
/// # Errors
///
/// Those of the database.
pub async fn of_nodes(
    tx: &mut Tx,
    side: Side,
    ids: &[i64],
    event_types: &[EventType],
) -> Result<Vec<Stored<Event>>> {
    of_nodes_as_of(tx, (side, ids), event_types, None).await
}

/// [`of_nodes`]. With a time in milliseconds since epoch, only those events whose own times are not
/// later, and whose other ends were created by then.
///
/// # Errors
///
/// Those of the database.
pub async fn of_nodes_as_of(
    tx: &mut Tx,
    (side, ids): (Side, &[i64]),
    event_types: &[EventType],
    as_of: Option<i64>,
) -> Result<Vec<Stored<Event>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql("events::of_nodes", SELECT);
    push_of_nodes(&mut query, (side, ids), event_types, as_of);
    query.push(" ORDER BY e.id");
    tx.all(query).await
}

/// [`of_nodes_as_of`] in any order, or `None` if there are more than `max_events`.
///
/// # Errors
///
/// Those of the database.
pub async fn of_nodes_up_to(
    tx: &mut Tx,
    (side, ids): (Side, &[i64]),
    event_types: &[EventType],
    as_of: Option<i64>,
    max_events: usize,
) -> Result<Option<Vec<Stored<Event>>>> {
    if ids.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut query = tx.sql("events::of_nodes_up_to", SELECT);
    push_of_nodes(&mut query, (side, ids), event_types, as_of);
    let rows = i64::try_from(max_events).unwrap_or(i64::MAX);
    query.push(" LIMIT ?").bind(rows.saturating_add(1));
    let found: Vec<Stored<Event>> = tx.all(query).await?;
    Ok((found.len() <= max_events).then_some(found))
}

/// The columns of an event without its path.
const SELECT: &str = "SELECT e.id, e.artifact_id, e.execution_id, e.type, \
     e.milliseconds_since_epoch FROM Event e WHERE e.";

fn push_of_nodes(
    query: &mut Query,
    (side, ids): (Side, &[i64]),
    event_types: &[EventType],
    as_of: Option<i64>,
) {
    let tables = NodeTables::of(side.kind());
    query.push(tables.foreign_key).push_in(ids);
    if !event_types.is_empty() {
        query.push(" AND e.type").push_in(&numbers(event_types));
    }
    if let Some(time) = as_of {
        let far = NodeTables::of(side.opposite().kind());
        query
            .push(
                " AND COALESCE(e.milliseconds_since_epoch <= ?, 1 = 1) AND \
                 (SELECT n.create_time_since_epoch FROM ",
            )
            .bind(time)
            .push(far.nodes.name)
            .push(" n WHERE n.id = e.")
            .push(far.foreign_key)
            .push(") <= ?")
            .bind(time);
    }
}

fn numbers(event_types: &[EventType]) -> Vec<i64> {
    event_types.iter().map(|known| known.number()).collect()
}

/// Which way [`executions_ahead`] goes: by events of some types to artifacts, and by events of
/// other types on to executions. No list is empty.
#[derive(Clone, Debug)]
pub struct WayAhead {
    pub to_artifacts: Vec<EventType>,
    pub to_executions: Vec<EventType>,
    /// Whether executions that are older lie ahead, or newer ones.
    pub is_to_older: bool,
}

/// These executions, and those on one way from each of them: to an artifact, from there to the
/// first or the last of its executions, to the newest of these, and so on for a number of steps.
/// The way ends where ids stop to fall or to rise, so that it has no cycles.
///
/// A step looks at the events of one execution, and at one event of each of their artifacts.
///
/// # Errors
///
/// Those of the database.
pub async fn executions_ahead(
    tx: &mut Tx,
    executions: &[i64],
    way: &WayAhead,
    max_steps: i64,
) -> Result<Vec<i64>> {
    let (is_further, order) = if way.is_to_older {
        ("<", "")
    } else {
        (">", " DESC")
    };
    let mut query = tx.sql(
        "events::executions_ahead",
        "WITH RECURSIVE ahead (step, execution_id) AS ( \
         SELECT 0, n.id FROM Execution n WHERE n.id",
    );
    query.push_in(executions);
    query.push(" UNION SELECT a.step + 1, (SELECT MAX((SELECT CASE WHEN f.execution_id ");
    query.push(is_further).push(" a.execution_id AND f.type");
    query.push_in(&numbers(&way.to_executions));
    query.push(
        " THEN f.execution_id END \
         FROM Event f WHERE f.artifact_id = e.artifact_id ORDER BY f.execution_id",
    );
    query.push(order);
    query.push(" LIMIT 1)) FROM Event e WHERE e.execution_id = a.execution_id AND e.type");
    query.push_in(&numbers(&way.to_artifacts));
    query.push(
        ") FROM ahead a WHERE a.execution_id IS NOT NULL AND a.step < ?) \
         SELECT DISTINCT execution_id FROM ahead WHERE execution_id IS NOT NULL",
    );
    query.bind(max_steps);
    tx.all(query).await
}

/// All events of artifacts or of executions with their paths, ascending by event id, by one
/// statement.
///
/// # Errors
///
/// Those of the database.
pub async fn whole_of_nodes(tx: &mut Tx, side: Side, ids: &[i64]) -> Result<Vec<Stored<Event>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "events::whole_of_nodes",
        "SELECT e.id, e.artifact_id, e.execution_id, e.type, e.milliseconds_since_epoch, \
         p.is_index_step, p.step_index, p.step_key \
         FROM Event e LEFT JOIN EventPath p ON p.event_id = e.id WHERE e.",
    );
    let tables = NodeTables::of(side.kind());
    query.push(tables.foreign_key).push_in(ids);
    query.push(tx.dialect().in_insertion_order());
    let JoinedEvents(found) = tx.gather(query).await?;
    Ok(found.into_values().collect())
}

/// Reads the paths of events and adds them.
///
/// # Errors
///
/// Those of the database.
pub async fn attach_paths(tx: &mut Tx, events: &mut [Stored<Event>]) -> Result<()> {
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
    let OwnedSteps(steps) = tx.gather(query).await?;
    let places: HashMap<i64, usize> = ids.into_iter().zip(0..).collect();
    for (event_id, step) in steps {
        if let Some(&place) = places.get(&event_id) {
            events[place].value.path.push(step);
        }
    }
    Ok(())
}
