//! Pages of contexts and of their members, and what is the latest of each, for catalogs: by offset,
//! newest first.

use super::schema::{NodeTables, membership};
use crate::error::Result;
use crate::model::{Kind, OffsetPage};
use crate::storage::Tx;
use crate::storage::query::{Query, containing};

/// The most contexts whose names a search reads: the newest.
const MAX_SEARCHED_CONTEXTS: i64 = 10_000;

/// Some of the contexts of a type.
#[derive(Clone, Copy, Debug)]
pub struct ContextScope<'q> {
    pub type_id: i64,
    /// The name and the text of a custom property that they have.
    pub property: Option<(&'q str, &'q str)>,
    /// The number of the state of their latest execution.
    pub latest_state: Option<i64>,
}

impl ContextScope<'_> {
    fn push(&self, query: &mut Query) {
        query.push(" FROM Context c");
        if let Some((name, text)) = self.property {
            query
                .push(" JOIN ContextProperty p ON p.context_id = c.id AND p.name = ?")
                .bind(name)
                .push(" AND p.is_custom_property = ? AND ")
                .bind(true)
                .push_in_long_texts(|query| _ = query.push("p.string_value"), &[text]);
        }
        query.push(" WHERE c.type_id = ?").bind(self.type_id);
        if let Some(state) = self.latest_state {
            query
                .push(
                    " AND (SELECT e.last_known_state FROM Execution e WHERE e.id = \
                     (SELECT MAX(a.execution_id) FROM Association a \
                     WHERE a.context_id = c.id)) = ?",
                )
                .bind(state);
        }
    }
}

fn push_page(query: &mut Query, page: OffsetPage) {
    query.push(" LIMIT ?").bind(page.limit);
    query.push(" OFFSET ?").bind(page.offset);
}

/// How many contexts there are.
///
/// # Errors
///
/// Those of the database.
pub async fn count_contexts(tx: &mut Tx, scope: &ContextScope<'_>) -> Result<i64> {
    let mut query = tx.sql("catalog::count_contexts", "SELECT COUNT(*)");
    scope.push(&mut query);
    Ok(tx.first(query).await?.unwrap_or_default())
}

/// The ids of a page of contexts.
///
/// # Errors
///
/// Those of the database.
pub async fn contexts(tx: &mut Tx, scope: &ContextScope<'_>, page: OffsetPage) -> Result<Vec<i64>> {
    let mut query = tx.sql("catalog::contexts", "SELECT c.id");
    scope.push(&mut query);
    query.push(" ORDER BY c.id DESC");
    push_page(&mut query, page);
    tx.all(query).await
}

/// The ids of contexts of these types with a text in their names, in any case.
///
/// # Errors
///
/// Those of the database.
pub async fn named_like(tx: &mut Tx, type_ids: &[i64], text: &str, limit: i64) -> Result<Vec<i64>> {
    let pattern = containing(text);
    let mut query = tx.sql(
        "catalog::named_like",
        "SELECT s.id FROM (SELECT c.id, c.name FROM Context c WHERE c.type_id",
    );
    query
        .push_in(type_ids)
        .push(" ORDER BY c.id DESC LIMIT ?")
        .bind(MAX_SEARCHED_CONTEXTS)
        .push(") s WHERE LOWER(s.name) LIKE ? ESCAPE '!'")
        .bind(pattern)
        .push(" ORDER BY s.id DESC LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// The texts that a custom property has among contexts of these types, ascending, each with the
/// oldest and the newest of these contexts.
///
/// # Errors
///
/// Those of the database.
pub async fn property_texts(
    tx: &mut Tx,
    type_ids: &[i64],
    name: &str,
    page: OffsetPage,
) -> Result<Vec<(String, i64, i64)>> {
    let mut query = tx.sql(
        "catalog::property_texts",
        "SELECT p.string_value, MIN(c.id), MAX(c.id) FROM Context c \
         JOIN ContextProperty p ON p.context_id = c.id AND p.name = ?",
    );
    query
        .bind(name)
        .push(" AND p.is_custom_property = ? WHERE p.string_value IS NOT NULL AND c.type_id")
        .bind(true)
        .push_in(type_ids)
        .push(" GROUP BY p.string_value ORDER BY p.string_value");
    push_page(&mut query, page);
    tx.all(query).await
}

/// The latest execution in each of these contexts, if there is any.
///
/// # Errors
///
/// Those of the database.
pub async fn latest_executions(tx: &mut Tx, contexts: &[i64]) -> Result<Vec<(i64, Option<i64>)>> {
    if contexts.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "catalog::latest_executions",
        "SELECT c.id, (SELECT MAX(a.execution_id) FROM Association a \
         WHERE a.context_id = c.id) FROM Context c WHERE c.id",
    );
    query.push_in(contexts);
    tx.all(query).await
}

/// How many nodes of a kind are in a context.
///
/// # Errors
///
/// Those of the database.
pub async fn count_members(tx: &mut Tx, kind: Kind, context: i64) -> Result<i64> {
    let mut query = tx.sql("catalog::count_members", "SELECT COUNT(*) FROM ");
    query
        .push(membership(kind).table.name)
        .push(" WHERE context_id = ?")
        .bind(context);
    Ok(tx.first(query).await?.unwrap_or_default())
}

/// The ids of a page of the nodes of a kind in a context.
///
/// # Errors
///
/// Those of the database.
pub async fn members(tx: &mut Tx, kind: Kind, context: i64, page: OffsetPage) -> Result<Vec<i64>> {
    let members = membership(kind);
    let mut query = tx.sql("catalog::members", "SELECT ");
    query
        .push(members.node_column)
        .push(" FROM ")
        .push(members.table.name)
        .push(" WHERE context_id = ? ORDER BY ")
        .bind(context)
        .push(members.node_column)
        .push(" DESC");
    push_page(&mut query, page);
    tx.all(query).await
}

/// The ids of the artifacts or the executions in a context that were created by a time in
/// milliseconds since epoch, newest first.
///
/// # Errors
///
/// Those of the database.
pub async fn members_created_by(
    tx: &mut Tx,
    kind: Kind,
    context: i64,
    time: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let members = membership(kind);
    let mut query = tx.sql("catalog::members_created_by", "SELECT m.");
    query
        .push(members.node_column)
        .push(" FROM ")
        .push(members.table.name)
        .push(" m WHERE m.context_id = ? AND (SELECT n.create_time_since_epoch FROM ")
        .bind(context)
        .push(NodeTables::of(kind).nodes.name)
        .push(" n WHERE n.id = m.")
        .push(members.node_column)
        .push(") <= ? ORDER BY m.")
        .bind(time)
        .push(members.node_column)
        .push(" DESC LIMIT ?")
        .bind(limit);
    tx.all(query).await
}

/// The version of each of these datasets that was present at a time, in microseconds since epoch,
/// if any was.
///
/// # Errors
///
/// Those of the database.
pub async fn present_versions(
    tx: &mut Tx,
    datasets: &[i64],
    microseconds: i64,
) -> Result<Vec<(i64, Option<i64>)>> {
    if datasets.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "catalog::present_versions",
        "SELECT c.id, (SELECT w.artifact_id FROM PedigreeDatasetWrite w \
         WHERE w.dataset_id = COALESCE((SELECT n.dataset_id FROM PedigreeDatasetName n \
         WHERE n.context_id = c.id), c.id) AND w.microseconds <= ? \
         ORDER BY w.microseconds DESC, w.tie_rank DESC LIMIT 1) FROM Context c WHERE c.id",
    );
    query.bind(microseconds).push_in(datasets);
    tx.all(query).await
}
