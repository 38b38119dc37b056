//! Changes as bytes. A field is never given another meaning: rows outlive the version that wrote them, and replicas of several
//! versions read them at once.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use prost_types::{Any, Struct};

use crate::model::{
    BaseType, Change, Event, EventType, Kind, Membership, Node, NodeType, Operation, Properties,
    PropertyType, SIMPLE_TYPES, Step, Subject, Value,
};

/// Of a node that takes more bytes than this, only the id is kept.
const LARGEST_NODE: usize = 1 << 20;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    #[prost(int64, tag = "1")]
    operation: i64,
    #[prost(int64, tag = "2")]
    kind: i64,
    #[prost(oneof = "SubjectRecord", tags = "3, 4, 5, 6")]
    subject: Option<SubjectRecord>,
}

#[derive(Clone, PartialEq, Oneof)]
enum SubjectRecord {
    #[prost(message, tag = "3")]
    Node(NodeRecord),
    #[prost(message, tag = "4")]
    Type(TypeRecord),
    #[prost(message, tag = "5")]
    Event(EventRecord),
    #[prost(message, tag = "6")]
    Membership(MembershipRecord),
}

#[derive(Clone, PartialEq, Message)]
struct NodeRecord {
    #[prost(int64, optional, tag = "1")]
    id: Option<i64>,
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
    properties: BTreeMap<String, ValueRecord>,
    #[prost(btree_map = "string, message", tag = "9")]
    custom_properties: BTreeMap<String, ValueRecord>,
    #[prost(int64, optional, tag = "10")]
    create_time: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    update_time: Option<i64>,
    /// The rest was too large to be kept.
    #[prost(bool, tag = "12")]
    id_only: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ValueRecord {
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
struct TypeRecord {
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
struct EventRecord {
    #[prost(int64, optional, tag = "1")]
    artifact_id: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    execution_id: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    event_type: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    milliseconds: Option<i64>,
    #[prost(message, repeated, tag = "5")]
    path: Vec<StepRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct StepRecord {
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
struct MembershipRecord {
    #[prost(int64, tag = "1")]
    context_id: i64,
    #[prost(int64, tag = "2")]
    node_id: i64,
}

/// The kind of events, which have none.
const NO_KIND: i64 = -1;

impl From<Change> for Record {
    fn from(change: Change) -> Self {
        let (kind, subject) = match change.subject {
            Subject::Node(kind, node) => (kind.number(), SubjectRecord::Node(node.into())),
            Subject::Type(kind, node_type) => {
                (kind.number(), SubjectRecord::Type(node_type.into()))
            }
            Subject::Event(event) => (NO_KIND, SubjectRecord::Event(event.into())),
            Subject::Membership(kind, member) => {
                let member = MembershipRecord {
                    context_id: member.context_id,
                    node_id: member.node_id,
                };
                (kind.number(), SubjectRecord::Membership(member))
            }
        };
        let mut record = Self {
            operation: match change.operation {
                Operation::Created => 1,
                Operation::Updated => 2,
                Operation::Reconciled => 3,
            },
            kind,
            subject: Some(subject),
        };
        if let Some(SubjectRecord::Node(node)) = &mut record.subject
            && node.encoded_len() > LARGEST_NODE
        {
            *node = NodeRecord {
                id: node.id,
                id_only: true,
                ..NodeRecord::default()
            };
        }
        record
    }
}

/// A change as it was kept.
pub(super) enum Kept {
    Whole(Box<Change>),
    /// A change of this node, which was too large to be kept.
    Large(Operation, Kind, i64),
}

impl Record {
    /// The change, unless it is of a kind that this version does not know.
    pub(super) fn into_change(self) -> Option<Kept> {
        let operation = match self.operation {
            1 => Operation::Created,
            2 => Operation::Updated,
            3 => Operation::Reconciled,
            _ => return None,
        };
        let kind = Kind::from_number(self.kind);
        let subject = match self.subject? {
            SubjectRecord::Node(node) if node.id_only => {
                return Some(Kept::Large(operation, kind?, node.id?));
            }
            SubjectRecord::Node(node) => Subject::Node(kind?, node.into()),
            SubjectRecord::Type(node_type) => Subject::Type(kind?, node_type.into()),
            SubjectRecord::Event(event) => Subject::Event(event.into()),
            SubjectRecord::Membership(member) => {
                let member = Membership {
                    context_id: member.context_id,
                    node_id: member.node_id,
                };
                Subject::Membership(kind?, member)
            }
        };
        Some(Kept::Whole(Box::new(Change { operation, subject })))
    }
}

impl From<Node> for NodeRecord {
    fn from(node: Node) -> Self {
        Self {
            id: node.id,
            type_id: node.type_id,
            type_name: node.type_name,
            name: node.name,
            external_id: node.external_id,
            uri: node.uri,
            state: node.state,
            properties: records_of(node.properties),
            custom_properties: records_of(node.custom_properties),
            create_time: node.create_time,
            update_time: node.update_time,
            id_only: false,
        }
    }
}

impl From<NodeRecord> for Node {
    fn from(record: NodeRecord) -> Self {
        Self {
            id: record.id,
            type_id: record.type_id,
            type_name: record.type_name,
            name: record.name,
            external_id: record.external_id,
            uri: record.uri,
            state: record.state,
            properties: values_of(record.properties),
            custom_properties: values_of(record.custom_properties),
            create_time: record.create_time,
            update_time: record.update_time,
            has_more: false,
        }
    }
}

fn records_of(properties: Properties) -> BTreeMap<String, ValueRecord> {
    let record = |value| {
        let case = match value {
            Value::Int(value) => Some(ValueCase::Int(value)),
            Value::Double(value) => Some(ValueCase::Double(value)),
            Value::String(value) => Some(ValueCase::String(value)),
            Value::Struct(value) => Some(ValueCase::Struct(value)),
            Value::Proto(value) => Some(ValueCase::Proto(value)),
            Value::Bool(value) => Some(ValueCase::Bool(value)),
            Value::Empty => None,
        };
        ValueRecord { case }
    };
    let properties = properties.into_iter();
    properties
        .map(|(name, value)| (name, record(value)))
        .collect()
}

fn values_of(records: BTreeMap<String, ValueRecord>) -> Properties {
    let value = |record: ValueRecord| match record.case {
        Some(ValueCase::Int(value)) => Value::Int(value),
        Some(ValueCase::Double(value)) => Value::Double(value),
        Some(ValueCase::String(value)) => Value::String(value),
        Some(ValueCase::Struct(value)) => Value::Struct(value),
        Some(ValueCase::Proto(value)) => Value::Proto(value),
        Some(ValueCase::Bool(value)) => Value::Bool(value),
        None => Value::Empty,
    };
    let records = records.into_iter();
    records
        .map(|(name, record)| (name, value(record)))
        .collect()
}

impl From<NodeType> for TypeRecord {
    fn from(node_type: NodeType) -> Self {
        let declared = node_type.properties.into_iter();
        Self {
            id: node_type.id,
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

impl From<TypeRecord> for NodeType {
    fn from(record: TypeRecord) -> Self {
        let declared = record.properties.into_iter();
        let simple = |name: String| SIMPLE_TYPES.iter().find(|(_, known)| *known == name);
        Self {
            id: record.id,
            name: record.name,
            version: record.version,
            description: record.description,
            external_id: record.external_id,
            properties: declared
                .map(|(name, number)| {
                    let declared = PropertyType::from_number(number);
                    (name, declared.unwrap_or(PropertyType::Unknown))
                })
                .collect(),
            base_type: record
                .base_type
                .and_then(simple)
                .map(|(_, name)| BaseType::Simple(name)),
            input_type: record.input_type,
            output_type: record.output_type,
        }
    }
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> Self {
        let step = |step| StepRecord {
            case: Some(match step {
                Step::Index(index) => StepCase::Index(index),
                Step::Key(key) => StepCase::Key(key),
            }),
        };
        Self {
            artifact_id: event.artifact_id,
            execution_id: event.execution_id,
            event_type: event.event_type.map(|event_type| event_type.0),
            milliseconds: event.milliseconds,
            path: event.path.into_iter().map(step).collect(),
        }
    }
}

impl From<EventRecord> for Event {
    fn from(record: EventRecord) -> Self {
        let step = |record: StepRecord| match record.case? {
            StepCase::Index(index) => Some(Step::Index(index)),
            StepCase::Key(key) => Some(Step::Key(key)),
        };
        Self {
            artifact_id: record.artifact_id,
            execution_id: record.execution_id,
            event_type: record.event_type.map(EventType),
            milliseconds: record.milliseconds,
            path: record.path.into_iter().filter_map(step).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("a NaN differs from itself", |value| !value.is_nan())
                .prop_map(Value::Double),
            any::<String>().prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Empty),
        ]
    }

    fn node() -> impl Strategy<Value = Node> {
        let properties = || prop::collection::btree_map(any::<String>(), value(), 0..4);
        let text = any::<Option<String>>;
        let number = any::<Option<i64>>;
        (
            (number(), number(), number(), number(), number()),
            (text(), text(), text(), text()),
            (properties(), properties()),
        )
            .prop_map(|(numbers, texts, properties)| Node {
                id: numbers.0,
                type_id: numbers.1,
                state: numbers.2,
                create_time: numbers.3,
                update_time: numbers.4,
                type_name: texts.0,
                name: texts.1,
                external_id: texts.2,
                uri: texts.3,
                properties: properties.0,
                custom_properties: properties.1,
                has_more: false,
            })
    }

    fn there_and_back(change: Change) -> Kept {
        let bytes = Record::from(change).encode_to_vec();
        Record::decode(bytes.as_slice())
            .unwrap()
            .into_change()
            .unwrap()
    }

    proptest! {
        #[test]
        fn nodes_come_back(node in node()) {
            let change = Change::updated(Subject::Node(Kind::Artifact, node));
            let Kept::Whole(back) = there_and_back(change.clone()) else {
                panic!("{change:?} is not large");
            };
            prop_assert_eq!(*back, change);
        }
    }

    #[test]
    fn types_and_edges_come_back() {
        let declared = [("p".to_owned(), PropertyType::Boolean)];
        for subject in [
            Subject::Type(
                Kind::Execution,
                NodeType {
                    id: Some(11),
                    name: "T".into(),
                    version: Some("2".into()),
                    properties: declared.into(),
                    base_type: Some(BaseType::Simple("mlmd.Train")),
                    input_type: Some("{}".into()),
                    ..NodeType::default()
                },
            ),
            Subject::Event(Event {
                artifact_id: Some(1),
                execution_id: Some(2),
                event_type: Some(EventType::OUTPUT),
                milliseconds: Some(3),
                path: vec![Step::Key("data".into()), Step::Index(4)],
            }),
            Subject::Membership(
                Kind::Context,
                Membership {
                    context_id: 5,
                    node_id: 6,
                },
            ),
        ] {
            let change = Change::created(subject);
            assert!(matches!(there_and_back(change.clone()), Kept::Whole(back) if *back == change));
        }
    }

    #[test]
    fn of_a_large_node_only_the_id_is_kept() {
        let node = Node {
            id: Some(7),
            uri: Some("x".repeat(LARGEST_NODE)),
            ..Node::default()
        };
        let kept = there_and_back(Change::created(Subject::Node(Kind::Artifact, node)));
        assert!(matches!(
            kept,
            Kept::Large(Operation::Created, Kind::Artifact, 7)
        ));
    }
}
