//! Parser: tokens to a syntax tree.
//!
//! * `operators`: infix operators, by precedence climbing.
//! * `primary`: operands, by recursive descent.
//! * `precedence`: how strongly each operator binds.

mod operators;
mod precedence;
mod primary;

use precedence::Precedence;

use super::ast::{AstKind, AstNode};
use super::error::Diagnostic;
use super::lexer::{SpannedToken, TokenKind, tokens};
use super::limits::MAX_NESTING_LEVELS;

/// Parses a whole query.
pub(super) fn parse(text: &str) -> Result<AstNode, Diagnostic> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let expr = parser.expression(Precedence::Or)?;
    let rest = parser.peek();
    if *rest == TokenKind::End {
        Ok(expr)
    } else {
        Err(Diagnostic::syntax(
            parser.offset(),
            format!("Expected end of input but got {rest}"),
        ))
    }
}

/// A cursor over the tokens of a query.
struct Parser<'a> {
    /// The last token is [`TokenKind::End`], which is never consumed.
    tokens: Vec<SpannedToken<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn token_ahead(&self, ahead: usize) -> &SpannedToken<'a> {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + ahead).min(last)]
    }

    /// The token that was consumed last.
    fn previous(&self) -> &SpannedToken<'a> {
        &self.tokens[self.next.saturating_sub(1).min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &TokenKind<'a> {
        &self.token_ahead(0).token
    }

    fn offset(&self) -> usize {
        self.token_ahead(0).offset
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        self.peek().is_keyword(keyword)
    }

    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let there = self.at_keyword(keyword);
        self.next += usize::from(there);
        there
    }

    fn eat_symbol(&mut self, symbol: &'static str) -> bool {
        let there = *self.peek() == TokenKind::Symbol(symbol);
        self.next += usize::from(there);
        there
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), Diagnostic> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("\"{symbol}\"")))
        }
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<(), Diagnostic> {
        if self.eat_keyword(keyword) {
            Ok(())
        } else {
            Err(self.expected(&format!("keyword {keyword}")))
        }
    }

    fn expected(&self, what: &str) -> Diagnostic {
        Diagnostic::syntax(
            self.offset(),
            format!("Expected {what} but got {}", self.peek()),
        )
    }

    fn unexpected(&self) -> Diagnostic {
        Diagnostic::syntax(self.offset(), format!("Unexpected {}", self.peek()))
    }

    fn not_supported(&self, what: &str) -> Diagnostic {
        Diagnostic::new(self.offset(), format!("{what} not supported"))
    }
}

/// Makes a syntax node above children of at most the height `below`.
///
/// # Errors
///
/// A tree that is higher than [`MAX_NESTING_LEVELS`].
fn ast_node(offset: usize, below: usize, kind: AstKind) -> Result<AstNode, Diagnostic> {
    if below >= MAX_NESTING_LEVELS {
        Err(too_deep(offset))
    } else {
        Ok(AstNode {
            kind,
            offset,
            height: below + 1,
        })
    }
}

/// The height of the highest node.
fn highest(exprs: &[AstNode]) -> usize {
    exprs.iter().map(|expr| expr.height).max().unwrap_or(0)
}

fn too_deep(offset: usize) -> Diagnostic {
    Diagnostic::new(
        offset,
        format!("Expression is nested too deeply: the limit is {MAX_NESTING_LEVELS} levels"),
    )
}
