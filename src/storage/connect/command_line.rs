//! libpq's parameter `options`: the settings of a session, as the server's command line takes them.

use crate::error::{Error, Result};

/// Reads `-c name=value`, `-cname=value` and `--name=value`, separated by spaces. A backslash takes
/// the meaning from a space or a backslash.
///
/// # Errors
///
/// `InvalidArgument` for another switch; values are not quoted.
pub(super) fn settings(options: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next()
        } else {
            let short = word.strip_prefix("--").or_else(|| word.strip_prefix("-c"));
            short.map(str::to_owned)
        };
        let setting = setting
            .as_deref()
            .and_then(|setting| setting.split_once('='));
        let Some((name, value)) = setting.filter(|(name, _)| !name.is_empty()) else {
            let rule = "has a parameter `options` that is not made of `-c name=value`";
            return Err(Error::invalid(rule));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut letters = options.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_libpq_are_read() {
        for (options, expected) in [
            ("", &[][..]),
            ("-c search_path=ml", &[("search_path", "ml")]),
            (
                "  -csearch_path=ml,public  --lock-timeout=5s",
                &[("search_path", "ml,public"), ("lock_timeout", "5s")],
            ),
            (
                r"-c search_path=my\ schema,a\\b",
                &[("search_path", r"my schema,a\b")],
            ),
            ("-c a.b=", &[("a.b", "")]),
        ] {
            let read = settings(options).unwrap();
            let read: Vec<_> = read
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(read, expected, "{options}");
        }
    }

    #[test]
    fn other_switches_are_refused() {
        for options in [
            "-c",
            "-c secret",
            "-d 5",
            "search_path=secret",
            "-c =secret",
            "--",
        ] {
            let error = settings(options).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{options}: {error}");
        }
    }
}
