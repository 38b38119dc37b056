//! Nodes and edges: the wire's messages and the graph's structs.
//!
//! Enums of the wire are closed: a number that is not declared means that the field is unset.

use std::collections::BTreeMap;

use prost_types::FieldMask;

use crate::graph::{ArtifactAndEvent, EventEdge, Mask, PropertyMask};
use crate::model::{self, Kind, Value as Stored};
use crate::model::{
    EventInput, EventPath, EventType, Membership, Node, NodeContent, NodeId, NodeInput, NodeState,
    Properties, Step,
};
use crate::proto::ml_metadata::event::path::{Step as WireStep, step};
use crate::proto::ml_metadata::{
    Artifact, Association, Attribution, Context, Event, Execution, ParentContext, Value, artifact,
    event, execution, put_execution_request, put_lineage_subgraph_request, value,
};

type WireProperties = BTreeMap<String, Value>;

pub(in crate::api) fn properties_in(given: WireProperties) -> Properties {
    given
        .into_iter()
        .map(|(name, value)| (name, value_in(value)))
        .collect()
}

fn value_in(given: Value) -> Stored {
    match given.value {
        None => Stored::Empty,
        Some(value::Value::IntValue(value)) => Stored::Int(value),
        Some(value::Value::DoubleValue(value)) => Stored::double(value),
        Some(value::Value::StringValue(value)) => Stored::String(value),
        Some(value::Value::StructValue(value)) => Stored::Struct(value),
        Some(value::Value::ProtoValue(value)) => Stored::Proto(value),
        Some(value::Value::BoolValue(value)) => Stored::Bool(value),
    }
}

fn properties_out(stored: Properties) -> WireProperties {
    stored
        .into_iter()
        .map(|(name, value)| (name, value_out(value)))
        .collect()
}

fn value_out(stored: Stored) -> Value {
    let value = match stored {
        Stored::Empty => None,
        Stored::Int(value) => Some(value::Value::IntValue(value)),
        Stored::Double(value) => Some(value::Value::DoubleValue(value)),
        Stored::String(value) => Some(value::Value::StringValue(value)),
        Stored::Struct(value) => Some(value::Value::StructValue(value)),
        Stored::Proto(value) => Some(value::Value::ProtoValue(value)),
        Stored::Bool(value) => Some(value::Value::BoolValue(value)),
    };
    Value { value }
}

/// A number, if an enum of the wire declares it.
fn known<Enum: TryFrom<i32>>(number: i32) -> Option<i32> {
    Enum::try_from(number).is_ok().then_some(number)
}

/// The number of a stored enum as the wire has it.
fn number_out(stored: i64) -> Option<i32> {
    i32::try_from(stored).ok()
}

impl From<Artifact> for NodeInput {
    fn from(given: Artifact) -> Self {
        let state = given.state.and_then(known::<artifact::State>);
        Self {
            id: given.id,
            type_id: given.type_id,
            type_name: given.r#type,
            content: NodeContent {
                name: given.name,
                external_id: given.external_id,
                uri: given.uri,
                state: state
                    .and_then(|number| NodeState::from_number(Kind::Artifact, number.into())),
                properties: properties_in(given.properties),
                custom_properties: properties_in(given.custom_properties),
            },
            update_time: given.last_update_time_since_epoch,
            // The request has more than is stored, which counts as a change.
            force_update: given.system_metadata.is_some() || state != given.state,
        }
    }
}

impl From<Node> for Artifact {
    fn from(stored: Node) -> Self {
        let content = stored.content;
        Self {
            id: Some(stored.id),
            type_id: Some(stored.type_id),
            r#type: stored.type_name,
            name: content.name,
            external_id: content.external_id,
            uri: content.uri,
            state: content.state.and_then(|state| number_out(state.number())),
            properties: properties_out(content.properties),
            custom_properties: properties_out(content.custom_properties),
            create_time_since_epoch: Some(stored.create_time),
            last_update_time_since_epoch: Some(stored.update_time),
            system_metadata: None,
        }
    }
}

impl From<NodeId> for Artifact {
    fn from(NodeId(id): NodeId) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }
}

