use std::collections::BTreeMap;

use super::Value;

/// Property values by name.
pub type Properties = BTreeMap<String, Value>;

/// An artifact, an execution or a context, as a client gave it or as the store holds it.
///
/// Every scalar is optional because presence is visible to clients: it decides whether an update changes a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Unset on create; any set id, 0 included, means update.
    pub id: Option<i64>,
    /// Required on create, immutable afterwards.
    pub type_id: Option<i64>,
    /// The type's name. Output only, yet it takes part in deciding whether an update changes anything.
    pub type_name: Option<String>,
    pub name: Option<String>,
    pub external_id: Option<String>,
    /// Artifacts only.
    pub uri: Option<String>,
    /// The number of `Artifact.State` or `Execution.State`; contexts have none.
    pub state: Option<i64>,
    pub properties: Properties,
    pub custom_properties: Properties,
    /// Milliseconds since epoch, output only.
    pub create_time: Option<i64>,
    /// Milliseconds since epoch, output only.
    pub update_time: Option<i64>,
    /// Whether the client sent more than can be stored, `system_metadata` or a state that no number of ours stands for: it
    /// counts as a change.
    pub has_more: bool,
}

/// How a node is looked up by its own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKey<'a> {
    /// The unique pair of type and name.
    TypeAndName(i64, &'a str),
    /// The external id, unique per kind across types.
    ExternalId(&'a str),
}
