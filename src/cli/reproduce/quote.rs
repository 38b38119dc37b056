//! Text of the graph as words of a shell, so that it is data and never code.

/// Stands for the folder of the recipe in a text that is quoted. No text of the graph has it.
pub(super) const ROOT: char = '\0';

/// A text as one word of a POSIX shell, on one line. The shell must have the variables `root`, the
/// folder of the recipe, and `nl`, a line break.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str(r"'\''"),
            '\n' => quoted.push_str(r#"'"$nl"'"#),
            ROOT => quoted.push_str(r#"'"$root"'"#),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A path from the folder of the recipe, as a word.
pub(super) fn in_root(path: &str) -> String {
    quote(&format!("{ROOT}/{path}"))
}

/// Words, each quoted, with a space between two.
pub(super) fn quote_all<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(quote).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell makes of a quoted word.
    fn read_by_shell(word: &str) -> String {
        let script = format!("nl='\n'; root=/root; printf '%s.' {}", quote(word));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{word:?}"
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('.').unwrap().to_owned()
    }

    #[test]
    fn hostile_words_stay_words() {
        for word in [
            "",
            "$(touch hacked)",
            "`touch hacked`",
            "'; touch hacked; '",
            "a\n touch hacked\n",
            "\\",
            "\\'",
            "-rf",
            "~",
            "*",
            "${HOME}",
            "\r\u{1b}[2J",
            "it's \"$PATH\" & |",
        ] {
            assert_eq!(read_by_shell(word), word);
            assert!(!quote(word).contains('\n'), "{word:?}");
        }
        assert_eq!(read_by_shell("a\0/b"), "a/root/b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_word_stays_as_it_is(word in "[^\0]{0,40}") {
            prop_assert_eq!(read_by_shell(&word), word);
        }
    }
}
