//! Pages of nodes, restricted and in order.

use super::super::Tx;
use super::super::column::Int;
use super::super::query::Query;
use super::nodes;
use super::schema::{NodeTables, membership};
use crate::error::Result;
use crate::model::{Kind, Node};

/// A condition on nodes that somebody else writes: the filter language.
pub trait Condition: Send + Sync {
    /// Whether the condition needs other tables.
    fn has_joins(&self) -> bool;
    /// Appends the JOIN clauses, for a node with the alias `n`.
    fn push_joins(&self, query: &mut Query);
    /// Appends the condition itself, in parentheses.
    fn push_condition(&self, query: &mut Query);
}

/// The nodes that a list is about, besides its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Nodes of the type with this id.
    Type(i64),
    /// Nodes in the context with this id.
    Context(i64),
}

/// The column that orders a list; ties are broken by id in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    Id,
    CreateTime,
    UpdateTime,
}

impl OrderBy {
    const fn column(self) -> &'static str {
        match self {
            Self::Id => "n.id",
            Self::CreateTime => "n.create_time_since_epoch",
            Self::UpdateTime => "n.last_update_time_since_epoch",
        }
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Behind the row with this id, in the order of ids.
    Id(i64),
    /// Behind the row with this time and id, in the order of times and then of ids.
    TimeAndId(i64, i64),
    /// At rows whose time is this or further on, without those ids.
    TimeWithout(i64, Vec<i64>),
}

/// A page of a list.
pub struct Page<'a> {
    pub scope: Scope,
    pub filter: Option<&'a dyn Condition>,
    pub order_by: OrderBy,
    pub ascending: bool,
    pub after: Option<After>,
    /// The most rows.
    pub limit: i64,
}

/// The nodes of a page.
///
/// # Errors
///
/// Those of the database, and of values that cannot be decoded.
pub async fn page(tx: &mut Tx, kind: Kind, page: &Page<'_>) -> Result<Vec<Node>> {
    let mut query = nodes::select("lists::page", tx.dialect(), kind);
    query.push(" WHERE 1 = 1");
    push_scope(&mut query, kind, page.scope);
    if let Some(after) = &page.after {
        push_after(&mut query, page, after);
    }
    if let Some(filter) = page.filter {
        push_filter(&mut query, kind, filter);
    }
    query.push(" ORDER BY ").push(page.order_by.column());
    query.push(if page.ascending { "" } else { " DESC" });
    if page.order_by != OrderBy::Id {
        query.push(if page.ascending {
            ", n.id"
        } else {
            ", n.id DESC"
        });
    }
    query.push(" LIMIT ?").bind(page.limit);
    nodes::fetch(tx, kind, query).await
}

/// The ids of all nodes in a scope, ascending.
///
/// # Errors
///
/// Those of the database.
pub async fn all_ids(tx: &mut Tx, kind: Kind, scope: Scope) -> Result<Vec<i64>> {
    let mut query = select_ids("lists::all_ids", tx, kind);
    push_scope(&mut query, kind, scope);
    query.push(" ORDER BY n.id").takes_long();
    fetch_ids(tx, query).await
}

/// The ids of the nodes that a filter lets through, of all or of some, ascending; at most `limit` of them.
///
/// # Errors
///
/// Those of the database.
pub async fn ids(
    tx: &mut Tx,
    kind: Kind,
    among: Option<&[i64]>,
    filter: Option<&dyn Condition>,
    limit: Option<i64>,
) -> Result<Vec<i64>> {
    let mut query = select_ids("lists::ids", tx, kind);
    if let Some(ids) = among {
        query.push(" AND n.id").push_in(ids);
    }
    if let Some(filter) = filter {
        push_filter(&mut query, kind, filter);
    }
    query.push(" ORDER BY n.id");
    if let Some(limit) = limit {
        query.push(" LIMIT ?").bind(limit);
    }
    fetch_ids(tx, query).await
}

/// Starts a query for the ids of nodes `n` of a kind, up to and including a condition.
fn select_ids(name: &'static str, tx: &Tx, kind: Kind) -> Query {
    let mut query = tx.sql(name, "SELECT n.id FROM ");
    query
        .push(NodeTables::of(kind).new.name)
        .push(" n WHERE 1 = 1");
    query
}

async fn fetch_ids(tx: &mut Tx, query: Query) -> Result<Vec<i64>> {
    let rows: Vec<(Int,)> = tx.all(query).await?;
    Ok(rows.into_iter().map(|(id,)| id.0).collect())
}

/// Whether any node is in this scope, whatever the page and the filter.
///
/// # Errors
///
/// Those of the database.
pub async fn any(tx: &mut Tx, kind: Kind, scope: Scope) -> Result<bool> {
    let mut query = select_ids("lists::any", tx, kind);
    push_scope(&mut query, kind, scope);
    query.push(" LIMIT 1");
    let row: Option<(Int,)> = tx.first(query).await?;
    Ok(row.is_some())
}

fn push_scope(query: &mut Query, kind: Kind, scope: Scope) {
    match scope {
        Scope::All => {}
        Scope::Type(id) => {
            query.push(" AND n.type_id = ?").bind(id);
        }
        Scope::Context(id) => {
            let table = membership(kind);
            query.push(" AND n.id IN (SELECT ").push(table.columns[1].0);
            query.push(" FROM ").push(table.name).push(" WHERE ");
            query.push(table.columns[0].0).push(" = ?)").bind(id);
        }
    }
}

fn push_after(query: &mut Query, page: &Page<'_>, after: &After) {
    query.push(" AND ").push(page.order_by.column());
    match after {
        After::Id(id) => {
            query.push(if page.ascending { " > ?" } else { " < ?" });
            query.bind(*id);
        }
        After::TimeAndId(time, id) => {
            query.push(if page.ascending { " >= ?" } else { " <= ?" });
            query
                .bind(*time)
                .push(" AND (")
                .push(page.order_by.column());
            query.push(if page.ascending {
                " > ? OR n.id > ?)"
            } else {
                " < ? OR n.id < ?)"
            });
            query.bind(*time).bind(*id);
        }
        After::TimeWithout(time, ids) => {
            query.push(if page.ascending { " >= ?" } else { " <= ?" });
            query.bind(*time);
            query.push(" AND NOT (n.id").push_in(ids).push(")");
        }
    }
}

/// A filter that needs other tables finds its nodes in a query of its own, so that a node comes once however often it
/// qualifies, and the page keeps its own columns and order.
fn push_filter(query: &mut Query, kind: Kind, filter: &dyn Condition) {
    query.push(" AND ");
    if filter.has_joins() {
        query.push("n.id IN (SELECT n.id FROM ");
        query.push(NodeTables::of(kind).new.name).push(" n");
        filter.push_joins(query);
        query.push(" WHERE ");
        filter.push_condition(query);
        query.push(")");
    } else {
        filter.push_condition(query);
    }
}
