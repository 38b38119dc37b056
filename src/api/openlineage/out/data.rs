//! Artifacts as versions of datasets.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::ids::ExportIds;
use super::run::{LIFECYCLE_PREFIX, facet, insert_present, own_facet, properties};
use super::value::int_of;
use crate::graph::RunWithData;
use crate::model::{
    ArtifactState, Event, EventPath, EventType, Node, NodeContent, NodeState, Step, Value,
    canonical_uri, split_uri,
};

/// Whether datasets are used or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSide {
    Input,
    Output,
}

impl DataSide {
    const fn has(self, event_type: EventType) -> bool {
        match self {
            Self::Input => event_type.is_input(),
            Self::Output => event_type.is_output(),
        }
    }

    /// Where facets of a use are.
    const fn facets(self) -> &'static str {
        match self {
            Self::Input => "inputFacets",
            Self::Output => "outputFacets",
        }
    }

    /// The schema of facets of our own there.
    const fn schema(self) -> &'static str {
        match self {
            Self::Input => "InputDatasetFacet",
            Self::Output => "OutputDatasetFacet",
        }
    }
}

/// The datasets of one side of a run.
pub(super) fn datasets(run: &RunWithData, side: DataSide, ids: &ExportIds<'_>) -> Vec<Json> {
    let mut uses: BTreeMap<i64, (&Node, Vec<&Event>)> = BTreeMap::new();
    for (event, artifact) in &run.artifacts {
        if side.has(event.event_type) {
            let known = uses.entry(artifact.id).or_insert((artifact, Vec::new()));
            known.1.push(event);
        }
    }
    let content = &run.placed.run.content;
    let of_use = |(artifact, events): &(&Node, Vec<&Event>)| {
        let lifecycle = match side {
            DataSide::Input => None,
            DataSide::Output => lifecycle_of(content, artifact),
        };
        dataset(artifact, events, side, lifecycle, ids)
    };
    let mut datasets: Vec<Json> = uses.values().map(of_use).collect();
    if side == DataSide::Output {
        let uris = uses.values().filter_map(|(artifact, _)| uri_of(artifact));
        let written: Vec<String> = uris.collect();
        datasets.extend(changed_lives(content, &written));
    }
    datasets
}

fn uri_of(artifact: &Node) -> Option<String> {
    let uri = artifact.content.uri.as_deref()?;
    Some(canonical_uri(uri).into_owned())
}

/// What a run did to the life of the dataset that it wrote.
fn lifecycle_of<'r>(run: &'r NodeContent, artifact: &Node) -> Option<&'r str> {
    let uri = uri_of(artifact)?;
    let mut changes = lifecycles(run).filter(|(changed, _)| *changed == uri);
    let (_, change) = changes.find(|(_, change)| matches!(*change, "CREATE" | "OVERWRITE"))?;
    Some(change)
}

/// The datasets that a run has changed without writing a version.
fn changed_lives(run: &NodeContent, written: &[String]) -> Vec<Json> {
    let changes = lifecycles(run).filter(|(uri, change)| {
        matches!(*change, "ALTER" | "DROP" | "TRUNCATE")
            && !written.iter().any(|written| written == uri)
    });
    let change = |(uri, change): (&str, &str)| {
        let (namespace, name) = split_uri(uri)?;
        let facets = json!({"lifecycleStateChange": lifecycle_facet(change)});
        Some(json!({"namespace": namespace, "name": name, "facets": facets}))
    };
    changes.filter_map(change).collect()
}

/// The URIs of datasets with what a run did to their lives.
fn lifecycles(run: &NodeContent) -> impl Iterator<Item = (&str, &str)> {
    let properties = run.custom_properties.iter();
    properties.filter_map(|(name, value)| {
        let uri = name.strip_prefix(LIFECYCLE_PREFIX)?;
        match value {
            Value::String(change) => Some((uri, change.as_str())),
            _ => None,
        }
    })
}

fn lifecycle_facet(change: &str) -> Json {
    facet(
        "facets/1-0-1/LifecycleStateChangeDatasetFacet.json",
        "LifecycleStateChangeDatasetFacet",
        json!({"lifecycleStateChange": change}),
    )
}

fn dataset(
    artifact: &Node,
    events: &[&Event],
    side: DataSide,
    lifecycle: Option<&str>,
    ids: &ExportIds<'_>,
) -> Json {
    let (namespace, name) = pair(artifact, ids);
    let mut facets = Map::new();
    if let Some(version) = ids.version(artifact) {
        let version = facet(
            "facets/1-0-1/DatasetVersionDatasetFacet.json",
            "DatasetVersionDatasetFacet",
            json!({"datasetVersion": version}),
        );
        facets.insert("version".into(), version);
    }
    if let Some(change) = lifecycle {
        facets.insert("lifecycleStateChange".into(), lifecycle_facet(change));
    }
    let mut of_use = Map::new();
    of_use.insert("pedigree_artifact".into(), own(artifact, events, side));
    if side == DataSide::Output
        && let Some(statistics) = statistics(&artifact.content)
    {
        of_use.insert("outputStatistics".into(), statistics);
    }
    let mut dataset = Map::new();
    dataset.insert("namespace".into(), namespace.into());
    dataset.insert("name".into(), name.into());
    dataset.insert("facets".into(), facets.into());
    dataset.insert(side.facets().into(), of_use.into());
    dataset.into()
}

