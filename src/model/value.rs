use std::collections::BTreeMap;

use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct, Value as StructValue};

use super::{PropertyType, StructText};

/// Maximum depth of messages in a struct. Every message around it, of a request, of a response or
/// of the history, then stays below the limit of 100 of the decoders of protocol buffers.
const MAX_STRUCT_DEPTH: usize = 80;

/// The value of a property.
///
/// Equality is by case and content: `Int(1)` differs from `Double(1.0)`, and a NaN differs from
/// itself, which is what decides whether an update changes a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(i64),
    Double(f64),
    String(String),
    Struct(Struct),
    Proto(Any),
    Bool(bool),
    /// A `Value` message without a case. It matches no declared type and is never written. A row
    /// without a value, as another program may have left it, is read as this.
    Empty,
}

impl Value {
    /// The property type this value belongs to; `None` for the empty one.
    #[must_use]
    pub const fn property_type(&self) -> Option<PropertyType> {
        match self {
            Self::Int(_) => Some(PropertyType::Int),
            Self::Double(_) => Some(PropertyType::Double),
            Self::String(_) => Some(PropertyType::String),
            Self::Struct(_) => Some(PropertyType::Struct),
            Self::Proto(_) => Some(PropertyType::Proto),
            Self::Bool(_) => Some(PropertyType::Boolean),
            Self::Empty => None,
        }
    }

    /// A double. Not every database keeps the sign of a zero, so none does.
    #[must_use]
    pub const fn double(number: f64) -> Self {
        Self::Double(number + 0.0)
    }

    /// Why the value cannot be written: it would not be read as it was given, on every database.
    /// `None` if it can be.
    #[must_use]
    pub fn defect(&self) -> Option<&'static str> {
        match self {
            Self::Double(number) if !number.is_finite() => {
                Some("a double must be finite: not every database stores NaN and infinities")
            }
            Self::String(text) if StructText::decode(text) == StructText::Undecodable => {
                Some("a text that begins with `mlmd-struct::` must hold a `google.protobuf.Struct`")
            }
            Self::Struct(given) if struct_depth(given) > MAX_STRUCT_DEPTH => {
                Some("a `google.protobuf.Struct` is nested too deeply")
            }
            Self::Proto(any) if any.type_url.is_empty() => {
                Some("a `google.protobuf.Any` must have a `type_url`")
            }
            Self::Empty => Some("a value must be set"),
            _ => None,
        }
    }

    /// The texts, numbers and truth values of a struct, as texts. Empty for other values.
    #[must_use]
    pub fn struct_texts(&self) -> BTreeMap<String, String> {
        let Self::Struct(given) = self else {
            return BTreeMap::new();
        };
        let texts = given.fields.iter().filter_map(|(name, value)| {
            let text = match value.kind.as_ref()? {
                Kind::StringValue(text) => text.clone(),
                Kind::NumberValue(number) => number.to_string(),
                Kind::BoolValue(is) => is.to_string(),
                Kind::NullValue(_) | Kind::ListValue(_) | Kind::StructValue(_) => {
                    return None;
                }
            };
            Some((name.clone(), text))
        });
        texts.collect()
    }

    /// About how much memory the value takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let content = match self {
            Self::String(text) => text.len(),
            Self::Struct(given) => given.encoded_len(),
            Self::Proto(any) => any.encoded_len(),
            Self::Int(_) | Self::Double(_) | Self::Bool(_) | Self::Empty => 0,
        };
        size_of::<Self>() + content
    }

    /// Whether the value is a double that cannot be written: a metric that diverged, mostly.
    #[must_use]
    pub const fn is_non_finite(&self) -> bool {
        matches!(self, Self::Double(number) if !number.is_finite())
    }
}

/// The number of messages that contain each other, the struct included.
fn struct_depth(given: &Struct) -> usize {
    // Between a struct and its values is the message of an entry.
    2 + deepest(given.fields.values())
}

fn deepest<'a>(values: impl Iterator<Item = &'a StructValue>) -> usize {
    let depth = |value: &StructValue| match &value.kind {
        Some(Kind::StructValue(given)) => 1 + struct_depth(given),
        Some(Kind::ListValue(ListValue { values })) => 2 + deepest(values.iter()),
        _ => 1,
    };
    values.map(depth).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        let mut inner = Struct::default();
        for _ in 0..levels {
            let kind = Some(Kind::StructValue(inner));
            let fields = [("k".to_owned(), StructValue { kind })].into();
            inner = Struct { fields };
        }
        Value::Struct(inner)
    }

    #[test]
    fn texts_of_a_struct_are_those_of_its_plain_members() {
        let members = [
            ("rate", Kind::NumberValue(0.5)),
            ("trees", Kind::NumberValue(20.0)),
            ("name", Kind::StringValue("a".to_owned())),
            ("is", Kind::BoolValue(true)),
            ("none", Kind::NullValue(0)),
            ("list", Kind::ListValue(ListValue::default())),
        ];
        let fields =
            members.map(|(name, kind)| (name.to_owned(), StructValue { kind: Some(kind) }));
        let given = Value::Struct(Struct {
            fields: fields.into(),
        });
        let expected = [
            ("is", "true"),
            ("name", "a"),
            ("rate", "0.5"),
            ("trees", "20"),
        ];
        let texts = given.struct_texts();
        let texts = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        assert_eq!(texts.collect::<Vec<_>>(), expected);
        assert!(Value::Int(1).struct_texts().is_empty());
    }

    #[test]
    fn what_cannot_be_read_alike_has_a_defect() {
        let any = |type_url: &str| {
            Value::Proto(Any {
                type_url: type_url.to_owned(),
                value: b"abc".to_vec(),
            })
        };
        let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Value::double);
        let text = Value::String("mlmd-struct::!!!".to_owned());
        let others = [text, any(""), Value::Empty, nested(27)];
        for value in numbers.into_iter().chain(others) {
            assert!(value.defect().is_some(), "{value:?}");
        }
        let numbers = [0.0, -0.0, f64::MAX, f64::MIN_POSITIVE].map(Value::double);
        let text = Value::String("mlmd-struct::".to_owned());
        let others = [text, any("t"), nested(26), Value::Bool(false)];
        for value in numbers.into_iter().chain(others) {
            assert_eq!(value.defect(), None, "{value:?}");
        }
    }

    #[test]
    fn a_zero_has_no_sign() {
        let Value::Double(zero) = Value::double(-0.0) else {
            panic!("no double");
        };
        assert!(zero.is_sign_positive());
    }
}
