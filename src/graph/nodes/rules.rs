//! Rules of nodes, decided without the database: validity, the result of an update, and whether an
//! update changes anything.

use crate::error::{Error, Result};
use crate::graph::nodes::mask::{FULL_MASK, Mask, PropertyMask};
use crate::model::{Kind, Node, NodeContent, NodeInput, NodeType, Properties, Value};

/// Checks a new node against its type.
pub(in crate::graph) fn check_new(
    kind: Kind,
    node: &NodeInput,
    node_type: &NodeType,
) -> Result<()> {
    check_declared(kind, node, node_type)?;
    check_context_name(kind, &node.content)
}

/// Checks that the type declares every property of a node with the type of its value, and that
/// every value can be written.
pub(in crate::graph) fn check_declared(
    kind: Kind,
    node: &NodeInput,
    node_type: &NodeType,
) -> Result<()> {
    let mut stored = NodeContent::default();
    if node.id.is_some() {
        // The update itself decides about these, when the stored node is read.
        stored.properties = with_defect(&node.content.properties);
        stored.custom_properties = with_defect(&node.content.custom_properties);
    }
    check_properties(&node.content, &stored, node_type, &FULL_MASK).map_err(|error| {
        Error::InvalidArgument(format!(
            "Cannot validate properties of {}: {error}",
            describe(kind, node)
        ))
    })
}

