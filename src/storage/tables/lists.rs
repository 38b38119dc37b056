//! Pages of nodes, filtered and ordered.

use super::schema::{NodeTables, membership};
use super::{nodes, types};
use crate::error::Result;
use crate::model::{Kind, Node, OrderBy, PagePosition};
use crate::storage::{Predicate, Query, Tx};

/// The nodes of a list, before its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Nodes of the type with this id.
    Type(i64),
    /// Nodes in the context with this id.
    Context(i64),
}

/// The column of an order. Ties are broken by id.
const fn column(order_by: OrderBy, kind: Kind, scope: Scope) -> &'static str {
    match order_by {
        // The index on the members of a context has this order.
        OrderBy::Id if matches!(scope, Scope::Context(_)) => match kind {
            Kind::Artifact => "s.artifact_id",
            Kind::Execution => "s.execution_id",
            Kind::Context => "s.context_id",
        },
        OrderBy::Id => "n.id",
        OrderBy::CreateTime => "n.create_time_since_epoch",
        OrderBy::UpdateTime => "n.last_update_time_since_epoch",
    }
}

/// A page of a list.
pub struct Page<'a> {
    pub scope: Scope,
    pub filter: Option<&'a Predicate>,
    pub order_by: OrderBy,
    pub ascending: bool,
    pub after: Option<&'a PagePosition>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// The nodes of a page.
///
/// # Errors
///
/// Those of the database.
pub async fn page(tx: &mut Tx, kind: Kind, page: &Page<'_>) -> Result<Vec<Node>> {
    let mut narrow = Narrow {
        filter: page.filter,
        ..Narrow::to(kind, page.scope)
    };
    if page.scope == Scope::All {
        narrow = narrow.by_types(tx).await?;
    }
    // With a filter, rows are read that do not match: their other columns are looked up late.
    let chooses_first = page.filter.is_some() && tx.dialect().wants_late_row_lookup();
    let mut query = if chooses_first {
        select_ids("lists::page", tx, &narrow)
    } else {
        let mut query = nodes::select("lists::page", tx.dialect(), kind);
        narrow.push(&mut query);
        query
    };
    let column = column(page.order_by, kind, page.scope);
    if let Some(after) = page.after {
        push_after(&mut query, column, page.ascending, after);
    }
    query.push(" ORDER BY ").push(column);
    query.push(if page.ascending { "" } else { " DESC" });
    if page.order_by != OrderBy::Id {
        query.push(if page.ascending {
            ", n.id"
        } else {
            ", n.id DESC"
        });
    }
    query.push(" LIMIT ?").bind(page.limit);
    if page.filter.is_some_and(|filter| filter.is_costly) {
        query.takes_long();
    }
    if chooses_first {
        nodes::complete(kind, &mut query);
    }
    let mut found = nodes::fetch(tx, kind, query).await?;
    match page.order_by {
        OrderBy::Id => {}
        OrderBy::CreateTime => found.sort_by_key(|node| (node.create_time, node.id)),
        OrderBy::UpdateTime => found.sort_by_key(|node| (node.update_time, node.id)),
    }
    if !page.ascending {
        found.reverse();
    }
    Ok(found)
}

/// The ids of all nodes in a scope, ascending.
///
/// # Errors
///
/// Those of the database.
pub async fn all_ids(tx: &mut Tx, kind: Kind, scope: Scope) -> Result<Vec<i64>> {
    let mut query = select_ids("lists::all_ids", tx, &Narrow::to(kind, scope));
    query.push(" ORDER BY n.id").takes_long();
    fetch_ids(tx, query).await
}

/// The ids of the nodes that match a filter, of all nodes or among given ids, ascending; at most
/// `limit` of them.
///
/// # Errors
///
/// Those of the database.
pub async fn ids(
    tx: &mut Tx,
    kind: Kind,
    among: Option<&[i64]>,
    filter: Option<&Predicate>,
    limit: Option<i64>,
) -> Result<Vec<i64>> {
    let mut narrow = Narrow {
        filter,
        ..Narrow::to(kind, Scope::All)
    };
    if among.is_none() {
        narrow = narrow.by_types(tx).await?;
    }
    let mut query = select_ids("lists::ids", tx, &narrow);
    if let Some(ids) = among {
        query.push(" AND n.id").push_in(ids);
    }
    query.push(" ORDER BY n.id");
    if let Some(limit) = limit {
        query.push(" LIMIT ?").bind(limit);
    }
    if filter.is_some_and(|filter| filter.is_costly) {
        query.takes_long();
    }
    fetch_ids(tx, query).await
}

/// Starts a query for the ids of nodes `n`, up to and including its WHERE clause.
fn select_ids(name: &'static str, tx: &Tx, narrow: &Narrow<'_>) -> Query {
    let mut query = tx.sql(name, "SELECT n.id FROM ");
    query
        .push(NodeTables::of(narrow.kind).nodes.name)
        .push(" n");
    narrow.push(&mut query);
    query
}

