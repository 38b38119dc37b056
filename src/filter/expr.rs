//! Typed expressions: the query with names resolved and types checked. Input of code generation.

use super::ast::{ArithmeticOp, ComparisonOp, IsTest};
use super::catalog::Relation;
use super::functions::Function;
use super::types::Type;
use crate::model::Kind;

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) ty: Type,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExprKind {
    /// NULL of the expression's type.
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Column(ColumnRef),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Arithmetic(ArithmeticOp, Box<[Expr; 2]>),
    Compare(ComparisonOp, Box<[Expr; 2]>),
    Like(Box<[Expr; 2]>),
    Between(Box<[Expr; 3]>),
    In(Box<Expr>, Vec<Expr>),
    Is(Box<Expr>, IsTest),
    Case {
        subject: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Call(Function, Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

/// A column of the node or of something joined to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnRef {
    pub(super) table: TableAlias,
    pub(super) name: &'static str,
    /// Whether it is an indexed text of unlimited length. PostgreSQL indexes a prefix of it.
    pub(super) is_long_text: bool,
}

/// The table of a column, by its alias in the SQL. `#` is the number of the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableAlias {
    /// `n`: the filtered node.
    Node,
    /// `t`: the type of the node.
    NodeType,
    /// `m#`: a neighbour.
    Neighbour(usize),
    /// `t#`: the type of a neighbour.
    NeighbourType(usize),
    /// `p#`: a property of the node.
    Property(usize),
}

/// A join to the filtered node: one for each distinct thing that the query mentions.
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

    /// The kind of the joined node; `None` for other tables.
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Neighbour { relation, .. } => relation.neighbours.kind(),
            Self::Type | Self::Property { .. } => None,
        }
    }

    /// The number of tables that the join adds to the statement.
    pub(super) const fn tables(&self) -> usize {
        match self {
            Self::Type | Self::Property { .. } => 1,
            Self::Neighbour {
                relation, typed, ..
            } => relation.neighbours.join_tables() + *typed as usize,
        }
    }
}

impl Expr {
    pub(super) const fn new(ty: Type, kind: ExprKind) -> Self {
        Self { kind, ty }
    }

    pub(super) const fn bool(kind: ExprKind) -> Self {
        Self::new(Type::Bool, kind)
    }

    pub(super) const fn int(value: i64) -> Self {
        Self::new(Type::Int, ExprKind::Int(value))
    }

    /// A reference to a column.
    pub(super) fn column(table: TableAlias, name: &'static str, ty: Type) -> Self {
        let is_long_text = matches!(name, "uri" | "string_value");
        Self::new(
            ty,
            ExprKind::Column(ColumnRef {
                table,
                name,
                is_long_text,
            }),
        )
    }

    pub(super) fn not(self) -> Self {
        Self::bool(ExprKind::Not(Box::new(self)))
    }

    pub(super) fn tested_for_null(self) -> Self {
        Self::bool(ExprKind::Is(Box::new(self.typed(Type::Int)), IsTest::Null))
    }

    pub(super) const fn as_int(&self) -> Option<i64> {
        if let ExprKind::Int(value) = self.kind {
            Some(value)
        } else {
            None
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let ExprKind::Text(value) = &self.kind {
            Some(value)
        } else {
            None
        }
    }

    /// The direct operands of the expression.
    pub(super) fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Double(_)
            | ExprKind::Text(_)
            | ExprKind::Column(_) => Vec::new(),
            ExprKind::Not(operand) | ExprKind::Negate(operand) | ExprKind::Is(operand, _) => {
                vec![operand]
            }
            ExprKind::Arithmetic(_, operands)
            | ExprKind::Compare(_, operands)
            | ExprKind::Like(operands) => operands.iter().collect(),
            ExprKind::Between(operands) => operands.iter().collect(),
            ExprKind::In(operand, list) => std::iter::once(operand.as_ref()).chain(list).collect(),
            ExprKind::Case {
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
            ExprKind::Call(_, exprs) | ExprKind::And(exprs) | ExprKind::Or(exprs) => {
                exprs.iter().collect()
            }
        }
    }

    /// Whether the expression is a literal.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(
            self.kind,
            ExprKind::Null
                | ExprKind::Bool(_)
                | ExprKind::Int(_)
                | ExprKind::Double(_)
                | ExprKind::Text(_)
        )
    }

    /// Whether the expression is an indexed text column of unlimited length.
    pub(super) const fn is_long_text(&self) -> bool {
        matches!(&self.kind, ExprKind::Column(column) if column.is_long_text)
    }

    /// Gives a literal NULL this type. Other expressions stay as they are.
    pub(super) fn typed(mut self, ty: Type) -> Self {
        if self.ty == Type::Null {
            self.ty = ty.or_int();
        }
        self
    }
}

/// The types of expressions as error messages list them.
pub(super) fn type_list<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> String {
    exprs
        .into_iter()
        .map(|expr| expr.ty.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The common type of expressions, if they have one.
pub(super) fn common_type<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Option<Type> {
    Type::common(exprs.into_iter().map(|expr| expr.ty))
}
