//! Secrets in facets, such as passwords among the properties of a Spark session: their values are
//! replaced before anything is stored.
//!
//! What names a value decides: the key of a member, or the `name` or `key` beside a `value`. All
//! other bytes of an event stay as they were sent.

use std::borrow::Cow;
use std::ops::Range;

/// What replaces a secret: JSON.
const REPLACEMENT: &str = "\"[redacted]\"";

/// The facets of an environment. A value with a login in a URL is a secret there.
const ENVIRONMENT_FACETS: [&str; 3] = [
    "environment-properties",
    "environmentVariables",
    "spark_properties",
];

/// Parts of names of secrets.
const SECRET_PARTS: [&str; 6] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "apikey",
];

/// Words in names of secrets. A name with none of these and of [`SECRET_PARTS`] is no secret's.
const SECRET_WORDS: [&str; 3] = ["key", "token", "pwd"];

/// What stands before `key` in names of secrets with more words behind it.
const KEY_OWNERS: [&str; 5] = ["access", "account", "api", "private", "encryption"];

/// An event without secrets. The text may be no JSON: it is not checked.
pub(super) fn without_secrets(text: &[u8]) -> Cow<'_, [u8]> {
    let mut secrets = Scanner::new(text).secrets();
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    secrets.sort_by_key(|range| range.start);
    secrets.dedup();
    let mut clean = Vec::with_capacity(text.len());
    let mut end = 0;
    for range in secrets {
        clean.extend(&text[end..range.start]);
        clean.extend(REPLACEMENT.as_bytes());
        end = range.end;
    }
    clean.extend(&text[end..]);
    Cow::Owned(clean)
}

/// Whether a value of this name is a secret.
fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if SECRET_PARTS.iter().any(|part| lower.contains(part)) {
        return true;
    }
    if !SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        return false;
    }
    let words = words(name);
    let is_key = |pair: &[String]| {
        let [owner, word] = pair else { return false };
        word == "key" && KEY_OWNERS.contains(&owner.as_str())
    };
    let ends_with_key = words.len() > 1 && words.last().is_some_and(|word| word == "key");
    ends_with_key
        || words.iter().any(|word| word == "token" || word == "pwd")
        || words.windows(2).any(is_key)
}

/// The words of a name such as `fs.s3a.access.key`, `API_KEY` or `accessToken`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_ascii_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a text has a URL with a login, such as `jdbc:postgresql://user:password@host/db`.
fn has_login(text: &str) -> bool {
    let mut behind = text.split("://").skip(1);
    behind.any(|rest| {
        let end = rest.find(|letter: char| "/?# ".contains(letter));
        let authority = &rest[..end.unwrap_or(rest.len())];
        authority.contains('@')
    })
}

/// An object or an array that is not at its end yet.
#[derive(Default)]
struct Level {
    is_object: bool,
    is_environment: bool,
    member: Member,
    /// Whether a `name` or `key` is that of a secret.
    names_secret: bool,
    /// Where the `value` is, if it is a text.
    value: Option<Range<usize>>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    /// The key of a member.
    Key,
    /// The name of the value beside it.
    Name,
    /// The value beside a name.
    Value,
    /// A facet of the environment.
    Environment,
    /// Secrets.
    Secret,
    #[default]
    Other,
}

/// Reads a text of JSON once, with no stack but the levels.
struct Scanner<'t> {
    text: &'t [u8],
    levels: Vec<Level>,
    secrets: Vec<Range<usize>>,
}