/// The properties whose values cannot be written.
fn with_defect(properties: &Properties) -> Properties {
    let all = properties.iter();
    all.filter(|(_, value)| value.defect().is_some())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Every property in the mask must be declared with the type of its value, and every value must be
/// one that can be written. This is the only check of values: all RPCs that write pass here.
///
/// A value that the update leaves as it is stored is not checked, so that a client can put back
/// what another program stored.
fn check_properties(
    node: &NodeContent,
    stored: &NodeContent,
    node_type: &NodeType,
    mask: &Mask,
) -> Result<()> {
    let changes = |(name, value): &(&String, &Value), mask: &PropertyMask, stored: &Properties| {
        mask.contains(name) && stored.get(*name) != Some(*value)
    };
    let declared = node.properties.iter();
    for (name, value) in declared.filter(|it| changes(it, &mask.properties, &stored.properties)) {
        check_property(name, value, node_type)?;
        check_value(name, value)?;
    }
    let (mask, stored) = (&mask.custom_properties, &stored.custom_properties);
    let customs = node.custom_properties.iter();
    for (name, value) in customs.filter(|it| changes(it, mask, stored)) {
        check_value(name, value)?;
    }
    Ok(())
}

/// Checks that every property that an update changes can be written.
///
/// # Errors
///
/// `InvalidArgument`, which names the property.
pub(in crate::graph) fn check_values(node: &NodeContent, stored: &NodeContent) -> Result<()> {
    let maps = [
        (&node.properties, &stored.properties),
        (&node.custom_properties, &stored.custom_properties),
    ];
    for (given, stored) in maps {
        for (name, value) in given
            .iter()
            .filter(|(name, v)| stored.get(*name) != Some(v))
        {
            check_value(name, value)?;
        }
    }
    Ok(())
}

/// Checks that a value can be written, and read as it was given.
fn check_value(name: &str, value: &Value) -> Result<()> {
    match (value, value.defect()) {
        (_, None) => Ok(()),
        (Value::Empty, Some(_)) => Err(unmatched(name)),
        (_, Some(defect)) => Err(Error::invalid(format!(
            "The value of property `{name}` cannot be written: {defect}"
        ))),
    }
}

/// Checks that the type declares a property with the type of its value.
pub(in crate::graph) fn check_property(
    name: &str,
    value: &Value,
    node_type: &NodeType,
) -> Result<()> {
    match node_type.properties.get(name) {
        None => Err(Error::invalid(format!("Found unknown property: {name}"))),
        Some(declared) if value.property_type() != Some(*declared) => Err(unmatched(name)),
        Some(_) => Ok(()),
    }
}

fn unmatched(name: &str) -> Error {
    Error::invalid(format!("Found unmatched property type: {name}"))
}

fn check_context_name(kind: Kind, node: &NodeContent) -> Result<()> {
    if kind == Kind::Context && node.name.as_deref().is_none_or(str::is_empty) {
        return Err(Error::invalid("Context name should not be empty"));
    }
    Ok(())
}

/// The stored node with the update applied. Its times stay.
///
/// # Errors
///
/// `InvalidArgument` when the type differs, a property does not match, or a context would have no
/// name.
pub(in crate::graph) fn merge(
    kind: Kind,
    stored: &Node,
    given: &NodeInput,
    node_type: &NodeType,
    mask: &Mask,
) -> Result<Node> {
    let known = stored.type_id;
    if let Some(wanted) = given.type_id.filter(|wanted| *wanted != known) {
        return Err(Error::invalid(format!(
            "Given type_id {wanted} is different from the one known before: {known}"
        )));
    }
    let given = &given.content;
    check_properties(given, &stored.content, node_type, mask)?;
    let mut node = stored.clone();
    let merged = &mut node.content;
    if mask.external_id {
        merged.external_id.clone_from(&given.external_id);
    }
    if kind == Kind::Artifact && mask.uri {
        merged.uri = Some(given.uri.clone().unwrap_or_default());
    }
    if kind != Kind::Context && mask.state {
        merged.state = given.state;
    }
    // An update never renames an artifact or an execution; a new name is ignored without an error.
    if kind == Kind::Context && mask.name {
        check_context_name(kind, given)?;
        merged.name.clone_from(&given.name);
    }
    replace(&mut merged.properties, &given.properties, &mask.properties);
    replace(
        &mut merged.custom_properties,
        &given.custom_properties,
        &mask.custom_properties,
    );
    Ok(node)
}

fn replace(stored: &mut Properties, given: &Properties, mask: &PropertyMask) {
    stored.retain(|name, _| !mask.contains(name) || given.contains_key(name));
    for (name, value) in given.iter().filter(|(name, _)| mask.contains(name)) {
        stored.insert(name.clone(), value.clone());
    }
}

/// Whether an update writes the node and moves its update time: a property changed, or the request
/// differs from the stored node in one of these fields, presence included. All fields of the
/// request count, also those outside the mask.
pub(in crate::graph) fn is_change(stored: &Node, given: &NodeInput, merged: &Node) -> bool {
    let (before, after) = (&stored.content, &merged.content);
    let request = &given.content;
    before.properties != after.properties
        || before.custom_properties != after.custom_properties
        || before.name != request.name
        || before.uri != request.uri
        || before.external_id != request.external_id
        || before.state != request.state
        || stored.type_name != given.type_name
        || given.force_update
}

/// A short description of a node, for error texts.
pub(in crate::graph) fn describe(kind: Kind, node: &NodeInput) -> String {
    describe_content(kind, node.id, node.type_id, &node.content)
}

/// A short description of a stored node, for error texts.
pub(in crate::graph) fn describe_stored(kind: Kind, node: &Node) -> String {
    describe_content(kind, Some(node.id), Some(node.type_id), &node.content)
}

fn describe_content(
    kind: Kind,
    id: Option<i64>,
    type_id: Option<i64>,
    content: &NodeContent,
) -> String {
    let mut text = kind.noun().to_owned();
    let mut add = |field: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push(' ');
            text.push_str(field);
            text.push_str(": ");
            text.push_str(&value);
        }
    };
    add("id", id.map(|id| id.to_string()));
    add("type_id", type_id.map(|id| id.to_string()));
    add(
        "name",
        content.name.as_ref().map(|name| format!("{name:?}")),
    );
    let external_id = content.external_id.as_ref();
    add("external_id", external_id.map(|id| format!("{id:?}")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArtifactState, PropertyType};

    fn stored() -> Node {
        Node {
            id: 1,
            type_id: 10,
            type_name: Some("T".into()),
            content: NodeContent {
                name: Some("n".into()),
                uri: Some("u".into()),
                state: Some(ArtifactState::Live.into()),
                properties: [("p".to_owned(), Value::Int(1))].into(),
                custom_properties: [("a.b".to_owned(), Value::Bool(true))].into(),
                ..NodeContent::default()
            },
            create_time: 5,
            update_time: 7,
        }
    }

    fn given(content: NodeContent) -> NodeInput {
        NodeInput {
            id: Some(1),
            content,
            ..NodeInput::default()
        }
    }

    fn node_type() -> NodeType {
        NodeType {
            properties: [("p".to_owned(), PropertyType::Int)].into(),
            ..NodeType::default()
        }
    }

    fn put(given: &NodeInput, mask: &Mask) -> Result<NodeContent> {
        let merged = merge(Kind::Artifact, &stored(), given, &node_type(), mask);
        merged.map(|merged| merged.content)
    }

    fn named(name: &str) -> PropertyMask {
        PropertyMask::Named([name.to_owned()].into())
    }

    #[test]
    fn without_a_mask_everything_but_the_name_is_replaced() {
        let given = given(NodeContent {
            name: Some("other".into()),
            ..NodeContent::default()
        });
        let merged = put(&given, &FULL_MASK).unwrap();
        assert_eq!(merged.name.as_deref(), Some("n"));
        assert_eq!((merged.uri.as_deref(), merged.state), (Some(""), None));
        assert!(merged.properties.is_empty() && merged.custom_properties.is_empty());
    }

    #[test]
    fn a_mask_touches_what_it_names() {
        let given = given(NodeContent {
            properties: [("nope".to_owned(), Value::Int(1))].into(),
            ..NodeContent::default()
        });
        let mask = Mask {
            state: true,
            custom_properties: named("a.b"),
            ..Mask::EMPTY
        };
        let merged = put(&given, &mask).unwrap();
        assert_eq!((merged.uri.as_deref(), merged.state), (Some("u"), None));
        assert_eq!(merged.properties, stored().content.properties);
        assert!(merged.custom_properties.is_empty());
        for properties in [PropertyMask::All, named("nope")] {
            let mask = Mask {
                properties,
                ..Mask::EMPTY
            };
            assert!(put(&given, &mask).is_err());
        }
    }

    #[test]
    fn reading_and_putting_back_is_no_change() {
        let is_change = |given: &NodeInput| {
            let (stored, node_type) = (stored(), node_type());
            let merged = merge(Kind::Artifact, &stored, given, &node_type, &FULL_MASK);
            is_change(&stored, given, &merged.unwrap())
        };
        let same = NodeInput::from(stored());
        assert!(!is_change(&same));
        let without_type = NodeInput {
            type_name: None,
            ..same.clone()
        };
        assert!(is_change(&without_type));
        let forced = NodeInput {
            force_update: true,
            ..same
        };
        assert!(is_change(&forced));
    }

    #[test]
    fn an_empty_value_matches_nothing() {
        for custom in [false, true] {
            let mut given = NodeInput::from(stored());
            let map = if custom {
                &mut given.content.custom_properties
            } else {
                &mut given.content.properties
            };
            map.insert("p".into(), Value::Empty);
            let error = put(&given, &FULL_MASK).unwrap_err().to_string();
            assert_eq!(error, "Found unmatched property type: p");
        }
    }
}
