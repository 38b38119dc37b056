//! Placeholders in the words of a command: `{in:ROLE}`, `{out:ROLE}` and `{param:NAME}`.

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder<'a> {
    /// The path of the input with this role.
    Input(&'a str),
    /// The path of the output with this role.
    Output(&'a str),
    /// The value of the parameter with this name.
    Parameter(&'a str),
}

impl<'a> Placeholder<'a> {
    fn read(inside: &'a str) -> Option<Self> {
        match inside.split_once(':')? {
            ("in", role) => Some(Self::Input(role)),
            ("out", role) => Some(Self::Output(role)),
            ("param", name) => Some(Self::Parameter(name)),
            _ => None,
        }
    }
}

/// A word with values in the place of its placeholders. Values are not read for placeholders again,
/// and other braces stay as they are.
///
/// # Errors
///
/// The text of the first placeholder that has no value.
pub fn expand(
    word: &str,
    mut value: impl FnMut(Placeholder<'_>) -> Option<String>,
) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        expanded.push_str(before);
        let inside = from[1..].split_once('}').map(|(inside, _)| inside);
        if let Some(inside) = inside
            && let Some(placeholder) = Placeholder::read(inside)
        {
            let end = inside.len() + 2;
            expanded.push_str(&value(placeholder).ok_or_else(|| from[..end].to_owned())?);
            rest = &from[end..];
        } else {
            expanded.push('{');
            rest = &from[1..];
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Whether a word has a placeholder for which `is_meant` holds.
#[must_use]
pub fn mentions(word: &str, is_meant: impl Fn(Placeholder<'_>) -> bool) -> bool {
    let mut is_found = false;
    let found = expand(word, |placeholder| {
        is_found |= is_meant(placeholder);
        Some(String::new())
    });
    found.is_ok() && is_found
}

/// The first placeholder of Kubeflow Pipelines in a word, such as `{{$.inputs.parameters['x']}}`.
pub(super) fn pipeline_placeholder(word: &str) -> Option<&str> {
    let from = &word[word.find("{{$")?..];
    let end = from.find("}}")? + 2;
    Some(&from[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(placeholder: Placeholder<'_>) -> Option<String> {
        match placeholder {
            Placeholder::Input("train") => Some("data/train.csv".to_owned()),
            Placeholder::Output("model") => Some("{in:train}".to_owned()),
            Placeholder::Parameter("trees") => Some("20".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn placeholders_have_values_and_other_braces_stay() {
        for (word, expanded) in [
            ("--in={in:train}", "--in=data/train.csv"),
            ("{out:model}", "{in:train}"),
            ("{{param:trees}}", "{20}"),
            ("{x}{", "{x}{"),
            ("{in:train}{param:trees}", "data/train.csv20"),
            ("{other:train}", "{other:train}"),
        ] {
            assert_eq!(expand(word, value).as_deref(), Ok(expanded), "{word}");
        }
        assert_eq!(expand("a{in:test}", value), Err("{in:test}".to_owned()));
        assert!(mentions("--x={in:a}", |it| it == Placeholder::Input("a")));
        assert!(!mentions("{out:a}", |it| it == Placeholder::Input("a")));
    }

    #[test]
    fn placeholders_of_pipelines_are_found() {
        let found = pipeline_placeholder("a{x}{{$.inputs.parameters['x']}}{{$}}");
        assert_eq!(found, Some("{{$.inputs.parameters['x']}}"));
        assert_eq!(pipeline_placeholder("{{$"), None);
        assert_eq!(pipeline_placeholder("}}{{.Name}}"), None);
    }

    proptest! {
        #[test]
        fn a_word_without_placeholders_stays_as_it_is(word in "[^{]*") {
            prop_assert_eq!(expand(&word, |_| None), Ok(word));
        }

        #[test]
        fn any_word_can_be_read(word in "[{}:a-z]*") {
            let _ = expand(&word, |_| Some(String::new()));
        }
    }
}
