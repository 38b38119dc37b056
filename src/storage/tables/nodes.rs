//! The tables Artifact, Execution and Context.

use std::collections::{HashMap, HashSet};

use metrics::counter;

use super::properties::{self, AllProperties, FromProperties, Gathered};
use super::schema::{NodeTables, membership};
use super::types;
use crate::error::Result;
use crate::model::{Kind, Node, NodeContent, NodeInput, NodeKey, NodeState, distinct_ids};
use crate::storage::bulk::Rows;
use crate::storage::column::{DecodeColumn, FromRow, FromRows, Row};
use crate::storage::query::{Cell, Query};
use crate::storage::{Dialect, Tx};

/// A node without its properties and its state, and the number of the state.
struct NodeRow {
    node: Node,
    state: Option<i64>,
}

/// A number of a node, or 0 where another program stored something else, which SQLite allows: one
/// row fails no list.
fn number<R: Row, T: DecodeColumn + Default>(row: &R, place: usize) -> T {
    row.get(place).unwrap_or_else(|_| {
        counter!("pedigree_unreadable_values_total").increment(1);
        T::default()
    })
}

impl FromRow for NodeRow {
    /// From the columns of `NodeTables::select`.
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        let content = NodeContent {
            name: row.get(2)?,
            external_id: row.get(3)?,
            uri: row.get(7)?,
            ..NodeContent::default()
        };
        let node = Node {
            id: row.get(0)?,
            type_id: number(row, 1),
            type_name: None,
            content,
            create_time: number(row, 4),
            update_time: number(row, 5),
        };
        Ok(Self {
            node,
            state: number(row, 6),
        })
    }
}

/// When a node was updated last.
#[derive(Clone, Copy, Debug)]
pub struct UpdateTime {
    /// The id of the node.
    pub id: i64,
    /// Milliseconds since epoch; 0 if it is not known.
    pub time: i64,
}

impl FromRow for UpdateTime {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            id: row.get(0)?,
            time: number(row, 1),
        })
    }
}

impl NodeRow {
    fn into_node(self, kind: Kind) -> Node {
        let mut node = self.node;
        let state = self.state;
        node.content.state = state.and_then(|number| NodeState::from_number(kind, number));
        if kind == Kind::Artifact {
            // Databases upgraded from old versions have NULL; readers always get a text.
            node.content.uri.get_or_insert_default();
        }
        node
    }
}

/// Collects nodes from rows of a node and one of its properties, if it has any. A node is decoded
/// once.
#[derive(Default)]
struct JoinedNodes<P> {
    nodes: Vec<NodeRow>,
    /// In the order of the nodes.
    properties: Gathered<P>,
}

impl<P: FromProperties> FromRows for JoinedNodes<P> {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let id = row.get(0)?;
        if self.properties.add(row, id, 8)? {
            self.nodes.push(NodeRow::from_row(row)?);
        }
        Ok(())
    }
}

/// Starts a query for whole nodes `n` of a kind. Append a condition, then call [`fetch`].
#[must_use]
pub(super) fn select(name: &'static str, dialect: Dialect, kind: Kind) -> Query {
    Query::new(name, dialect, NodeTables::of(kind).select)
}

/// Turns a query for the ids of nodes into one for whole nodes, as made by [`select`].
pub(super) fn complete(kind: Kind, query: &mut Query) {
    let (before, after) = NodeTables::of(kind).late_row_lookup;
    query.surround(before, after);
}

/// Runs a query made by [`select`]. Returns the nodes ascending by id, with their properties and
/// the names of their types.
pub(super) async fn fetch(tx: &mut Tx, kind: Kind, query: Query) -> Result<Vec<Node>> {
    let found: Vec<(Node, AllProperties)> = fetch_apart(tx, kind, query).await?;
    let whole = |(mut node, properties): (Node, AllProperties)| {
        node.content.properties = properties.declared;
        node.content.custom_properties = properties.custom;
        node
    };
    let mut nodes: Vec<Node> = found.into_iter().map(whole).collect();
    name_types(tx, kind, &mut nodes).await?;
    Ok(nodes)
}

/// Runs a query made by [`select`]. Returns the nodes ascending by id, each without its properties
/// and the name of its type, and beside it what is made of the properties.
async fn fetch_apart<P: FromProperties>(
    tx: &mut Tx,
    kind: Kind,
    mut query: Query,
) -> Result<Vec<(Node, P)>> {
    let mut nodes: Vec<(Node, P)> = if tx.dialect().has_round_trips() {
        // Nodes and properties by one statement.
        let (before, after) = NodeTables::of(kind).property_join;
        query.surround(before, after);
        let JoinedNodes { nodes, properties } = tx.gather(query).await?;
        properties.report(kind);
        let properties = properties.of_nodes.into_iter().map(|(_, of_node)| of_node);
        let nodes = nodes.into_iter().map(|row| row.into_node(kind));
        nodes.zip(properties).collect()
    } else {
        let rows: Vec<NodeRow> = tx.all(query).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.node.id).collect();
        let mut properties = properties::of_nodes(tx, kind, &ids).await?;
        let with_properties = |row: NodeRow| {
            let of_node = properties.remove(&row.node.id).unwrap_or_default();
            (row.into_node(kind), of_node)
        };
        rows.into_iter().map(with_properties).collect()
    };
    nodes.sort_unstable_by_key(|(node, _)| node.id);
    Ok(nodes)
}

