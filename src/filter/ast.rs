//! Abstract syntax tree: the query as written, before names are resolved and types checked.

/// A node of the syntax tree. The parser bounds the height of a tree, so recursion over it is safe.
#[derive(Debug)]
pub(super) struct AstNode {
    pub(super) kind: AstKind,
    /// Byte offset in the query that errors about this node point to.
    pub(super) offset: usize,
    pub(super) height: usize,
}

#[derive(Debug)]
pub(super) enum AstKind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    /// One or more names with dots between them.
    Path(Vec<PathSegment>),
    Not(Box<AstNode>),
    Sign(Sign, Box<AstNode>),
    Arithmetic(ArithmeticOp, Box<AstNode>, Box<AstNode>),
    Concat(Box<AstNode>, Box<AstNode>),
    Compare(ComparisonOp, Box<AstNode>, Box<AstNode>),
    Like(Box<AstNode>, Box<AstNode>),
    /// The operand, the lower bound and the upper bound.
    Between(Box<[AstNode; 3]>),
    In {
        operand: Box<AstNode>,
        list: Vec<AstNode>,
        negated: bool,
    },
    Is(Box<AstNode>, IsTest),
    Case {
        subject: Option<Box<AstNode>>,
        arms: Vec<(AstNode, AstNode)>,
        otherwise: Option<Box<AstNode>>,
    },
    Call {
        name: String,
        arguments: Vec<AstNode>,
    },
    And(Vec<AstNode>),
    Or(Vec<AstNode>),
}

/// One name of a path.
#[derive(Debug)]
pub(super) struct PathSegment {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) quoted: bool,
    /// Whether a space or comment stands beside the dot before this name.
    pub(super) spaced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl ArithmeticOp {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComparisonOp {
    Equal,
    /// `!=`. It differs from `<>` beside an enum column (see `typeck/enums.rs`).
    NotEqual,
    LessOrGreater,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl ComparisonOp {
    pub(super) const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::LessOrGreater)
    }

    /// The operator as written in a query and in SQL.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::LessOrGreater => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The test behind `IS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsTest {
    Null,
    True,
    False,
}

impl IsTest {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
        }
    }
}

impl AstNode {
    /// Whether the node is a path whose last name is that of an enum column, of some kind of node.
    pub(super) fn is_named_like_enum(&self) -> bool {
        let AstKind::Path(parts) = &self.kind else {
            return false;
        };
        match parts.as_slice() {
            [.., column] if matches!(column.name.as_str(), "state" | "last_known_state") => true,
            [of, column] => of.name.starts_with("events_") && column.name == "type",
            _ => false,
        }
    }

    /// The name, if the node is a single unquoted name.
    pub(super) fn bare_name(&self) -> Option<&str> {
        match &self.kind {
            AstKind::Path(parts) => match parts.as_slice() {
                [part] if !part.quoted => Some(&part.name),
                _ => None,
            },
            _ => None,
        }
    }
}
