//! The facet `pedigree_use`, and versions that are digests.

use serde_json::{Value as Json, json};

use super::{dataset, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    a_use_has_a_role_and_a_path,
    a_facet_of_another_shape_says_nothing,
}

/// A dataset of a version, with the facet of its use.
fn used(side: &str, name: &str, version: &str, facet: &Json) -> Json {
    let mut used = dataset("file", name);
    used["facets"] = json!({ "version": { "datasetVersion": version } });
    used[side] = json!({ "pedigree_use": facet });
    used
}

fn text(value: &Value) -> &str {
    match &value.value {
        Some(pb::value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// The roles of the events of all runs, and the facts of the runs that have paths.
async fn stored(store: &Store) -> (Vec<String>, Vec<(String, String)>) {
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let executions = executions.executions;
    let request = pb::GetEventsByExecutionIDsRequest {
        execution_ids: executions.iter().map(Execution::id).collect(),
        ..Default::default()
    };
    let steps = store.ask(request).await.events.into_iter();
    let steps = steps.flat_map(|event| event.path.unwrap_or_default().steps);
    let mut roles: Vec<String> = steps
        .map(|step| match step.value {
            Some(pb::event::path::step::Value::Key(role)) => role,
            other => panic!("{other:?}"),
        })
        .collect();
    roles.sort();
    let facts = executions.iter().flat_map(|it| &it.custom_properties);
    let facts = facts.filter(|(name, _)| name.starts_with("input.") || name.starts_with("output."));
    let facts = facts.map(|(name, value)| (name.clone(), text(value).to_owned()));
    (roles, facts.collect())
}

async fn a_use_has_a_role_and_a_path(store: Store) {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let use_of = |role: &str, path: &str| json!({ "role": role, "path": path });
    for (event_type, second) in [("START", 1), ("COMPLETE", 2)] {
        let mut event = of_run(event_type, "train", second);
        let rows = use_of("rows", "data/rows.csv");
        event["inputs"] = json!([used("inputFacets", "/data/rows.csv", "17", &rows)]);
        let model = use_of("model", "out/model.pkl");
        event["outputs"] = json!([used("outputFacets", "/out/model.pkl", &digest, &model)]);
        tell(&store, &event).await;
    }
    let (roles, facts) = stored(&store).await;
    assert_eq!(roles, ["model", "rows"]);
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        fact("input.rows", "data/rows.csv"),
        fact("output.model", "out/model.pkl"),
    ];
    assert_eq!(facts, expected);
    for (uri, expected) in [
        ("file:///out/model.pkl", Some(digest.as_str())),
        ("file:///data/rows.csv", None),
    ] {
        let found = store.find::<Artifact>(&format!("uri = '{uri}'")).await;
        let artifact = store.get::<Artifact>(found[0]).await;
        let properties = artifact.custom_properties;
        let known = properties.get("digest").map(text);
        assert_eq!(known, expected, "{uri}");
    }
}

async fn a_facet_of_another_shape_says_nothing(store: Store) {
    for (second, facet) in (1..).zip([
        json!({}),
        json!([]),
        json!("rows"),
        json!({ "role": 7 }),
        json!({ "role": "" }),
        json!({ "role": "a\u{0}b", "path": "data" }),
        json!({ "role": "rows", "path": 7 }),
        json!({ "role": "rows", "path": "data", "_deleted": true }),
    ]) {
        let mut event = of_run("COMPLETE", "train", second);
        let version = second.to_string();
        event["inputs"] = json!([used("inputFacets", "/rows", &version, &facet)]);
        event["outputs"] = json!([used("outputFacets", "/model", &version, &facet)]);
        tell(&store, &event).await;
    }
    assert_eq!(stored(&store).await, (vec![], vec![]));
}
