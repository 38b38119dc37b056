//! Operands: literals, paths, function calls, `CASE`, and what is in parentheses.

use super::precedence::Precedence;
use super::{Parser, ast_node, highest};
use crate::filter::ast::{AstKind, AstNode, PathSegment, Sign};
use crate::filter::error::Diagnostic;
use crate::filter::lexer::{TokenKind, is_reserved};
use crate::filter::limits::MAX_CALL_ARGUMENTS;
use crate::filter::literal::{double, integer};

/// Aggregate functions of GoogleSQL, which a filter refuses by name.
const AGGREGATE_FUNCTION_NAMES: [&str; 17] = [
    "ANY_VALUE",
    "APPROX_COUNT_DISTINCT",
    "ARRAY_AGG",
    "ARRAY_CONCAT_AGG",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "COUNT",
    "COUNTIF",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "MAX",
    "MIN",
    "STRING_AGG",
    "SUM",
    "VARIANCE",
];

impl Parser<'_> {
    /// Parses an operand with the signs or `NOT` before it.
    pub(super) fn prefix(&mut self, weakest: Precedence) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        match self.peek().clone() {
            TokenKind::Integer(digits) => {
                self.advance();
                ast_node(
                    offset,
                    0,
                    AstKind::Int(integer(digits, Sign::Plus, offset)?),
                )
            }
            TokenKind::Float(digits) => {
                self.advance();
                ast_node(offset, 0, AstKind::Double(double(digits, offset)?))
            }
            TokenKind::Text(_, value) => {
                self.advance();
                ast_node(offset, 0, AstKind::Text(value))
            }
            TokenKind::Word(word) if is_reserved(word) => self.keyword(word, weakest),
            TokenKind::Word(_) | TokenKind::Quoted(_) => self.path(),
            TokenKind::Symbol("(") => self.parenthesised(),
            TokenKind::Symbol("+") => self.signed(Sign::Plus),
            TokenKind::Symbol("-") => self.signed(Sign::Minus),
            TokenKind::Symbol("?") => Err(self.not_supported("Positional parameters are")),
            TokenKind::Symbol("@") => Err(Diagnostic::new(
                offset,
                match &self.token_ahead(1).token {
                    TokenKind::Word(name) => format!("Query parameter '{name}' not found"),
                    _ => "Query parameters are not supported".to_owned(),
                },
            )),
            TokenKind::Symbol("@@") => Err(self.not_supported("System variables are")),
            TokenKind::Symbol("[") => Err(self.not_supported("Arrays are")),
            TokenKind::Symbol("~") => Err(self.not_supported("Bitwise operator ~ is")),
            TokenKind::Symbol(_) | TokenKind::End => Err(self.unexpected()),
        }
    }

    /// Parses an operand that starts with a reserved word.
    fn keyword(&mut self, word: &str, weakest: Precedence) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        let constant = match word.to_ascii_uppercase().as_str() {
            "TRUE" => AstKind::Bool(true),
            "FALSE" => AstKind::Bool(false),
            "NULL" => AstKind::Null,
            "NOT" if weakest <= Precedence::Not => {
                self.advance();
                let operand = self.expression(Precedence::Not)?;
                return ast_node(offset, operand.height, AstKind::Not(Box::new(operand)));
            }
            "CASE" => return self.case(),
            "CAST" => return Err(self.not_supported("CAST is")),
            "EXTRACT" => return Err(self.not_supported("EXTRACT is")),
            "EXISTS" | "SELECT" | "WITH" => return Err(self.not_supported("Subqueries are")),
            "ARRAY" => return Err(self.not_supported("Arrays are")),
            "STRUCT" => return Err(self.not_supported("Structs are")),
            "INTERVAL" => return Err(Diagnostic::new(offset, "Unexpected INTERVAL expression")),
            "IF" => {
                return Err(Diagnostic::new(
                    offset,
                    "Function IF is not supported, use CASE",
                ));
            }
            _ => return Err(self.unexpected()),
        };
        self.advance();
        ast_node(offset, 0, constant)
    }

    fn signed(&mut self, sign: Sign) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        self.advance();
        // The smallest integer is out of range without its sign.
        if let TokenKind::Integer(digits) = *self.peek() {
            self.advance();
            return ast_node(offset, 0, AstKind::Int(integer(digits, sign, offset)?));
        }
        let operand = self.expression(Precedence::Unary)?;
        ast_node(
            offset,
            operand.height,
            AstKind::Sign(sign, Box::new(operand)),
        )
    }

    fn parenthesised(&mut self) -> Result<AstNode, Diagnostic> {
        self.advance();
        let inner = self.expression(Precedence::Or)?;
        if *self.peek() == TokenKind::Symbol(",") {
            return Err(self.not_supported("Structs are"));
        }
        self.expect_symbol(")")?;
        if !matches!(inner.kind, AstKind::Int(_) | AstKind::Double(_)) {
            return Ok(inner);
        }
        // Beside an enum column, a number in parentheses is no constant (`typeck/enums.rs`).
        let (offset, height) = (inner.offset, inner.height);
        ast_node(offset, height, AstKind::Sign(Sign::Plus, Box::new(inner)))
    }

    fn case(&mut self) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        self.advance();
        let subject = if self.at_keyword("WHEN") {
            None
        } else {
            Some(Box::new(self.expression(Precedence::Or)?))
        };
        let mut arms = Vec::new();
        if !self.at_keyword("WHEN") {
            return Err(self.expected("keyword WHEN"));
        }
        while self.eat_keyword("WHEN") {
            let when = self.expression(Precedence::Or)?;
            self.expect_keyword("THEN")?;
            arms.push((when, self.expression(Precedence::Or)?));
        }
        let otherwise = if self.eat_keyword("ELSE") {
            Some(Box::new(self.expression(Precedence::Or)?))
        } else {
            None
        };
        if !self.eat_keyword("END") {
            let what = if otherwise.is_some() {
                "keyword END"
            } else {
                "keyword ELSE or keyword END"
            };
            return Err(self.expected(what));
        }
        let height = arms
            .iter()
            .map(|(when, then)| when.height.max(then.height))
            .max()
            .unwrap_or(0);
        let height = subject
            .iter()
            .chain(&otherwise)
            .map(|expr| expr.height)
            .fold(height, usize::max);
        ast_node(
            offset,
            height,
            AstKind::Case {
                subject,
                arms,
                otherwise,
            },
        )
    }

    /// Parses a path of names or a function call.
    fn path(&mut self) -> Result<AstNode, Diagnostic> {
        let offset = self.offset();
        let mut parts = vec![self.part(offset)?];
        loop {
            let end = self.previous().end;
            if !self.eat_symbol(".") {
                break;
            }
            parts.push(self.part(end + 1)?);
        }
        if *self.peek() == TokenKind::Symbol("(") {
            self.call(offset, &parts)
        } else {
            ast_node(offset, 0, AstKind::Path(parts))
        }
    }

    /// Parses one name of a path. Without a space before it, it starts at `due`.
    fn part(&mut self, due: usize) -> Result<PathSegment, Diagnostic> {
        let offset = self.offset();
        let (name, quoted) = match *self.peek() {
            TokenKind::Word(name) => (name.to_owned(), false),
            TokenKind::Quoted(name) => (name.to_owned(), true),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(PathSegment {
            name,
            offset,
            quoted,
            spaced: offset != due,
        })
    }

    fn call(&mut self, offset: usize, path: &[PathSegment]) -> Result<AstNode, Diagnostic> {
        let name = path
            .iter()
            .map(|part| part.name.as_str())
            .collect::<Vec<_>>()
            .join(".");
        if AGGREGATE_FUNCTION_NAMES
            .iter()
            .any(|aggregate| name.eq_ignore_ascii_case(aggregate))
        {
            let name = name.to_ascii_uppercase();
            return Err(Diagnostic::new(
                offset,
                format!("Aggregate function {name} not allowed in standalone expression"),
            ));
        }
        if name.eq_ignore_ascii_case("SAFE_CAST") {
            return Err(Diagnostic::new(offset, "SAFE_CAST is not supported"));
        }
        self.advance();
        let arguments = if *self.peek() == TokenKind::Symbol(")") {
            Vec::new()
        } else {
            self.list()?
        };
        self.expect_symbol(")")?;
        if arguments.len() > MAX_CALL_ARGUMENTS {
            let text = format!("Function {name} has more than {MAX_CALL_ARGUMENTS} arguments");
            return Err(Diagnostic::new(offset, text));
        }
        if self.at_keyword("OVER") {
            return Err(Diagnostic::new(offset, "Analytic functions not supported"));
        }
        ast_node(
            offset,
            highest(&arguments),
            AstKind::Call { name, arguments },
        )
    }
}
