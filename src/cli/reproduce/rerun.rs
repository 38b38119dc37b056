//! A run of a recipe in an empty folder, and what came out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use url::Url;
use uuid::Uuid;

use super::recipe::{OutputPlace, Recipe};
use super::{DIFFERS_CODE, GAPS_CODE, STEPS_FOLDER};
use crate::cli::Failure;
use crate::cli::digests::{Contents, Digests};
use crate::cli::run::{int, role_path, text};
use crate::proto::pedigree::lineage::v1::artifact_ref::Identity;
use crate::proto::pedigree::lineage::v1::run_event::Type;
use crate::proto::pedigree::lineage::v1::{ArtifactRef, Content, RunEvent, TypePolicy};
use crate::proto::pedigree::reproduction::v1::PlanResponse;
use crate::reproduce::{
    DIFFERS, IDENTICAL, PASSES_CHECK, REPRODUCED_ROLE, REPRODUCTION_TYPE, VERDICT,
};

/// The role of the artifact that a reproduction made.
const RESULT_ROLE: &str = "reproduction";

/// An output that was made again.
pub(super) struct RerunOutput {
    /// The one that was recorded.
    pub artifact: i64,
    pub verdict: &'static str,
    /// Where the new one is and what it contains. `None` if it was not written.
    made: Option<(String, Contents)>,
}

/// The folder with this path, which has nothing in it. It is made if it is missing.
pub(super) fn empty_folder(path: &Path) -> Result<PathBuf, Failure> {
    let problem = |error| Failure(format!("{}: {error}", path.display()));
    fs::create_dir_all(path).map_err(problem)?;
    if fs::read_dir(path).map_err(problem)?.next().is_some() {
        return Err(Failure(format!("{} is not empty", path.display())));
    }
    path.canonicalize().map_err(problem)
}

/// Runs a recipe with some variables. The outputs up to the first one that differs are compared.
/// `None` if an environment cannot be made again, as the recipe has said then.
///
/// # Errors
///
/// If a source cannot be fetched or has another digest, or a command fails.
pub(super) fn run(
    recipe: &Recipe,
    folder: &Path,
    variables: &[(&str, OsString)],
) -> Result<Option<Vec<RerunOutput>>, Failure> {
    let script = folder.join("recipe.sh");
    fs::write(&script, recipe.script())?;
    let mut command = Command::new("sh");
    command.arg(&script).current_dir(folder);
    let status = command.envs(variables.iter().cloned()).status();
    let status = status.map_err(|error| Failure(format!("cannot start sh: {error}")))?;
    // Environments come before all steps, whose commands may end with any code.
    if status.code() == Some(GAPS_CODE.into()) && !folder.join(STEPS_FOLDER).exists() {
        return Ok(None);
    }
    if !status.success() && status.code() != Some(DIFFERS_CODE.into()) {
        let script = script.display();
        return Err(Failure(format!("the recipe {script} failed: {status}")));
    }
    let verdicts = verdicts(folder);
    let mut digests = Digests::default();
    let compared = recipe
        .outputs
        .iter()
        .filter(|it| verdicts.contains_key(&it.artifact));
    let results = compared.map(|output| result(output, folder, &verdicts, &mut digests));
    results.collect::<Result<_, _>>().map(Some)
}

/// What the recipe said of each artifact.
fn verdicts(folder: &Path) -> BTreeMap<i64, String> {
    let text = fs::read_to_string(folder.join("verdicts")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let (id, verdict) = line.split_once(' ')?;
        Some((id.parse().ok()?, verdict.to_owned()))
    });
    lines.collect()
}

/// The verdict of an output. Only this program says that a digest is the same: commands of the
/// recipe could write that into any file.
fn result(
    output: &OutputPlace,
    folder: &Path,
    verdicts: &BTreeMap<i64, String>,
    digests: &mut Digests,
) -> Result<RerunOutput, Failure> {
    let path = folder.join(&output.path);
    let contents = if path.exists() {
        Some(digests.of(&path)?)
    } else {
        None
    };
    let is_same = contents
        .as_ref()
        .is_some_and(|it| it.digest == output.digest);
    let said = verdicts.get(&output.artifact).map(String::as_str);
    let url = Url::from_file_path(&path);
    let url = url.map_err(|()| Failure(format!("{} has no URL", path.display())))?;
    Ok(RerunOutput {
        artifact: output.artifact,
        verdict: match said {
            _ if is_same => IDENTICAL,
            Some(PASSES_CHECK) if contents.is_some() => PASSES_CHECK,
            _ => DIFFERS,
        },
        made: contents.map(|contents| (url.into(), contents)),
    })
}

impl RerunOutput {
    pub(super) fn is_good(&self) -> bool {
        self.verdict != DIFFERS
    }

    /// The event that records it: an execution that read the old artifact and wrote the new one.
    pub(super) fn event(&self, plan: &PlanResponse) -> RunEvent {
        let mut artifacts = plan.artifacts.iter();
        let recorded = artifacts.find(|artifact| artifact.id == self.artifact);
        let type_name = recorded.map(|it| it.r#type.clone()).unwrap_or_default();
        let outputs = self.made.iter().map(|(uri, contents)| ArtifactRef {
            r#type: type_name.clone(),
            identity: Some(Identity::Content(Content {
                uri: uri.clone(),
                digest: contents.digest.clone(),
            })),
            custom_properties: [(
                "bytes".to_owned(),
                int(i64::try_from(contents.bytes).unwrap_or(i64::MAX)),
            )]
            .into(),
            path: Some(role_path(RESULT_ROLE)),
            ..ArtifactRef::default()
        });
        RunEvent {
            event_type: Type::Complete.into(),
            type_policy: TypePolicy::Create.into(),
            r#type: REPRODUCTION_TYPE.to_owned(),
            external_id: format!("pedigree-reproduction:{}", Uuid::new_v4()),
            inputs: vec![ArtifactRef {
                identity: Some(Identity::Id(self.artifact)),
                path: Some(role_path(REPRODUCED_ROLE)),
                ..ArtifactRef::default()
            }],
            outputs: outputs.collect(),
            custom_properties: [(VERDICT.to_owned(), text(self.verdict))].into(),
            ..RunEvent::default()
        }
    }
}
