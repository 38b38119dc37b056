//! `pedigree export-provenance`: prints what an artifact was made from, for other tools.

use std::collections::BTreeMap;
use std::fs;
use std::io::{stderr, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::client::ServerArgs;
use super::reproduce::{local_path, not_blank, planned};
use super::traced::{PresentNodes, TracedNodes, add_present};
use super::{Failure, output};
use crate::blobs::BlobDigest;
use crate::proto::pedigree::lineage::v1::TraceRequest;
use crate::proto::pedigree::reproduction::v1::PlanResponse;
use crate::provenance::{
    BomVersion, Package, Provenance, SigningKey, bom, crate_metadata, prov_document, statements,
};

#[derive(Debug, Args)]
pub struct ExportProvenanceArgs {
    /// The artifact: its id, TYPE/NAME, or its URI or path, which mean the newest one there
    #[arg(value_parser = not_blank)]
    model: String,

    /// slsa: a line for each step, a statement of in-toto with SLSA provenance; cyclonedx: an
    /// ML-BOM, version 1.6; cyclonedx-1.7; prov: PROV-JSON; ro-crate: the metadata of a Process
    /// Run Crate
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: ExportFormat,

    /// Private key of Ed25519 to sign the statements of slsa with, a PEM file (PKCS#8)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Take this execution where several produced an artifact, instead of the newest; may be
    /// repeated
    #[arg(long, value_name = "ID")]
    execution: Vec<i64>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    Slsa,
    Cyclonedx,
    #[value(name = "cyclonedx-1.7")]
    Cyclonedx17,
    Prov,
    RoCrate,
}

impl ExportProvenanceArgs {
    /// Prints the export.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let key = self.key.as_deref().map(|path| self.signing_key(path));
        let key = key.transpose()?;
        let plan = planned(&self.server, &self.model, &self.execution, None).await?;
        let (provenance, _) = provenance_of(&self.server, plan, None).await?;
        let text = match self.format {
            ExportFormat::Slsa => signed_lines(&provenance, key.as_ref()),
            ExportFormat::Cyclonedx => document(&bom(&provenance, BomVersion::V1_6))?,
            ExportFormat::Cyclonedx17 => document(&bom(&provenance, BomVersion::V1_7))?,
            ExportFormat::Prov => document(&prov_document(&provenance))?,
            ExportFormat::RoCrate => document(&crate_metadata(&provenance))?,
        };
        output::write(&mut stdout(), text).map(drop)
    }

    /// Reads the key of `--key`, which only statements are signed with.
    fn signing_key(&self, path: &Path) -> Result<SigningKey, Failure> {
        if self.format != ExportFormat::Slsa {
            return Err(Failure("--key signs --format slsa only".to_owned()));
        }
        let problem = |problem: &str| Failure(format!("{}: {problem}", path.display()));
        let pem = fs::read(path).map_err(|error| problem(&error.to_string()))?;
        SigningKey::from_pem(&pem).map_err(problem)
    }
}

/// A line for each statement, in an envelope if there is a key. Says which steps have none.
fn signed_lines(provenance: &Provenance, key: Option<&SigningKey>) -> String {
    let made = statements(provenance);
    for id in made.without_digests {
        let line = format!("execution {id}: no statement, no output has a SHA-256");
        output::report(&mut stderr(), line);
    }
    let lines = made.statements.iter().map(|statement| match key {
        Some(key) => format!("{}\n", key.envelope(statement)),
        None => format!("{statement}\n"),
    });
    lines.collect()
}

fn document(value: &Value) -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A plan with the nodes that it names, as they are or as they were at a time, and the packages of
/// the lists that are on this machine.
pub(super) async fn provenance_of(
    server: &ServerArgs,
    plan: PlanResponse,
    as_of: Option<i64>,
) -> Result<(Provenance, PresentNodes), Failure> {
    let named = TraceRequest {
        artifact_ids: plan.artifacts.iter().map(|artifact| artifact.id).collect(),
        execution_ids: plan.steps.iter().map(|step| step.execution_id).collect(),
        max_hops: Some(0),
        as_of,
        ..TraceRequest::default()
    };
    let mut found = TracedNodes::default();
    found.add(server, named).await?;
    add_present(&mut found.present, "artifact", &plan.present_artifact_ids);
    add_present(&mut found.present, "execution", &plan.present_execution_ids);
    let provenance = Provenance {
        artifacts: found.artifacts,
        executions: found.executions,
        packages: packages(&plan),
        plan,
    };
    Ok((provenance, found.present))
}

/// The packages of the lists that can be read here, by their digests.
fn packages(plan: &PlanResponse) -> BTreeMap<String, Vec<Package>> {
    let environments = plan
        .steps
        .iter()
        .filter_map(|step| step.environment.as_ref());
    let locks = environments.filter_map(|environment| environment.lock.as_ref());
    let locks: BTreeMap<&str, &str> = locks
        .map(|lock| (lock.digest.as_str(), lock.uri.as_str()))
        .collect();
    let found = locks.into_iter().filter_map(|(digest, uri)| {
        let text = fs::read_to_string(local_path(uri)?).ok()?;
        // What is parsed is what the graph has the digest of.
        let is_same = digest.strip_prefix("sha256:")? == BlobDigest::of(text.as_bytes()).as_str();
        is_same.then(|| (digest.to_owned(), Package::list(&text)))
    });
    found.collect()
}
