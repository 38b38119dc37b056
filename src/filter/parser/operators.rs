//! Expressions with infix operators.

use super::precedence::{InfixOperator, Precedence};
use super::{Parser, ast_node, highest, too_deep};
use crate::filter::ast::{AstKind, AstNode, IsTest};
use crate::filter::error::Diagnostic;
use crate::filter::lexer::TokenKind;
use crate::filter::limits::MAX_NESTING_LEVELS;

impl Parser<'_> {
    /// Parses an expression whose infix operators have at least the precedence `weakest`.
    pub(super) fn expression(&mut self, weakest: Precedence) -> Result<AstNode, Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_NESTING_LEVELS {
            return Err(too_deep(self.offset()));
        }
        let mut left = self.prefix(weakest)?;
        let mut compared = false;
        while let Some(infix) = InfixOperator::from_tokens(self.peek(), &self.token_ahead(1).token)
        {
            if infix.precedence() < weakest {
                break;
            }
            if infix.precedence() == Precedence::Comparison {
                if compared {
                    return Err(self.unexpected());
                }
                compared = true;
            }
            left = self.operation(left, &infix)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operation(&mut self, left: AstNode, infix: &InfixOperator) -> Result<AstNode, Diagnostic> {
        match infix {
            InfixOperator::Or => return self.chain(left, "OR", Precedence::And, AstKind::Or),
            InfixOperator::And => return self.chain(left, "AND", Precedence::Not, AstKind::And),
            InfixOperator::Predicate => return self.predicate(left),
            InfixOperator::NotPredicate => {
                let offset = self.offset();
                self.advance();
                let mut predicate = self.predicate(left)?;
                if let AstKind::In { negated, .. } = &mut predicate.kind {
                    *negated = true;
                    return Ok(predicate);
                }
                return ast_node(offset, predicate.height, AstKind::Not(Box::new(predicate)));
            }
            _ => {}
        }
        let operator_offset = self.offset();
        self.advance();
        let right = self.expression(infix.precedence().stronger())?;
        let (offset, height) = (left.offset, left.height.max(right.height));
        let (left, right) = (Box::new(left), Box::new(right));
        match infix {
            InfixOperator::Compare(comparison) => {
                ast_node(offset, height, AstKind::Compare(*comparison, left, right))
            }
            InfixOperator::Arithmetic(operator) => {
                ast_node(offset, height, AstKind::Arithmetic(*operator, left, right))
            }
            InfixOperator::Bitwise(symbol) => Err(Diagnostic::new(
                operator_offset,
                format!("Bitwise operator {symbol} is not supported"),
            )),
            _ => ast_node(offset, height, AstKind::Concat(left, right)),
        }
    }

    /// Parses a chain of `AND` or of `OR`, which can have thousands of terms, as one node.
    fn chain(
        &mut self,
        first: AstNode,
        keyword: &str,
        stronger: Precedence,
        make: fn(Vec<AstNode>) -> AstKind,
    ) -> Result<AstNode, Diagnostic> {
        let offset = first.offset;
        let mut terms = vec![first];
        while self.eat_keyword(keyword) {
            terms.push(self.expression(stronger)?);
        }
        ast_node(offset, highest(&terms), make(terms))
    }

    /// Parses `IN`, `LIKE`, `BETWEEN` or `IS` with the operands behind it.
    fn predicate(&mut self, left: AstNode) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        if self.eat_keyword("IS") {
            return self.is(left);
        }
        if self.eat_keyword("IN") {
            if self.at_keyword("UNNEST") {
                return Err(self.not_supported("UNNEST is"));
            }
            if let (true, TokenKind::Word(name)) = (left.is_named_like_enum(), self.peek()) {
                return Err(Diagnostic::overall(format!(
                    "Expected a list of enum values enclosed in parentheses but got {name}"
                )));
            }
            self.expect_symbol("(")?;
            let list = self.list()?;
            self.expect_symbol(")")?;
            let height = left.height.max(highest(&list));
            return ast_node(
                offset,
                height,
                AstKind::In {
                    operand: Box::new(left),
                    list,
                    negated: false,
                },
            );
        }
        if self.eat_keyword("LIKE") {
            if ["ANY", "SOME", "ALL"]
                .iter()
                .any(|quantifier| self.at_keyword(quantifier))
            {
                return Err(self.not_supported("LIKE ANY, SOME and ALL are"));
            }
            let pattern = self.expression(Precedence::Bitwise)?;
            let (offset, height) = (left.offset, left.height.max(pattern.height));
            return ast_node(
                offset,
                height,
                AstKind::Like(Box::new(left), Box::new(pattern)),
            );
        }
        self.expect_keyword("BETWEEN")?;
        let low = self.expression(Precedence::Bitwise)?;
        self.expect_keyword("AND")?;
        let high = self.expression(Precedence::Bitwise)?;
        let height = left.height.max(low.height).max(high.height);
        ast_node(
            offset,
            height,
            AstKind::Between(Box::new([left, low, high])),
        )
    }

    fn is(&mut self, operand: AstNode) -> Result<AstNode, Diagnostic> {
        let is_offset = self.previous().offset;
        let negated = self.eat_keyword("NOT");
        if self.at_keyword("DISTINCT") {
            return Err(Diagnostic::new(
                is_offset,
                "IS DISTINCT FROM is not supported",
            ));
        }
        let truths = [IsTest::Null, IsTest::True, IsTest::False];
        let Some(truth) = truths
            .into_iter()
            .find(|truth| self.at_keyword(truth.name()))
        else {
            return Err(self.expected("keyword FALSE or keyword NULL or keyword TRUE"));
        };
        self.advance();
        let (offset, height) = (operand.offset, operand.height);
        let test = ast_node(offset, height, AstKind::Is(Box::new(operand), truth))?;
        if negated {
            ast_node(offset, test.height, AstKind::Not(Box::new(test)))
        } else {
            Ok(test)
        }
    }

    /// Parses one or more expressions with commas between them.
    pub(super) fn list(&mut self) -> Result<Vec<AstNode>, Diagnostic> {
        let mut list = vec![self.expression(Precedence::Or)?];
        while self.eat_symbol(",") {
            list.push(self.expression(Precedence::Or)?);
        }
        Ok(list)
    }
}
