//! The parser's other half: operands, from literals to function calls.

use super::invalid::{Checked, Problem};
use super::lexer::{Token, is_reserved};
use super::literal::{double, integer};
use super::operators::level;
use super::parser::{Parser, highest, node};
use super::syntax::{Expr, Node, Part, Sign};

/// Most functions allow fewer arguments; this bounds those that allow any number, as some databases
/// do.
const MAX_ARGUMENTS: usize = 100;

const AGGREGATES: [&str; 17] = [
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
    /// An operand with the signs and `NOT`s before it.
    pub(super) fn prefix(&mut self, weakest: u8) -> Checked<Expr> {
        let at = self.at();
        match self.peek().clone() {
            Token::Integer(digits) => {
                self.advance();
                node(at, 0, Node::Int(integer(digits, Sign::Plus, at)?))
            }
            Token::Float(digits) => {
                self.advance();
                node(at, 0, Node::Double(double(digits, at)?))
            }
            Token::Text(_, value) => {
                self.advance();
                node(at, 0, Node::Text(value))
            }
            Token::Word(word) if is_reserved(word) => self.keyword(word, weakest),
            Token::Word(_) | Token::Quoted(_) => self.path(),
            Token::Symbol("(") => self.parenthesised(),
            Token::Symbol("+") => self.signed(Sign::Plus),
            Token::Symbol("-") => self.signed(Sign::Minus),
            Token::Symbol("?") => Err(self.not_supported("Positional parameters are")),
            Token::Symbol("@") => Err(Problem::new(
                at,
                match &self.lexeme(1).token {
                    Token::Word(name) => format!("Query parameter '{name}' not found"),
                    _ => "Query parameters are not supported".to_owned(),
                },
            )),
            Token::Symbol("@@") => Err(self.not_supported("System variables are")),
            Token::Symbol("[") => Err(self.not_supported("Arrays are")),
            Token::Symbol("~") => Err(self.not_supported("Bitwise operator ~ is")),
            Token::Symbol(_) | Token::End => Err(self.unexpected()),
        }
    }

    /// What starts with a reserved word.
    fn keyword(&mut self, word: &str, weakest: u8) -> Checked<Expr> {
        let at = self.at();
        let constant = match word.to_ascii_uppercase().as_str() {
            "TRUE" => Node::Bool(true),
            "FALSE" => Node::Bool(false),
            "NULL" => Node::Null,
            "NOT" if weakest <= level::NOT => {
                self.advance();
                let operand = self.expr(level::NOT)?;
                return node(at, operand.height, Node::Not(Box::new(operand)));
            }
            "CASE" => return self.case(),
            "CAST" => return Err(self.not_supported("CAST is")),
            "EXTRACT" => return Err(self.not_supported("EXTRACT is")),
            "EXISTS" | "SELECT" | "WITH" => return Err(self.not_supported("Subqueries are")),
            "ARRAY" => return Err(self.not_supported("Arrays are")),
            "STRUCT" => return Err(self.not_supported("Structs are")),
            "INTERVAL" => return Err(Problem::new(at, "Unexpected INTERVAL expression")),
            "IF" => return Err(Problem::new(at, "Function IF is not supported, use CASE")),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        node(at, 0, constant)
    }

    fn signed(&mut self, sign: Sign) -> Checked<Expr> {
        let at = self.at();
        self.advance();
        // The sign belongs to the number: without it, the smallest integer would be out of range.
        if let Token::Integer(digits) = *self.peek() {
            self.advance();
            return node(at, 0, Node::Int(integer(digits, sign, at)?));
        }
        let operand = self.expr(level::SIGN)?;
        node(at, operand.height, Node::Sign(sign, Box::new(operand)))
    }

    fn parenthesised(&mut self) -> Checked<Expr> {
        self.advance();
        let inner = self.expr(level::OR)?;
        if *self.peek() == Token::Symbol(",") {
            return Err(self.not_supported("Structs are"));
        }
        self.expect_symbol(")")?;
        Ok(inner)
    }

    fn case(&mut self) -> Checked<Expr> {
        let at = self.at();
        self.advance();
        let subject = if self.at_keyword("WHEN") {
            None
        } else {
            Some(Box::new(self.expr(level::OR)?))
        };
        let mut arms = Vec::new();
        if !self.at_keyword("WHEN") {
            return Err(self.expected("keyword WHEN"));
        }
        while self.eat_keyword("WHEN") {
            let when = self.expr(level::OR)?;
            self.expect_keyword("THEN")?;
            arms.push((when, self.expr(level::OR)?));
        }
        let otherwise = if self.eat_keyword("ELSE") {
            Some(Box::new(self.expr(level::OR)?))
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
        node(
            at,
            height,
            Node::Case {
                subject,
                arms,
                otherwise,
            },
        )
    }

    /// A name, a path of names, or a function call.
    fn path(&mut self) -> Checked<Expr> {
        let at = self.at();
        let mut parts = vec![self.part(at)?];
        loop {
            let end = self.previous().end;
            if !self.eat_symbol(".") {
                break;
            }
            parts.push(self.part(end + 1)?);
        }
        if *self.peek() == Token::Symbol("(") {
            self.call(at, &parts)
        } else {
            node(at, 0, Node::Path(parts))
        }
    }

    /// One name, which should start at `due`.
    fn part(&mut self, due: usize) -> Checked<Part> {
        let at = self.at();
        let (name, quoted) = match *self.peek() {
            Token::Word(name) => (name.to_owned(), false),
            Token::Quoted(name) => (name.to_owned(), true),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Part {
            name,
            at,
            quoted,
            spaced: at != due,
        })
    }

    fn call(&mut self, at: usize, path: &[Part]) -> Checked<Expr> {
        let name = path
            .iter()
            .map(|part| part.name.as_str())
            .collect::<Vec<_>>()
            .join(".");
        if AGGREGATES
            .iter()
            .any(|aggregate| name.eq_ignore_ascii_case(aggregate))
        {
            let name = name.to_ascii_uppercase();
            return Err(Problem::new(
                at,
                format!("Aggregate function {name} not allowed in standalone expression"),
            ));
        }
        if name.eq_ignore_ascii_case("SAFE_CAST") {
            return Err(Problem::new(at, "SAFE_CAST is not supported"));
        }
        self.advance();
        let arguments = if *self.peek() == Token::Symbol(")") {
            Vec::new()
        } else {
            self.list()?
        };
        self.expect_symbol(")")?;
        if arguments.len() > MAX_ARGUMENTS {
            let text = format!("Function {name} has more than {MAX_ARGUMENTS} arguments");
            return Err(Problem::new(at, text));
        }
        if self.at_keyword("OVER") {
            return Err(Problem::new(at, "Analytic functions not supported"));
        }
        node(at, highest(&arguments), Node::Call { name, arguments })
    }
}
