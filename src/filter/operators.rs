//! The operators that stand between operands, and how strongly they bind.

use super::lexer::Token;
use super::syntax::{Comparison, Operator};

/// Binding strengths, weakest first.
pub(super) mod level {
    pub(in crate::filter) const OR: u8 = 1;
    pub(in crate::filter) const AND: u8 = 2;
    pub(in crate::filter) const NOT: u8 = 3;
    /// Does not chain: `a = b = c` is an error.
    pub(in crate::filter) const COMPARE: u8 = 4;
    /// Known only to say that it is not supported.
    pub(in crate::filter) const BITWISE: u8 = 5;
    pub(in crate::filter) const ADD: u8 = 6;
    pub(in crate::filter) const MULTIPLY: u8 = 7;
    pub(in crate::filter) const SIGN: u8 = 8;
}

/// An operator after an operand.
pub(super) enum Infix {
    Or,
    And,
    Compare(Comparison),
    /// `IN`, `LIKE`, `BETWEEN` or `IS`.
    Predicate,
    /// `NOT` before one of them.
    NotPredicate,
    Arithmetic(Operator),
    Concat,
    Bitwise(&'static str),
}

impl Infix {
    pub(super) const fn level(&self) -> u8 {
        match self {
            Self::Or => level::OR,
            Self::And => level::AND,
            Self::Compare(_) | Self::Predicate | Self::NotPredicate => level::COMPARE,
            Self::Bitwise(_) => level::BITWISE,
            Self::Arithmetic(Operator::Add | Operator::Subtract) => level::ADD,
            Self::Arithmetic(Operator::Multiply | Operator::Divide) | Self::Concat => {
                level::MULTIPLY
            }
        }
    }

    /// The operator that a token is, given the token after it.
    pub(super) fn read(token: &Token<'_>, following: &Token<'_>) -> Option<Self> {
        Some(match token {
            Token::Symbol(symbol) => return Self::symbol(symbol),
            _ if token.is_keyword("OR") => Self::Or,
            _ if token.is_keyword("AND") => Self::And,
            _ if is_predicate(token) || token.is_keyword("IS") => Self::Predicate,
            _ if token.is_keyword("NOT") && is_predicate(following) => Self::NotPredicate,
            _ => return None,
        })
    }

    fn symbol(symbol: &'static str) -> Option<Self> {
        Some(match symbol {
            "=" => Self::Compare(Comparison::Equal),
            "!=" => Self::Compare(Comparison::NotEqual),
            "<>" => Self::Compare(Comparison::LessOrGreater),
            "<" => Self::Compare(Comparison::Less),
            "<=" => Self::Compare(Comparison::LessOrEqual),
            ">" => Self::Compare(Comparison::Greater),
            ">=" => Self::Compare(Comparison::GreaterOrEqual),
            "+" => Self::Arithmetic(Operator::Add),
            "-" => Self::Arithmetic(Operator::Subtract),
            "*" => Self::Arithmetic(Operator::Multiply),
            "/" => Self::Arithmetic(Operator::Divide),
            "||" => Self::Concat,
            "&" | "|" | "^" | "<<" | ">>" => Self::Bitwise(symbol),
            _ => return None,
        })
    }
}

fn is_predicate(token: &Token<'_>) -> bool {
    ["IN", "LIKE", "BETWEEN"]
        .iter()
        .any(|keyword| token.is_keyword(keyword))
}
