use std::collections::BTreeMap;

use super::Kind;

/// The declared type of a property, with the numbers of `TypeProperty.data_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    Unknown,
    Int,
    Double,
    String,
    Struct,
    Proto,
    Boolean,
}

impl PropertyType {
    const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Int,
        Self::Double,
        Self::String,
        Self::Struct,
        Self::Proto,
        Self::Boolean,
    ];

    /// The number on the wire and in the database.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The type with that number, if there is one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
    }
}

/// A request's base type: the simple type that a type derives from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseType {
    /// The enum value UNSET was given explicitly.
    Unset,
    /// The simple type of that name, for example `mlmd.Dataset`.
    Simple(&'static str),
}

/// The simple types, which every store has: ids 1-9 of a fresh one, hidden from the calls that list
/// all types.
pub const SIMPLE_TYPES: [(Kind, &str); 9] = [
    (Kind::Artifact, "mlmd.Dataset"),
    (Kind::Artifact, "mlmd.Model"),
    (Kind::Artifact, "mlmd.Metrics"),
    (Kind::Artifact, "mlmd.Statistics"),
    (Kind::Execution, "mlmd.Train"),
    (Kind::Execution, "mlmd.Transform"),
    (Kind::Execution, "mlmd.Process"),
    (Kind::Execution, "mlmd.Evaluate"),
    (Kind::Execution, "mlmd.Deploy"),
];

/// The identity of a type: kind, name and version.
pub type TypeIdentity = (Kind, String, Option<String>);

/// The type of a node: a name, perhaps a version, and the properties that its nodes may carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeType {
    pub name: String,
    /// `None` for unset and for the empty string, which are the same.
    pub version: Option<String>,
    pub description: Option<String>,
    pub external_id: Option<String>,
    pub properties: BTreeMap<String, PropertyType>,
    pub base_type: Option<BaseType>,
    /// Signature of an execution type as proto JSON, stored on creation and never changed.
    pub input_type: Option<String>,
    /// As `input_type`.
    pub output_type: Option<String>,
}

impl NodeType {
    /// The identity of this type among the types of all kinds.
    #[must_use]
    pub fn identity(&self, kind: Kind) -> TypeIdentity {
        (kind, self.name.clone(), self.version.clone())
    }
}
