//! Facts of runs of other systems, as runs here have them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::blobs::BlobDigest;

/// The most bytes of the key of a parameter, a tag or a metric: with what stands before it, a name
/// of a property.
const MAX_KEY_BYTES: usize = 249;

/// The most bytes of a text, which is what MySQL stores in a property.
pub(super) const MAX_TEXT_BYTES: usize = 65_535;

/// The digits of the id of a run.
const RUN_ID_DIGITS: usize = 32;

/// The tags with a description and with the commit of the code.
pub(super) const NOTE_TAG: &str = "mlflow.note.content";
pub(super) const COMMIT_TAG: &str = "mlflow.source.git.commit";

/// The id of a run that another system knows by a path. It is the same in each import.
pub(super) fn run_id(system: &str, path: &str) -> String {
    let digest = BlobDigest::of([system, ":", path].concat().as_bytes());
    digest.as_str()[..RUN_ID_DIGITS].to_owned()
}

/// Keys and texts of parameters or tags.
pub(super) type FactList = Vec<(String, String)>;

/// Adds a fact whose text is not empty.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn add(facts: &mut FactList, key: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    check_key(key)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("{key} has more than {MAX_TEXT_BYTES} bytes"));
    }
    facts.push((key.to_owned(), text.to_owned()));
    Ok(())
}

/// # Errors
///
/// If a key is too long.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    if (1..=MAX_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    let start: String = key.chars().take(20).collect();
    Err(format!(
        "the key {start}… has not 1 to {MAX_KEY_BYTES} bytes"
    ))
}

/// What a value in JSON is.
pub(super) enum Leaf<'j> {
    Number(f64),
    Text(String),
    /// Anything that says by `_type` what it is, such as an image.
    Media,
    Object(&'j Map<String, Json>),
    Null,
}

impl<'j> Leaf<'j> {
    pub(super) fn of(value: &'j Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Number(number) => number.as_f64().map_or(Self::Null, Self::Number),
            Json::String(text) => match text.as_str() {
                "NaN" => Self::Number(f64::NAN),
                "Infinity" => Self::Number(f64::INFINITY),
                "-Infinity" => Self::Number(f64::NEG_INFINITY),
                text => Self::Text(text.to_owned()),
            },
            Json::Bool(_) | Json::Array(_) => Self::Text(value.to_string()),
            Json::Object(members) if members.contains_key("_type") => Self::Media,
            Json::Object(members) => Self::Object(members),
        }
    }
}

/// The leaves of an object with their keys, in which a dot stands between levels.
pub(super) fn leaves(members: &Map<String, Json>) -> BTreeMap<String, &Json> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(String, &Map<String, Json>)> = vec![(String::new(), members)];
    while let Some((prefix, members)) = open.pop() {
        for (name, value) in members {
            let key = [&prefix, name.as_str()].concat();
            match Leaf::of(value) {
                Leaf::Object(below) if !below.is_empty() => open.push((key + ".", below)),
                _ => {
                    found.insert(key, value);
                }
            }
        }
    }
    found
}

/// A value as the text of a parameter.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_of_objects_are_parts_of_keys() {
        let json = json!({"a": {"b": 1, "c": {"d": "x"}}, "e": [1, 2], "f": {}});
        let found = leaves(json.as_object().unwrap());
        let texts = found
            .iter()
            .map(|(key, value)| format!("{key}={}", text(value)));
        let texts: Vec<String> = texts.collect();
        assert_eq!(texts, ["a.b=1", "a.c.d=x", "e=[1,2]", "f={}"]);
    }

    #[test]
    fn facts_that_do_not_fit_are_refused() {
        let mut facts = FactList::new();
        add(&mut facts, "k", "v").unwrap();
        add(&mut facts, "none", "").unwrap();
        assert_eq!(facts, [("k".to_owned(), "v".to_owned())]);
        add(&mut facts, &"k".repeat(250), "v").unwrap_err();
        add(&mut facts, "k", &"v".repeat(MAX_TEXT_BYTES + 1)).unwrap_err();
    }

    #[test]
    fn ids_of_runs_differ_by_system() {
        let id = run_id("wandb", "e/p/1");
        assert_eq!(id.len(), 32);
        assert_eq!(id, run_id("wandb", "e/p/1"));
        assert_ne!(id, run_id("neptune", "e/p/1"));
    }
}