impl From<Execution> for NodeInput {
    fn from(given: Execution) -> Self {
        let state = given.last_known_state.and_then(known::<execution::State>);
        Self {
            id: given.id,
            type_id: given.type_id,
            type_name: given.r#type,
            content: NodeContent {
                name: given.name,
                external_id: given.external_id,
                state: state
                    .and_then(|number| NodeState::from_number(Kind::Execution, number.into())),
                properties: properties_in(given.properties),
                custom_properties: properties_in(given.custom_properties),
                ..NodeContent::default()
            },
            update_time: given.last_update_time_since_epoch,
            // The request has more than is stored, which counts as a change.
            force_update: given.system_metadata.is_some() || state != given.last_known_state,
        }
    }
}

impl From<Node> for Execution {
    fn from(stored: Node) -> Self {
        let content = stored.content;
        Self {
            id: Some(stored.id),
            type_id: Some(stored.type_id),
            r#type: stored.type_name,
            name: content.name,
            external_id: content.external_id,
            last_known_state: content.state.and_then(|state| number_out(state.number())),
            properties: properties_out(content.properties),
            custom_properties: properties_out(content.custom_properties),
            create_time_since_epoch: Some(stored.create_time),
            last_update_time_since_epoch: Some(stored.update_time),
            system_metadata: None,
        }
    }
}

impl From<NodeId> for Execution {
    fn from(NodeId(id): NodeId) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }
}

impl From<Context> for NodeInput {
    fn from(given: Context) -> Self {
        Self {
            id: given.id,
            type_id: given.type_id,
            type_name: given.r#type,
            content: NodeContent {
                name: given.name,
                external_id: given.external_id,
                properties: properties_in(given.properties),
                custom_properties: properties_in(given.custom_properties),
                ..NodeContent::default()
            },
            update_time: given.last_update_time_since_epoch,
            // The request has more than is stored, which counts as a change.
            force_update: given.system_metadata.is_some(),
        }
    }
}

impl From<Node> for Context {
    fn from(stored: Node) -> Self {
        let content = stored.content;
        Self {
            id: Some(stored.id),
            type_id: Some(stored.type_id),
            r#type: stored.type_name,
            name: content.name,
            external_id: content.external_id,
            properties: properties_out(content.properties),
            custom_properties: properties_out(content.custom_properties),
            create_time_since_epoch: Some(stored.create_time),
            last_update_time_since_epoch: Some(stored.update_time),
            system_metadata: None,
        }
    }
}

impl From<NodeId> for Context {
    fn from(NodeId(id): NodeId) -> Self {
        Self {
            id: Some(id),
            ..Self::default()
        }
    }
}

/// A step that is neither an index nor a key is no step.
pub(in crate::api) fn path_in(given: Option<event::Path>) -> EventPath {
    let steps = given.into_iter().flat_map(|path| path.steps);
    steps.filter_map(|step| step.value).map(step_in).collect()
}

fn step_in(given: step::Value) -> Step {
    match given {
        step::Value::Index(index) => Step::Index(index),
        step::Value::Key(key) => Step::Key(key),
    }
}

impl From<Event> for EventInput {
    fn from(given: Event) -> Self {
        Self {
            artifact_id: given.artifact_id,
            execution_id: given.execution_id,
            event_type: given
                .r#type
                .filter(|number| {
                    event::Type::try_from(*number).is_ok_and(|known| known != event::Type::Unknown)
                })
                .map(|number| EventType::from_number(number.into())),
            milliseconds: given.milliseconds_since_epoch,
            path: path_in(given.path),
        }
    }
}

impl From<model::Event> for Event {
    fn from(stored: model::Event) -> Self {
        let step_out = |step| WireStep {
            value: Some(match step {
                Step::Index(index) => step::Value::Index(index),
                Step::Key(key) => step::Value::Key(key),
            }),
        };
        let steps: Vec<WireStep> = stored.path.into_iter().map(step_out).collect();
        Self {
            artifact_id: Some(stored.artifact_id),
            execution_id: Some(stored.execution_id),
            path: (!steps.is_empty()).then_some(event::Path { steps }),
            r#type: number_out(stored.event_type.number()),
            milliseconds_since_epoch: stored.milliseconds,
            system_metadata: None,
        }
    }
}

macro_rules! membership {
    ($message:ident, $node_id:ident) => {
        impl From<$message> for Membership {
            fn from(given: $message) -> Self {
                Self {
                    context_id: given.context_id(),
                    node_id: given.$node_id(),
                }
            }
        }

        impl From<Membership> for $message {
            fn from(stored: Membership) -> Self {
                Self {
                    context_id: Some(stored.context_id),
                    $node_id: Some(stored.node_id),
                    system_metadata: None,
                }
            }
        }
    };
}
membership!(Attribution, artifact_id);
membership!(Association, execution_id);

