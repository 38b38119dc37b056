//! What names of models and aliases may be.

use crate::error::{Error, Result};
use crate::graph::names::MAX_NAME_CHARACTERS;

/// The most characters of an alias: with `alias.` before it, a name of a property.
const MAX_ALIAS_CHARACTERS: usize = 249;

/// The alias that clients use for the version with the highest number.
const LATEST: &str = "latest";

fn check_text(what: &str, text: &str, max: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("the {what} is empty")));
    }
    if text.chars().nth(max).is_some() {
        return Err(Error::invalid(format!(
            "the {what} has more than {max} characters"
        )));
    }
    Ok(())
}

/// Refuses a name that clients could not write into a URI of a version, `models:/NAME/VERSION`.
///
/// # Errors
///
/// `InvalidArgument` for such a name.
pub(super) fn check_model_name(name: &str) -> Result<()> {
    check_text("name of the model", name, MAX_NAME_CHARACTERS)?;
    if name.contains(['/', ':']) {
        return Err(Error::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        )));
    }
    Ok(())
}

/// Refuses an alias that clients could not write into a URI, or that means something else there.
///
/// # Errors
///
/// `InvalidArgument` for such an alias.
pub(super) fn check_alias(alias: &str) -> Result<()> {
    check_text("alias", alias, MAX_ALIAS_CHARACTERS)?;
    if !alias
        .chars()
        .all(|it| it.is_alphanumeric() || "_-".contains(it))
    {
        return Err(Error::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), \
             and dashes (-)."
        )));
    }
    if alias.eq_ignore_ascii_case(LATEST) {
        return Err(Error::invalid(format!(
            "'{LATEST}' alias name (case insensitive) is reserved."
        )));
    }
    let digits = alias.strip_prefix(['v', 'V']).unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(format!(
            "Version alias name '{alias}' is reserved."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_uris() {
        for name in ["a", "a.b c", "ü", &"é".repeat(255)] {
            assert!(check_model_name(name).is_ok(), "{name}");
        }
        for name in ["", " ", "\t\u{a0}", "a/b", "a:b", &"é".repeat(256)] {
            assert!(check_model_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn aliases_are_no_versions() {
        for alias in ["a", "v", "v1a", "1", "-_", "ü", &"é".repeat(249)] {
            assert!(check_alias(alias).is_ok(), "{alias}");
        }
        for alias in [
            "",
            " ",
            "v1",
            "V007",
            "Latest",
            "a b",
            "a.b",
            &"é".repeat(250),
        ] {
            assert!(check_alias(alias).is_err(), "{alias}");
        }
    }
}
