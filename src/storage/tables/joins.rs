//! JOIN clauses from a node to its type, its properties and its neighbours.
//!
//! The node has the alias `n`, its type `t`. Of the join with the number 3, a property has the
//! alias `p3`, a neighbour `m3`, the type of a neighbour `t3`, and the membership between node and
//! neighbour `l3`.

use super::schema::{NodeTables, membership};
use crate::model::Kind;
use crate::storage::SqlFragment;

/// What the neighbours of a node are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// The events of an artifact or of an execution.
    Events,
    /// The contexts that a node is in; of a context, its parents.
    Contexts,
    /// The nodes of this kind in a context; of the kind context, its children.
    Members(Kind),
}

impl Neighbours {
    /// The kind of the neighbours; `None` for events, which are no nodes.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Events => None,
            Self::Contexts => Some(Kind::Context),
            Self::Members(kind) => Some(kind),
        }
    }

    /// The number of tables that a join to them has.
    #[must_use]
    pub const fn join_tables(self) -> usize {
        match self {
            Self::Events => 1,
            Self::Contexts | Self::Members(_) => 2,
        }
    }
}

/// Appends the start of a condition that a node of this kind is one of those that joins and a WHERE
/// clause find, up to these. They have the same aliases as outside. Ends with a parenthesis.
pub fn push_nodes_that(sql: &mut SqlFragment, kind: Kind) {
    sql.push("n.id IN (SELECT n.id FROM ")
        .push(NodeTables::of(kind).nodes.name)
        .push(" n");
}

/// Appends the start of a scalar subquery of the node `n`, up to the joins. Ends with a LIMIT and a
/// parenthesis.
pub fn push_first(sql: &mut SqlFragment) {
    sql.push("(SELECT 1 FROM (SELECT 1 AS one) o");
}

/// Appends a join of the node's type.
pub fn push_type(sql: &mut SqlFragment) {
    // The planner must go from the node to its type, not from a type to all its nodes.
    let opt_out = sql.dialect().index_opt_out();
    sql.push(" JOIN Type t ON t.id = ")
        .push(opt_out)
        .push("n.type_id");
}

/// What identifies a property of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyKey<'a> {
    pub name: &'a str,
    /// Whether it is a custom property. One of each can have the same name.
    pub is_custom: bool,
}

/// The column with the id of a node `n`.
pub const NODE_ID: &str = "n.id";

/// Appends a join of a property of a node of this kind, whose id is in a column.
pub fn push_property(
    sql: &mut SqlFragment,
    (kind, node): (Kind, &'static str),
    key: PropertyKey<'_>,
    number: usize,
) {
    let tables = NodeTables::of(kind);
    sql.push(" JOIN ").push(tables.properties.name);
    sql.push_numbered(" p# ON p#.", number)
        .push(tables.foreign_key)
        .push(" = ")
        .push(node)
        .push(" AND ");
    push_property_key(sql, key, number);
}

/// Appends the condition that the property with the alias of a number has this key.
pub fn push_property_key(sql: &mut SqlFragment, key: PropertyKey<'_>, number: usize) {
    let has_name = sql.dialect().property_name_equals();
    sql.push_numbered(has_name, number);
    for _ in has_name.matches('?') {
        sql.bind(key.name);
    }
    sql.push_numbered(" AND p#.is_custom_property = ?", number)
        .bind(key.is_custom);
}

/// Appends a join of the neighbours of a node of this kind.
pub fn push_neighbours(sql: &mut SqlFragment, kind: Kind, neighbours: Neighbours, number: usize) {
    match neighbours {
        Neighbours::Events => {
            sql.push_numbered(" JOIN Event m# ON m#.", number)
                .push(NodeTables::of(kind).foreign_key)
                .push(" = n.id");
        }
        Neighbours::Contexts => {
            let table = membership(kind);
            let columns = (table.node_column, table.context_column);
            push_members(sql, table.table.name, columns, Kind::Context, number);
        }
        Neighbours::Members(of) => {
            let table = membership(of);
            let columns = (table.context_column, table.node_column);
            push_members(sql, table.table.name, columns, of, number);
        }
    }
}

/// Appends a join through a membership table, from its column for the node to that for neighbours.
fn push_members(
    sql: &mut SqlFragment,
    table: &'static str,
    (from, to): (&'static str, &'static str),
    kind: Kind,
    number: usize,
) {
    sql.push(" JOIN ").push(table);
    sql.push_numbered(" l# ON l#.", number).push(from);
    sql.push(" = n.id JOIN ")
        .push(NodeTables::of(kind).nodes.name);
    sql.push_numbered(" m# ON m#.id = l#.", number).push(to);
}

/// Appends a join of the types of the neighbours that an earlier join with this number found.
pub fn push_neighbour_types(sql: &mut SqlFragment, number: usize) {
    sql.push_numbered(" JOIN Type t# ON t#.id = m#.type_id", number);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Dialect, Query};

    fn text(dialect: Dialect, push: impl Fn(&mut SqlFragment)) -> String {
        let mut fragment = SqlFragment::new(dialect);
        push(&mut fragment);
        let mut query = Query::new("test", dialect, "");
        query.push_fragment(&fragment).text().to_owned()
    }

    #[test]
    fn every_relation_has_its_tables() {
        use Neighbours::{Contexts, Events, Members};
        for (kind, neighbours, expected) in [
            (
                Kind::Artifact,
                Contexts,
                " JOIN Attribution l3 ON l3.artifact_id = n.id \
                 JOIN Context m3 ON m3.id = l3.context_id",
            ),
            (
                Kind::Execution,
                Contexts,
                " JOIN Association l3 ON l3.execution_id = n.id \
                 JOIN Context m3 ON m3.id = l3.context_id",
            ),
            (
                Kind::Context,
                Contexts,
                " JOIN ParentContext l3 ON l3.context_id = n.id \
                 JOIN Context m3 ON m3.id = l3.parent_context_id",
            ),
            (
                Kind::Context,
                Members(Kind::Context),
                " JOIN ParentContext l3 ON l3.parent_context_id = n.id \
                 JOIN Context m3 ON m3.id = l3.context_id",
            ),
            (
                Kind::Context,
                Members(Kind::Artifact),
                " JOIN Attribution l3 ON l3.context_id = n.id \
                 JOIN Artifact m3 ON m3.id = l3.artifact_id",
            ),
            (
                Kind::Context,
                Members(Kind::Execution),
                " JOIN Association l3 ON l3.context_id = n.id \
                 JOIN Execution m3 ON m3.id = l3.execution_id",
            ),
            (
                Kind::Artifact,
                Events,
                " JOIN Event m3 ON m3.artifact_id = n.id",
            ),
            (
                Kind::Execution,
                Events,
                " JOIN Event m3 ON m3.execution_id = n.id",
            ),
        ] {
            let push = |sql: &mut SqlFragment| push_neighbours(sql, kind, neighbours, 3);
            assert_eq!(text(Dialect::Sqlite, push), expected);
        }
    }

    #[test]
    fn mysql_compares_names_of_properties_twice() {
        let key = PropertyKey {
            name: "p",
            is_custom: true,
        };
        let push = |sql: &mut SqlFragment| push_property(sql, (Kind::Context, NODE_ID), key, 0);
        assert_eq!(
            text(Dialect::Postgres, push),
            " JOIN ContextProperty p0 ON p0.context_id = n.id AND p0.name = $1 \
             AND p0.is_custom_property = $2"
        );
        assert_eq!(text(Dialect::MySql, push).matches("p0.name").count(), 2);
    }
}
