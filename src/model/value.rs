use prost_types::{Any, Struct};

use super::PropertyType;

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
    /// A `Value` message without a case. It matches no declared type and is never stored.
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
}