/// Sets the names of types. It stays unset if the row of the type is missing, as after a manual
/// delete.
async fn name_types(tx: &mut Tx, kind: Kind, nodes: &mut [Node]) -> Result<()> {
    let ids = distinct_ids(nodes.iter().map(|node| node.type_id));
    let known = types::known(tx, kind, &ids).await?;
    for node in nodes {
        let found = known.binary_search_by_key(&node.type_id, |known| known.id);
        node.type_name = found.ok().map(|place| known[place].value.name.clone());
    }
    Ok(())
}

fn select_by_ids(tx: &Tx, kind: Kind, ids: &[i64]) -> Query {
    let mut query = select("nodes::by_ids", tx.dialect(), kind);
    query.push(" WHERE n.id").push_in(ids);
    query
}

/// The nodes with these ids, ascending by id; ids that do not exist are left out.
///
/// # Errors
///
/// Those of the database.
pub async fn by_ids(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Node>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    fetch(tx, kind, select_by_ids(tx, kind, ids)).await
}

/// As [`by_ids`], but each node is without its properties and the name of its type, and beside it
/// is what is made of the properties.
///
/// # Errors
///
/// Those of the database.
pub async fn by_ids_apart<P: FromProperties>(
    tx: &mut Tx,
    kind: Kind,
    ids: &[i64],
) -> Result<Vec<(Node, P)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    fetch_apart(tx, kind, select_by_ids(tx, kind, ids)).await
}

/// The times of the last updates of nodes.
///
/// # Errors
///
/// Those of the database.
pub async fn update_times(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<UpdateTime>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "nodes::update_times",
        "SELECT id, last_update_time_since_epoch FROM ",
    );
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE id")
        .push_in(ids);
    tx.all(query).await
}

/// Returns the ids that exist.
///
/// # Errors
///
/// Those of the database.
pub async fn existing(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<HashSet<i64>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let mut query = tx.sql("nodes::existing", "SELECT id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE id")
        .push_in(ids);
    Ok(tx.all(query).await?.into_iter().collect())
}

/// The ids of those nodes that were created or changed after a time in milliseconds since epoch,
/// each with the time of its creation; ascending.
///
/// # Errors
///
/// Those of the database.
pub async fn changed_after(
    tx: &mut Tx,
    kind: Kind,
    ids: &[i64],
    time: i64,
) -> Result<Vec<(i64, i64)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "nodes::changed_after",
        "SELECT id, create_time_since_epoch FROM ",
    );
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE id")
        .push_in(ids)
        .push(" AND (create_time_since_epoch > ? OR last_update_time_since_epoch > ?) ORDER BY id")
        .bind(time)
        .bind(time);
    tx.all(query).await
}

/// Keeps the ids of nodes that were created by a time in milliseconds since epoch.
///
/// # Errors
///
/// Those of the database.
pub async fn retain_created_by(
    tx: &mut Tx,
    kind: Kind,
    ids: &mut Vec<i64>,
    time: i64,
) -> Result<()> {
    let changed = changed_after(tx, kind, ids, time).await?;
    let created = changed.into_iter().filter(|(_, created)| *created > time);
    let created: HashSet<i64> = created.map(|(id, _)| id).collect();
    ids.retain(|id| !created.contains(id));
    Ok(())
}

/// Returns the ids of nodes with a type of one of these names, ascending.
///
/// # Errors
///
/// Those of the database.
pub async fn of_types(tx: &mut Tx, kind: Kind, ids: &[i64], types: &[&str]) -> Result<Vec<i64>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql("nodes::of_types", "SELECT n.id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" n JOIN Type t ON t.id = n.type_id WHERE n.id")
        .push_in(ids)
        .push(" AND t.name")
        .push_in_texts(types)
        .push(" ORDER BY n.id");
    tx.all(query).await
}

/// The id of the node with this key.
///
/// # Errors
///
/// Those of the database.
pub async fn find(tx: &mut Tx, kind: Kind, key: NodeKey<'_>) -> Result<Option<i64>> {
    let mut query = tx.sql("nodes::find", "SELECT id FROM ");
    query.push(NodeTables::of(kind).nodes.name);
    match key {
        NodeKey::TypeAndName(type_id, name) => query
            .push(" WHERE type_id = ? AND name = ?")
            .bind(type_id)
            .bind(name),
        NodeKey::ExternalId(id) => query.push(" WHERE external_id = ?").bind(id),
    };
    tx.first(query).await
}

/// The node of a type with this name.
///
/// # Errors
///
/// As [`by_ids`].
pub async fn by_name(tx: &mut Tx, kind: Kind, type_id: i64, name: &str) -> Result<Option<Node>> {
    let mut query = select("nodes::by_name", tx.dialect(), kind);
    query.push(" WHERE n.type_id = ?").bind(type_id);
    query.push(" AND n.name = ?").bind(name);
    Ok(fetch(tx, kind, query).await?.pop())
}

