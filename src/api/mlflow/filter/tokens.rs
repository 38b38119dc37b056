//! A filter as tokens.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterTokenKind {
    /// A keyword, or the name of a field with its quoted parts.
    Word,
    Number,
    /// A text in quotes.
    Text,
    /// A comparison by signs.
    Sign,
    /// Everything between parentheses, with them.
    List,
    Semicolon,
    /// A comment, or what is none of these.
    Other,
}

/// A part of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilterToken<'f> {
    pub kind: FilterTokenKind,
    pub text: &'f str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl FilterToken<'_> {
    /// Where it ends, in bytes.
    pub(super) const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == FilterTokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// What stands between its quotes. A doubled quote is one.
    pub(super) fn content(&self) -> String {
        let mut characters = self.text.chars();
        let quote = characters.next().unwrap_or('\'');
        let inside = characters.as_str();
        let inside = inside.strip_suffix(quote).unwrap_or(inside);
        let (one, two) = (quote.to_string(), [quote, quote].iter().collect::<String>());
        inside.replace(&two, &one)
    }

    /// The texts of a list. `None` if it has anything else.
    pub(super) fn list(&self) -> Option<Vec<String>> {
        let inside = self.text.strip_prefix('(')?.strip_suffix(')')?;
        let mut texts = Vec::new();
        let mut may_follow = true;
        for token in tokens(inside) {
            match token.kind {
                FilterTokenKind::Text if may_follow => {
                    texts.push(token.content());
                    may_follow = false;
                }
                FilterTokenKind::Other if token.text == "," && !may_follow => may_follow = true,
                _ => return None,
            }
        }
        Some(texts)
    }
}

/// The tokens of a filter. White space stands between tokens only.
pub(super) fn tokens(filter: &str) -> Vec<FilterToken<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = filter[start..].chars().next() {
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let rest = &filter[start..];
        let (kind, length) = token(first, rest);
        tokens.push(FilterToken {
            kind,
            text: &rest[..length],
            start,
        });
        start += length;
    }
    tokens
}

/// The kind of the token that a text begins with, and its length in bytes, which is not 0.
fn token(first: char, rest: &str) -> (FilterTokenKind, usize) {
    match first {
        '\'' | '"' => match text_length(rest, first) {
            Some(length) => (FilterTokenKind::Text, length),
            None => (FilterTokenKind::Other, rest.len()),
        },
        '(' => match list_length(rest) {
            Some(length) => (FilterTokenKind::List, length),
            None => (FilterTokenKind::Other, 1),
        },
        ';' => (FilterTokenKind::Semicolon, 1),
        '-' if rest.starts_with("--") => {
            let end = rest.find('\n').unwrap_or(rest.len());
            (FilterTokenKind::Other, end)
        }
        '=' | '!' | '<' | '>' => {
            let is_sign = |it: char| matches!(it, '=' | '!' | '<' | '>');
            let end = rest.find(|it| !is_sign(it)).unwrap_or(rest.len());
            (FilterTokenKind::Sign, end)
        }
        '-' | '+' | '.' | '0'..='9' => number_length(rest)
            .map_or((FilterTokenKind::Other, 1), |length| {
                (FilterTokenKind::Number, length)
            }),
        first if is_of_word(first) || first == '`' => (FilterTokenKind::Word, word_length(rest)),
        first => (FilterTokenKind::Other, first.len_utf8()),
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of a text with its quotes; `None` if it does not end. Doubled quotes do not end it,
/// nor does one behind a backslash, if another one follows.
fn text_length(rest: &str, quote: char) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if character == '\\' && next == Some(quote) && rest[place + 2..].contains(quote) {
            characters.next();
        } else if character == quote {
            if next != Some(quote) {
                return Some(place + 1);
            }
            characters.next();
        }
    }
    None
}

/// The length of a list with its parentheses; `None` if it does not end.
fn list_length(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut place = 0;
    while let Some(character) = rest[place..].chars().next() {
        let text = matches!(character, '\'' | '"').then(|| text_length(&rest[place..], character));
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        place += text.flatten().unwrap_or(character.len_utf8());
        if depth == 0 {
            return Some(place);
        }
    }
    None
}

/// The length of a number; `None` if there is none.
fn number_length(rest: &str) -> Option<usize> {
    let is_of_number = |place: usize, it: char| {
        let before = rest[..place].chars().next_back();
        it.is_ascii_alphanumeric()
            || it == '.'
            || matches!(it, '-' | '+') && matches!(before, None | Some('e' | 'E'))
    };
    let end = rest
        .char_indices()
        .find(|(place, it)| !is_of_number(*place, *it));
    let end = end.map_or(rest.len(), |(place, _)| place);
    rest[..end].parse::<f64>().ok().map(|_| end)
}

/// The length of a word: letters, digits and dots, and behind a dot, or at the start, parts in
/// quotes.
fn word_length(rest: &str) -> usize {
    let mut place = 0;
    while let Some(character) = rest[place..].chars().next() {
        let may_quote = place == 0 || rest[..place].ends_with('.');
        if may_quote && matches!(character, '`' | '"') {
            let inside = &rest[place + 1..];
            let Some(end) = inside.find(character) else {
                return rest.len();
            };
            place += end + 2;
        } else if is_of_word(character) || character == '.' {
            place += character.len_utf8();
        } else {
            break;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(filter: &str) -> Vec<(FilterTokenKind, &str)> {
        let tokens = tokens(filter).into_iter();
        tokens.map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn tokens_have_kinds() {
        use FilterTokenKind::{List, Number, Other, Semicolon, Sign, Text, Word};
        for (filter, expected) in [
            (
                "metrics.m>=-1.5e3",
                vec![(Word, "metrics.m"), (Sign, ">="), (Number, "-1.5e3")],
            ),
            (
                "tags.`a 'b` = 'it''s'",
                vec![(Word, "tags.`a 'b`"), (Sign, "="), (Text, "'it''s'")],
            ),
            ("params.\"p q\"", vec![(Word, "params.\"p q\"")]),
            (
                "a IN ('x)',\"y\",)",
                vec![(Word, "a"), (Word, "IN"), (List, "('x)',\"y\",)")],
            ),
            (r"'it\'s'", vec![(Text, r"'it\'s'")]),
            (r"'a\'", vec![(Text, r"'a\'")]),
            (
                "x; -- y",
                vec![(Word, "x"), (Semicolon, ";"), (Other, "-- y")],
            ),
            ("'open", vec![(Other, "'open")]),
        ] {
            assert_eq!(kinds(filter), expected, "{filter}");
        }
    }

    #[test]
    fn contents_have_no_quotes() {
        for (filter, content) in [("'it''s'", "it's"), ("\"it's\"", "it's"), ("''", "")] {
            assert_eq!(tokens(filter)[0].content(), content);
        }
        let list = |text| tokens(text)[0].list();
        assert_eq!(
            list("('a','b',)"),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(list("('a' 'b')"), None);
        assert_eq!(list("(1)"), None);
    }

    proptest! {
        #[test]
        fn tokens_are_all_but_white_space(filter in r#"[a-c.`'"()\\ =<>!;,\-0-9ée]{0,24}"#) {
            let mut end = 0;
            for token in tokens(&filter) {
                prop_assert!(filter[end..token.start].trim().is_empty());
                prop_assert!(!token.text.is_empty());
                end = token.end();
            }
            prop_assert!(filter[end..].trim().is_empty());
        }
    }
}
