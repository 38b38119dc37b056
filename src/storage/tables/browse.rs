//! Nodes as people look for them: the newest, by a part of a name, by state, with their number.
//! Each statement reads a bounded number of rows.

use super::lists::{Scope, select_in_scope};
use super::schema::NodeTables;
use super::{nodes, types};
use crate::error::Result;
use crate::model::{Event, EventType, Kind, Side, Stored};
use crate::storage::query::containing;
use crate::storage::{Predicate, Tx};

/// The most nodes of a kind whose names a search reads, and of which types are counted: the newest.
pub const MAX_NEWEST_NODES: i64 = 10_000;

/// How many nodes a type has among the newest ones of its kind, with the id of the type.
///
/// # Errors
///
/// Those of the database.
pub async fn count_newest_by_type(tx: &mut Tx, kind: Kind) -> Result<Vec<(i64, i64)>> {
    let mut query = tx.sql(
        "browse::count_newest_by_type",
        "SELECT s.type_id, COUNT(*) FROM (SELECT n.type_id FROM ",
    );
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" n WHERE 1 = 1 ORDER BY n.id DESC LIMIT ?")
        .bind(MAX_NEWEST_NODES)
        .push(") s GROUP BY s.type_id");
    tx.all(query).await
}

/// The greatest id of a kind; 0 without nodes.
///
/// # Errors
///
/// Those of the database.
pub async fn last_id(tx: &mut Tx, kind: Kind) -> Result<i64> {
    let mut query = tx.sql("browse::last_id", "SELECT n.id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" n WHERE 1 = 1 ORDER BY n.id DESC LIMIT 1");
    Ok(tx.first(query).await?.unwrap_or_default())
}

/// How many nodes are in a scope and match a filter, up to a limit.
///
/// # Errors
///
/// Those of the database.
pub async fn count_up_to(
    tx: &mut Tx,
    kind: Kind,
    scope: Scope,
    filter: Option<&Predicate>,
    limit: i64,
) -> Result<i64> {
    let mut query = select_in_scope("browse::count_up_to", tx, kind, scope, filter).await?;
    query.push(" LIMIT ?").bind(limit);
    query.surround("SELECT COUNT(*) FROM (", ") s");
    if filter.is_some_and(|filter| filter.is_costly) {
        query.takes_long();
    }
    Ok(tx.first(query).await?.unwrap_or_default())
}

/// The ids of nodes with a text in their names, in any case, or in their URIs: the newest first,
/// and of the newest ones only.
///
/// # Errors
///
/// Those of the database.
pub async fn named_like(tx: &mut Tx, kind: Kind, text: &str, limit: i64) -> Result<Vec<i64>> {
    let pattern = containing(text);
    let mut query = tx.sql(
        "browse::named_like",
        "SELECT s.id FROM (SELECT n.id, n.name, ",
    );
    query
        .push(match kind {
            Kind::Artifact => "n.uri FROM ",
            Kind::Execution | Kind::Context => "n.name AS uri FROM ",
        })
        .push(NodeTables::of(kind).nodes.name)
        .push(" n WHERE 1 = 1 ORDER BY n.id DESC LIMIT ?")
        .bind(MAX_NEWEST_NODES)
        .push(") s WHERE LOWER(s.name) LIKE ? ESCAPE '!' OR LOWER(s.uri) LIKE ? ESCAPE '!'")
        .bind(pattern.clone())
        .bind(pattern)
        .push(" ORDER BY s.id DESC LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// The ids of nodes with this text in a property with one of some names.
///
/// # Errors
///
/// Those of the database.
pub async fn with_property(
    tx: &mut Tx,
    kind: Kind,
    names: &[&str],
    text: &str,
    limit: i64,
) -> Result<Vec<i64>> {
    let tables = NodeTables::of(kind);
    let mut query = tx.sql("browse::with_property", "SELECT p.");
    query
        .push(tables.foreign_key)
        .push(" FROM ")
        .push(tables.properties.name)
        .push(" p WHERE p.name")
        .push_in_texts(names)
        .push(" AND p.is_custom_property IN (TRUE, FALSE) AND ")
        .push_in_long_texts(|query| _ = query.push("p.string_value"), &[text])
        .push(" LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// The ids of nodes with a text, in any case, in a property with one of some names: the newest
/// first, and of the newest ones only.
///
/// # Errors
///
/// Those of the database.
pub async fn with_property_like(
    tx: &mut Tx,
    kind: Kind,
    names: &[&str],
    text: &str,
    limit: i64,
) -> Result<Vec<i64>> {
    let tables = NodeTables::of(kind);
    let mut query = tx.sql(
        "browse::with_property_like",
        "SELECT DISTINCT s.id FROM (SELECT n.id FROM ",
    );
    query
        .push(tables.nodes.name)
        .push(" n WHERE 1 = 1 ORDER BY n.id DESC LIMIT ?")
        .bind(MAX_NEWEST_NODES)
        .push(") s JOIN ")
        .push(tables.properties.name)
        .push(" p ON p.")
        .push(tables.foreign_key)
        .push(" = s.id WHERE p.name")
        .push_in_texts(names)
        .push(" AND LOWER(p.string_value) LIKE ? ESCAPE '!' ORDER BY s.id DESC LIMIT ?")
        .bind(containing(text))
        .bind(limit);
    tx.all(query).await
}

/// The ids of artifacts with this text as their custom property or property `digest`.
///
/// # Errors
///
/// Those of the database.
pub async fn with_digest(tx: &mut Tx, digest: &str, limit: i64) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for is_custom in [true, false] {
        let mut query = tx.sql(
            "browse::with_digest",
            "SELECT p.artifact_id FROM ArtifactProperty p WHERE p.name = 'digest' \
             AND p.is_custom_property = ?",
        );
        query
            .bind(is_custom)
            .push(" AND ")
            .push_in_long_texts(|query| _ = query.push("p.string_value"), &[digest])
            .push(" LIMIT ?")
            .bind(limit);
        found.extend(tx.all::<i64>(query).await?);
    }
    Ok(found)
}

/// The ids of nodes of any type with exactly this name.
///
/// # Errors
///
/// Those of the database.
pub async fn named(tx: &mut Tx, kind: Kind, name: &str) -> Result<Vec<i64>> {
    let known = types::all(tx, kind).await?;
    let known: Vec<i64> = known.iter().map(|known| known.id).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let found = nodes::ids_by_names(tx, kind, &known, &[name]).await?;
    Ok(found.into_values().collect())
}

/// The ids of the executions among those that changed last that have one of these states, the
/// latest change first.
///
/// # Errors
///
/// Those of the database.
pub async fn latest_in_states(
    tx: &mut Tx,
    states: &[i64],
    since: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "browse::latest_in_states",
        "SELECT s.id FROM (SELECT n.id, n.last_known_state AS state, \
         n.last_update_time_since_epoch AS changed FROM Execution n \
         WHERE n.last_update_time_since_epoch >= ? \
         ORDER BY n.last_update_time_since_epoch DESC LIMIT ?",
    );
    query
        .bind(since)
        .bind(MAX_NEWEST_NODES)
        .push(") s WHERE s.state")
        .push_in(states)
        .push(" ORDER BY s.changed DESC, s.id DESC LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// The latest events of a node without their paths, the newest first.
///
/// # Errors
///
/// Those of the database.
pub async fn latest_events(
    tx: &mut Tx,
    side: Side,
    id: i64,
    limit: i64,
) -> Result<Vec<Stored<Event>>> {
    let mut query = tx.sql(
        "browse::latest_events",
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event WHERE ",
    );
    query
        .push(NodeTables::of(side.kind()).foreign_key)
        .push(" = ?")
        .bind(id)
        .push(" ORDER BY id DESC LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// Events of some types of nodes without their paths, and no more than a limit.
///
/// # Errors
///
/// Those of the database.
pub async fn events_among(
    tx: &mut Tx,
    (side, ids): (Side, &[i64]),
    event_types: &[EventType],
    limit: i64,
) -> Result<Vec<Stored<Event>>> {
    let mut query = tx.sql(
        "browse::events_among",
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event WHERE ",
    );
    let numbers: Vec<i64> = event_types.iter().map(|known| known.number()).collect();
    let foreign_key = NodeTables::of(side.kind()).foreign_key;
    query.push(foreign_key).push_in(ids);
    query.push(" AND type").push_in(&numbers);
    query.push(" LIMIT ?").bind(limit);
    tx.all(query).await
}

/// The ids of the first children of a context.
///
/// # Errors
///
/// Those of the database.
pub async fn children(tx: &mut Tx, context: i64, limit: i64) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "browse::children",
        "SELECT context_id FROM ParentContext WHERE parent_context_id = ? \
         ORDER BY context_id LIMIT ?",
    );
    query.bind(context).bind(limit);
    tx.all(query).await
}

/// The ids of the first contexts that a node is in, or the first parents of a context.
///
/// # Errors
///
/// Those of the database.
pub async fn contexts_of(tx: &mut Tx, kind: Kind, id: i64, limit: i64) -> Result<Vec<i64>> {
    let members = super::schema::membership(kind);
    let mut query = tx.sql("browse::contexts_of", "SELECT ");
    query
        .push(members.context_column)
        .push(" FROM ")
        .push(members.table.name)
        .push(" WHERE ")
        .push(members.node_column)
        .push(" = ? ORDER BY ")
        .bind(id)
        .push(members.context_column)
        .push(" LIMIT ?")
        .bind(limit);
    tx.all(query).await
}
