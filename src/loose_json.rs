//! JSON as Python writes it.

/// A text of JSON in which numbers that are none, `NaN` and the infinities, are texts.
#[must_use]
pub(crate) fn quote_numbers(json: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut quoted = Vec::with_capacity(json.len() + 16);
    let (mut rest, mut is_text) = (json, false);
    while let Some((&byte, after)) = rest.split_first() {
        let word = WORDS.iter().find(|word| !is_text && rest.starts_with(word));
        if let Some(word) = word {
            quoted.push(b'"');
            quoted.extend_from_slice(word);
            quoted.push(b'"');
            rest = &rest[word.len()..];
            continue;
        }
        quoted.push(byte);
        rest = after;
        match byte {
            b'"' => is_text = !is_text,
            b'\\' if is_text => {
                if let Some((&escaped, after)) = rest.split_first() {
                    quoted.push(escaped);
                    rest = after;
                }
            }
            _ => {}
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_become_texts() {
        for (json, expected) in [
            (r#"{"a": NaN}"#, r#"{"a": "NaN"}"#),
            ("[-Infinity,Infinity]", r#"["-Infinity","Infinity"]"#),
            (r#"{"NaN \" NaN": "NaN"}"#, r#"{"NaN \" NaN": "NaN"}"#),
        ] {
            assert_eq!(quote_numbers(json.as_bytes()), expected.as_bytes());
        }
    }
}
