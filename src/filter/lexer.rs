//! Lexer: query text to tokens, by the lexical rules of GoogleSQL.

use std::fmt;

use super::error::Diagnostic;
use super::literal;

/// A token with its byte range in the query.
#[derive(Clone, Debug)]
pub(super) struct SpannedToken<'a> {
    pub(super) token: TokenKind<'a>,
    pub(super) offset: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// A name or keyword. Behind a dot it may start with a digit.
    Word(&'a str),
    /// A name in backticks.
    Quoted(&'a str),
    /// The digits of an integer. The parser converts them, because it knows the sign.
    Integer(&'a str),
    Float(&'a str),
    /// A string literal: its source and its value.
    Text(&'a str, String),
    Symbol(&'static str),
    End,
}

/// Operators and punctuation. A symbol comes before its own prefixes.
const SYMBOLS: [&str; 33] = [
    "!=", "<>", "<=", "<<", ">=", ">>", "||", "@@", "=>", "->", "(", ")", ",", ".", ";", ":", "=",
    "<", ">", "+", "-", "*", "/", "&", "|", "^", "~", "[", "]", "{", "}", "@", "?",
];

/// Reserved words of GoogleSQL. They are names only in backticks or behind a dot. `NEW` is left out
/// because it is the name of an execution state.
const RESERVED_WORDS: [&str; 95] = [
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
    RESERVED_WORDS
        .iter()
        .any(|reserved| word.eq_ignore_ascii_case(reserved))
}

impl TokenKind<'_> {
    /// Whether the token is this keyword, in any case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// The token as syntax errors describe it.
impl fmt::Display for TokenKind<'_> {
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

/// Splits the text into tokens. The last one is always [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<SpannedToken<'_>>, Diagnostic> {
    let mut lexer = Lexer { text, offset: 0 };
    let mut tokens: Vec<SpannedToken<'_>> = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let offset = lexer.offset;
        let token = lexer.token(tokens.last())?;
        let done = token == TokenKind::End;
        tokens.push(SpannedToken {
            token,
            offset,
            end: lexer.offset,
        });
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    /// Takes the next `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.offset += taken.len();
        taken
    }

    fn skip_blanks(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            let length = if blanks > 0 {
                blanks
            } else if rest.starts_with("--") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let inside = comment.find("*/");
                inside.ok_or_else(|| Diagnostic::syntax(self.offset, "Unclosed comment"))? + 4
            } else {
                return Ok(());
            };
            self.offset += length;
        }
    }

    fn token(&mut self, before: Option<&SpannedToken<'a>>) -> Result<TokenKind<'a>, Diagnostic> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        // A dot directly behind a name is no decimal point, and a digit directly behind a dot can
        // start a name.
        let touched = before
            .filter(|before| before.end == self.offset)
            .map(|before| &before.token);
        let after_name = matches!(touched, Some(TokenKind::Word(_) | TokenKind::Quoted(_)));
        let after_dot = matches!(touched, Some(TokenKind::Symbol(".")));
        match first {
            '`' => self.quoted(),
            _ if is_word(first) && (after_dot || !first.is_ascii_digit()) => {
                if let Some((value, length)) = literal::text(rest, self.offset)? {
                    return Ok(TokenKind::Text(self.take(length), value));
                }
                Ok(TokenKind::Word(self.take(run(rest, is_word))))
            }
            '\'' | '"' => match literal::text(rest, self.offset)? {
                Some((value, length)) => Ok(TokenKind::Text(self.take(length), value)),
                None => Err(Diagnostic::syntax(self.offset, "Unclosed string literal")),
            },
            '0'..='9' => self.number(),
            '.' if !after_name && rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.number()
            }
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.take(symbol.len());
                    Ok(TokenKind::Symbol(symbol))
                }
                None => Err(Diagnostic::syntax(
                    self.offset,
                    format!("Illegal input character \"{}\"", first.escape_debug()),
                )),
            },
        }
    }

    fn quoted(&mut self) -> Result<TokenKind<'a>, Diagnostic> {
        let offset = self.offset;
        let inner = self.rest().get(1..).unwrap_or_default();
        match inner.find('`') {
            None => Err(Diagnostic::syntax(offset, "Unclosed identifier literal")),
            Some(0) => Err(Diagnostic::syntax(offset, "Invalid empty identifier")),
            Some(length) => {
                self.offset += length + 2;
                Ok(TokenKind::Quoted(&inner[..length]))
            }
        }
    }

    fn number(&mut self) -> Result<TokenKind<'a>, Diagnostic> {
        let rest = self.rest();
        let hexadecimal = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            Some(digits) => run(digits, |c| c.is_ascii_hexdigit()),
            None => 0,
        };
        let token = if hexadecimal > 0 {
            TokenKind::Integer(self.take(hexadecimal + 2))
        } else {
            let digits = run(rest, |c| c.is_ascii_digit());
            let length = digits + fraction(&rest[digits..]);
            let length = length + exponent(&rest[length..]);
            let digits_only = length == digits;
            let source = self.take(length);
            if digits_only {
                TokenKind::Integer(source)
            } else {
                TokenKind::Float(source)
            }
        };
        if self.rest().starts_with(is_word) {
            return Err(Diagnostic::syntax(
                self.offset,
                "Missing whitespace between literal and alias",
            ));
        }
        Ok(token)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of the longest prefix whose characters all satisfy `such`, in bytes.
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
