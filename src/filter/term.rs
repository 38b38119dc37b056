//! The query with names resolved and types checked: what the SQL is made from.

use std::fmt;

use super::functions::Function;
use super::names::Relation;
use super::syntax::{Comparison, Operator, Truth};
use crate::model::Kind;

/// The types of expressions, under their GoogleSQL names in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Double,
    Text,
    Bool,
    /// A literal NULL that nothing has given a type yet.
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

    /// Whether an expression of this type can stand where `wanted` is wanted.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Null
    }

    /// The type itself, or that of a NULL which nothing gives a type.
    pub(super) const fn or_int(self) -> Self {
        match self {
            Self::Null => Self::Int,
            known => known,
        }
    }

    /// The type that both can be brought to. Numbers mix freely, NULL fits anywhere.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Null, known) | (known, Self::Null) => Some(known),
            (Self::Int, Self::Double) | (Self::Double, Self::Int) => Some(Self::Double),
            _ => None,
        }
    }
}

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) node: Node,
    pub(super) ty: Type,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// NULL of the term's type.
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Column(Column),
    Not(Box<Term>),
    Negate(Box<Term>),
    Arithmetic(Operator, Box<[Term; 2]>),
    Compare(Comparison, Box<[Term; 2]>),
    Like(Box<[Term; 2]>),
    Between(Box<[Term; 3]>),
    In(Box<Term>, Vec<Term>),
    Is(Box<Term>, Truth),
    Case {
        subject: Option<Box<Term>>,
        arms: Vec<(Term, Term)>,
        otherwise: Option<Box<Term>>,
    },
    Call(Function, Vec<Term>),
    All(Vec<Term>),
    Any(Vec<Term>),
}

/// A column of the node or of something joined to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) owner: Owner,
    pub(super) name: &'static str,
    /// Whether it is an indexed text of any length, which PostgreSQL indexes by its start only.
    pub(super) is_long_text: bool,
}

/// The table that has a column. Joined tables go by the number of their join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// `n`
    Node,
    /// `t`: the type of the node.
    NodeType,
    /// `m#`
    Neighbour(usize),
    /// `t#`: the type of a neighbour.
    NeighbourType(usize),
    /// `p#`
    Property(usize),
}

/// What a query joins to its node: one entry for everything distinct that it mentions.
#[derive(Clone, Debug)]
pub(super) enum Join {
    Type,
    Neighbour {
        relation: &'static Relation,
        name: String,
        typed: bool,
    },
    Property {
        name: String,
        is_custom: bool,
    },
}

impl Join {
    pub(super) fn is_neighbour(&self, wanted: &str) -> bool {
        matches!(self, Self::Neighbour { name, .. } if name == wanted)
    }

    pub(super) fn is_property(&self, wanted: &str, custom: bool) -> bool {
        matches!(self, Self::Property { name, is_custom } if name == wanted && *is_custom == custom)
    }

    /// The kind of node that it joins, if it is one.
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Neighbour { relation, .. } => relation.kind,
            Self::Type | Self::Property { .. } => None,
        }
    }

    /// How many tables it adds to the statement.
    pub(super) const fn tables(&self) -> usize {
        match self {
            Self::Type | Self::Property { .. } => 1,
            Self::Neighbour {
                relation, typed, ..
            } => relation.tables + *typed as usize,
        }
    }
}

impl Term {
    pub(super) const fn new(ty: Type, node: Node) -> Self {
        Self { node, ty }
    }

    pub(super) const fn bool(node: Node) -> Self {
        Self::new(Type::Bool, node)
    }

    pub(super) const fn int(value: i64) -> Self {
        Self::new(Type::Int, Node::Int(value))
    }

    /// The column of that name.
    pub(super) fn column(owner: Owner, name: &'static str, ty: Type) -> Self {
        let is_long_text = matches!(name, "uri" | "string_value");
        Self::new(
            ty,
            Node::Column(Column {
                owner,
                name,
                is_long_text,
            }),
        )
    }

    pub(super) fn not(self) -> Self {
        Self::bool(Node::Not(Box::new(self)))
    }

    pub(super) fn tested_for_null(self) -> Self {
        Self::bool(Node::Is(Box::new(self.typed(Type::Int)), Truth::Null))
    }

    pub(super) const fn as_int(&self) -> Option<i64> {
        if let Node::Int(value) = self.node {
            Some(value)
        } else {
            None
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Node::Text(value) = &self.node {
            Some(value)
        } else {
            None
        }
    }

    /// The expressions directly inside this one.
    pub(super) fn children(&self) -> Vec<&Self> {
        match &self.node {
            Node::Null
            | Node::Bool(_)
            | Node::Int(_)
            | Node::Double(_)
            | Node::Text(_)
            | Node::Column(_) => Vec::new(),
            Node::Not(operand) | Node::Negate(operand) | Node::Is(operand, _) => vec![operand],
            Node::Arithmetic(_, operands) | Node::Compare(_, operands) | Node::Like(operands) => {
                operands.iter().collect()
            }
            Node::Between(operands) => operands.iter().collect(),
            Node::In(operand, list) => std::iter::once(operand.as_ref()).chain(list).collect(),
            Node::Case {
                subject,
                arms,
                otherwise,
            } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                subject
                    .as_deref()
                    .into_iter()
                    .chain(arms)
                    .chain(otherwise.as_deref())
                    .collect()
            }
            Node::Call(_, terms) | Node::All(terms) | Node::Any(terms) => terms.iter().collect(),
        }
    }

    /// Whether it is a literal.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(
            self.node,
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Double(_) | Node::Text(_)
        )
    }

    /// Whether it is a column of unlimited length that has an index.
    pub(super) const fn is_long_text(&self) -> bool {
        matches!(&self.node, Node::Column(column) if column.is_long_text)
    }

    /// Gives a literal NULL the type of its surroundings.
    pub(super) fn typed(mut self, ty: Type) -> Self {
        if self.ty == Type::Null {
            self.ty = ty.or_int();
        }
        self
    }
}

/// The types, as messages list them.
pub(super) fn type_list<'a>(terms: impl IntoIterator<Item = &'a Term>) -> String {
    terms
        .into_iter()
        .map(|term| term.ty.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The type that all can be brought to.
pub(super) fn common_type<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Option<Type> {
    terms
        .into_iter()
        .try_fold(Type::Null, |common, term| common.with(term.ty))
}
