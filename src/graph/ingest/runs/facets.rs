//! Facets of nodes: groups of facts, each replaced as a whole by that of a later event.
//!
//! Events arrive in any order and several times. So a node keeps the time and the digest of each
//! facet, of deleted ones too: the facet with the greatest time counts, and of several at the same
//! time that with the greatest digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node_ref::NodeRef;
use super::resolved_nodes::StoredNodes;
use super::{EventTime, Facet};
use crate::error::Result;
use crate::model::{NodeContent, Value};
use crate::storage::Tx;
use crate::storage::tables::facets as texts;

/// The custom property with what is known of each facet, as JSON. The format is stored: it never
/// changes.
pub(super) const FACETS: &str = "pedigree.facets";

/// The facets of a node by their keys.
type Index = BTreeMap<String, KnownFacet>;

/// What is known of a facet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct KnownFacet {
    /// Microseconds since epoch.
    #[serde(rename = "time")]
    time: i64,
    /// `None` for a deleted facet.
    #[serde(rename = "digest", default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The names of the custom properties that are from it.
    #[serde(rename = "properties", default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<String>,
}

/// Merges the facets of an event of this time into a node, and returns the indexes of those that
/// count from now on.
pub(super) fn merge(node: &mut NodeContent, facets: &[Facet], time: EventTime) -> Vec<usize> {
    let mut taken = Vec::new();
    if facets.is_empty() {
        return taken;
    }
    let mut index = index_of(node);
    for (number, facet) in facets.iter().enumerate() {
        let given = KnownFacet {
            time: time.in_microseconds(),
            digest: facet.digest.clone(),
            properties: facet.properties.keys().cloned().collect(),
        };
        let known = index.entry(facet.key.clone()).or_default();
        if *known >= given {
            continue;
        }
        for name in &known.properties {
            node.custom_properties.remove(name);
        }
        let properties = facet.properties.iter();
        let finite = properties.filter(|(_, value)| !value.is_non_finite());
        let finite = finite.map(|(name, value)| (name.clone(), value.clone()));
        node.custom_properties.extend(finite);
        *known = given;
        taken.push(number);
    }
    if let Ok(text) = serde_json::to_string(&index) {
        let text = Value::String(text);
        node.custom_properties.insert(FACETS.into(), text);
    }
    taken
}

fn index_of(node: &NodeContent) -> Index {
    match node.custom_properties.get(FACETS) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Index::new(),
    }
}

/// The facets of a node, with their times and their digests; `None` for a deleted one.
pub(in crate::graph) fn known(
    node: &NodeContent,
) -> impl Iterator<Item = (String, i64, Option<String>)> {
    let index = index_of(node).into_iter();
    index.map(|(key, facet)| (key, facet.time, facet.digest))
}

/// Stores the texts of the facets that count from now on, of nodes of several kinds.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn put_texts(
    tx: &mut Tx,
    nodes: [(&[NodeRef<'_>], &StoredNodes); 3],
) -> Result<()> {
    let mut taken = BTreeMap::new();
    for (references, stored) in nodes {
        for (reference, indexes) in references.iter().zip(&stored.taken_facets) {
            let facets = indexes.iter().map(|&index| &reference.facets()[index]);
            taken.extend(facets.filter_map(|facet| {
                let digest = facet.digest.as_deref()?;
                Some((digest, facet.text.as_deref()?))
            }));
        }
    }
    texts::put(tx, &taken).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facet(key: &str, facts: &[(&str, i64)]) -> Facet {
        let property = |(name, value): &(&str, i64)| ((*name).to_owned(), Value::Int(*value));
        Facet {
            key: key.into(),
            digest: (!facts.is_empty()).then(|| format!("{facts:?}")),
            properties: facts.iter().map(property).collect(),
            ..Facet::default()
        }
    }

    fn after(events: &[(Facet, i64)]) -> NodeContent {
        let mut node = NodeContent::default();
        for (facet, time) in events {
            let time = EventTime::from_milliseconds(*time);
            merge(&mut node, std::slice::from_ref(facet), time);
        }
        node
    }

    /// The custom properties without the index.
    fn facts(events: &[(Facet, i64)]) -> Vec<(String, Value)> {
        let mut facts = after(events).custom_properties;
        facts.remove(FACETS);
        facts.into_iter().collect()
    }

    #[test]
    fn a_later_facet_replaces_an_earlier_one_as_a_whole() {
        let (old, new) = (
            facet("tags", &[("a", 1), ("b", 2)]),
            facet("tags", &[("b", 3)]),
        );
        let expected = vec![("b".to_owned(), Value::Int(3))];
        assert_eq!(facts(&[(old.clone(), 1), (new.clone(), 2)]), expected);
        assert_eq!(facts(&[(new, 2), (old, 1)]), expected);
    }

    #[test]
    fn a_deleted_facet_stays_deleted() {
        let (given, deleted) = (facet("owner", &[("owner", 1)]), facet("owner", &[]));
        assert_eq!(facts(&[(deleted.clone(), 2), (given.clone(), 1)]), []);
        let again = [(given.clone(), 1), (deleted, 2), (given, 3)];
        assert_eq!(facts(&again), [("owner".to_owned(), Value::Int(1))]);
    }

    #[test]
    fn the_index_never_changes() {
        let node = after(&[(facet("a", &[("x", 1)]), 7), (facet("b", &[]), 8)]);
        let text =
            r#"{"a":{"time":7000,"digest":"[(\"x\", 1)]","properties":["x"]},"b":{"time":8000}}"#;
        assert_eq!(node.custom_properties[FACETS], Value::String(text.into()));
    }

    proptest! {
        #[test]
        fn order_and_repetition_mean_nothing(
            events in prop::collection::vec((0..2, 0..3_i64, 0..4_i64), 0..8),
            shuffled in any::<prop::sample::Index>(),
        ) {
            let told = |&(key, value, time): &(i32, i64, i64)| {
                let (key, name) = (format!("k{key}"), format!("p{key}{value}"));
                let facts = [(name.as_str(), value)];
                (facet(&key, if value == 0 { &[] } else { &facts }), time)
            };
            let events: Vec<(Facet, i64)> = events.iter().map(told).collect();
            let mut other = [events.clone(), events.clone()].concat();
            other.reverse();
            let middle = shuffled.index(other.len() + 1);
            other.rotate_left(middle);
            prop_assert_eq!(after(&events), after(&other));
        }
    }
}
