//! PROV-JSON: artifacts are entities, executions activities, events uses and generations.

use serde_json::{Map, Value, json};

use super::{Provenance, display_name, public_uri, step_name};
use crate::proto::pedigree::reproduction::v1::{PlannedArtifact, PlannedStep};
use crate::utc::utc_text;

/// The names of the graph, which are those of one database.
const NAMESPACE: &str = "urn:pedigree:";

/// The document of a plan.
#[must_use]
pub fn prov_document(provenance: &Provenance) -> Value {
    let artifacts = provenance.plan.artifacts.iter();
    let entities = artifacts.map(|it| (entity_name(it.id), entity(it)));
    let entities: Map<String, Value> = entities.collect();
    let mut activities = Map::new();
    let mut used = Map::new();
    let mut generated = Map::new();
    for step in &provenance.plan.steps {
        let activity_name = format!("pedigree:execution-{}", step.execution_id);
        activities.insert(activity_name.clone(), activity(provenance, step));
        for (relations, files, mark) in [
            (&mut used, &step.inputs, "u"),
            (&mut generated, &step.outputs, "g"),
        ] {
            for file in files {
                let name = format!("_:{mark}{}", relations.len() + 1);
                let relation = json!({
                    "prov:activity": activity_name,
                    "prov:entity": entity_name(file.artifact_id),
                    "prov:role": file.role,
                });
                relations.insert(name, relation);
            }
        }
    }
    json!({
        "prefix": { "pedigree": NAMESPACE },
        "entity": entities,
        "activity": activities,
        "used": used,
        "wasGeneratedBy": generated,
    })
}

fn entity_name(id: i64) -> String {
    format!("pedigree:artifact-{id}")
}

fn entity(artifact: &PlannedArtifact) -> Value {
    let mut entity = json!({
        "prov:label": display_name(artifact),
        "pedigree:type": artifact.r#type,
    });
    if !artifact.digest.is_empty() {
        entity["pedigree:digest"] = json!(artifact.digest);
    }
    if let Some(uri) = public_uri(&artifact.uri) {
        entity["prov:location"] = json!({ "$": uri, "type": "xsd:anyURI" });
    }
    entity
}

fn activity(provenance: &Provenance, step: &PlannedStep) -> Value {
    let mut activity = json!({
        "prov:label": step_name(step),
        "pedigree:type": step.r#type,
    });
    for (name, fact) in [
        ("prov:startTime", "started_at"),
        ("prov:endTime", "ended_at"),
    ] {
        if let Some(time) = provenance.step_time(step, fact) {
            activity[name] = json!(utc_text(time));
        }
    }
    let code = step.code.clone().unwrap_or_default();
    let environment = step.environment.clone().unwrap_or_default();
    let lock = environment.lock.map(|lock| lock.digest);
    let command = match step.command.as_slice() {
        [] => String::new(),
        words => json!(words).to_string(),
    };
    for (name, value) in [
        ("pedigree:command", command),
        ("pedigree:code.repository", code.repository),
        ("pedigree:code.commit", code.commit),
        ("pedigree:environment.lock", lock.unwrap_or_default()),
        ("pedigree:environment.image", environment.image),
    ] {
        if !value.is_empty() {
            activity[name] = json!(value);
        }
    }
    // A name of PROV cannot have all that a parameter's name can: both are in the value.
    if !step.parameters.is_empty() {
        activity["pedigree:parameters"] = json!(json!(step.parameters).to_string());
    }
    activity
}
