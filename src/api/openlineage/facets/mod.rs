//! Facets as the graph keeps them, with the facts in them that have a name of their own.
//!
//! A facet that cannot be read has no facts. It is kept all the same, and so is its event.

mod columns;
mod dataset;
mod job;
mod lineage;
mod run;
mod usage;

pub(super) use dataset::{
    DatasetFact, Lifecycle, dataset, lifecycle, other_names, output, version,
};
pub(super) use job::{declared, job};
pub(super) use lineage::{RunFacetMaps, attach_to_dataset, attach_to_job, run_lineage};
pub(super) use run::{HOPS_FACET, HOPS_FACT, RunKey, hops, is_reported, parent, run};
pub(super) use usage::{input, output_use, path};

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::FacetMap;
use super::names::sha256;
use crate::graph::{Facet, MAX_NAME_CHARACTERS};
use crate::model::{Properties, Value};

/// The most bytes of a text fact.
const MAX_TEXT_BYTES: usize = 4096;

/// The facets of a map, with the facts that a function reads from each.
fn facets(
    map: Option<&FacetMap<'_>>,
    prefix: &str,
    facts_of: fn(&str, &RawValue, &mut Facts),
) -> Vec<Facet> {
    let present = map.into_iter().flatten();
    let facet = |(key, text): (&String, Option<&RawValue>)| {
        let text = text?;
        if key.is_empty() || key.contains('\0') {
            return None;
        }
        let mut facts = Facts::default();
        if !is_deleted(text) {
            facts_of(key, text, &mut facts);
        }
        Some(Facet {
            properties: facts.0,
            ..kept(format!("{prefix}{key}"), text)
        })
    };
    let present = present.map(|(key, text)| (key, *text));
    present.filter_map(facet).collect()
}

/// Whether an event deletes this facet.
fn is_deleted(text: &RawValue) -> bool {
    read::<Deletion>(text).is_some_and(|it| it.is_deleted)
}

/// A facet without facts, whose text is kept unless it is deleted.
fn kept(key: String, text: &RawValue) -> Facet {
    let text = Some(text.get()).filter(|_| !is_deleted(text));
    Facet {
        key,
        digest: text.map(|text| sha256(text.as_bytes())),
        text: text.map(Arc::from),
        ..Facet::default()
    }
}

/// A facet that no map has: of facts about the event itself.
pub(super) fn of_event(key: &str, text: Option<&str>) -> Option<Facet> {
    let text = text?;
    let mut facts = Facts::default();
    facts.text(key, Some(text));
    Some(Facet {
        key: format!("event.{key}"),
        digest: Some(sha256(text.as_bytes())),
        properties: facts.0,
        ..Facet::default()
    })
}

#[derive(Deserialize)]
struct Deletion {
    #[serde(rename = "_deleted", default)]
    is_deleted: bool,
}

/// A facet of a shape, or `None` if it has another one.
fn read<'a, T: Deserialize<'a>>(text: &'a RawValue) -> Option<T> {
    serde_json::from_str(text.get()).ok()
}

/// Facts, as custom properties. What no property can hold is left out.
#[derive(Debug, Default)]
pub(super) struct Facts(Properties);

impl Facts {
    /// A text. A longer one is cut.
    fn text(&mut self, name: &str, text: Option<&str>) {
        let text = text.filter(|text| !text.is_empty());
        if let Some(text) = text {
            let end = text.floor_char_boundary(MAX_TEXT_BYTES);
            self.put(name, Value::String(text[..end].to_owned()));
        }
    }

    fn int(&mut self, name: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.put(name, Value::Int(number));
        }
    }

    /// A value of JSON: an object or an array as its text.
    fn json(&mut self, name: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::Bool(value) => self.put(name, Value::Bool(*value)),
            serde_json::Value::String(text) => self.text(name, Some(text)),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => self.put(name, Value::Int(number)),
                (None, Some(number)) => self.put(name, Value::double(number)),
                (None, None) => {}
            },
            other => self.text(name, Some(&other.to_string())),
        }
    }

    fn put(&mut self, name: &str, value: Value) {
        let is_text = |text: &str| !text.contains('\0');
        let is_fit = match &value {
            Value::String(text) => is_text(text),
            _ => true,
        };
        let fits = !name.is_empty() && name.chars().nth(MAX_NAME_CHARACTERS).is_none();
        if fits && is_text(name) && is_fit && value.defect().is_none() {
            self.0.insert(name.to_owned(), value);
        }
    }
}

/// The tags of a facet of tags, without those of single fields.
fn tags(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Tags {
        tags: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        key: String,
        #[serde(default)]
        value: serde_json::Value,
        #[serde(default)]
        field: Option<String>,
    }
    let tags = read::<Tags>(text).map(|it| it.tags).unwrap_or_default();
    for tag in tags.iter().filter(|tag| tag.field.is_none()) {
        facts.json(&format!("tag.{}", tag.key), &tag.value);
    }
}

/// What a documentation facet says.
fn documentation(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Documentation {
        description: String,
    }
    let given = read::<Documentation>(text);
    facts.text("description", given.as_ref().map(|it| &*it.description));
}

/// The owners of a facet of ownership, joined.
fn ownership(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Ownership {
        owners: Vec<Owner>,
    }
    #[derive(Deserialize)]
    struct Owner {
        name: String,
    }
    if let Some(given) = read::<Ownership>(text) {
        let names: Vec<String> = given.owners.into_iter().map(|owner| owner.name).collect();
        facts.text("owners", Some(&names.join(", ")));
    }
}
