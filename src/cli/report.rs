//! `pedigree report`: prints what the graph says about an artifact for an audit.

use std::io::stdout;
use std::path::{Path, PathBuf};

use askama::Template;
use clap::{Args, ValueEnum};

use super::as_of::AsOfArgs;
use super::client::ServerArgs;
use super::export_provenance::provenance_of;
use super::reproduce::{not_blank, planned};
use super::traced::{PresentNodes, TracedNodes, add_present};
use super::{Failure, output};
use crate::config::read_text;
use crate::proto::pedigree::lineage::v1::TraceRequest;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;
use crate::proto::pedigree::registry::v1::VersionsOfRequest;
use crate::report::{
    Evidence, MAX_MAPPING_BYTES, RegisteredEvidence, Report, ReportLineage, ReportMapping,
};

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The artifact: its id, TYPE/NAME, or its URI or path, which mean the newest one there
    #[arg(value_parser = not_blank)]
    model: String,

    /// html: a page of its own, which prints well; json: docs/report.schema.json
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "html")]
    format: ReportFormat,

    /// Clauses of laws and standards that the sections are evidence for, a TOML file instead of the
    /// one of this version (src/report/mapping.toml)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,

    #[command(flatten)]
    as_of: AsOfArgs,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Html,
    Json,
}

impl ReportArgs {
    /// Prints the report.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let mapping = match &self.mapping {
            Some(path) => mapping(path)?,
            None => ReportMapping::built_in().map_err(Failure)?,
        };
        let as_of = self.as_of.time();
        let plan = planned(&self.server, &self.model, &[], as_of).await?;
        let artifact = plan.artifact_id;
        let (provenance, mut present) = provenance_of(&self.server, plan, as_of).await?;
        let lineage = lineage(&self.server, artifact, as_of).await?;
        present.extend(lineage.present);
        let evidence = Evidence {
            provenance,
            lineage: ReportLineage {
                artifacts: lineage.artifacts,
                executions: lineage.executions,
                events: lineage.events,
            },
            versions: versions(&self.server, artifact, as_of, &mut present).await?,
            as_of,
            present_states: present.len(),
        };
        let report = Report::new(&evidence, &mapping);
        let report = report.ok_or_else(|| Failure(format!("there is no artifact {artifact}")))?;
        let text = match self.format {
            ReportFormat::Html => report.render().map_err(|it| Failure(it.to_string()))?,
            ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
        };
        output::write(&mut stdout(), text).map(drop)
    }
}

/// Reads a mapping from a file.
fn mapping(path: &Path) -> Result<ReportMapping, Failure> {
    let problem = |problem: String| Failure(format!("{}: {problem}", path.display()));
    let text = read_text(path, MAX_MAPPING_BYTES).map_err(|error| problem(error.to_string()))?;
    ReportMapping::parse(&text).map_err(problem)
}

/// The executions that read an artifact, and everything upstream of them and of the artifact.
async fn lineage(
    server: &ServerArgs,
    artifact: i64,
    as_of: Option<i64>,
) -> Result<TracedNodes, Failure> {
    let mut found = TracedNodes::default();
    let readers = TraceRequest {
        direction: Direction::Impact.into(),
        artifact_ids: vec![artifact],
        max_hops: Some(1),
        as_of,
        ..TraceRequest::default()
    };
    found.add(server, readers).await?;
    // This trace has the events of the first one too.
    let upstream = TraceRequest {
        direction: Direction::Provenance.into(),
        artifact_ids: vec![artifact],
        execution_ids: found.executions.keys().copied().collect(),
        as_of,
        ..TraceRequest::default()
    };
    found.add(server, upstream).await?;
    Ok(found)
}

/// The versions of registered models that an artifact is.
async fn versions(
    server: &ServerArgs,
    artifact: i64,
    as_of: Option<i64>,
    present: &mut PresentNodes,
) -> Result<Vec<RegisteredEvidence>, Failure> {
    let mut client = server.registry_client()?;
    let request = VersionsOfRequest {
        artifact_id: artifact,
        as_of,
    };
    let found = client.versions_of(request).await?.into_inner();
    add_present(present, "context", &found.present_context_ids);
    let versions = found.versions.into_iter().filter_map(|found| {
        let aliases = found.aliases.into_iter();
        Some(RegisteredEvidence {
            model: found.model?,
            version: found.version?,
            moves: aliases.map(|it| (it.alias, it.moves)).collect(),
        })
    });
    Ok(versions.collect())
}
