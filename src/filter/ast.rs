//! The query as written, before names and types are looked at.

/// An expression. Trees are at most [`MAX_NESTING_LEVELS`] high, so recursion over them is safe.
#[derive(Debug)]
pub(super) struct AstNode {
    pub(super) kind: AstKind,
    /// Where errors about it point to, in bytes.
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
    /// A name, or several with dots between them. Never empty.
    Path(Vec<PathSegment>),
    Not(Box<AstNode>),
    Sign(Sign, Box<AstNode>),
    Arithmetic(ArithmeticOp, Box<AstNode>, Box<AstNode>),
    Concat(Box<AstNode>, Box<AstNode>),
    Compare(ComparisonOp, Box<AstNode>, Box<AstNode>),
    Like(Box<AstNode>, Box<AstNode>),
    /// The operand, then the lower and upper bound.
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
    /// Whether a blank or comment separates it from the dot before it or that dot from the part
    /// before.
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
    /// `!=`, apart from `<>` because MLMD treats them differently beside an enum.
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

    /// As written in the query, which is also how SQL writes it.
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

/// What follows `IS`.
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
    /// The name, when the expression is nothing but one unquoted name.
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