impl From<ParentContext> for model::ParentContext {
    fn from(given: ParentContext) -> Self {
        Self {
            parent_id: given.parent_id,
            child_id: given.child_id,
        }
    }
}

impl From<put_execution_request::ArtifactAndEvent> for ArtifactAndEvent {
    fn from(given: put_execution_request::ArtifactAndEvent) -> Self {
        Self {
            artifact: given.artifact.map(Into::into),
            event: given.event.map(Into::into),
        }
    }
}

impl From<put_lineage_subgraph_request::EventEdge> for EventEdge {
    fn from(given: put_lineage_subgraph_request::EventEdge) -> Self {
        Self {
            execution_index: given.execution_index,
            artifact_index: given.artifact_index,
            event: given.event.map(Into::into),
        }
    }
}

/// The mask of an update of nodes of a kind. `None`, which means all fields, for a mask without
/// paths. A path that names no field of the kind is ignored.
///
/// Whatever follows the first dot is the name of one property; a map without a name is the whole
/// map.
pub(super) fn mask(kind: Kind, given: Option<&FieldMask>) -> Option<Mask> {
    let paths = &given?.paths;
    if paths.is_empty() {
        return None;
    }
    let mut mask = Mask::EMPTY;
    for path in paths {
        let (field, property) = match path.split_once('.') {
            Some((field, property)) => (field, Some(property)),
            None => (path.as_str(), None),
        };
        match (kind, field, property) {
            (_, "properties", property) => add(&mut mask.properties, property),
            (_, "custom_properties", property) => add(&mut mask.custom_properties, property),
            (_, "name", None) => mask.name = true,
            (_, "external_id", None) => mask.external_id = true,
            (Kind::Artifact, "uri", None) => mask.uri = true,
            (Kind::Artifact, "state", None) | (Kind::Execution, "last_known_state", None) => {
                mask.state = true;
            }
            _ => {}
        }
    }
    Some(mask)
}

/// Adds a property to the mask of a map, or all of them when none is named.
fn add(mask: &mut PropertyMask, property: Option<&str>) {
    match (mask, property) {
        (PropertyMask::Named(names), Some(property)) => _ = names.insert(property.to_owned()),
        (mask, None) => *mask = PropertyMask::All,
        (PropertyMask::All, Some(_)) => {}
    }
}

/// A list of one kind of thing as a list of another.
pub(in crate::api) fn all<From, To>(list: impl IntoIterator<Item = From>) -> Vec<To>
where
    To: std::convert::From<From>,
{
    list.into_iter().map(To::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, paths: &[&str]) -> Option<Mask> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        mask(kind, Some(&FieldMask { paths }))
    }

    fn named(names: &[&str]) -> PropertyMask {
        PropertyMask::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn without_paths_there_is_no_mask() {
        assert_eq!(mask(Kind::Context, None), None);
        assert_eq!(of(Kind::Context, &[]), None);
        assert_eq!(of(Kind::Context, &["", "nonexist"]), Some(Mask::EMPTY));
    }

    #[test]
    fn a_path_names_a_field_of_its_kind() {
        let state = Mask {
            state: true,
            ..Mask::EMPTY
        };
        assert_eq!(of(Kind::Artifact, &["state"]), Some(state.clone()));
        assert_eq!(of(Kind::Execution, &["last_known_state"]), Some(state));
        let of_others = ["state", "uri", "name.", "external_id.x"];
        assert_eq!(of(Kind::Execution, &of_others), Some(Mask::EMPTY));
    }

    #[test]
    fn a_path_names_a_property_or_all() {
        let some = Mask {
            properties: named(&["p", ""]),
            custom_properties: named(&["a.b"]),
            ..Mask::EMPTY
        };
        let paths = ["properties.p", "custom_properties.a.b", "properties."];
        assert_eq!(of(Kind::Artifact, &paths), Some(some));
        let all = Mask {
            properties: PropertyMask::All,
            ..Mask::EMPTY
        };
        let paths = ["properties.p", "properties", "properties.q"];
        assert_eq!(of(Kind::Artifact, &paths), Some(all));
    }
}
