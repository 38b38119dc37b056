//! Catalog of names: attributes of nodes, fields of neighbours, and values of enums.
//!
//! Names of attributes and fields are case-insensitive. Prefixes of neighbours and enum values are
//! case-sensitive.

use super::types::Type;
use crate::model::Kind;
use crate::storage::tables::joins::Neighbours;

/// The values of an enum column, as names and numbers.
pub(super) type EnumValues = [(&'static str, i64)];

/// An attribute of a node, or a field of a neighbour.
#[derive(Debug)]
pub(super) struct FieldDef {
    pub(super) name: &'static str,
    pub(super) source: FieldSource,
    pub(super) ty: Type,
    pub(super) values: Option<&'static EnumValues>,
}

/// The place where a field is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldSource {
    /// The column of the same name.
    Column,
    /// `type`: the column `name` of the row in `Type` with the id `type_id`.
    TypeName,
}

/// A relation from nodes to neighbours. A query names a neighbour by the prefix of the relation and
/// an alias of its choice, as in `contexts_a`.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) prefix: &'static str,
    pub(super) neighbours: Neighbours,
    pub(super) fields: &'static [FieldDef],
}

const fn field(name: &'static str, ty: Type) -> FieldDef {
    FieldDef {
        name,
        source: FieldSource::Column,
        ty,
        values: None,
    }
}

const fn enumerated(name: &'static str, values: &'static EnumValues) -> FieldDef {
    FieldDef {
        name,
        source: FieldSource::Column,
        ty: Type::Int,
        values: Some(values),
    }
}

const ARTIFACT_STATE: &EnumValues = &[
    ("UNKNOWN", 0),
    ("PENDING", 1),
    ("LIVE", 2),
    ("MARKED_FOR_DELETION", 3),
    ("DELETED", 4),
    ("ABANDONED", 5),
    ("REFERENCE", 6),
];

const EXECUTION_STATE: &EnumValues = &[
    ("UNKNOWN", 0),
    ("NEW", 1),
    ("RUNNING", 2),
    ("COMPLETE", 3),
    ("FAILED", 4),
    ("CACHED", 5),
    ("CANCELED", 6),
];

const EVENT_TYPE: &EnumValues = &[
    ("UNKNOWN", 0),
    ("DECLARED_OUTPUT", 1),
    ("DECLARED_INPUT", 2),
    ("INPUT", 3),
    ("OUTPUT", 4),
    ("INTERNAL_INPUT", 5),
    ("INTERNAL_OUTPUT", 6),
    ("PENDING_OUTPUT", 7),
];

const ID: FieldDef = field("id", Type::Int);
const TYPE_ID: FieldDef = field("type_id", Type::Int);
const NAME: FieldDef = field("name", Type::Text);
const TYPE: FieldDef = FieldDef {
    name: "type",
    source: FieldSource::TypeName,
    ty: Type::Text,
    values: None,
};
const EXTERNAL_ID: FieldDef = field("external_id", Type::Text);
const URI: FieldDef = field("uri", Type::Text);
const STATE: FieldDef = enumerated("state", ARTIFACT_STATE);
const LAST_KNOWN_STATE: FieldDef = enumerated("last_known_state", EXECUTION_STATE);
const CREATED: FieldDef = field("create_time_since_epoch", Type::Int);
const UPDATED: FieldDef = field("last_update_time_since_epoch", Type::Int);
const EVENT: FieldDef = enumerated("type", EVENT_TYPE);
const ARTIFACT_ID: FieldDef = field("artifact_id", Type::Int);
const EXECUTION_ID: FieldDef = field("execution_id", Type::Int);
const MILLISECONDS: FieldDef = field("milliseconds_since_epoch", Type::Int);

/// The attributes of a kind of node.
pub(super) const fn attributes(kind: Kind) -> &'static [FieldDef] {
    match kind {
        Kind::Artifact => &[
            ID,
            TYPE_ID,
            NAME,
            TYPE,
            EXTERNAL_ID,
            CREATED,
            UPDATED,
            URI,
            STATE,
        ],
        Kind::Execution => &[
            ID,
            TYPE_ID,
            NAME,
            TYPE,
            EXTERNAL_ID,
            CREATED,
            UPDATED,
            LAST_KNOWN_STATE,
        ],
        Kind::Context => &[ID, TYPE_ID, NAME, TYPE, EXTERNAL_ID, CREATED, UPDATED],
    }
}

const CONTEXT_FIELDS: &[FieldDef] = &[ID, NAME, TYPE, CREATED, UPDATED];

const CONTEXTS: Relation = Relation {
    prefix: "contexts_",
    neighbours: Neighbours::Contexts,
    fields: CONTEXT_FIELDS,
};

/// The relations of a kind of node.
pub(super) const fn relations(kind: Kind) -> &'static [Relation] {
    match kind {
        Kind::Artifact => &[
            CONTEXTS,
            Relation {
                prefix: "events_",
                neighbours: Neighbours::Events,
                fields: &[EVENT, MILLISECONDS, EXECUTION_ID],
            },
        ],
        Kind::Execution => &[
            CONTEXTS,
            Relation {
                prefix: "events_",
                neighbours: Neighbours::Events,
                fields: &[EVENT, MILLISECONDS, ARTIFACT_ID],
            },
        ],
        Kind::Context => &[
            Relation {
                prefix: "parent_contexts_",
                ..CONTEXTS
            },
            Relation {
                prefix: "child_contexts_",
                neighbours: Neighbours::Members(Kind::Context),
                fields: CONTEXT_FIELDS,
            },
            Relation {
                prefix: "artifacts_",
                neighbours: Neighbours::Members(Kind::Artifact),
                fields: &[ID, NAME, TYPE, URI, STATE, CREATED, UPDATED, EXTERNAL_ID],
            },
            Relation {
                prefix: "executions_",
                neighbours: Neighbours::Members(Kind::Execution),
                fields: &[
                    ID,
                    NAME,
                    TYPE,
                    LAST_KNOWN_STATE,
                    CREATED,
                    UPDATED,
                    EXTERNAL_ID,
                ],
            },
        ],
    }
}

/// The value fields of a property. The names are those of the columns too.
pub(super) const VALUE_FIELDS: [(&str, Type); 4] = [
    ("int_value", Type::Int),
    ("double_value", Type::Double),
    ("string_value", Type::Text),
    ("bool_value", Type::Bool),
];

/// Finds a field by its name, in any case.
pub(super) fn find(fields: &'static [FieldDef], name: &str) -> Option<&'static FieldDef> {
    fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(name))
}

/// Finds the relation of a neighbour's name, such as `contexts_a`.
pub(super) fn relation(kind: Kind, name: &str) -> Option<&'static Relation> {
    relations(kind).iter().find(|relation| {
        name.strip_prefix(relation.prefix)
            .is_some_and(|alias| !alias.is_empty())
    })
}

/// Finds the number of an enum value by its name.
pub(super) fn value_of(values: &EnumValues, name: &str) -> Option<i64> {
    values
        .iter()
        .find(|value| value.0 == name)
        .map(|value| value.1)
}
