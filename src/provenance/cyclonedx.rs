//! An ML-BOM of `CycloneDX`: the model with its card, data, libraries, and the steps as a formula.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Package, Provenance, command_line, display_name, public_uri, sha256_hex, step_name, text,
};
use crate::build_info::VERSION;
use crate::proto::pedigree::reproduction::v1::{PlannedArtifact, PlannedStep, RoleUse};
use crate::utc::utc_text;

/// A version of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BomVersion {
    V1_6,
    V1_7,
}

impl BomVersion {
    const fn name(self) -> &'static str {
        match self {
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }
}

/// The bill of materials of an artifact. Empty if the plan does not have it.
#[must_use]
pub fn bom(provenance: &Provenance, version: BomVersion) -> Value {
    let Some(model) = provenance.subject() else {
        return json!({});
    };
    let artifacts = provenance.plan.artifacts.iter();
    let others = artifacts.filter(|artifact| artifact.id != model.id);
    let libraries: BTreeSet<&Package> = provenance.packages.values().flatten().collect();
    let components = others.map(|it| data(provenance, it));
    let components = components.chain(libraries.into_iter().map(library));
    let tool = json!({ "type": "application", "name": "pedigree", "version": VERSION });
    json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{}.schema.json", version.name()),
        "bomFormat": "CycloneDX",
        "specVersion": version.name(),
        "version": 1,
        "metadata": {
            "tools": { "components": [tool] },
            "component": subject(provenance, model),
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies(provenance),
        "formulation": [{ "bom-ref": "formula", "workflows": [workflow(provenance)] }],
    })
}

fn artifact_ref(id: i64) -> String {
    format!("artifact-{id}")
}

fn package_ref(package: &Package) -> String {
    let name = package.name.to_lowercase().replace('_', "-");
    let version = package.version.replace('+', "%2B");
    format!("pkg:pypi/{name}@{version}")
}

/// What components of artifacts have in common.
fn component(provenance: &Provenance, artifact: &PlannedArtifact, of: &str) -> Value {
    let mut component = json!({
        "type": of,
        "bom-ref": artifact_ref(artifact.id),
        "name": display_name(artifact),
    });
    let mut properties = vec![
        property("pedigree:artifact", &artifact.id.to_string()),
        property("pedigree:type", &artifact.r#type),
    ];
    match sha256_hex(&artifact.digest) {
        Some(hex) => component["hashes"] = json!([{ "alg": "SHA-256", "content": hex }]),
        None if artifact.digest.is_empty() => {}
        None => properties.push(property("pedigree:digest", &artifact.digest)),
    }
    let node = provenance.artifacts.get(&artifact.id);
    if let Some(version) = node.and_then(|node| text(&node.custom_properties, "version")) {
        component["version"] = json!(version);
    }
    component["properties"] = json!(properties);
    component
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

/// The model with its card: its data and metrics, and how far it can be made again.
fn subject(provenance: &Provenance, model: &PlannedArtifact) -> Value {
    let mut component = component(provenance, model, "machine-learning-model");
    let sources = provenance.plan.artifacts.iter().filter(|it| it.source);
    let datasets = sources.map(|it| json!({ "ref": artifact_ref(it.id) }));
    let mut card = json!({
        "modelParameters": { "datasets": datasets.collect::<Vec<_>>() },
    });
    let metrics = metrics(provenance, model.id);
    if !metrics.is_empty() {
        card["quantitativeAnalysis"] = json!({ "performanceMetrics": metrics });
    }
    component["modelCard"] = card;
    if let Some(url) = public_uri(&model.uri) {
        component["externalReferences"] = json!([{ "type": "distribution", "url": url }]);
    }
    if let Some(properties) = component["properties"].as_array_mut() {
        let plan = &provenance.plan;
        properties.push(property(
            "pedigree:reproduction.level",
            &plan.level.to_string(),
        ));
        properties.push(property(
            "pedigree:reproduction.score",
            &plan.score.to_string(),
        ));
    }
    component
}

/// The metrics of the steps that made an artifact.
fn metrics(provenance: &Provenance, artifact: i64) -> Vec<Value> {
    let makes = |step: &&PlannedStep| step.outputs.iter().any(|it| it.artifact_id == artifact);
    let steps = provenance.plan.steps.iter().filter(makes);
    let nodes = steps.filter_map(|step| provenance.executions.get(&step.execution_id));
    let found = nodes.flat_map(|node| {
        node.custom_properties.keys().filter_map(|name| {
            let metric = name.strip_prefix("metric.")?;
            let value = text(&node.custom_properties, name)?;
            Some(json!({ "type": metric, "value": value }))
        })
    });
    found.collect()
}

fn data(provenance: &Provenance, artifact: &PlannedArtifact) -> Value {
    let mut component = component(provenance, artifact, "data");
    let mut content = json!({ "type": "dataset", "name": display_name(artifact) });
    if let Some(url) = public_uri(&artifact.uri) {
        content["contents"] = json!({ "url": url });
    }
    component["data"] = json!([content]);
    component
}

fn library(package: &Package) -> Value {
    let purl = package_ref(package);
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
    })
}

