//! Whether the sources, blobs and commits of a plan are there now. What is on other machines is not
//! looked for: it is fetched and checked before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use super::recipe::blobs_of;
use crate::cli::digests::Digests;
use crate::proto::pedigree::reproduction::v1::observation::{Finding, Subject};
use crate::proto::pedigree::reproduction::v1::{Observation, PlanResponse};

/// Looks for everything that is on this machine. Other digests than SHA-256 are not compared.
pub(super) fn observe(plan: &PlanResponse) -> Vec<Observation> {
    let sources = plan.artifacts.iter().filter(|artifact| artifact.source);
    let sources = sources.map(|it| (it.id, (it.uri.as_str(), it.digest.as_str())));
    let blobs = plan.steps.iter().flat_map(blobs_of);
    let blobs = blobs.filter_map(|blob| {
        let content = (blob.uri.as_str(), blob.digest.as_str());
        Some((blob.artifact_id?, content))
    });
    let files: BTreeMap<i64, (&str, &str)> = sources.chain(blobs).collect();
    let mut digests = Digests::with_cache();
    let mut observations = Vec::new();
    for (id, (uri, digest)) in files {
        if let Some(path) = local_path(uri) {
            let finding = file_finding(&mut digests, &path, digest);
            let finding = finding.map(|finding| observation(Subject::ArtifactId(id), finding));
            observations.extend(finding);
        }
    }
    digests.save();
    let code = plan.steps.iter().filter_map(|step| step.code.as_ref());
    let commits: BTreeSet<_> = code.map(|code| (&code.repository, &code.commit)).collect();
    for (repository, commit) in commits {
        if let Some(path) = local_path(repository).filter(|_| !commit.is_empty()) {
            let finding = commit_finding(&path, commit);
            let subject = || Subject::Commit(commit.clone());
            observations.extend(finding.map(|finding| observation(subject(), finding)));
        }
    }
    observations
}

fn observation(subject: Subject, finding: Finding) -> Observation {
    Observation {
        subject: Some(subject),
        finding: finding.into(),
    }
}

/// The path of a URL of this machine, or of an absolute path.
pub(in crate::cli) fn local_path(uri: &str) -> Option<PathBuf> {
    if uri.starts_with('/') {
        return Some(uri.into());
    }
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

fn file_finding(digests: &mut Digests, path: &Path, digest: &str) -> Option<Finding> {
    if !digest.starts_with("sha256:") {
        return (!path.exists()).then_some(Finding::Missing);
    }
    Some(match digests.of(path) {
        Ok(contents) if contents.digest == digest => Finding::Present,
        Ok(_) => Finding::Changed,
        Err(_) => Finding::Missing,
    })
}

/// Whether a repository has a commit. `None` without git, which could say it, and for one of
/// another user, which git does not open.
fn commit_finding(repository: &Path, commit: &str) -> Option<Finding> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository);
    command.args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Some(Finding::Present),
        false if said.contains("safe.directory") => None,
        false => Some(Finding::Missing),
    }
}
