//! The stored form of the subjects of changes: nodes, types, events and memberships.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use prost_types::{Any, Struct};

use super::codec::RowDefect;
use super::large::{LargeFields, put_back};
use crate::model::{
    BaseType, Event, EventType, Kind, Membership, Node, NodeContent, NodeState, NodeType,
    Properties, PropertyType, SIMPLE_TYPES, Step, Stored, Value,
};

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeFields {
    #[prost(int64, optional, tag = "1")]
    pub id: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    type_id: Option<i64>,
    #[prost(string, optional, tag = "3")]
    type_name: Option<String>,
    #[prost(string, optional, tag = "4")]
    name: Option<String>,
    #[prost(string, optional, tag = "5")]
    external_id: Option<String>,
    #[prost(string, optional, tag = "6")]
    uri: Option<String>,
    #[prost(int64, optional, tag = "7")]
    state: Option<i64>,
    #[prost(btree_map = "string, message", tag = "8")]
    properties: BTreeMap<String, ValueFields>,
    #[prost(btree_map = "string, message", tag = "9")]
    custom_properties: BTreeMap<String, ValueFields>,
    #[prost(int64, optional, tag = "10")]
    create_time: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    update_time: Option<i64>,
    /// The other fields were left out, by a version that stored no more of a large node.
    #[prost(bool, tag = "12")]
    pub id_only: bool,
    /// Where the large values are, by the names of their fields.
    #[prost(btree_map = "string, message", tag = "13")]
    pub large: BTreeMap<String, LargeFields>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueFields {
    #[prost(oneof = "ValueCase", tags = "1, 2, 3, 4, 5, 6")]
    case: Option<ValueCase>,
}

#[derive(Clone, PartialEq, Oneof)]
enum ValueCase {
    #[prost(int64, tag = "1")]
    Int(i64),
    #[prost(double, tag = "2")]
    Double(f64),
    #[prost(string, tag = "3")]
    String(String),
    #[prost(message, tag = "4")]
    Struct(Struct),
    #[prost(message, tag = "5")]
    Proto(Any),
    #[prost(bool, tag = "6")]
    Bool(bool),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeFields {
    #[prost(int64, optional, tag = "1")]
    id: Option<i64>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, optional, tag = "3")]
    version: Option<String>,
    #[prost(string, optional, tag = "4")]
    description: Option<String>,
    #[prost(string, optional, tag = "5")]
    external_id: Option<String>,
    #[prost(btree_map = "string, int64", tag = "6")]
    properties: BTreeMap<String, i64>,
    #[prost(string, optional, tag = "7")]
    base_type: Option<String>,
    #[prost(string, optional, tag = "8")]
    input_type: Option<String>,
    #[prost(string, optional, tag = "9")]
    output_type: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EventFields {
    #[prost(int64, optional, tag = "1")]
    artifact_id: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    execution_id: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    event_type: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    milliseconds: Option<i64>,
    #[prost(message, repeated, tag = "5")]
    path: Vec<StepFields>,
}

#[derive(Clone, PartialEq, Message)]
struct StepFields {
    #[prost(oneof = "StepCase", tags = "1, 2")]
    case: Option<StepCase>,
}

#[derive(Clone, PartialEq, Oneof)]
enum StepCase {
    #[prost(int64, tag = "1")]
    Index(i64),
    #[prost(string, tag = "2")]
    Key(String),
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct MembershipFields {
    #[prost(int64, tag = "1")]
    context_id: i64,
    #[prost(int64, tag = "2")]
    node_id: i64,
}

impl From<Node> for NodeFields {
    fn from(node: Node) -> Self {
        let content = node.content;
        Self {
            id: Some(node.id),
            type_id: Some(node.type_id),
            type_name: node.type_name,
            name: content.name,
            external_id: content.external_id,
            uri: content.uri,
            state: content.state.map(NodeState::number),
            properties: fields_of(content.properties),
            custom_properties: fields_of(content.custom_properties),
            create_time: Some(node.create_time),
            update_time: Some(node.update_time),
            id_only: false,
            large: BTreeMap::new(),
        }
    }
}

impl NodeFields {
    /// The node of a kind, in a row with these parts; `None` without a field that every node has.
    pub(super) fn into_node(
        self,
        kind: Kind,
        parts: &[Vec<u8>],
    ) -> Result<Option<Node>, RowDefect> {
        let state = self.state;
        let mut content = NodeContent {
            name: self.name,
            external_id: self.external_id,
            uri: self.uri,
            state: state.and_then(|number| NodeState::from_number(kind, number)),
            properties: values_of(self.properties),
            custom_properties: values_of(self.custom_properties),
        };
        put_back(&mut content, self.large, parts)?;
        let node = |content| {
            Some(Node {
                id: self.id?,
                type_id: self.type_id?,
                type_name: self.type_name,
                content,
                create_time: self.create_time?,
                update_time: self.update_time?,
            })
        };
        Ok(node(content))
    }
}

fn fields_of(properties: Properties) -> BTreeMap<String, ValueFields> {
    let fields = |value| {
        let case = match value {
            Value::Int(value) => Some(ValueCase::Int(value)),
            Value::Double(value) => Some(ValueCase::Double(value)),
            Value::String(value) => Some(ValueCase::String(value)),
            Value::Struct(value) => Some(ValueCase::Struct(value)),
            Value::Proto(value) => Some(ValueCase::Proto(value)),
            Value::Bool(value) => Some(ValueCase::Bool(value)),
            Value::Empty => None,
        };
        ValueFields { case }
    };
    let properties = properties.into_iter();
    properties
        .map(|(name, value)| (name, fields(value)))
        .collect()
}

fn values_of(fields: BTreeMap<String, ValueFields>) -> Properties {
    let value = |fields: ValueFields| match fields.case {
        Some(ValueCase::Int(value)) => Value::Int(value),
        Some(ValueCase::Double(value)) => Value::Double(value),
        Some(ValueCase::String(value)) => Value::String(value),
        Some(ValueCase::Struct(value)) => Value::Struct(value),
        Some(ValueCase::Proto(value)) => Value::Proto(value),
        Some(ValueCase::Bool(value)) => Value::Bool(value),
        None => Value::Empty,
    };
    let fields = fields.into_iter();
    fields.map(|(name, fields)| (name, value(fields))).collect()
}

impl From<Stored<NodeType>> for TypeFields {
    fn from(stored: Stored<NodeType>) -> Self {
        let node_type = stored.value;
        let declared = node_type.properties.into_iter();
        Self {
            id: Some(stored.id),
            name: node_type.name,
            version: node_type.version,
            description: node_type.description,
            external_id: node_type.external_id,
            properties: declared
                .map(|(name, declared)| (name, declared.number().into()))
                .collect(),
            base_type: match node_type.base_type {
                Some(BaseType::Simple(name)) => Some(name.to_owned()),
                Some(BaseType::Unset) | None => None,
            },
            input_type: node_type.input_type,
            output_type: node_type.output_type,
        }
    }
}

impl TypeFields {
    /// The type; `None` without its id.
    pub(super) fn into_type(self) -> Option<Stored<NodeType>> {
        let fields = self;
        let declared = fields.properties.into_iter();
        let simple = |name: String| SIMPLE_TYPES.iter().find(|(_, known)| *known == name);
        let value = NodeType {
            name: fields.name,
            version: fields.version,
            description: fields.description,
            external_id: fields.external_id,
            properties: declared
                .map(|(name, number)| {
                    let declared = PropertyType::from_number(number);
                    (name, declared.unwrap_or(PropertyType::Unknown))
                })
                .collect(),
            base_type: fields
                .base_type
                .and_then(simple)
                .map(|(_, name)| BaseType::Simple(name)),
            input_type: fields.input_type,
            output_type: fields.output_type,
        };
        let id = fields.id?;
        Some(Stored { id, value })
    }
}

impl From<Event> for EventFields {
    fn from(event: Event) -> Self {
        let step = |step| StepFields {
            case: Some(match step {
                Step::Index(index) => StepCase::Index(index),
                Step::Key(key) => StepCase::Key(key),
            }),
        };
        Self {
            artifact_id: Some(event.artifact_id),
            execution_id: Some(event.execution_id),
            event_type: Some(event.event_type.number()),
            milliseconds: event.milliseconds,
            path: event.path.into_iter().map(step).collect(),
        }
    }
}

impl EventFields {
    /// The event; `None` without a field that every event has.
    pub(super) fn into_event(self) -> Option<Event> {
        let step = |fields: StepFields| match fields.case? {
            StepCase::Index(index) => Some(Step::Index(index)),
            StepCase::Key(key) => Some(Step::Key(key)),
        };
        Some(Event {
            artifact_id: self.artifact_id?,
            execution_id: self.execution_id?,
            event_type: EventType::from_number(self.event_type?),
            milliseconds: self.milliseconds,
            path: self.path.into_iter().filter_map(step).collect(),
        })
    }
}

impl From<Membership> for MembershipFields {
    fn from(member: Membership) -> Self {
        Self {
            context_id: member.context_id,
            node_id: member.node_id,
        }
    }
}

impl From<MembershipFields> for Membership {
    fn from(fields: MembershipFields) -> Self {
        Self {
            context_id: fields.context_id,
            node_id: fields.node_id,
        }
    }
}