/// The namespace and the name of an artifact: those of its URI, or else its own here.
fn pair(artifact: &Node, ids: &ExportIds<'_>) -> (String, String) {
    let content = &artifact.content;
    let of_uri = content.uri.as_deref().and_then(split_uri);
    of_uri.unwrap_or_else(|| {
        let type_name = artifact.type_name.as_deref().unwrap_or("artifact");
        let name = content.name.as_deref().filter(|name| !name.is_empty());
        let name = name.map_or_else(|| artifact.id.to_string(), str::to_owned);
        let namespace = format!("pedigree://{}", ids.store_id);
        (namespace, format!("{type_name}/{name}"))
    })
}

/// What only this server says of an artifact and of its use.
fn own(artifact: &Node, events: &[&Event], side: DataSide) -> Json {
    let event = |event: &&Event| {
        let mut fields = Map::new();
        fields.insert("type".into(), name_of(event.event_type).into());
        if !event.path.is_empty() {
            fields.insert("path".into(), path(&event.path));
        }
        Json::from(fields)
    };
    let mut fields = Map::new();
    fields.insert("id".into(), artifact.id.into());
    insert_present(&mut fields, "type", artifact.type_name.clone());
    insert_present(&mut fields, "name", artifact.content.name.clone());
    insert_present(&mut fields, "state", state(artifact));
    fields.insert("events".into(), events.iter().map(event).collect());
    fields.insert("properties".into(), properties(&artifact.content));
    own_facet(side.schema(), fields.into())
}

/// The state of an artifact, as ML Metadata names it.
fn state(artifact: &Node) -> Option<String> {
    let Some(NodeState::Artifact(state)) = artifact.content.state else {
        return None;
    };
    Some(match state {
        ArtifactState::Pending => "PENDING".into(),
        ArtifactState::Live => "LIVE".into(),
        ArtifactState::MarkedForDeletion => "MARKED_FOR_DELETION".into(),
        ArtifactState::Deleted => "DELETED".into(),
        ArtifactState::Abandoned => "ABANDONED".into(),
        ArtifactState::Reference => "REFERENCE".into(),
        ArtifactState::Unknown(number) => number.to_string(),
    })
}

/// The name of a type of events, as ML Metadata has it.
fn name_of(event_type: EventType) -> String {
    match event_type {
        EventType::DeclaredOutput => "DECLARED_OUTPUT".into(),
        EventType::DeclaredInput => "DECLARED_INPUT".into(),
        EventType::Input => "INPUT".into(),
        EventType::Output => "OUTPUT".into(),
        EventType::InternalInput => "INTERNAL_INPUT".into(),
        EventType::InternalOutput => "INTERNAL_OUTPUT".into(),
        EventType::PendingOutput => "PENDING_OUTPUT".into(),
        EventType::Unknown(number) => number.to_string(),
    }
}

fn path(path: &EventPath) -> Json {
    let step = |step: &Step| match step {
        Step::Index(index) => Json::from(*index),
        Step::Key(key) => Json::from(key.as_str()),
    };
    path.iter().map(step).collect()
}

fn statistics(artifact: &NodeContent) -> Option<Json> {
    let mut fields = Map::new();
    insert_present(&mut fields, "rowCount", int_of(artifact, "rows"));
    insert_present(&mut fields, "size", int_of(artifact, "bytes"));
    insert_present(&mut fields, "fileCount", int_of(artifact, "files"));
    (!fields.is_empty()).then(|| {
        facet(
            "facets/1-0-2/OutputStatisticsOutputDatasetFacet.json",
            "OutputStatisticsOutputDatasetFacet",
            fields.into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(uri: Option<&str>, name: Option<&str>) -> Node {
        Node {
            id: 7,
            type_id: 1,
            type_name: Some("Model".into()),
            content: NodeContent {
                uri: uri.map(str::to_owned),
                name: name.map(str::to_owned),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        }
    }

    #[test]
    fn an_artifact_without_a_usable_uri_is_in_the_namespace_of_the_server() {
        let ids = ExportIds::of_store("s1");
        for (node, namespace, name) in [
            (artifact(Some("s3a://B/k"), Some("n")), "s3://b", "k"),
            (
                artifact(None, Some("churn")),
                "pedigree://s1",
                "Model/churn",
            ),
            (artifact(Some(""), None), "pedigree://s1", "Model/7"),
            (artifact(Some("data/x"), None), "pedigree://s1", "Model/7"),
        ] {
            let pair = pair(&node, &ids);
            assert_eq!((&*pair.0, &*pair.1), (namespace, name));
        }
    }
}
