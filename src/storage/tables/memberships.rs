//! The tables `Attribution`, `Association` and `ParentContext`: the contexts of artifacts, of
//! executions and of contexts.

use std::collections::HashSet;

use super::schema::membership;
use crate::error::Result;
use crate::model::{Kind, Membership};
use crate::storage::Tx;
use crate::storage::bulk::Rows;

/// An end of a membership, by which memberships are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipEnd {
    /// The context. It is the parent if the node is a context too.
    Context,
    /// The node in the context.
    Node,
}

/// Whether nodes can have memberships already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// They may be in some of the contexts.
    Any,
    /// They were created in this transaction.
    New,
}

fn rows_of(kind: Kind, members: &[Membership]) -> Rows<'static> {
    let mut rows = Rows::new(&membership(kind).table);
    for member in members {
        rows.push([member.context_id.into(), member.node_id.into()]);
    }
    rows
}

/// Adds nodes to contexts.
///
/// # Errors
///
/// `AlreadyExists` when one of the memberships exists.
pub async fn insert(tx: &mut Tx, kind: Kind, members: &[Membership]) -> Result<()> {
    tx.insert_rows(&rows_of(kind, members)).await
}

/// Adds nodes to contexts, skips memberships that exist, and returns the new ones. New nodes are
/// not looked up where that would need another statement.
///
/// # Errors
///
/// Those of the database.
pub async fn insert_missing(
    tx: &mut Tx,
    kind: Kind,
    members: &[Membership],
    nodes: Nodes,
) -> Result<Vec<Membership>> {
    let mut missing = members.to_vec();
    if tx.dialect().locks_duplicates() && nodes == Nodes::Any {
        let found: Vec<(i64, i64)> = tx.existing_keys(&rows_of(kind, members)).await?;
        let found: HashSet<Membership> = found.into_iter().map(of_pair).collect();
        missing.retain(|member| !found.contains(member));
    }
    let inserted = tx.insert_missing_pairs(&rows_of(kind, &missing)).await?;
    Ok(if tx.dialect().returns_rows() {
        inserted.into_iter().map(of_pair).collect()
    } else {
        missing
    })
}

const fn of_pair((context_id, node_id): (i64, i64)) -> Membership {
    Membership {
        context_id,
        node_id,
    }
}

/// The memberships of nodes of a kind with one of the ids at this end, ascending by context and
/// node.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    tx: &mut Tx,
    kind: Kind,
    at: MembershipEnd,
    ids: &[i64],
) -> Result<Vec<Membership>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let members = membership(kind);
    let mut query = tx.sql("memberships::find", "SELECT ");
    query
        .push(members.context_column)
        .push(", ")
        .push(members.node_column)
        .push(" FROM ")
        .push(members.table.name)
        .push(" WHERE ")
        .push(match at {
            MembershipEnd::Context => members.context_column,
            MembershipEnd::Node => members.node_column,
        })
        .push_in(ids)
        .push(" ORDER BY 1, 2");
    let rows: Vec<(i64, i64)> = tx.all(query).await?;
    Ok(rows.into_iter().map(of_pair).collect())
}
