use std::collections::BTreeMap;

use super::{NodeState, Value};

/// Property values by name.
pub type Properties = BTreeMap<String, Value>;

/// The part of an artifact, an execution or a context that clients write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeContent {
    pub name: Option<String>,
    pub external_id: Option<String>,
    /// Artifacts only.
    pub uri: Option<String>,
    pub state: Option<NodeState>,
    pub properties: Properties,
    pub custom_properties: Properties,
}

impl NodeContent {
    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let texts = [&self.name, &self.external_id, &self.uri];
        let texts = texts.into_iter().flatten().map(String::len);
        let properties = self.properties.iter().chain(&self.custom_properties);
        let properties = properties.map(|(name, value)| name.len() + value.memory_bytes());
        texts.chain(properties).sum()
    }
}

/// A stored artifact, execution or context.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: i64,
    pub type_id: i64,
    /// `None` if the type is missing, as another program may have left it.
    pub type_name: Option<String>,
    pub content: NodeContent,
    /// Milliseconds since epoch.
    pub create_time: i64,
    /// Milliseconds since epoch.
    pub update_time: i64,
}

/// A node of which nothing but the id is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(pub i64);

/// A node as a client gives it, to create or to update one.
///
/// Every scalar is optional because its presence counts: it decides whether an update changes a
/// node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeInput {
    /// Unset to create a node. Any id, 0 included, means an update.
    pub id: Option<i64>,
    /// Required to create a node; never changes afterwards.
    pub type_id: Option<i64>,
    /// Not stored, but it takes part in deciding whether an update changes a node.
    pub type_name: Option<String>,
    pub content: NodeContent,
    /// The update time that the client last saw, in milliseconds since epoch.
    pub update_time: Option<i64>,
    /// An update moves the update time even when nothing else changes.
    pub force_update: bool,
}

impl From<Node> for NodeInput {
    /// The update that leaves a node as it is.
    fn from(node: Node) -> Self {
        Self {
            id: Some(node.id),
            type_id: Some(node.type_id),
            type_name: node.type_name,
            content: node.content,
            update_time: Some(node.update_time),
            force_update: false,
        }
    }
}

/// A unique key of a node, other than its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKey<'a> {
    /// The unique pair of type and name.
    TypeAndName(i64, &'a str),
    /// The external id, unique per kind across types.
    ExternalId(&'a str),
}
