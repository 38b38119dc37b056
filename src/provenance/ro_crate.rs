//! The metadata of a Process Run Crate (RO-Crate 1.1): an action for each step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Provenance, command_line, display_name, public_uri, sha256_hex, step_name, text};
use crate::proto::pedigree::reproduction::v1::{PlannedArtifact, PlannedStep};
use crate::utc::utc_seconds_text;

const CONTEXT: &str = "https://w3id.org/ro/crate/1.1/context";

/// A term that the context of RO-Crate 1.1 does not have.
const SHA256_TERM: &str = "https://w3id.org/ro/terms/workflow-run#sha256";
const CRATE: &str = "https://w3id.org/ro/crate/1.1";
const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";

/// The licence of a crate whose model has none in the graph.
const UNKNOWN_LICENSE: &str = "The graph names no licence.";

/// The metadata of a crate: the content of `ro-crate-metadata.json`. Empty if the plan does not
/// have the artifact.
#[must_use]
pub fn crate_metadata(provenance: &Provenance) -> Value {
    let Some(model) = provenance.subject() else {
        return json!({});
    };
    let ids = data_ids(provenance);
    let artifacts = provenance.plan.artifacts.iter();
    let parts: Vec<Value> = ids.values().map(|id| json!({ "@id": id })).collect();
    let steps = provenance.plan.steps.iter();
    let actions: Vec<Value> = steps
        .map(|step| json!({ "@id": action_id(step) }))
        .collect();
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": { "@id": PROFILE },
        "name": format!("Provenance of {}", display_name(model)),
        "description": format!(
            "What {} (artifact {}) was made from, step by step.", display_name(model), model.id
        ),
        "datePublished": utc_seconds_text(date(provenance)),
        "license": license(provenance, model),
        "hasPart": parts,
        "mentions": actions,
    });
    if let Some(id) = ids.get(&model.id) {
        root["mainEntity"] = json!({ "@id": id });
    }
    let mut graph = vec![
        json!({
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": { "@id": "./" },
            "conformsTo": { "@id": CRATE },
        }),
        root,
        json!({
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        }),
    ];
    graph.extend(artifacts.filter_map(|it| Some(data(it, ids.get(&it.id)?))));
    for step in &provenance.plan.steps {
        graph.extend(step_entities(provenance, step, &ids));
    }
    json!({ "@context": [CONTEXT, { "sha256": SHA256_TERM }], "@graph": graph })
}

/// The ids of data in the crate: URIs, or a name where there is none. Content that was overwritten
/// has the URI of what is there now, with a fragment.
fn data_ids(provenance: &Provenance) -> BTreeMap<i64, String> {
    let mut taken = BTreeSet::new();
    let artifacts = provenance.plan.artifacts.iter();
    let ids = artifacts.map(|artifact| {
        let local = format!("#artifact-{}", artifact.id);
        let id = match public_uri(&artifact.uri) {
            Some(uri) if artifact.folder && !uri.ends_with('/') => format!("{uri}/"),
            Some(uri) => uri,
            None => local.clone(),
        };
        let id = if taken.contains(&id) {
            format!("{id}{local}")
        } else {
            id
        };
        taken.insert(id.clone());
        (artifact.id, id)
    });
    ids.collect()
}

/// When the last step ended, or the artifact was recorded, in milliseconds since epoch.
fn date(provenance: &Provenance) -> i64 {
    let steps = provenance.plan.steps.iter();
    let ends = steps.filter_map(|step| provenance.step_time(step, "ended_at"));
    let node = provenance.artifacts.get(&provenance.plan.artifact_id);
    let recorded = node.and_then(|node| node.create_time_since_epoch);
    ends.max().or(recorded).unwrap_or_default()
}

fn license(provenance: &Provenance, model: &PlannedArtifact) -> String {
    let node = provenance.artifacts.get(&model.id);
    let known = node.and_then(|node| text(&node.custom_properties, "data.license"));
    known.unwrap_or_else(|| UNKNOWN_LICENSE.to_owned())
}

fn action_id(step: &PlannedStep) -> String {
    format!("#execution-{}", step.execution_id)
}

fn data(artifact: &PlannedArtifact, id: &str) -> Value {
    let mut data = json!({
        "@id": id,
        "@type": if artifact.folder { "Dataset" } else { "File" },
        "name": display_name(artifact),
        "additionalType": artifact.r#type,
        "identifier": format!("artifact {}", artifact.id),
    });
    if let Some(hex) = sha256_hex(&artifact.digest) {
        data["sha256"] = json!(hex);
    }
    data
}

/// The action of a step, its program and its parameters.
fn step_entities(
    provenance: &Provenance,
    step: &PlannedStep,
    ids: &BTreeMap<i64, String>,
) -> Vec<Value> {
    let id = step.execution_id;
    let program = format!("#program-{id}");
    let parameters = step.parameters.iter().zip(1..);
    let parameters: Vec<Value> = parameters
        .map(|((name, value), number)| {
            json!({
                "@id": format!("#execution-{id}-param-{number}"),
                "@type": "PropertyValue",
                "name": name,
                "value": value,
            })
        })
        .collect();
    let named = |id: &Value| json!({ "@id": id });
    let inputs = step.inputs.iter().filter_map(|it| ids.get(&it.artifact_id));
    let inputs = inputs.map(|id| json!({ "@id": id }));
    let objects = inputs.chain(parameters.iter().map(|it| named(&it["@id"])));
    let results = step
        .outputs
        .iter()
        .filter_map(|it| ids.get(&it.artifact_id));
    let results = results.map(|id| json!({ "@id": id }));
    let mut action = json!({
        "@id": action_id(step),
        "@type": "CreateAction",
        "name": format!("{} (execution {id})", step_name(step)),
        "instrument": { "@id": program },
        "object": objects.collect::<Vec<_>>(),
        "result": results.collect::<Vec<_>>(),
    });
    if !step.command.is_empty() {
        action["description"] = json!(command_line(&step.command));
    }
    for (name, fact) in [("startTime", "started_at"), ("endTime", "ended_at")] {
        if let Some(time) = provenance.step_time(step, fact) {
            action[name] = json!(utc_seconds_text(time));
        }
    }
    let mut entities = vec![action, instrument(step, &program)];
    entities.extend(parameters);
    entities
}

/// What was run: the code at its commit, or the program.
fn instrument(step: &PlannedStep, id: &str) -> Value {
    let code = step.code.clone().unwrap_or_default();
    let program = step.command.first();
    let mut instrument = json!({
        "@id": id,
        "@type": "SoftwareApplication",
        "name": program.map_or_else(|| step.r#type.clone(), Clone::clone),
    });
    if let Some(repository) = public_uri(&code.repository) {
        instrument["@type"] = json!("SoftwareSourceCode");
        instrument["codeRepository"] = json!(repository);
        if !code.commit.is_empty() {
            instrument["version"] = json!(code.commit);
        }
    }
    instrument
}