/// Starts a query for the ids of the nodes in a scope that match a filter.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn select_in_scope(
    name: &'static str,
    tx: &mut Tx,
    kind: Kind,
    scope: Scope,
    filter: Option<&Predicate>,
) -> Result<Query> {
    let mut narrow = Narrow {
        filter,
        ..Narrow::to(kind, scope)
    };
    if scope == Scope::All {
        narrow = narrow.by_types(tx).await?;
    }
    Ok(select_ids(name, tx, &narrow))
}

async fn fetch_ids(tx: &mut Tx, query: Query) -> Result<Vec<i64>> {
    tx.all(query).await
}

/// Whether any node is in this scope.
///
/// # Errors
///
/// Those of the database.
pub async fn any(tx: &mut Tx, kind: Kind, scope: Scope) -> Result<bool> {
    let mut query = select_ids("lists::any", tx, &Narrow::to(kind, scope));
    // `ORDER BY` steers the planner to the index; without it, it may scan for the first match.
    query.push(" ORDER BY ");
    query
        .push(column(OrderBy::Id, kind, scope))
        .push(" LIMIT 1");
    Ok(tx.first::<i64>(query).await?.is_some())
}

/// The conditions on the nodes of a statement.
struct Narrow<'a> {
    kind: Kind,
    scope: Scope,
    filter: Option<&'a Predicate>,
    /// The ids of the types of the nodes.
    types: Option<Vec<i64>>,
}

impl Narrow<'_> {
    const fn to(kind: Kind, scope: Scope) -> Self {
        Self {
            kind,
            scope,
            filter: None,
            types: None,
        }
    }

    /// Looks up the types that the filter names, unless the filter is selective. An index that
    /// begins with the type has nodes in the order of their ids for one type id, but not for one
    /// type name.
    async fn by_types(mut self, tx: &mut Tx) -> Result<Self> {
        let filter = self.filter.filter(|filter| !filter.is_selective);
        if let Some(names) = filter.and_then(|filter| filter.type_names.as_ref()) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.types = Some(types::ids_by_names(tx, self.kind, &names).await?);
        }
        Ok(self)
    }

    /// Appends joins and conditions to a query for nodes `n`, behind the name of the table. More
    /// conditions may follow with AND.
    fn push(&self, query: &mut Query) {
        let members = membership(self.kind);
        if let Scope::Context(_) = self.scope {
            query.push(" JOIN ").push(members.table.name);
            query.push(" s ON s.").push(members.node_column);
            query.push(" = n.id");
        }
        if let Some(filter) = self.filter.filter(|filter| !filter.repeats) {
            query.push_fragment(&filter.joins);
        }
        query.push(" WHERE 1 = 1");
        match self.scope {
            Scope::All => {}
            Scope::Type(id) => self.push_types(query, &[id]),
            Scope::Context(id) => {
                query.push(" AND s.").push(members.context_column);
                query.push(" = ?").bind(id);
            }
        }
        if let Some(types) = &self.types {
            self.push_types(query, types);
        }
        if let Some(filter) = self.filter {
            query.push(" AND ");
            push_filter(query, self.kind, filter);
        }
    }

    /// Appends a condition on the type. One type is compared with `=`: for a list, an index has no
    /// order of ids.
    fn push_types(&self, query: &mut Query, types: &[i64]) {
        query.push(" AND ");
        if self.filter.is_some_and(|filter| filter.is_selective) {
            query.push(query.dialect().index_opt_out());
        }
        query.push("n.type_id");
        match types {
            [id] => query.push(" = ?").bind(*id),
            types => query.push_in(types),
        };
    }
}

fn push_after(query: &mut Query, column: &'static str, ascending: bool, after: &PagePosition) {
    query.push(" AND ").push(column);
    match after {
        PagePosition::Id(id) => {
            query.push(if ascending { " > ?" } else { " < ?" });
            query.bind(*id);
        }
        PagePosition::CreateTime { time, id } => {
            query.push(if ascending { " >= ?" } else { " <= ?" });
            query.bind(*time).push(" AND (").push(column);
            query.push(if ascending {
                " > ? OR n.id > ?)"
            } else {
                " < ? OR n.id < ?)"
            });
            query.bind(*time).bind(*id);
        }
        PagePosition::UpdateTime { time, listed_ids } => {
            query.push(if ascending { " >= ?" } else { " <= ?" });
            query.bind(*time);
            query.push(" AND NOT (n.id").push_in(listed_ids).push(")");
        }
    }
}

/// Appends the filter. If its joins can repeat a node, they go into a subquery, so that each node
/// comes once and the statement keeps its columns and its order.
fn push_filter(query: &mut Query, kind: Kind, filter: &Predicate) {
    if filter.repeats {
        query.push("n.id IN (SELECT n.id FROM ");
        query.push(NodeTables::of(kind).nodes.name).push(" n");
        query.push_fragment(&filter.joins);
        query.push(" WHERE ");
        query.push_fragment(&filter.condition);
        query.push(")");
    } else {
        query.push_fragment(&filter.condition);
    }
}
