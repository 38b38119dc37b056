//! The types of expressions.

use std::borrow::Borrow;
use std::fmt;

/// The type of an expression. Error messages show its GoogleSQL name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Double,
    Text,
    Bool,
    /// The type of a literal NULL whose context has not given it a type yet.
    Null,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "INT64",
            Self::Double => "DOUBLE",
            Self::Text => "STRING",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
        })
    }
}

impl Type {
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Null)
    }

    /// Whether an expression of this type is accepted where `wanted` is required.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Null
    }

    /// The type itself, or `Int` for a NULL without a type.
    pub(super) const fn or_int(self) -> Self {
        match self {
            Self::Null => Self::Int,
            known => known,
        }
    }

    /// The common type of both. Integers and doubles mix; NULL takes any type.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Null, known) | (known, Self::Null) => Some(known),
            (Self::Int, Self::Double) | (Self::Double, Self::Int) => Some(Self::Double),
            _ => None,
        }
    }

    /// The common type of all.
    pub(super) fn common(types: impl IntoIterator<Item = impl Borrow<Self>>) -> Option<Self> {
        types
            .into_iter()
            .try_fold(Self::Null, |common, ty| common.with(*ty.borrow()))
    }
}
