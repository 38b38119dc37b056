//! Tables and columns of the schema. Differences between the kinds of nodes are here and nowhere
//! else.

use super::{events, types};
use crate::model::Kind;
use crate::storage::bulk::ColumnType::{Bool, Bytes, Double, Int, Text};
use crate::storage::bulk::Table;

/// All tables of ML Metadata's schema.
pub(in crate::storage) static MLMD_TABLES: [&Table; 15] = [
    &types::TYPE,
    &types::TYPE_PROPERTY,
    &types::PARENT_TYPE,
    &ARTIFACT.nodes,
    &ARTIFACT.properties,
    &EXECUTION.nodes,
    &EXECUTION.properties,
    &events::EVENT,
    &events::EVENT_PATH,
    &ENVIRONMENT,
    &CONTEXT.nodes,
    &CONTEXT.properties,
    &PARENT_CONTEXT.table,
    &ASSOCIATION.table,
    &ATTRIBUTION.table,
];

/// The table with the version of the schema.
static ENVIRONMENT: Table = Table {
    name: "MLMDEnv",
    columns: &[("schema_version", Int)],
    unwritten: &[],
    key: 0,
};

/// The tables that hold the nodes of one kind.
pub(super) struct NodeTables {
    /// The node table.
    pub nodes: Table,
    /// The node table without the id, for nodes that get one.
    pub new_nodes: Table,
    pub properties: Table,
    /// `SELECT` of all columns of a node `n`, up to and including its table.
    pub select: &'static str,
    /// The text before and after a query for the ids of nodes that looks up the columns of
    /// `select`.
    pub late_row_lookup: (&'static str, &'static str),
    /// The text before and after a query made with `select` that joins the properties `p`. A node
    /// has a row for each property, and one row if it has none.
    pub property_join: (&'static str, &'static str),
    /// The column that references a node of this kind in other tables.
    pub foreign_key: &'static str,
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
    (
        $table:literal,
        $properties:literal,
        $foreign_key:literal,
        [$($own:literal: $type:ident),*],
        $select:literal
    ) => {
        NodeTables {
            nodes: Table {
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
                unwritten: &[],
                key: 1,
            },
            new_nodes: Table {
                name: $table,
                columns: &[
                    ("type_id", Int),
                    ("name", Text),
                    ("external_id", Text),
                    ("create_time_since_epoch", Int),
                    ("last_update_time_since_epoch", Int),
                    $(($own, $type)),*
                ],
                unwritten: &["id"],
                key: 0,
            },
            properties: Table {
                name: $properties,
                columns: &[
                    ($foreign_key, Int),
                    ("name", Text),
                    ("is_custom_property", Bool),
                    ("int_value", Int),
                    ("double_value", Double),
                    ("string_value", Text),
                    ("proto_value", Bytes),
                    ("bool_value", Bool),
                ],
                unwritten: &["byte_value"],
                key: 3,
            },
            select: select_nodes!($table, $select),
            late_row_lookup: (
                concat!(select_nodes!($table, $select), " JOIN ("),
                ") i ON i.id = n.id",
            ),
            property_join: (
                "SELECT n.*, p.name, p.is_custom_property, p.int_value, p.double_value, \
                 p.string_value, p.proto_value, p.bool_value FROM (",
                concat!(
                    ") n LEFT JOIN ",
                    $properties,
                    " p ON p.",
                    $foreign_key,
                    " = n.id"
                ),
            ),
            foreign_key: $foreign_key,
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

/// A table of the nodes of one kind that are in contexts.
pub(super) struct MembershipTable {
    /// The context first, then the node.
    pub table: Table,
    pub context_column: &'static str,
    pub node_column: &'static str,
}

/// The table that puts nodes of this kind into contexts; for contexts, into their parents.
pub(super) const fn membership(kind: Kind) -> &'static MembershipTable {
    match kind {
        Kind::Artifact => &ATTRIBUTION,
        Kind::Execution => &ASSOCIATION,
        Kind::Context => &PARENT_CONTEXT,
    }
}

macro_rules! membership_table {
    ($table:literal, $context:literal, $node:literal, $unwritten:expr) => {
        MembershipTable {
            table: Table {
                name: $table,
                columns: &[($context, Int), ($node, Int)],
                unwritten: $unwritten,
                key: 2,
            },
            context_column: $context,
            node_column: $node,
        }
    };
}

static ATTRIBUTION: MembershipTable =
    membership_table!("Attribution", "context_id", "artifact_id", &["id"]);
static ASSOCIATION: MembershipTable =
    membership_table!("Association", "context_id", "execution_id", &["id"]);
static PARENT_CONTEXT: MembershipTable =
    membership_table!("ParentContext", "parent_context_id", "context_id", &[]);
