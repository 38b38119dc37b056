//! The evaluation of a model: its metrics, the data that they were measured on, and whether
//! training used that data too.

use std::collections::{BTreeMap, BTreeSet};

use super::sections::{SERVING_TYPE, below};
use super::{Evidence, FactSource, ReportEntry, ReportFact, ReportLineage};
use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::{Artifact, Execution};
use crate::provenance::text;
use crate::reproduce::{BLOB_TYPE, REPRODUCTION_TYPE};

/// Which executions made and read each artifact.
struct EventLinks {
    makers: BTreeMap<i64, BTreeSet<i64>>,
    inputs: BTreeMap<i64, BTreeSet<i64>>,
}

impl EventLinks {
    fn of(lineage: &ReportLineage) -> Self {
        let mut links = Self {
            makers: BTreeMap::new(),
            inputs: BTreeMap::new(),
        };
        let is_data = |id: i64| {
            let node = lineage.artifacts.get(&id);
            node.is_some_and(|node| node.r#type() != BLOB_TYPE)
        };
        let is_rerun = |id: i64| {
            let node = lineage.executions.get(&id);
            node.is_none_or(|node| node.r#type() == REPRODUCTION_TYPE)
        };
        for event in &lineage.events {
            let (artifact, execution) = (event.artifact_id(), event.execution_id());
            if !is_data(artifact) || is_rerun(execution) {
                continue;
            }
            match event.r#type() {
                Type::Input | Type::DeclaredInput | Type::InternalInput => {
                    links.inputs.entry(execution).or_default().insert(artifact);
                }
                Type::Output
                | Type::DeclaredOutput
                | Type::InternalOutput
                | Type::PendingOutput => {
                    links.makers.entry(artifact).or_default().insert(execution);
                }
                Type::Unknown => {}
            }
        }
        links
    }

    /// An artifact and everything that it was made from, without what is already seen.
    fn upstream(&self, artifact: i64) -> BTreeSet<i64> {
        let mut seen = BTreeSet::from([artifact]);
        let mut work = vec![artifact];
        while let Some(artifact) = work.pop() {
            let makers = self.makers.get(&artifact).into_iter().flatten();
            let inputs = makers.filter_map(|maker| self.inputs.get(maker)).flatten();
            work.extend(inputs.copied().filter(|input| seen.insert(*input)));
        }
        seen
    }

    fn is_source(&self, artifact: i64) -> bool {
        !self.makers.contains_key(&artifact)
    }
}

/// The entries of the section.
pub(super) fn evaluation(evidence: &Evidence) -> Vec<ReportEntry> {
    let model = evidence.provenance.plan.artifact_id;
    let lineage = &evidence.lineage;
    let links = EventLinks::of(lineage);
    let training = links.upstream(model);
    let reads_model = |id: &i64| links.inputs.get(id).is_some_and(|it| it.contains(&model));
    let makers = links.makers.get(&model).into_iter().flatten();
    let executions = lineage.executions.iter();
    let readers = executions.filter(|(id, node)| reads_model(id) && is_evaluation(node));
    let mut entries: Vec<ReportEntry> = Vec::new();
    let mut has_metrics = false;
    for (id, node) in readers {
        let mut facts = metrics(*id, node);
        has_metrics |= !facts.is_empty();
        let inputs = links.inputs.get(id).into_iter().flatten();
        for input in inputs.filter(|input| **input != model) {
            let artifact = lineage.artifacts.get(input);
            facts.extend(data_facts(*input, artifact, &links, &training));
        }
        entries.push(ReportEntry {
            subject: format!("{} (execution {id})", node.r#type()),
            facts,
        });
    }
    for (id, node) in makers.filter_map(|id| Some((id, lineage.executions.get(id)?))) {
        let facts = metrics(*id, node);
        has_metrics |= !facts.is_empty();
        if !facts.is_empty() {
            entries.push(ReportEntry {
                subject: format!("{} (execution {id}), which made it", node.r#type()),
                facts,
            });
        }
    }
    if !has_metrics {
        let source = FactSource::new("artifact", model, "events");
        let text = "no execution that made or read it has a property metric.NAME";
        entries.push(ReportEntry {
            subject: format!("artifact {model}"),
            facts: vec![ReportFact::missing("metrics", text, source)],
        });
    }
    entries
}

fn is_evaluation(node: &Execution) -> bool {
    ![SERVING_TYPE, REPRODUCTION_TYPE].contains(&node.r#type())
}

fn metrics(id: i64, node: &Execution) -> Vec<ReportFact> {
    let found = below(&node.custom_properties, "metric.");
    let facts = found.map(|(name, value)| {
        let name = format!("metric.{name}");
        let source = FactSource::new("execution", id, name.clone());
        ReportFact::found(name, value, source)
    });
    facts.collect()
}

/// Data that an evaluation read, and what it shares with the training.
fn data_facts(
    id: i64,
    artifact: Option<&Artifact>,
    links: &EventLinks,
    training: &BTreeSet<i64>,
) -> Vec<ReportFact> {
    let source = || FactSource::new("artifact", id, "event");
    let digest = artifact.and_then(|node| text(&node.custom_properties, "digest"));
    let value = format!("artifact {id} {}", digest.unwrap_or_default());
    let mut facts = vec![ReportFact::found("data used", value.trim_end(), source())];
    if training.contains(&id) {
        let text = format!("artifact {id} was used for training too");
        facts.push(ReportFact::finding("overlap", text, source()));
        return facts;
    }
    let upstream = links.upstream(id);
    let shared = upstream.intersection(training);
    let shared = shared.filter(|shared| links.is_source(**shared));
    facts.extend(shared.map(|shared| {
        let text = format!("artifact {id} and the training data were both made from it");
        let source = FactSource::new("artifact", *shared, "event");
        ReportFact::finding("common source", text, source)
    }));
    facts
}
