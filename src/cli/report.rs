//! `pedigree report`: prints what the graph says about an artifact for an audit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::stdout;
use std::path::{Path, PathBuf};

use super::client::{ServerArgs, found};
use super::export_provenance::provenance_of;
use super::reproduce::planned;
use super::{Failure, output};
use crate::config::read_text;
use crate::proto::ml_metadata::{
    Context, GetContextsByArtifactRequest, GetParentContextsByContextRequest, Value,
};
use crate::proto::pedigree::lineage::v1::TraceRequest;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;
use crate::proto::pedigree::registry::v1::{AliasHistoryRequest, AliasMove};
use crate::report::{
    Evidence, MAX_MAPPING_BYTES, RegisteredEvidence, Report, ReportLineage, ReportMapping,
};
use askama::Template;
use clap::{Args, ValueEnum};

/// The most nodes of a report's lineage.
const MAX_LINEAGE_NODES: i64 = 20_000;

/// The last moves of an alias that are printed.
const MAX_ALIAS_MOVES: i32 = 1000;

/// The type of contexts that are versions of registered models.
const VERSION_TYPE: &str = "kf.ModelVersion";

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The artifact: its id, TYPE/NAME, or its URI or path, which mean the newest one there
    model: String,

    /// html: a page of its own, which prints well; json: docs/report.schema.json
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "html")]
    format: ReportFormat,

    /// Clauses of laws and standards that the sections are evidence for, a TOML file instead of the
    /// one of this version (src/report/mapping.toml)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,

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
        let plan = planned(&self.server, &self.model, &[]).await?;
        let artifact = plan.artifact_id;
        let evidence = Evidence {
            provenance: provenance_of(&self.server, plan).await?,
            lineage: lineage(&self.server, artifact).await?,
            versions: versions(&self.server, artifact).await?,
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
async fn lineage(server: &ServerArgs, artifact: i64) -> Result<ReportLineage, Failure> {
    let mut lineage = ReportLineage::default();
    let readers = TraceRequest {
        direction: Direction::Impact.into(),
        artifact_ids: vec![artifact],
        max_hops: Some(1),
        max_nodes: MAX_LINEAGE_NODES,
        ..TraceRequest::default()
    };
    add(server, &mut lineage, readers).await?;
    let upstream = TraceRequest {
        direction: Direction::Provenance.into(),
        artifact_ids: vec![artifact],
        execution_ids: lineage.executions.keys().copied().collect(),
        max_nodes: MAX_LINEAGE_NODES,
        ..TraceRequest::default()
    };
    // The second trace has the events of the first one too.
    lineage.events.clear();
    add(server, &mut lineage, upstream).await?;
    Ok(lineage)
}

async fn add(
    server: &ServerArgs,
    lineage: &mut ReportLineage,
    request: TraceRequest,
) -> Result<(), Failure> {
    let mut client = server.client()?;
    let mut responses = client.trace(request).await?.into_inner();
    while let Some(response) = responses.message().await? {
        let nodes = response.artifacts.into_iter();
        lineage
            .artifacts
            .extend(nodes.filter_map(|node| Some((node.id?, node))));
        let nodes = response.executions.into_iter();
        lineage
            .executions
            .extend(nodes.filter_map(|node| Some((node.id?, node))));
        lineage.events.extend(response.events);
        if response
            .end
            .is_some_and(|end| end.cut && end.nodes >= MAX_LINEAGE_NODES)
        {
            return Err(Failure(format!(
                "the lineage has more than {MAX_LINEAGE_NODES} nodes"
            )));
        }
    }
    Ok(())
}

/// The versions of registered models that an artifact is.
async fn versions(server: &ServerArgs, artifact: i64) -> Result<Vec<RegisteredEvidence>, Failure> {
    let mut client = server.store_client()?;
    let request = GetContextsByArtifactRequest {
        artifact_id: Some(artifact),
        ..GetContextsByArtifactRequest::default()
    };
    let contexts = found(client.get_contexts_by_artifact(request).await)?;
    let contexts = contexts.contexts.into_iter();
    let mut versions = Vec::new();
    let mut moves: BTreeMap<i64, Vec<(String, Vec<AliasMove>)>> = BTreeMap::new();
    for version in contexts.filter(|context| context.r#type() == VERSION_TYPE) {
        let request = GetParentContextsByContextRequest {
            context_id: version.id,
            ..GetParentContextsByContextRequest::default()
        };
        let parents = found(client.get_parent_contexts_by_context(request).await)?;
        let Some(model) = parents.contexts.into_iter().next() else {
            continue;
        };
        let moves = match moves.entry(model.id()) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(entry) => entry.insert(alias_moves(server, &model).await?).clone(),
        };
        versions.push(RegisteredEvidence {
            model,
            version,
            moves,
        });
    }
    Ok(versions)
}

/// The moves of each alias that a model has now.
async fn alias_moves(
    server: &ServerArgs,
    model: &Context,
) -> Result<Vec<(String, Vec<AliasMove>)>, Failure> {
    let properties: &BTreeMap<String, Value> = &model.custom_properties;
    let names = properties.keys();
    let aliases: BTreeSet<&str> = names
        .filter_map(|name| name.strip_prefix("alias."))
        .collect();
    let mut client = server.registry_client()?;
    let mut all = Vec::new();
    for alias in aliases {
        let request = AliasHistoryRequest {
            model: model.name().to_owned(),
            alias: alias.to_owned(),
            max_moves: MAX_ALIAS_MOVES,
        };
        let moves = client.alias_history(request).await?.into_inner().moves;
        all.push((alias.to_owned(), moves));
    }
    Ok(all)
}
