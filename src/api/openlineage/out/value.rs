//! Values of properties as JSON.

use prost_types::value::Kind as StructKind;
use prost_types::{Struct, Value as StructValue};
use serde_json::{Map, Value as Json};

use crate::model::{NodeContent, Value};

/// The most bytes of a text.
const MAX_TEXT_BYTES: usize = 4096;

/// A property of a node, whether its type declares it or not.
pub(in crate::api) fn property<'n>(node: &'n NodeContent, name: &str) -> Option<&'n Value> {
    let custom = node.custom_properties.get(name);
    custom.or_else(|| node.properties.get(name))
}

/// A property that is a text or a whole number, as text. An empty text is none.
pub(super) fn text_of(node: &NodeContent, name: &str) -> Option<String> {
    match property(node, name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A property that is a whole number.
pub(super) fn int_of(node: &NodeContent, name: &str) -> Option<i64> {
    match property(node, name)? {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// A value as JSON. A long text is cut; messages, whose meaning only their clients know, are none.
pub(in crate::api) fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Int(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::String(text) => cut(text).into(),
        Value::Bool(value) => (*value).into(),
        Value::Struct(value) => of_struct(value),
        Value::Proto(_) | Value::Empty => return None,
    })
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

fn of_struct(value: &Struct) -> Json {
    let field = |(name, value): (&String, &StructValue)| (name.clone(), of_field(value));
    value.fields.iter().map(field).collect::<Map<_, _>>().into()
}

fn of_field(value: &StructValue) -> Json {
    match &value.kind {
        Some(StructKind::NumberValue(number)) => (*number).into(),
        Some(StructKind::StringValue(text)) => cut(text).into(),
        Some(StructKind::BoolValue(value)) => (*value).into(),
        Some(StructKind::StructValue(value)) => of_struct(value),
        Some(StructKind::ListValue(list)) => list.values.iter().map(of_field).collect(),
        Some(StructKind::NullValue(_)) | None => Json::Null,
    }
}
