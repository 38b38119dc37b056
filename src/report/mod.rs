//! The report about an artifact: what the graph says about it for an audit, and what it does not
//! say. Pure functions of messages.
//!
//! * `sections`: the sections and their facts; `evaluation`: metrics, and data that training and
//!   evaluation share.
//! * `mapping`: which articles of laws and standards a section is evidence for.

mod evaluation;
mod mapping;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use askama::Template;
use serde::Serialize;

pub use mapping::{MAX_MAPPING_BYTES, ReportMapping};

use crate::proto::ml_metadata::{Artifact, Context, Event, Execution};
use crate::proto::pedigree::registry::v1::AliasMove;
use crate::provenance::Provenance;
use crate::utc::utc_text;

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub provenance: Provenance,
    /// Everything upstream of the artifact and of the executions that read it, and these.
    pub lineage: ReportLineage,
    pub versions: Vec<RegisteredEvidence>,
    /// The time as of which all of it is, in milliseconds since epoch; `None` for now.
    pub as_of: Option<i64>,
    /// How many nodes are in the state of today nevertheless, because the history does not have
    /// their earlier state.
    pub present_states: usize,
}

/// Nodes and the events between them.
#[derive(Clone, Debug, Default)]
pub struct ReportLineage {
    pub artifacts: BTreeMap<i64, Artifact>,
    pub executions: BTreeMap<i64, Execution>,
    pub events: Vec<Event>,
}

/// A version of a registered model that the artifact is.
#[derive(Clone, Debug, Default)]
pub struct RegisteredEvidence {
    pub model: Context,
    pub version: Context,
    /// The moves of each alias that names a version of the model, the newest first.
    pub moves: Vec<(String, Vec<AliasMove>)>,
}

/// A report, which is also its JSON: docs/report.schema.json.
#[derive(Clone, Debug, PartialEq, Serialize, Template)]
#[template(path = "report/report.html")]
pub struct Report {
    pub title: String,
    /// The id of the artifact.
    pub artifact: i64,
    /// The time as of which the report is; `None` for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    pub notice: String,
    /// The level of its reproduction, from 0 to 4, and the score in percent.
    pub level: i32,
    pub score: u32,
    /// How many facts are missing, and how many were found to be wrong.
    pub missing: usize,
    pub findings: usize,
    pub sections: Vec<ReportSection>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportSection {
    pub id: &'static str,
    pub title: &'static str,
    pub references: Vec<ReportReference>,
    pub entries: Vec<ReportEntry>,
}

/// What a section is evidence for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportReference {
    pub framework: String,
    pub clause: String,
}

/// The facts about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportEntry {
    pub subject: String,
    pub facts: Vec<ReportFact>,
}

/// A fact with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportFact {
    pub name: String,
    pub status: FactStatus,
    /// What is missing or wrong, where it is not found.
    pub value: String,
    pub source: FactSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FactStatus {
    /// It is in the graph.
    Found,
    /// It is wanted, and not in the graph.
    Missing,
    /// The graph says that something is wrong.
    Finding,
}

/// Where a fact is in the graph, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactSource {
    /// artifact, execution or context.
    pub kind: &'static str,
    pub id: i64,
    /// The field or property of the node.
    pub property: String,
}

impl Report {
    /// The report about the artifact of a plan. `None` if the plan does not have it.
    #[must_use]
    pub fn new(evidence: &Evidence, mapping: &ReportMapping) -> Option<Self> {
        let plan = &evidence.provenance.plan;
        let sections = sections::all(evidence, mapping)?;
        let facts = sections.iter().flat_map(|section| &section.entries);
        let facts = facts.flat_map(|entry| &entry.facts);
        let count = |status| facts.clone().filter(|fact| fact.status == status).count();
        Some(Self {
            title: format!("Report about {}", evidence.provenance.subject_name()?),
            artifact: plan.artifact_id,
            as_of: evidence.as_of.map(utc_text),
            notice: mapping.notice.clone(),
            level: plan.level,
            score: plan.score,
            missing: count(FactStatus::Missing),
            findings: count(FactStatus::Finding),
            sections,
        })
    }
}

impl FactStatus {
    const fn class(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Finding => "finding",
        }
    }
}

impl FactSource {
    fn new(kind: &'static str, id: i64, property: impl Into<String>) -> Self {
        Self {
            kind,
            id,
            property: property.into(),
        }
    }
}

impl ReportFact {
    fn found(name: impl Into<String>, value: impl Into<String>, source: FactSource) -> Self {
        Self {
            name: name.into(),
            status: FactStatus::Found,
            value: value.into(),
            source,
        }
    }

    fn missing(name: impl Into<String>, value: impl Into<String>, source: FactSource) -> Self {
        Self {
            status: FactStatus::Missing,
            ..Self::found(name, value, source)
        }
    }

    fn finding(name: impl Into<String>, value: impl Into<String>, source: FactSource) -> Self {
        Self {
            status: FactStatus::Finding,
            ..Self::found(name, value, source)
        }
    }

    /// A fact that is wanted: found, or missing.
    fn wanted(name: &str, value: Option<String>, source: FactSource) -> Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => Self::found(name, value, source),
            None => Self::missing(name, "not in the graph", source),
        }
    }

    /// A time in milliseconds since epoch.
    fn time(name: &str, time: Option<i64>, source: FactSource) -> Self {
        Self::wanted(name, time.map(utc_text), source)
    }
}
