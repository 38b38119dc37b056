//! The query as written, before names and types are looked at.

/// An expression. Trees are at most [`MAX_DEPTH`] high, so recursion over them is safe.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) node: Node,
    /// Where errors about it point to, in bytes.
    pub(super) at: usize,
    pub(super) height: usize,
}

/// How deep expressions may nest. Chains of `AND` or `OR` are one level however long they are.
pub(super) const MAX_DEPTH: usize = 100;

#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    /// A name, or several with dots between them. Never empty.
    Path(Vec<Part>),
    Not(Box<Expr>),
    Sign(Sign, Box<Expr>),
    Arithmetic(Operator, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, Box<Expr>),
    /// The operand, then the lower and upper bound.
    Between(Box<[Expr; 3]>),
    In {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Is(Box<Expr>, Truth),
    Case {
        subject: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Call {
        name: String,
        arguments: Vec<Expr>,
    },
    All(Vec<Expr>),
    Any(Vec<Expr>),
}

/// One name of a path.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) at: usize,
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
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
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
pub(super) enum Comparison {
    Equal,
    /// `!=`, apart from `<>` because MLMD treats them differently beside an enum.
    NotEqual,
    LessOrGreater,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
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
pub(super) enum Truth {
    Null,
    True,
    False,
}

impl Truth {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
        }
    }
}

impl Expr {
    /// The name, when the expression is nothing but one unquoted name.
    pub(super) fn bare_name(&self) -> Option<&str> {
        match &self.node {
            Node::Path(parts) => match parts.as_slice() {
                [part] if !part.quoted => Some(&part.name),
                _ => None,
            },
            _ => None,
        }
    }
}
