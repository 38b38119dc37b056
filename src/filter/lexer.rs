//! Query text to tokens, by the lexical rules of GoogleSQL.

use std::fmt;

use super::invalid::{Checked, Problem};
use super::literal;

/// A token with its place in the text, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) at: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name or keyword. After a dot it may start with a digit.
    Word(&'a str),
    /// A name in backticks.
    Quoted(&'a str),
    /// The digits of an integer. The parser makes the number, because it knows the sign.
    Integer(&'a str),
    Float(&'a str),
    /// A string literal: its source and its value.
    Text(&'a str, String),
    Symbol(&'static str),
    End,
}

/// Longer symbols come before their own prefixes.
const SYMBOLS: [&str; 33] = [
    "!=", "<>", "<=", "<<", ">=", ">>", "||", "@@", "=>", "->", "(", ")", ",", ".", ";", ":", "=",
    "<", ">", "+", "-", "*", "/", "&", "|", "^", "~", "[", "]", "{", "}", "@", "?",
];

/// Words that GoogleSQL reserves, so that they cannot be names unless quoted. `NEW` is missing
/// because it is the name of an execution state.
const RESERVED: [&str; 95] = [
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "ASSERT_ROWS_MODIFIED",
    "AT",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COLLATE",
    "CONTAINS",
    "CREATE",
    "CROSS",
    "CUBE",
    "CURRENT",
    "DEFAULT",
    "DEFINE",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "ENUM",
    "ESCAPE",
    "EXCEPT",
    "EXCLUDE",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FOLLOWING",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "GROUPS",
    "HASH",
    "HAVING",
    "IF",
    "IGNORE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOOKUP",
    "MERGE",
    "NATURAL",
    "NO",
    "NOT",
    "NULL",
    "NULLS",
    "OF",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "PROTO",
    "RANGE",
    "RECURSIVE",
    "RESPECT",
    "RIGHT",
    "ROLLUP",
    "ROWS",
    "SELECT",
    "SET",
    "SOME",
    "STRUCT",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "TREAT",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "UNNEST",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "QUALIFY",
];

/// Whether the word is a keyword that cannot be a name.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| word.eq_ignore_ascii_case(reserved))
}

impl Token<'_> {
    /// Whether the token is that word, which is given in upper case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// The token as syntax errors call it.
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) if is_reserved(word) => {
                write!(f, "keyword {}", word.to_ascii_uppercase())
            }
            Self::Word(word) => write!(f, "identifier \"{word}\""),
            Self::Quoted(name) => write!(f, "identifier `{name}`"),
            Self::Integer(digits) => write!(f, "integer literal \"{digits}\""),
            Self::Float(digits) => write!(f, "floating point literal \"{digits}\""),
            Self::Text(source, _) => write!(f, "string literal {source}"),
            Self::Symbol(symbol) => write!(f, "\"{symbol}\""),
            Self::End => f.write_str("end of expression"),
        }
    }
}

/// Splits the text into tokens. The last one is always [`Token::End`].
pub(super) fn tokens(text: &str) -> Checked<Vec<Lexeme<'_>>> {
    let mut lexer = Lexer { text, at: 0 };
    let mut lexemes: Vec<Lexeme<'_>> = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let at = lexer.at;
        let token = lexer.token(lexemes.last())?;
        let done = token == Token::End;
        lexemes.push(Lexeme {
            token,
            at,
            end: lexer.at,
        });
        if done {
            return Ok(lexemes);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes the next `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn skip_blanks(&mut self) -> Checked<()> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            let length = if blanks > 0 {
                blanks
            } else if rest.starts_with("--") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let inside = comment.find("*/");
                inside.ok_or_else(|| Problem::syntax(self.at, "Unclosed comment"))? + 4
            } else {
                return Ok(());
            };
            self.at += length;
        }
    }

    fn token(&mut self, before: Option<&Lexeme<'a>>) -> Checked<Token<'a>> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token::End);
        };
        // It matters what a token touches: a dot after a name is no decimal point, and a digit
        // after a dot can start a name.
        let touched = before
            .filter(|before| before.end == self.at)
            .map(|before| &before.token);
        let after_name = matches!(touched, Some(Token::Word(_) | Token::Quoted(_)));
        let after_dot = matches!(touched, Some(Token::Symbol(".")));
        match first {
            '`' => self.quoted(),
            _ if is_word(first) && (after_dot || !first.is_ascii_digit()) => {
                if let Some((value, length)) = literal::text(rest, self.at)? {
                    return Ok(Token::Text(self.take(length), value));
                }
                Ok(Token::Word(self.take(run(rest, is_word))))
            }
            '\'' | '"' => match literal::text(rest, self.at)? {
                Some((value, length)) => Ok(Token::Text(self.take(length), value)),
                None => Err(Problem::syntax(self.at, "Unclosed string literal")),
            },
            '0'..='9' => self.number(),
            '.' if !after_name && rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.number()
            }
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.take(symbol.len());
                    Ok(Token::Symbol(symbol))
                }
                None => Err(Problem::syntax(
                    self.at,
                    format!("Illegal input character \"{}\"", first.escape_debug()),
                )),
            },
        }
    }

    fn quoted(&mut self) -> Checked<Token<'a>> {
        let at = self.at;
        let inner = self.rest().get(1..).unwrap_or_default();
        match inner.find('`') {
            None => Err(Problem::syntax(at, "Unclosed identifier literal")),
            Some(0) => Err(Problem::syntax(at, "Invalid empty identifier")),
            Some(length) => {
                self.at += length + 2;
                Ok(Token::Quoted(&inner[..length]))
            }
        }
    }

    fn number(&mut self) -> Checked<Token<'a>> {
        let rest = self.rest();
        let hexadecimal = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            Some(digits) => run(digits, |c| c.is_ascii_hexdigit()),
            None => 0,
        };
        let token = if hexadecimal > 0 {
            Token::Integer(self.take(hexadecimal + 2))
        } else {
            let digits = run(rest, |c| c.is_ascii_digit());
            let length = digits + fraction(&rest[digits..]);
            let length = length + exponent(&rest[length..]);
            let digits_only = length == digits;
            let source = self.take(length);
            if digits_only {
                Token::Integer(source)
            } else {
                Token::Float(source)
            }
        };
        if self.rest().starts_with(is_word) {
            return Err(Problem::syntax(
                self.at,
                "Missing whitespace between literal and alias",
            ));
        }
        Ok(token)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// How many bytes at the start of the text are such characters.
fn run(text: &str, such: impl Fn(char) -> bool) -> usize {
    text.len() - text.trim_start_matches(such).len()
}

fn fraction(text: &str) -> usize {
    text.strip_prefix('.')
        .map_or(0, |digits| 1 + run(digits, |c| c.is_ascii_digit()))
}

fn exponent(text: &str) -> usize {
    let Some(power) = text.strip_prefix(['e', 'E']) else {
        return 0;
    };
    let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
    match run(unsigned, |c| c.is_ascii_digit()) {
        0 => 0,
        digits => text.len() - unsigned.len() + digits,
    }
}
