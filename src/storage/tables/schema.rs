//! Names of tables and columns by kind of node. What one kind has and another has not is visible here and nowhere else.

use crate::model::Kind;
use crate::storage::bulk::ColumnType::{Bool, Bytes, Double, Int, Text};
use crate::storage::bulk::Table;

/// The tables that hold the nodes of one kind.
pub(super) struct NodeTables {
    /// The node table, with all columns but the id.
    pub new: Table,
    /// The node table, with the id.
    pub stored: Table,
    pub properties: Table,
    /// `SELECT` of all columns of a node `n`, up to and including its table.
    pub select: &'static str,
    /// What stands around a query for ids of nodes to make it one for the nodes, as with `select`.
    pub around_ids: (&'static str, &'static str),
    /// What stands around a query for nodes made with `select` to give each of its rows once for every property `p` of the node, with
    /// the columns of the property, or once without any.
    pub with_properties: (&'static str, &'static str),
    /// The column that names a node of this kind in other tables.
    pub reference: &'static str,
}

impl NodeTables {
    pub(super) const fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Artifact => &ARTIFACT,
            Kind::Execution => &EXECUTION,
            Kind::Context => &CONTEXT,
        }
    }
}

macro_rules! select_nodes {
    ($table:literal, $select:literal) => {
        concat!(
            "SELECT n.id, n.type_id, n.name, n.external_id, n.create_time_since_epoch, \
             n.last_update_time_since_epoch, ",
            $select,
            " FROM ",
            $table,
            " n"
        )
    };
}

macro_rules! node_tables {
    ($table:literal, $properties:literal, $reference:literal, [$($own:literal: $type:ident),*], $select:literal) => {
        NodeTables {
            new: Table {
                name: $table,
                columns: &[
                    ("type_id", Int),
                    ("name", Text),
                    ("external_id", Text),
                    ("create_time_since_epoch", Int),
                    ("last_update_time_since_epoch", Int),
                    $(($own, $type)),*
                ],
                key: 0,
            },
            stored: Table {
                name: $table,
                columns: &[
                    ("id", Int),
                    ("type_id", Int),
                    ("name", Text),
                    ("external_id", Text),
                    ("create_time_since_epoch", Int),
                    ("last_update_time_since_epoch", Int),
                    $(($own, $type)),*
                ],
                key: 1,
            },
            properties: Table {
                name: $properties,
                columns: &[
                    ($reference, Int),
                    ("name", Text),
                    ("is_custom_property", Bool),
                    ("int_value", Int),
                    ("double_value", Double),
                    ("string_value", Text),
                    ("proto_value", Bytes),
                    ("bool_value", Bool),
                ],
                key: 3,
            },
            select: select_nodes!($table, $select),
            around_ids: (
                concat!(select_nodes!($table, $select), " JOIN ("),
                ") i ON i.id = n.id",
            ),
            with_properties: (
                "SELECT n.*, p.name, p.is_custom_property, p.int_value, p.double_value, p.string_value, \
                 p.proto_value, p.bool_value FROM (",
                concat!(
                    ") n LEFT JOIN ",
                    $properties,
                    " p ON p.",
                    $reference,
                    " = n.id"
                ),
            ),
            reference: $reference,
        }
    };
}

static ARTIFACT: NodeTables = node_tables!(
    "Artifact",
    "ArtifactProperty",
    "artifact_id",
    ["uri": Text, "state": Int],
    "n.state, n.uri"
);
static EXECUTION: NodeTables = node_tables!(
    "Execution",
    "ExecutionProperty",
    "execution_id",
    ["last_known_state": Int],
    "n.last_known_state, CAST(NULL AS CHAR(1)) AS uri"
);
static CONTEXT: NodeTables = node_tables!(
    "Context",
    "ContextProperty",
    "context_id",
    [],
    "NULL AS state, CAST(NULL AS CHAR(1)) AS uri"
);

/// The table that puts nodes of a kind into contexts: the column of the context, then that of the node.
pub(super) const fn membership(kind: Kind) -> &'static Table {
    match kind {
        Kind::Artifact => &Table {
            name: "Attribution",
            columns: &[("context_id", Int), ("artifact_id", Int)],
            key: 2,
        },
        Kind::Execution => &Table {
            name: "Association",
            columns: &[("context_id", Int), ("execution_id", Int)],
            key: 2,
        },
        Kind::Context => &Table {
            name: "ParentContext",
            columns: &[("parent_context_id", Int), ("context_id", Int)],
            key: 2,
        },
    }
}
