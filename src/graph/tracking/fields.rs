//! Properties of nodes, as clients of experiment tracking set and read them.

use crate::model::{NodeContent, Properties, PropertyName, Value};

/// A property that is a text; empty without one.
pub(in crate::graph) fn text(properties: &Properties, name: &str) -> String {
    match properties.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The properties whose names begin so, by the rest of their names, as texts.
pub(in crate::graph) fn texts_after(
    properties: &Properties,
    prefix: &str,
) -> Vec<(String, String)> {
    let named = properties.range(prefix.to_owned()..);
    let named = named.map_while(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
    let text = |(key, value): (&str, &Value)| Some((key.to_owned(), text_of(value.clone())?));
    named.filter_map(text).collect()
}

/// A value as a text; `None` for one that is not shown so.
pub(super) fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Struct(_) | Value::Proto(_) | Value::Empty => None,
    }
}

/// A property that is an integer.
pub(in crate::graph) fn int(properties: &Properties, name: &str) -> Option<i64> {
    match properties.get(name) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    }
}

/// Sets custom properties, which are named after keys, to texts.
pub(in crate::graph) fn set_texts<'t>(
    content: &mut NodeContent,
    property: fn(&str) -> PropertyName,
    texts: impl IntoIterator<Item = &'t (String, String)>,
) {
    for (key, text) in texts {
        let text = Value::String(text.clone());
        content.custom_properties.insert(property(key).name, text);
    }
}
