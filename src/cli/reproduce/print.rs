//! A plan as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::cli::output::printable;
use crate::proto::pedigree::reproduction::v1::{
    Blob, Level, PlanResponse, PlannedArtifact, PlannedStep, RoleUse,
};

/// The steps, the sources, the gaps, the level and the score.
pub(super) fn plan(plan: &PlanResponse) -> String {
    let artifacts = plan
        .artifacts
        .iter()
        .map(|artifact| (artifact.id, artifact));
    let artifacts: BTreeMap<i64, &PlannedArtifact> = artifacts.collect();
    let mut text = String::new();
    for source in plan.artifacts.iter().filter(|artifact| artifact.source) {
        let _ = writeln!(text, "source {}", describe(source));
    }
    for (step, number) in plan.steps.iter().zip(1..) {
        let _ = writeln!(text, "step {number}: {}", headline(step));
        for (name, value) in facts(step) {
            let _ = writeln!(text, "  {name}: {}", printable(&value));
        }
        for (side, files) in [("reads", &step.inputs), ("writes", &step.outputs)] {
            for RoleUse {
                role, artifact_id, ..
            } in files
            {
                let described = artifacts.get(artifact_id).map(|it| describe(it));
                let described = described.unwrap_or_default();
                let _ = writeln!(text, "  {side} {}: {described}", printable(role));
            }
        }
    }
    text.push_str(&gaps(plan));
    let _ = writeln!(text, "level: {} {}", plan.level, level(plan.level()));
    let _ = writeln!(text, "score: {} %", plan.score);
    text
}

/// A line for each gap.
pub(super) fn gaps(plan: &PlanResponse) -> String {
    let line = |text: &str, id: &str| format!("gap: {} [{id}]\n", printable(text));
    let lines = plan.gaps.iter().map(|gap| line(&gap.text, &gap.id));
    lines.collect()
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Traced => "traced",
        Level::Pinned => "pinned",
        Level::Runnable => "runnable",
        Level::Present => "present",
        Level::Reproduced => "reproduced",
    }
}

fn headline(step: &PlannedStep) -> String {
    let mut line = format!(
        "{} (execution {})",
        printable(&step.r#type),
        step.execution_id
    );
    if !step.name.is_empty() {
        let _ = write!(line, " {}", printable(&step.name));
    }
    let _ = write!(line, ", level {}", step.level);
    line
}

/// The facts that a reader wants to see before the step is run.
fn facts(step: &PlannedStep) -> Vec<(String, String)> {
    let words = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
    let code = step.code.clone().unwrap_or_default();
    let environment = step.environment.clone().unwrap_or_default();
    let mut facts = vec![("command".to_owned(), words(&step.command))];
    if !step.check.is_empty() {
        facts.push(("check".to_owned(), words(&step.check)));
    }
    let parameters = step.parameters.iter();
    facts.extend(
        parameters.map(|(name, value)| (format!("param.{}", printable(name)), value.clone())),
    );
    let digest = |blob: Option<Blob>| blob.map_or_else(String::new, |blob| blob.digest);
    let rest = [
        ("code.repository", code.repository),
        ("code.commit", code.commit),
        ("code.path", code.path),
        ("code.diff", digest(code.diff)),
        ("code.spec", digest(code.spec)),
        ("environment.python", environment.python),
        ("environment.lock", digest(environment.lock)),
        ("environment.image", environment.image),
    ];
    let rest = rest.into_iter().filter(|(_, value)| !value.is_empty());
    facts.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    facts
}

fn describe(artifact: &PlannedArtifact) -> String {
    let PlannedArtifact {
        id,
        r#type,
        uri,
        digest,
        verdict,
        ..
    } = artifact;
    let mut line = format!("artifact {id} {} {}", printable(r#type), printable(uri));
    for word in [digest, verdict]
        .into_iter()
        .filter(|word| !word.is_empty())
    {
        let _ = write!(line, " {}", printable(word));
    }
    line
}