impl<'t> Scanner<'t> {
    const fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            levels: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The places of the values that are secrets, with their quotes.
    fn secrets(mut self) -> Vec<Range<usize>> {
        let mut at = 0;
        while let Some(&byte) = self.text.get(at) {
            match byte {
                b'{' | b'[' => self.open(byte == b'{'),
                b'}' | b']' => self.close(),
                b',' => {
                    if let Some(level) = self.levels.last_mut().filter(|it| it.is_object) {
                        level.member = Member::Key;
                    }
                }
                b'"' => {
                    let end = text_end(self.text, at);
                    self.read_text(at..end);
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        self.secrets
    }

    fn open(&mut self, is_object: bool) {
        let above = self.levels.last();
        let is_environment =
            above.is_some_and(|it| it.is_environment || it.member == Member::Environment);
        let is_secret = above.is_some_and(|it| it.member == Member::Secret);
        self.levels.push(Level {
            is_object,
            is_environment,
            member: match (is_object, is_secret) {
                (true, _) => Member::Key,
                // A list of secrets; the members of an object have names of their own.
                (false, true) => Member::Secret,
                (false, false) => Member::Other,
            },
            ..Level::default()
        });
    }

    fn close(&mut self) {
        let level = self.levels.pop().filter(|level| level.names_secret);
        self.secrets.extend(level.and_then(|level| level.value));
    }

    fn read_text(&mut self, place: Range<usize>) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        if level.member == Member::Other && !level.is_environment {
            return;
        }
        let Ok(text) = serde_json::from_slice::<String>(&self.text[place.clone()]) else {
            return;
        };
        match level.member {
            Member::Key => {
                level.member = match text.as_str() {
                    "name" | "key" => Member::Name,
                    "value" => Member::Value,
                    key if ENVIRONMENT_FACETS.contains(&key) => Member::Environment,
                    key if is_secret_name(key) => Member::Secret,
                    _ => Member::Other,
                };
            }
            Member::Secret => self.secrets.push(place),
            _ if level.is_environment && has_login(&text) => self.secrets.push(place),
            Member::Name => level.names_secret |= is_secret_name(&text),
            Member::Value => level.value = Some(place),
            Member::Environment | Member::Other => {}
        }
    }
}

/// The end of the text that begins with the quote at an index.
fn text_end(text: &[u8], start: usize) -> usize {
    let mut is_escaped = false;
    for (offset, &byte) in text[start + 1..].iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return start + offset + 2,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        String::from_utf8(without_secrets(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "password",
            "DB_PASSWORD",
            "spark.hadoop.javax.jdo.option.ConnectionPassword",
            "fs.s3a.secret.key",
            "fs.s3a.access.key",
            "fs.azure.account.key.x.blob.core.windows.net",
            "awsAccessKeyId",
            "API_KEY",
            "apiKey",
            "token",
            "accessToken",
            "GITHUB-TOKEN",
            "google.credentials",
            "pwd",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "tokenizer",
            "max_tokens",
            "key",
            "keys",
            "monkey",
            "name",
            "spark.app.name",
            "keyspace",
            "compass",
            "",
            "é",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn only_secrets_are_replaced() {
        for (given, expected) in [
            (
                r#"{"password": "p\"w", "n": 1}"#,
                r#"{"password": "[redacted]", "n": 1}"#,
            ),
            (
                r#"{"environmentVariables":[{"value":"v","name":"X_TOKEN"},{"name":"A","value":"v"}]}"#,
                r#"{"environmentVariables":[{"value":"[redacted]","name":"X_TOKEN"},{"name":"A","value":"v"}]}"#,
            ),
            (
                r#"{"spark_properties":{"properties":{"url":"jdbc:x://u:p@h/d","at":"a://h/x@y"}}}"#,
                r#"{"spark_properties":{"properties":{"url":"[redacted]","at":"a://h/x@y"}}}"#,
            ),
            (
                r#"{"pass\u0077ord":"x"}"#,
                r#"{"pass\u0077ord":"[redacted]"}"#,
            ),
            (
                r#"{"tokens": ["a"], "api_key": ["a", ["b"]]}"#,
                r#"{"tokens": ["a"], "api_key": ["[redacted]", ["[redacted]"]]}"#,
            ),
            // A column of that name.
            (
                r#"{"fields":{"password":{"inputFields":[{"field":"password"}]}}}"#,
                r#"{"fields":{"password":{"inputFields":[{"field":"password"}]}}}"#,
            ),
            (
                r#"{"fields":[{"name":"password","type":"string"}]}"#,
                r#"{"fields":[{"name":"password","type":"string"}]}"#,
            ),
            (
                r#"{"token": null, "secret": true, "password": 7}"#,
                r#"{"token": null, "secret": true, "password": 7}"#,
            ),
        ] {
            assert_eq!(clean(given), expected);
        }
    }

    #[test]
    fn nesting_takes_no_stack() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(clean(&deep), deep);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "[\\[\\]{}:,\"\\\\a-z@/ ]{0,60}") {
            let _ = clean(&text);
        }
    }
}
