//! Statements of in-toto (v1) with SLSA provenance (v1), one for each step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Provenance, display_name, node_urn, public_uri, sha256_hex, step_name};
use crate::proto::pedigree::reproduction::v1::{Blob, PlannedStep, RoleUse};
use crate::utc::utc_text;

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// What the parameters of a build mean: those of docs/reproduction.md.
const BUILD_TYPE: &str = "urn:pedigree:run:v1";

/// The statements about the steps of a plan.
#[derive(Clone, Debug, Default)]
pub struct Statements {
    pub statements: Vec<Value>,
    /// Executions without a statement: none of their outputs has a SHA-256, which a subject needs.
    pub without_digests: Vec<i64>,
}

/// The statements about the steps of a plan, in their order.
#[must_use]
pub fn statements(provenance: &Provenance) -> Statements {
    let mut made = Statements::default();
    for step in &provenance.plan.steps {
        let outputs = step.outputs.iter();
        let subjects: Vec<Value> = outputs
            .filter_map(|output| subject(provenance, output))
            .collect();
        if subjects.is_empty() {
            made.without_digests.push(step.execution_id);
        } else {
            made.statements.push(json!({
                "_type": STATEMENT_TYPE,
                "subject": subjects,
                "predicateType": PREDICATE_TYPE,
                "predicate": predicate(provenance, step),
            }));
        }
    }
    made
}

fn predicate(provenance: &Provenance, step: &PlannedStep) -> Value {
    let environment = step.environment.clone().unwrap_or_default();
    let code = step.code.clone().unwrap_or_default();
    let mut parameters = json!({ "type": step.r#type, "name": step_name(step) });
    add(&mut parameters, "command", &json!(step.command));
    add(&mut parameters, "parameters", &json!(step.parameters));
    add(&mut parameters, "path", &json!(code.path));
    let mut internal = json!({});
    add(&mut internal, "python", &json!(environment.python));
    add(&mut internal, "variables", &json!(environment.variables));
    for name in ["environment.platform", "environment.hardware"] {
        add(
            &mut internal,
            name,
            &json!(provenance.step_fact(step, name)),
        );
    }
    let mut metadata = json!({ "invocationId": node_urn("execution", step.execution_id) });
    for (name, fact) in [("startedOn", "started_at"), ("finishedOn", "ended_at")] {
        let time = provenance.step_time(step, fact).map(utc_text);
        add(&mut metadata, name, &json!(time));
    }
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": internal,
            "resolvedDependencies": dependencies(provenance, step),
        },
        "runDetails": {
            "builder": { "id": builder(provenance, step) },
            "metadata": metadata,
        },
    })
}

/// Sets a key, unless the value is empty.
fn add(object: &mut Value, key: &str, value: &Value) {
    let is_empty = match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    };
    if !is_empty {
        object[key] = value.clone();
    }
}

/// Who ran the step: the producer of its facts.
fn builder(provenance: &Provenance, step: &PlannedStep) -> String {
    let producer = provenance.step_fact(step, "producer").unwrap_or_default();
    match public_uri(&producer) {
        Some(url) => url,
        None if producer.is_empty() => "urn:pedigree:producer:unknown".to_owned(),
        None => {
            let name = percent_encoding::percent_encode(
                producer.as_bytes(),
                percent_encoding::NON_ALPHANUMERIC,
            );
            format!("urn:pedigree:producer:{name}")
        }
    }
}

/// An output, if it has a digest.
fn subject(provenance: &Provenance, output: &RoleUse) -> Option<Value> {
    let artifact = provenance.planned(output.artifact_id)?;
    let hex = sha256_hex(&artifact.digest)?;
    let mut subject = json!({ "name": display_name(artifact), "digest": { "sha256": hex } });
    add(&mut subject, "uri", &json!(public_uri(&artifact.uri)));
    let annotations = json!({
        "role": output.role,
        "node": node_urn("artifact", artifact.id),
    });
    subject["annotations"] = annotations;
    Some(subject)
}

/// The inputs, the commit, and the blobs of a step.
fn dependencies(provenance: &Provenance, step: &PlannedStep) -> Vec<Value> {
    let inputs = step.inputs.iter();
    let mut dependencies: Vec<Value> = inputs
        .filter_map(|input| dependency(provenance, input))
        .collect();
    let code = step.code.clone().unwrap_or_default();
    if !code.repository.is_empty() {
        let repository = public_uri(&code.repository).unwrap_or(code.repository);
        let mut found = json!({ "name": "code", "uri": format!("git+{repository}") });
        if !code.commit.is_empty() {
            found["uri"] = json!(format!("git+{repository}@{}", code.commit));
            found["digest"] = json!({ "gitCommit": code.commit });
        }
        dependencies.push(found);
    }
    let environment = step.environment.clone().unwrap_or_default();
    let blobs = [
        ("code.diff", code.diff),
        ("code.spec", code.spec),
        ("environment.lock", environment.lock),
    ];
    let blobs = blobs
        .into_iter()
        .filter_map(|(name, blob)| Some((name, blob?)));
    dependencies.extend(blobs.filter_map(|(name, blob)| content(name, &blob)));
    if let Some((_, hex)) = environment.image.split_once("@sha256:") {
        dependencies.push(json!({
            "name": "environment.image",
            "uri": format!("docker://{}", environment.image),
            "digest": { "sha256": hex },
        }));
    }
    dependencies
}

fn dependency(provenance: &Provenance, input: &RoleUse) -> Option<Value> {
    let artifact = provenance.planned(input.artifact_id)?;
    let uri = public_uri(&artifact.uri);
    let uri = uri.unwrap_or_else(|| node_urn("artifact", artifact.id));
    let mut found = json!({ "name": input.role, "uri": uri });
    let mut annotations: BTreeMap<&str, String> = BTreeMap::new();
    annotations.insert("node", node_urn("artifact", artifact.id));
    match sha256_hex(&artifact.digest) {
        Some(hex) => found["digest"] = json!({ "sha256": hex }),
        None if artifact.digest.is_empty() => {}
        None => {
            annotations.insert("digest", artifact.digest.clone());
        }
    }
    found["annotations"] = json!(annotations);
    Some(found)
}

fn content(name: &str, blob: &Blob) -> Option<Value> {
    let hex = sha256_hex(&blob.digest)?;
    Some(json!({ "name": name, "digest": { "sha256": hex } }))
}
