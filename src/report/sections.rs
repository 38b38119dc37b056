//! The sections of a report, each with its facts.

use std::collections::BTreeMap;

use super::evaluation::evaluation;
use super::{
    Evidence, FactSource, RegisteredEvidence, ReportEntry, ReportFact, ReportMapping, ReportSection,
};
use crate::proto::ml_metadata::{Artifact, Execution, Value};
use crate::proto::pedigree::registry::v1::AliasMove;
use crate::proto::pedigree::reproduction::v1::gap::Subject;
use crate::proto::pedigree::reproduction::v1::{Blob, Gap, PlannedArtifact, PlannedStep};
use crate::provenance::{command_line, int, text};
use crate::utc::utc_text;

/// The ids of the sections, in their order.
pub(super) const SECTION_IDS: [&str; 7] = [
    "identity",
    "purpose",
    "data",
    "training",
    "evaluation",
    "deployment",
    "reproduction",
];

/// The type of executions that serve a model.
pub(super) const SERVING_TYPE: &str = "kf.ServeModel";

/// What a card of a registered model is wanted to say.
const CARD_PROPERTIES: [&str; 2] = ["card.intended_use", "card.limitations"];

/// What a source is wanted to say, beside its digest.
const DATA_PROPERTIES: [&str; 2] = ["data.license", "data.origin"];

/// All sections. `None` if the plan does not have the artifact.
pub(super) fn all(evidence: &Evidence, mapping: &ReportMapping) -> Option<Vec<ReportSection>> {
    let section = |id: &'static str, title, entries| ReportSection {
        id,
        title,
        references: mapping.references(id),
        entries,
    };
    Some(vec![
        section("identity", "Identity and versions", identity(evidence)?),
        section("purpose", "Purpose, limits and owner", purpose(evidence)),
        section("data", "Data", data(evidence)),
        section("training", "Training", training(evidence)),
        section("evaluation", "Evaluation", evaluation(evidence)),
        section("deployment", "Deployment and changes", deployment(evidence)),
        section("reproduction", "Reproduction", reproduction(evidence)),
    ])
}

