//! Values of literals: numbers, and strings with quotes, raw and triple-quoted forms and escapes.

use super::ast::Sign;
use super::error::Diagnostic;

/// Reads the string literal at the start of `rest`: its value and its length in the source, in
/// bytes. `None` if there is none. `offset` is the place of `rest` in the query.
pub(super) fn text(rest: &str, offset: usize) -> Result<Option<(String, usize)>, Diagnostic> {
    let prefix = rest.len()
        - rest
            .trim_start_matches(|c: char| c.is_ascii_alphabetic())
            .len();
    let raw = match rest[..prefix].to_ascii_lowercase().as_str() {
        "" => false,
        "r" => true,
        "b" | "rb" | "br" if rest[prefix..].starts_with(['\'', '"']) => {
            return Err(Diagnostic::new(offset, "Bytes literals are not supported"));
        }
        _ => return Ok(None),
    };
    let Some(quote) = ["'''", "\"\"\"", "'", "\""]
        .into_iter()
        .find(|quote| rest[prefix..].starts_with(quote))
    else {
        return Ok(None);
    };
    let start = prefix + quote.len();
    let unclosed = || {
        let form = if quote.len() == 3 {
            "triple-quoted "
        } else {
            ""
        };
        Diagnostic::syntax(
            offset,
            format!(
                "Unclosed {}{form}string literal",
                if raw { "raw " } else { "" }
            ),
        )
    };
    let length = length_to(quote, &rest[start..]).ok_or_else(unclosed)?;
    let body = &rest[start..start + length];
    let value = if raw {
        body.to_owned()
    } else {
        unescape(body, offset + start)?
    };
    if value.contains('\0') {
        return Err(Diagnostic::new(
            offset,
            "String literals cannot contain NUL characters",
        ));
    }
    Ok(Some((value, start + length + quote.len())))
}

/// The number of bytes before the closing quote. A backslash escapes the next character, in raw
/// strings too.
fn length_to(quote: &str, text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        if text[index..].starts_with(quote) {
            return Some(index);
        }
        match character {
            '\\' => drop(characters.next()),
            '\n' | '\r' if quote.len() == 1 => return None,
            _ => {}
        }
    }
    None
}

/// Replaces the escapes. `offset` is the place of `body` in the query.
fn unescape(body: &str, offset: usize) -> Result<String, Diagnostic> {
    let mut value = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(escape) = rest.find('\\') {
        value.push_str(&rest[..escape]);
        let offset = offset + (body.len() - rest.len()) + escape;
        let (character, length) = escaped(&rest[escape..]).map_err(|text| {
            Diagnostic::syntax(offset, format!("Illegal escape sequence: {text}"))
        })?;
        value.push(character);
        rest = &rest[escape + length..];
    }
    value.push_str(rest);
    Ok(value)
}

/// The character of the escape at the start of the text, and the length of the escape in bytes.
fn escaped(text: &str) -> Result<(char, usize), String> {
    let Some(kind) = text.chars().nth(1) else {
        return Err(text.to_owned());
    };
    let plain = |character| Ok((character, 2));
    match kind {
        'a' => plain('\x07'),
        'b' => plain('\x08'),
        'f' => plain('\x0c'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\x0b'),
        '\\' | '\'' | '"' | '`' | '?' => plain(kind),
        '0'..='3' => code_point(text, 1, 3, 8),
        'x' | 'X' => code_point(text, 2, 2, 16),
        'u' => code_point(text, 2, 4, 16),
        'U' => code_point(text, 2, 8, 16),
        _ => Err(format!("\\{kind}")),
    }
}

/// The character of an escape whose code point has `digits` digits behind the first `skip` bytes.
fn code_point(text: &str, skip: usize, digits: usize, radix: u32) -> Result<(char, usize), String> {
    let name = if radix == 8 { "Octal" } else { "Hex" };
    let length = skip + digits;
    let number = text
        .get(skip..length)
        .filter(|number| number.chars().all(|c| c.is_digit(radix)))
        .and_then(|number| u32::from_str_radix(number, radix).ok())
        .ok_or_else(|| {
            let seen: String = text.chars().take(length).collect();
            format!(
                "{name} escape must be followed by {digits} {} digits but saw: {seen}",
                name.to_lowercase()
            )
        })?;
    let character = char::from_u32(number)
        .ok_or_else(|| format!("Unicode value {} is invalid", &text[..length]))?;
    Ok((character, length))
}

/// Converts a 64-bit integer with its sign: the smallest one has no positive counterpart.
pub(super) fn integer(digits: &str, sign: Sign, offset: usize) -> Result<i64, Diagnostic> {
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let magnitude = match hexadecimal {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse::<i128>(),
    };
    let number = magnitude
        .ok()
        .map(|number| if sign == Sign::Minus { -number } else { number });
    number
        .and_then(|number| i64::try_from(number).ok())
        .ok_or_else(|| {
            let minus = if sign == Sign::Minus { "-" } else { "" };
            Diagnostic::new(offset, format!("Invalid integer literal: {minus}{digits}"))
        })
}

/// Converts a floating-point number.
pub(super) fn double(digits: &str, offset: usize) -> Result<f64, Diagnostic> {
    let number = digits
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    number
        .ok_or_else(|| Diagnostic::new(offset, format!("Invalid floating point literal: {digits}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str) -> String {
        text(source, 0).unwrap().unwrap().0
    }

    #[test]
    fn forms() {
        for source in [
            "'a'",
            "\"a\"",
            "'''a'''",
            "\"\"\"a\"\"\"",
            "r'a'",
            "R\"a\"",
            "r'''a'''",
        ] {
            assert_eq!(value(source), "a", "{source}");
        }
        assert_eq!(value("''"), "");
        assert_eq!(value("'''it's \"\n'''"), "it's \"\n");
        assert_eq!(value(r"r'\n\''"), r"\n\'");
        assert_eq!(text("'a' rest", 0).unwrap().unwrap().1, 3);
        assert!(text("real", 0).unwrap().is_none());
    }

    #[test]
    fn escapes() {
        assert_eq!(value(r#"'\n\t\\\'\"\`\?'"#), "\n\t\\'\"`?");
        assert_eq!(value(r"'\x41\u00e9\U0001F600\101\xe9'"), "Aé😀Aé");
    }

    #[test]
    fn refused() {
        for source in [
            "'",
            "'a",
            "'a\n'",
            "'''a''",
            "'\\'",
            "r'\\'",
            r"'\q'",
            r"'\4'",
            r"'\x3'",
            r"'\xé'",
            r"'\ud800'",
            r"'\U00110000'",
            r"'\18'",
            r"'\x00'",
            "'\0'",
            "b'a'",
            "rb'a'",
            "BR\"a\"",
            r"'\+12'",
            r"'\x+1'",
        ] {
            assert!(text(source, 0).is_err(), "{source}");
        }
    }
}