/// The contexts that an artifact or an execution is in, or the parents of a context, ascending by
/// id.
///
/// # Errors
///
/// As [`by_ids`].
pub async fn contexts_of(tx: &mut Tx, kind: Kind, id: i64) -> Result<Vec<Node>> {
    let members = membership(kind);
    let mut query = select("nodes::contexts_of", tx.dialect(), Kind::Context);
    query.push(" JOIN ").push(members.table.name);
    query.push(" s ON s.").push(members.context_column);
    query.push(" = n.id WHERE s.").push(members.node_column);
    query.push(" = ?").bind(id);
    fetch(tx, Kind::Context, query).await
}

/// The nodes with these external ids, ascending by id.
///
/// # Errors
///
/// As [`by_ids`].
pub async fn by_external_ids(tx: &mut Tx, kind: Kind, ids: &[&str]) -> Result<Vec<Node>> {
    let mut query = select("nodes::by_external_ids", tx.dialect(), kind);
    query.push(" WHERE n.external_id").push_in_texts(ids);
    fetch(tx, kind, query).await
}

/// The ids of the nodes with these external ids.
///
/// # Errors
///
/// Those of the database.
pub async fn ids_by_external_ids(
    tx: &mut Tx,
    kind: Kind,
    ids: &[&str],
) -> Result<HashMap<String, i64>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = tx.sql("nodes::ids_by_external_ids", "SELECT external_id, id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE external_id")
        .push_in_texts(ids);
    Ok(tx.all(query).await?.into_iter().collect())
}

/// The ids of the nodes that have one of these types and one of these names.
///
/// # Errors
///
/// Those of the database.
pub async fn ids_by_names(
    tx: &mut Tx,
    kind: Kind,
    type_ids: &[i64],
    names: &[&str],
) -> Result<HashMap<(i64, String), i64>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = tx.sql("nodes::ids_by_names", "SELECT type_id, name, id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE type_id")
        .push_in(type_ids)
        .push(" AND name")
        .push_in_texts(names);
    let rows: Vec<(i64, String, i64)> = tx.all(query).await?;
    let entry = |(type_id, name, id)| ((type_id, name), id);
    Ok(rows.into_iter().map(entry).collect())
}

/// The artifacts with these URIs, ascending by id.
///
/// # Errors
///
/// As [`by_ids`].
pub async fn by_uris(tx: &mut Tx, uris: &[&str]) -> Result<Vec<Node>> {
    if uris.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = select("nodes::by_uris", tx.dialect(), Kind::Artifact);
    query
        .push(" WHERE ")
        .push_in_long_texts(|query| _ = query.push("n.uri"), uris);
    fetch(tx, Kind::Artifact, query).await
}

/// Inserts new nodes with their properties, and returns their ids in order. Both times are `now`,
/// in milliseconds since epoch.
///
/// # Errors
///
/// `AlreadyExists` when a name or an external id is taken.
pub async fn insert(tx: &mut Tx, kind: Kind, nodes: &[&NodeInput], now: i64) -> Result<Vec<i64>> {
    let mut rows = Rows::new(&NodeTables::of(kind).new_nodes);
    for node in nodes {
        rows.push(cells(kind, node.type_id, &node.content, (now, now)));
    }
    let ids = tx.insert_rows_for_ids(&rows).await?;
    let contents = nodes.iter().map(|node| &node.content);
    properties::insert(tx, kind, ids.iter().copied().zip(contents)).await?;
    Ok(ids)
}

/// Updates the columns of existing nodes; [`properties`] updates their properties.
///
/// # Errors
///
/// `AlreadyExists` when a name or an external id is taken.
pub async fn update(tx: &mut Tx, kind: Kind, nodes: &[&Node]) -> Result<()> {
    let mut rows = Rows::new(&NodeTables::of(kind).nodes);
    for node in nodes {
        let times = (node.create_time, node.update_time);
        let id = std::iter::once(Cell::from(node.id));
        rows.push(id.chain(cells(kind, Some(node.type_id), &node.content, times)));
    }
    tx.upsert_rows(&rows).await
}

/// The cells of a node without its id, in the order of `NodeTables::new_nodes`.
fn cells(
    kind: Kind,
    type_id: Option<i64>,
    node: &NodeContent,
    (created, updated): (i64, i64),
) -> impl Iterator<Item = Cell<'_>> {
    let state = || Cell::Int(node.state.map(NodeState::number));
    let common = [
        Cell::Int(type_id),
        node.name.as_deref().into(),
        node.external_id.as_deref().into(),
        created.into(),
        updated.into(),
    ];
    let own = match kind {
        Kind::Artifact => vec![node.uri.as_deref().unwrap_or_default().into(), state()],
        Kind::Execution => vec![state()],
        Kind::Context => Vec::new(),
    };
    common.into_iter().chain(own)
}