fn identity(evidence: &Evidence) -> Option<Vec<ReportEntry>> {
    let provenance = &evidence.provenance;
    let artifact = provenance.subject()?;
    let id = artifact.id;
    let source = |property: &str| FactSource::new("artifact", id, property);
    let node = provenance.artifacts.get(&id);
    let created = node.and_then(|node| node.create_time_since_epoch);
    let mut facts = vec![
        ReportFact::wanted("type", Some(artifact.r#type.clone()), source("type")),
        ReportFact::wanted("URI", Some(artifact.uri.clone()), source("uri")),
        ReportFact::wanted("digest", Some(artifact.digest.clone()), source("digest")),
        ReportFact::time("recorded", created, source("create_time_since_epoch")),
    ];
    if !artifact.name.is_empty() {
        facts.push(ReportFact::found("name", &artifact.name, source("name")));
    }
    if evidence.versions.is_empty() {
        let text = "no version of a registered model is this artifact";
        facts.push(ReportFact::missing("version", text, source("attributions")));
    }
    if evidence.present_states > 0 {
        let nodes = match evidence.present_states {
            1 => "1 node is".to_owned(),
            count => format!("{count} nodes are"),
        };
        let text = format!("{nodes} in the state of today: the history lacks the state of then");
        facts.push(ReportFact::finding("states", text, source("history")));
    }
    let mut entries = vec![ReportEntry {
        subject: format!("artifact {id}"),
        facts,
    }];
    entries.extend(evidence.versions.iter().map(version));
    Some(entries)
}

fn version(registered: &RegisteredEvidence) -> ReportEntry {
    let RegisteredEvidence { model, version, .. } = registered;
    let of_version = |property: &str| FactSource::new("context", version.id(), property);
    let property = |name: &str| text(&version.properties, name);
    let number = property("version");
    let created = version.create_time_since_epoch;
    let mut facts = vec![
        ReportFact::wanted("version", number.clone(), of_version("version")),
        ReportFact::wanted("registered by", property("author"), of_version("author")),
        ReportFact::time("registered", created, of_version("create_time_since_epoch")),
    ];
    let aliases = below(&model.custom_properties, "alias.");
    facts.extend(
        aliases
            .filter(|(_, named)| Some(named) == number.as_ref())
            .map(|(alias, named)| {
                let source = FactSource::new("context", model.id(), format!("alias.{alias}"));
                ReportFact::found(format!("alias {alias}"), named, source)
            }),
    );
    ReportEntry {
        subject: format!("version {} of {}", number.unwrap_or_default(), model.name()),
        facts,
    }
}

/// The registered models that the artifact is a version of, by their ids.
fn models(evidence: &Evidence) -> BTreeMap<i64, &RegisteredEvidence> {
    let versions = evidence.versions.iter();
    versions
        .map(|version| (version.model.id(), version))
        .collect()
}

fn purpose(evidence: &Evidence) -> Vec<ReportEntry> {
    let models = models(evidence);
    if models.is_empty() {
        let id = evidence.provenance.plan.artifact_id;
        let source = FactSource::new("artifact", id, "attributions");
        let text = "there is no registered model, which would have them";
        return vec![ReportEntry {
            subject: format!("artifact {id}"),
            facts: vec![ReportFact::missing("purpose, limits, owner", text, source)],
        }];
    }
    let entries = models.into_iter().map(|(id, registered)| {
        let model = &registered.model;
        let source = |property: &str| FactSource::new("context", id, property);
        let own = |name: &str| text(&model.properties, name);
        let mut facts = vec![
            ReportFact::wanted("owner", own("owner"), source("owner")),
            ReportFact::wanted("description", own("description"), source("description")),
        ];
        let custom = &model.custom_properties;
        facts.extend(wanted_below(custom, "card.", &CARD_PROPERTIES, source));
        ReportEntry {
            subject: model.name().to_owned(),
            facts,
        }
    });
    entries.collect()
}

/// The properties below a prefix, and those of them that are wanted and missing.
fn wanted_below(
    properties: &BTreeMap<String, Value>,
    prefix: &str,
    wanted: &[&str],
    source: impl Fn(&str) -> FactSource,
) -> Vec<ReportFact> {
    let wanted = wanted.iter();
    let mut facts: Vec<ReportFact> = wanted
        .clone()
        .map(|name| ReportFact::wanted(name, text(properties, name), source(name)))
        .collect();
    let others = below(properties, prefix).map(|(rest, value)| (format!("{prefix}{rest}"), value));
    let others = others.filter(|(name, _)| !wanted.clone().any(|known| known == name));
    facts.extend(others.map(|(name, value)| {
        let source = source(&name);
        ReportFact::found(name, value, source)
    }));
    facts
}

/// Properties whose names begin with a prefix, by the rest of their names.
pub(super) fn below<'a>(
    properties: &'a BTreeMap<String, Value>,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, String)> {
    let names = properties.keys();
    let names = names.filter_map(move |name| Some((name, name.strip_prefix(prefix)?)));
    names.filter_map(|(name, rest)| Some((rest, text(properties, name)?)))
}

fn data(evidence: &Evidence) -> Vec<ReportEntry> {
    let provenance = &evidence.provenance;
    let sources = provenance.plan.artifacts.iter();
    let sources = sources.filter(|artifact| artifact.source);
    let entries =
        sources.map(|artifact| source_data(artifact, provenance.artifacts.get(&artifact.id)));
    entries.collect()
}

fn source_data(artifact: &PlannedArtifact, node: Option<&Artifact>) -> ReportEntry {
    let id = artifact.id;
    let source = |property: &str| FactSource::new("artifact", id, property);
    let created = node.and_then(|node| node.create_time_since_epoch);
    let custom = node.map(|node| node.custom_properties.clone());
    let custom = custom.unwrap_or_default();
    let mut facts = vec![
        ReportFact::wanted("URI", Some(artifact.uri.clone()), source("uri")),
        ReportFact::wanted("digest", Some(artifact.digest.clone()), source("digest")),
        ReportFact::time("recorded", created, source("create_time_since_epoch")),
    ];
    facts.extend(wanted_below(&custom, "data.", &DATA_PROPERTIES, source));
    for name in ["bytes", "rows", "files", "version"] {
        let value = text(&custom, name);
        facts.extend(value.map(|value| ReportFact::found(name, value, source(name))));
    }
    ReportEntry {
        subject: format!("artifact {id}, {}", artifact.r#type),
        facts,
    }
}

fn training(evidence: &Evidence) -> Vec<ReportEntry> {
    let provenance = &evidence.provenance;
    let steps = provenance.plan.steps.iter().zip(1..);
    let entries = steps.map(|(step, number)| ReportEntry {
        subject: format!(
            "step {number}: {} (execution {})",
            step.r#type, step.execution_id
        ),
        facts: step_facts(step, provenance.executions.get(&step.execution_id)),
    });
    entries.collect()
}

fn step_facts(step: &PlannedStep, node: Option<&Execution>) -> Vec<ReportFact> {
    let source = |property: &str| FactSource::new("execution", step.execution_id, property);
    let custom = node.map(|node| node.custom_properties.clone());
    let custom = custom.unwrap_or_default();
    let code = step.code.clone().unwrap_or_default();
    let environment = step.environment.clone().unwrap_or_default();
    let who = ["owner", "producer"].into_iter();
    let who = who.filter_map(|name| Some((name, text(&custom, name)?)));
    let mut facts: Vec<ReportFact> = who
        .map(|(name, value)| ReportFact::found(name, value, source(name)))
        .collect();
    if facts.is_empty() {
        facts.push(ReportFact::wanted("owner", None, source("owner")));
    }
    for name in ["started_at", "ended_at"] {
        facts.push(ReportFact::time(name, int(&custom, name), source(name)));
    }
    let command = Some(command_line(&step.command));
    facts.push(ReportFact::wanted("command", command, source("command")));
    let digest = |blob: Option<Blob>| blob.map_or_else(String::new, |blob| blob.digest);
    let (diff, lock) = (digest(code.diff), digest(environment.lock));
    let spec = digest(code.spec);
    if spec.is_empty() || !code.commit.is_empty() {
        for (name, value) in [
            ("code.repository", code.repository),
            ("code.commit", code.commit),
        ] {
            facts.push(ReportFact::wanted(name, Some(value), source(name)));
        }
    }
    if lock.is_empty() && environment.image.is_empty() {
        let name = "environment.lock";
        facts.push(ReportFact::wanted(name, None, source(name)));
    }
    for (name, value) in [
        ("code.path", code.path),
        ("code.diff", diff),
        ("code.spec", spec),
        ("environment.lock", lock),
        ("environment.image", environment.image),
        ("environment.python", environment.python),
    ] {
        if !value.is_empty() {
            facts.push(ReportFact::found(name, value, source(name)));
        }
    }
    for name in [
        "environment.platform",
        "environment.hardware",
        "engine",
        "engine_version",
    ] {
        let value = text(&custom, name);
        facts.extend(value.map(|value| ReportFact::found(name, value, source(name))));
    }
    let parameters = step.parameters.iter();
    facts.extend(parameters.map(|(name, value)| {
        let name = format!("param.{name}");
        ReportFact::found(name.clone(), value, source(&name))
    }));
    for (side, files) in [("input", &step.inputs), ("output", &step.outputs)] {
        facts.extend(files.iter().map(|file| {
            let name = format!("{side} {}", file.role);
            let source = FactSource::new("artifact", file.artifact_id, "event");
            ReportFact::found(name, format!("artifact {}", file.artifact_id), source)
        }));
    }
    facts
}

fn deployment(evidence: &Evidence) -> Vec<ReportEntry> {
    let executions = evidence.lineage.executions.values();
    let serving = executions.filter(|node| node.r#type() == SERVING_TYPE);
    let mut entries: Vec<ReportEntry> = serving
        .map(|node| {
            let source = |property: &str| FactSource::new("execution", node.id(), property);
            let custom = &node.custom_properties;
            let state = node.last_known_state().as_str_name();
            let mut facts = vec![ReportFact::found(
                "state",
                state,
                source("last_known_state"),
            )];
            for name in ["started_at", "ended_at"] {
                facts.push(ReportFact::time(name, int(custom, name), source(name)));
            }
            ReportEntry {
                subject: format!("{SERVING_TYPE} (execution {})", node.id()),
                facts,
            }
        })
        .collect();
    for (id, registered) in models(evidence) {
        for (alias, moves) in &registered.moves {
            let source = || FactSource::new("context", id, format!("alias.{alias}"));
            let facts = moves
                .iter()
                .map(|it| ReportFact::found(utc_text(it.time), move_text(it), source()));
            entries.push(ReportEntry {
                subject: format!("moves of the alias {alias} of {}", registered.model.name()),
                facts: facts.collect(),
            });
        }
    }
    if entries.is_empty() {
        let id = evidence.provenance.plan.artifact_id;
        let source = FactSource::new("artifact", id, "events");
        let text = format!("no {SERVING_TYPE} reads it, and no alias names it");
        entries.push(ReportEntry {
            subject: format!("artifact {id}"),
            facts: vec![ReportFact::missing("deployment", text, source)],
        });
    }
    entries
}

fn move_text(it: &AliasMove) -> String {
    let named = |version: &str| match version {
        "" => "none".to_owned(),
        version => version.to_owned(),
    };
    let by = match it.principal.as_str() {
        "" => String::new(),
        principal => format!(" by {principal}"),
    };
    let (from, to) = (named(&it.from_version), named(&it.to_version));
    format!("from {from} to {to}{by}")
}

fn reproduction(evidence: &Evidence) -> Vec<ReportEntry> {
    let plan = &evidence.provenance.plan;
    let id = plan.artifact_id;
    let source = |property: &str| FactSource::new("artifact", id, property);
    let mut facts = vec![
        ReportFact::found("level", plan.level.to_string(), source("plan")),
        ReportFact::found("score", format!("{} %", plan.score), source("plan")),
    ];
    let artifact = evidence.provenance.subject();
    let verdict = artifact.map(|it| it.verdict.clone());
    facts.push(ReportFact::wanted(
        "verdict of a rerun",
        verdict,
        source("verdict"),
    ));
    facts.extend(plan.gaps.iter().map(|gap| gap_fact(gap, id)));
    vec![ReportEntry {
        subject: format!("artifact {id}"),
        facts,
    }]
}

fn gap_fact(gap: &Gap, artifact: i64) -> ReportFact {
    let source = match gap.subject {
        Some(Subject::ExecutionId(id)) => FactSource::new("execution", id, "plan"),
        Some(Subject::ArtifactId(id)) => FactSource::new("artifact", id, "plan"),
        None => FactSource::new("artifact", artifact, "plan"),
    };
    ReportFact::missing(&gap.id, &gap.text, source)
}
