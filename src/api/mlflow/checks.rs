//! What keys and texts of experiments and runs may be.

use super::refusal::MlflowRefusal;

/// The most characters of keys of metrics, parameters and tags.
pub(super) const MAX_KEY_CHARACTERS: usize = 250;

/// The most characters of the key of a parameter: with `param.` before it, a name of a property.
pub(super) const MAX_PARAM_KEY_CHARACTERS: usize = 249;

/// The most characters of the value of a parameter. The rest is cut off.
pub(super) const MAX_PARAM_CHARACTERS: usize = 6000;

/// The most characters of a tag of a run. The rest is cut off.
pub(super) const MAX_RUN_TAG_CHARACTERS: usize = 8000;

/// The most characters of a tag of an experiment.
pub(super) const MAX_EXPERIMENT_TAG_CHARACTERS: usize = 20_000;

type Checked = Result<(), MlflowRefusal>;

/// Refuses a text with more characters.
pub(super) fn check_length(name: &str, text: &str, max: usize) -> Checked {
    if text.chars().nth(max).is_none() {
        return Ok(());
    }
    Err(MlflowRefusal::invalid(format!(
        "'{name}' exceeds the maximum length of {max} characters"
    )))
}

/// The first characters of a text.
pub(super) fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// Refuses a key that could not be the name of a file. `parameter` names it.
pub(super) fn check_key(parameter: &str, key: &str) -> Checked {
    let refused = |why: &str| {
        let key = serde_json::json!(key);
        MlflowRefusal::invalid(format!(
            "Invalid value {key} for parameter '{parameter}' supplied: {why}"
        ))
    };
    let is_allowed = |it: char| it.is_alphanumeric() || "_-. :/".contains(it);
    if !key.chars().all(is_allowed) {
        return Err(refused(
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), \
             spaces ( ), colon(:) and slashes (/).",
        ));
    }
    let resolved = resolved_path(key);
    if resolved != key || resolved == "." || resolved.starts_with("..") || key.starts_with('/') {
        return Err(refused(&format!(
            "Names may be treated as files in certain cases, and must not resolve to other names \
             when treated as such. This name would resolve to '{resolved}'"
        )));
    }
    Ok(())
}

/// The path without `.`, `..` and doubled slashes.
fn resolved_path(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_absolute, joined.is_empty()) {
        (true, _) => ["/", &joined].concat(),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_of_files() {
        for key in ["a", "a b/c.d:e-f_g", "ключ", "..a", "a..", "a/.b"] {
            let is_odd = key.starts_with("..");
            assert_eq!(check_key("key", key).is_err(), is_odd, "{key}");
        }
        for key in [
            "", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "a(b)", "a\n",
        ] {
            assert!(check_key("key", key).is_err(), "{key}");
        }
    }

    #[test]
    fn paths_are_resolved() {
        for (path, resolved) in [("a/../b", "b"), ("", "."), ("/a", "/a"), ("../a", "../a")] {
            assert_eq!(resolved_path(path), resolved);
        }
    }
}
