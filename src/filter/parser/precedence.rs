//! The infix operators and their precedence.

use crate::filter::ast::{ArithmeticOp, ComparisonOp};
use crate::filter::lexer::TokenKind;

/// The precedence of operators, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precedence {
    Or,
    And,
    Not,
    /// Comparisons do not chain: `a = b = c` is an error.
    Comparison,
    /// Bitwise operators are parsed only to refuse them by name.
    Bitwise,
    Additive,
    Multiplicative,
    Unary,
}

impl Precedence {
    /// The next stronger precedence, for the right operand of a left-associative operator.
    pub(super) const fn stronger(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Not,
            Self::Not => Self::Comparison,
            Self::Comparison => Self::Bitwise,
            Self::Bitwise => Self::Additive,
            Self::Additive => Self::Multiplicative,
            Self::Multiplicative | Self::Unary => Self::Unary,
        }
    }
}

/// An operator that follows an operand.
pub(super) enum InfixOperator {
    Or,
    And,
    Compare(ComparisonOp),
    /// `IN`, `LIKE`, `BETWEEN` or `IS`.
    Predicate,
    /// `NOT IN`, `NOT LIKE` or `NOT BETWEEN`.
    NotPredicate,
    Arithmetic(ArithmeticOp),
    Concat,
    Bitwise(&'static str),
}

impl InfixOperator {
    pub(super) const fn precedence(&self) -> Precedence {
        match self {
            Self::Or => Precedence::Or,
            Self::And => Precedence::And,
            Self::Compare(_) | Self::Predicate | Self::NotPredicate => Precedence::Comparison,
            Self::Bitwise(_) => Precedence::Bitwise,
            Self::Arithmetic(ArithmeticOp::Add | ArithmeticOp::Subtract) => Precedence::Additive,
            Self::Arithmetic(ArithmeticOp::Multiply | ArithmeticOp::Divide) | Self::Concat => {
                Precedence::Multiplicative
            }
        }
    }

    /// The operator that `token` starts; `following` is the token behind it.
    pub(super) fn from_tokens(token: &TokenKind<'_>, following: &TokenKind<'_>) -> Option<Self> {
        Some(match token {
            TokenKind::Symbol(symbol) => return Self::from_symbol(symbol),
            _ if token.is_keyword("OR") => Self::Or,
            _ if token.is_keyword("AND") => Self::And,
            _ if starts_predicate(token) || token.is_keyword("IS") => Self::Predicate,
            _ if token.is_keyword("NOT") && starts_predicate(following) => Self::NotPredicate,
            _ => return None,
        })
    }

    fn from_symbol(symbol: &'static str) -> Option<Self> {
        Some(match symbol {
            "=" => Self::Compare(ComparisonOp::Equal),
            "!=" => Self::Compare(ComparisonOp::NotEqual),
            "<>" => Self::Compare(ComparisonOp::LessOrGreater),
            "<" => Self::Compare(ComparisonOp::Less),
            "<=" => Self::Compare(ComparisonOp::LessOrEqual),
            ">" => Self::Compare(ComparisonOp::Greater),
            ">=" => Self::Compare(ComparisonOp::GreaterOrEqual),
            "+" => Self::Arithmetic(ArithmeticOp::Add),
            "-" => Self::Arithmetic(ArithmeticOp::Subtract),
            "*" => Self::Arithmetic(ArithmeticOp::Multiply),
            "/" => Self::Arithmetic(ArithmeticOp::Divide),
            "||" => Self::Concat,
            "&" | "|" | "^" | "<<" | ">>" => Self::Bitwise(symbol),
            _ => return None,
        })
    }
}

fn starts_predicate(token: &TokenKind<'_>) -> bool {
    ["IN", "LIKE", "BETWEEN"]
        .iter()
        .any(|keyword| token.is_keyword(keyword))
}
