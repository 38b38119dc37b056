//! Options of `pedigree run` that have two parts: the role and path of a file, and the name and
//! value of a parameter, a context or a URI.

use std::path::PathBuf;

/// A file or folder in the role of an input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleBinding {
    pub role: String,
    /// The type of the artifact, if it is given.
    pub type_name: Option<String>,
    pub path: PathBuf,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedValue {
    pub name: String,
    pub value: String,
}

/// Reads `ROLE=[TYPE:]PATH`.
pub(super) fn role_binding(text: &str) -> Result<RoleBinding, String> {
    let NamedValue { name, value } = named_value(text)?;
    let (type_name, path) = match value.split_once(':') {
        Some((of, path)) if is_name(of) => (Some(of.to_owned()), path),
        _ => (None, value.as_str()),
    };
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    Ok(RoleBinding {
        role: name,
        type_name,
        path: path.into(),
    })
}

/// Reads `NAME=VALUE`, where the name has letters, digits, `_`, `-` and `.`.
pub(super) fn named_value(text: &str) -> Result<NamedValue, String> {
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    if !is_name(name) {
        return Err(format!(
            "`{name}` is no name: it may have letters, digits, `_`, `-` and `.`"
        ));
    }
    Ok(NamedValue {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !text.is_empty() && text.chars().all(is_allowed) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_has_a_role_a_path_and_maybe_a_type() {
        for (text, type_name, path) in [
            ("train=data/train.csv", None, "data/train.csv"),
            ("train=system.Dataset:data", Some("system.Dataset"), "data"),
            ("train=./a:b", None, "./a:b"),
            ("train=a=b", None, "a=b"),
        ] {
            let read = role_binding(text).unwrap();
            assert_eq!(read.role, "train");
            assert_eq!(read.type_name.as_deref(), type_name, "{text}");
            assert_eq!(read.path, PathBuf::from(path), "{text}");
        }
        for text in ["train", "=x", "a b=x", "{in}=x", "train=", "train=Data:"] {
            role_binding(text).unwrap_err();
        }
    }
}
