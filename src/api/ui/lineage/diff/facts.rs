//! What two nodes say differently.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::openlineage::out::value::property;
use crate::api::ui::compare::{FactSort, sort_of};
use crate::api::ui::views::{mark, value_text};
use crate::model::{Node, Value};
use crate::picture::FigureKind;

/// A value that two nodes do not have alike.
pub(super) struct ValueDifference {
    pub name: String,
    /// `None` for a node without it.
    pub old: Option<String>,
    pub new: Option<String>,
}

/// Whether two executions differ in their state, parameters, code or environment.
pub(super) fn is_another_run(new: &Node, old: &Node) -> bool {
    mark(new) != mark(old) || causes(new) != causes(old)
}

/// Whether the content of two artifacts differs, as far as that is known. What no step of the
/// lineage made is another thing if it is another artifact.
pub(super) fn is_another_artifact(new: &Node, old: &Node, is_made: bool) -> bool {
    match (value(new, "digest"), value(old, "digest")) {
        (Some(new), Some(old)) => new != old,
        _ => !is_made,
    }
}

fn value(node: &Node, name: &str) -> Option<String> {
    property(&node.content, name).map(|value| value_text(value).0)
}

/// Properties of a sort by their short names.
fn facts(node: &Node, is_asked: fn(FactSort) -> bool) -> BTreeMap<String, String> {
    let content = &node.content;
    let all = content.properties.iter().chain(&content.custom_properties);
    let asked = all.filter_map(|(name, value)| {
        let (sort, brief) = sort_of(name);
        is_asked(sort).then(|| (brief.to_owned(), value_text(value).0))
    });
    asked.collect()
}

/// Parameters, code and environment.
pub(super) fn causes(node: &Node) -> BTreeMap<String, String> {
    facts(node, |sort| {
        matches!(sort, FactSort::Parameter | FactSort::Environment)
    })
}

/// The metrics of an execution, or the numbers that an artifact has.
pub(super) fn metrics(kind: FigureKind, node: &Node) -> BTreeMap<String, String> {
    if kind == FigureKind::Execution {
        return facts(node, |sort| sort == FactSort::Metric);
    }
    let content = &node.content;
    let all = content.properties.iter().chain(&content.custom_properties);
    let numbers = all.filter(|(_, value)| matches!(value, Value::Int(_) | Value::Double(_)));
    numbers
        .map(|(name, value)| (name.clone(), value_text(value).0))
        .collect()
}

/// The values that two nodes do not have alike, by name.
pub(super) fn differing(
    new: &BTreeMap<String, String>,
    old: &BTreeMap<String, String>,
) -> Vec<ValueDifference> {
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    let names = names.into_iter();
    let differing = names.filter(|name| new.get(*name) != old.get(*name));
    let difference = |name: &String| ValueDifference {
        name: name.clone(),
        old: old.get(name).cloned(),
        new: new.get(name).cloned(),
    };
    differing.map(difference).collect()
}