/// What each artifact was made from, with the libraries of its steps.
fn dependencies(provenance: &Provenance) -> Vec<Value> {
    let mut needs: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for step in &provenance.plan.steps {
        let inputs = step.inputs.iter().map(|it| artifact_ref(it.artifact_id));
        let environment = step.environment.as_ref();
        let lock = environment.and_then(|it| it.lock.as_ref());
        let packages = lock.and_then(|lock| provenance.packages.get(&lock.digest));
        let packages = packages.into_iter().flatten().map(package_ref);
        let needed: BTreeSet<String> = inputs.chain(packages).collect();
        for output in &step.outputs {
            let entry = needs.entry(output.artifact_id).or_default();
            entry.extend(needed.iter().cloned());
            entry.remove(&artifact_ref(output.artifact_id));
        }
    }
    let found = needs
        .into_iter()
        .map(|(artifact, needs)| json!({ "ref": artifact_ref(artifact), "dependsOn": needs }));
    found.collect()
}

fn workflow(provenance: &Provenance) -> Value {
    let tasks = provenance.plan.steps.iter().zip(1..);
    let tasks = tasks.map(|(step, number)| task(provenance, step, number));
    json!({
        "bom-ref": "workflow",
        "uid": "workflow",
        "taskTypes": ["build"],
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

fn task(provenance: &Provenance, step: &PlannedStep, number: usize) -> Value {
    let files = |files: &[RoleUse], side: &str| -> Vec<Value> {
        let files = files.iter();
        let used = files.map(|file| json!({ side: { "ref": artifact_ref(file.artifact_id) } }));
        used.collect()
    };
    let mut task = json!({
        "bom-ref": format!("step-{number}"),
        "uid": format!("execution-{}", step.execution_id),
        "name": step_name(step),
        "taskTypes": ["build"],
    });
    let inputs = files(&step.inputs, "resource");
    if !inputs.is_empty() {
        task["inputs"] = json!(inputs);
    }
    let outputs = files(&step.outputs, "resource");
    if !outputs.is_empty() {
        task["outputs"] = json!(outputs);
    }
    if !step.command.is_empty() {
        let command = json!({ "executed": command_line(&step.command) });
        task["steps"] = json!([{ "name": step_name(step), "commands": [command] }]);
    }
    for (name, fact) in [("timeStart", "started_at"), ("timeEnd", "ended_at")] {
        if let Some(time) = provenance.step_time(step, fact) {
            task[name] = json!(utc_text(time));
        }
    }
    let parameters = step.parameters.iter();
    let mut properties: Vec<Value> = parameters
        .map(|(name, value)| property(&format!("pedigree:param.{name}"), value))
        .collect();
    let code = step.code.clone().unwrap_or_default();
    for (name, value) in [
        ("pedigree:code.repository", code.repository),
        ("pedigree:code.commit", code.commit),
        ("pedigree:code.path", code.path),
    ] {
        if !value.is_empty() {
            properties.push(property(name, &value));
        }
    }
    if !properties.is_empty() {
        task["properties"] = json!(properties);
    }
    task
}
