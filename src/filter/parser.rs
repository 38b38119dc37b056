//! Tokens to a syntax tree: operators by binding strength, the rest by recursive descent.

use super::invalid::{Checked, Problem};
use super::lexer::{Lexeme, Token, tokens};
use super::operators::{Infix, level};
use super::syntax::{Expr, MAX_DEPTH, Node, Truth};

/// Parses a whole query.
pub(super) fn parse(text: &str) -> Checked<Expr> {
    let mut parser = Parser {
        lexemes: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let expr = parser.expr(level::OR)?;
    let rest = parser.peek();
    if *rest == Token::End {
        Ok(expr)
    } else {
        Err(Problem::syntax(
            parser.at(),
            format!("Expected end of input but got {rest}"),
        ))
    }
}

/// A position among the tokens.
pub(super) struct Parser<'a> {
    /// Ends with [`Token::End`], which is never consumed.
    lexemes: Vec<Lexeme<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn lexeme(&self, ahead: usize) -> &Lexeme<'a> {
        let last = self.lexemes.len() - 1;
        &self.lexemes[(self.next + ahead).min(last)]
    }

    /// The token that was consumed last.
    pub(super) fn previous(&self) -> &Lexeme<'a> {
        &self.lexemes[self.next.saturating_sub(1).min(self.lexemes.len() - 1)]
    }

    pub(super) fn peek(&self) -> &Token<'a> {
        &self.lexeme(0).token
    }

    pub(super) fn at(&self) -> usize {
        self.lexeme(0).at
    }

    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    pub(super) fn at_keyword(&self, keyword: &str) -> bool {
        self.peek().is_keyword(keyword)
    }

    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        let there = self.at_keyword(keyword);
        self.next += usize::from(there);
        there
    }

    pub(super) fn eat_symbol(&mut self, symbol: &'static str) -> bool {
        let there = *self.peek() == Token::Symbol(symbol);
        self.next += usize::from(there);
        there
    }

    pub(super) fn expect_symbol(&mut self, symbol: &'static str) -> Checked<()> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("\"{symbol}\"")))
        }
    }

    pub(super) fn expect_keyword(&mut self, keyword: &str) -> Checked<()> {
        if self.eat_keyword(keyword) {
            Ok(())
        } else {
            Err(self.expected(&format!("keyword {keyword}")))
        }
    }

    pub(super) fn expected(&self, what: &str) -> Problem {
        Problem::syntax(
            self.at(),
            format!("Expected {what} but got {}", self.peek()),
        )
    }

    pub(super) fn unexpected(&self) -> Problem {
        Problem::syntax(self.at(), format!("Unexpected {}", self.peek()))
    }

    pub(super) fn not_supported(&self, what: &str) -> Problem {
        Problem::new(self.at(), format!("{what} not supported"))
    }

    /// Parses operators that bind at least as strongly as `weakest`.
    pub(super) fn expr(&mut self, weakest: u8) -> Checked<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.at()));
        }
        let mut left = self.prefix(weakest)?;
        let mut compared = false;
        while let Some(infix) = Infix::read(self.peek(), &self.lexeme(1).token) {
            if infix.level() < weakest {
                break;
            }
            if infix.level() == level::COMPARE {
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

    fn operation(&mut self, left: Expr, infix: &Infix) -> Checked<Expr> {
        match infix {
            Infix::Or => return self.chain(left, "OR", level::AND, Node::Any),
            Infix::And => return self.chain(left, "AND", level::NOT, Node::All),
            Infix::Predicate => return self.predicate(left),
            Infix::NotPredicate => {
                let at = self.at();
                self.advance();
                let mut predicate = self.predicate(left)?;
                if let Node::In { negated, .. } = &mut predicate.node {
                    *negated = true;
                    return Ok(predicate);
                }
                return node(at, predicate.height, Node::Not(Box::new(predicate)));
            }
            _ => {}
        }
        let operator_at = self.at();
        self.advance();
        let right = self.expr(infix.level() + 1)?;
        let (at, height) = (left.at, left.height.max(right.height));
        let (left, right) = (Box::new(left), Box::new(right));
        match infix {
            Infix::Compare(comparison) => node(at, height, Node::Compare(*comparison, left, right)),
            Infix::Arithmetic(operator) => {
                node(at, height, Node::Arithmetic(*operator, left, right))
            }
            Infix::Bitwise(symbol) => Err(Problem::new(
                operator_at,
                format!("Bitwise operator {symbol} is not supported"),
            )),
            _ => node(at, height, Node::Concat(left, right)),
        }
    }

    /// `AND` and `OR` chains are one node with many terms: they can be thousands of terms long.
    fn chain(
        &mut self,
        first: Expr,
        keyword: &str,
        tighter: u8,
        make: fn(Vec<Expr>) -> Node,
    ) -> Checked<Expr> {
        let at = first.at;
        let mut terms = vec![first];
        while self.eat_keyword(keyword) {
            terms.push(self.expr(tighter)?);
        }
        node(at, highest(&terms), make(terms))
    }

    /// `IN`, `LIKE`, `BETWEEN` and `IS` with what follows them.
    fn predicate(&mut self, left: Expr) -> Checked<Expr> {
        let at = self.at();
        if self.eat_keyword("IS") {
            return self.is(left);
        }
        if self.eat_keyword("IN") {
            if self.at_keyword("UNNEST") {
                return Err(self.not_supported("UNNEST is"));
            }
            self.expect_symbol("(")?;
            let list = self.list()?;
            self.expect_symbol(")")?;
            let height = left.height.max(highest(&list));
            return node(
                at,
                height,
                Node::In {
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
            let pattern = self.expr(level::BITWISE)?;
            let (at, height) = (left.at, left.height.max(pattern.height));
            return node(at, height, Node::Like(Box::new(left), Box::new(pattern)));
        }
        self.expect_keyword("BETWEEN")?;
        let low = self.expr(level::BITWISE)?;
        self.expect_keyword("AND")?;
        let high = self.expr(level::BITWISE)?;
        let height = left.height.max(low.height).max(high.height);
        node(at, height, Node::Between(Box::new([left, low, high])))
    }

    fn is(&mut self, operand: Expr) -> Checked<Expr> {
        let is_at = self.previous().at;
        let negated = self.eat_keyword("NOT");
        if self.at_keyword("DISTINCT") {
            return Err(Problem::new(is_at, "IS DISTINCT FROM is not supported"));
        }
        let truths = [Truth::Null, Truth::True, Truth::False];
        let Some(truth) = truths
            .into_iter()
            .find(|truth| self.at_keyword(truth.name()))
        else {
            return Err(self.expected("keyword FALSE or keyword NULL or keyword TRUE"));
        };
        self.advance();
        let (at, height) = (operand.at, operand.height);
        let test = node(at, height, Node::Is(Box::new(operand), truth))?;
        if negated {
            node(at, test.height, Node::Not(Box::new(test)))
        } else {
            Ok(test)
        }
    }

    /// One or more expressions with commas between them.
    pub(super) fn list(&mut self) -> Checked<Vec<Expr>> {
        let mut list = vec![self.expr(level::OR)?];
        while self.eat_symbol(",") {
            list.push(self.expr(level::OR)?);
        }
        Ok(list)
    }
}

/// A node above others of the given height.
pub(super) fn node(at: usize, below: usize, node: Node) -> Checked<Expr> {
    if below >= MAX_DEPTH {
        Err(too_deep(at))
    } else {
        Ok(Expr {
            node,
            at,
            height: below + 1,
        })
    }
}

pub(super) fn highest(exprs: &[Expr]) -> usize {
    exprs.iter().map(|expr| expr.height).max().unwrap_or(0)
}

fn too_deep(at: usize) -> Problem {
    Problem::new(
        at,
        format!("Expression is nested too deeply: the limit is {MAX_DEPTH} levels"),
    )
}
