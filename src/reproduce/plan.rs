//! The plan of making an artifact again, and what is missing for it.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{
    PlannedBlob, PlannedCode, PlannedEnvironment, is_pinned, is_strong, is_version_only,
};
use super::gap::{Gap, GapId, GapSubject};
use super::order::{Order, Uses, is_of_type};
use super::places::{self, has_place};
use super::score::{
    CODE_WEIGHT, COMMAND_WEIGHT, DIGEST_WEIGHT, ENVIRONMENT_WEIGHT, PARAMETERS_WEIGHT,
    ReproductionLevel, SOURCE_WEIGHT, Score,
};
use super::template::pipeline_placeholder;
use super::{
    ArtifactLineage, BLOB_TYPE, CODE_DIFF, CODE_SPEC, ENVIRONMENT_LOCK, Finding, IDENTICAL,
    PASSES_CHECK, Placeholder, PlanOptions, REPRODUCED_ROLE, REPRODUCTION_TYPE, VERDICT, expand,
    facts,
};
use crate::model::{Event, Node, Step};

/// What a plan takes, in the order of its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReproductionPlan {
    /// The artifact to make again.
    pub artifact: i64,
    pub steps: Vec<PlannedStep>,
    /// The artifacts of all steps and the one that is made, by their ids.
    pub artifacts: BTreeMap<i64, PlannedArtifact>,
    pub gaps: Vec<Gap>,
    pub level: ReproductionLevel,
    pub score: Score,
}

/// An execution to run again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedStep {
    pub execution: i64,
    pub type_name: String,
    pub name: String,
    /// With placeholders; empty if it is not known.
    pub command: Vec<String>,
    /// The command that compares outputs that differ, if the step has one.
    pub check: Vec<String>,
    pub parameters: BTreeMap<String, String>,
    pub code: PlannedCode,
    pub environment: PlannedEnvironment,
    pub inputs: Vec<RoleUse>,
    pub outputs: Vec<RoleUse>,
    pub level: ReproductionLevel,
}

/// An artifact in a role of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleUse {
    pub role: String,
    pub artifact: i64,
    /// Its path in the working directory of the step; empty if it is not known.
    pub path: String,
}

/// An artifact that a plan reads or makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedArtifact {
    pub type_name: String,
    pub name: String,
    pub uri: String,
    /// Empty if it is not known.
    pub digest: String,
    pub is_folder: bool,
    /// No step makes it.
    pub is_source: bool,
    /// The verdict of the newest reproduction of it, or empty.
    pub verdict: String,
}

pub(super) fn make(
    lineage: &ArtifactLineage,
    artifact: i64,
    options: &PlanOptions,
) -> Option<ReproductionPlan> {
    lineage.artifacts.get(&artifact)?;
    let mut uses = Uses::of(lineage, options);
    let order = uses.order(lineage, artifact);
    places::leave_out(&mut uses, lineage, &order, artifact);
    let mut planner = Planner {
        lineage,
        options,
        uses: &uses,
        order: &order,
        plan: ReproductionPlan {
            artifact,
            ..ReproductionPlan::default()
        },
    };
    planner.add_artifacts();
    planner.add_verdicts();
    for execution in &order.executions {
        if let Some(node) = lineage.executions.get(execution) {
            planner.add_step(node);
        }
    }
    let levels = planner.plan.steps.iter().map(|step| step.level);
    planner.plan.level = levels.min().unwrap_or_default();
    Some(planner.plan)
}

struct Planner<'a> {
    lineage: &'a ArtifactLineage,
    options: &'a PlanOptions,
    uses: &'a Uses,
    order: &'a Order,
    plan: ReproductionPlan,
}

impl Planner<'_> {
    /// Adds the artifacts of all steps, with what is wrong with each of them.
    fn add_artifacts(&mut self) {
        let executions = self.order.executions.iter();
        let sides = executions.flat_map(|id| [self.uses.inputs.get(id), self.uses.outputs.get(id)]);
        let used = sides.flatten().flat_map(BTreeMap::values).copied();
        let ids: BTreeSet<i64> = used.chain([self.plan.artifact]).collect();
        let lineage = self.lineage;
        for node in ids.iter().filter_map(|id| lineage.artifacts.get(id)) {
            if !is_of_type(node, BLOB_TYPE) {
                let artifact = self.artifact(node);
                self.plan.artifacts.insert(node.id, artifact);
            }
        }
    }

    fn artifact(&mut self, node: &Node) -> PlannedArtifact {
        let artifact = PlannedArtifact {
            type_name: node.type_name.clone().unwrap_or_default(),
            name: node.content.name.clone().unwrap_or_default(),
            uri: node.content.uri.clone().unwrap_or_default(),
            digest: facts::digest(node),
            is_folder: node.content.custom_properties.contains_key("files"),
            is_source: self.order.sources.contains(&node.id),
            verdict: String::new(),
        };
        let digest_weight = match artifact.digest.as_str() {
            "" => 0,
            digest if is_strong(digest) => DIGEST_WEIGHT,
            _ => DIGEST_WEIGHT / 2,
        };
        self.plan.score.add_part(digest_weight, DIGEST_WEIGHT);
        let subject = GapSubject::Artifact(node.id);
        if artifact.digest.is_empty() {
            self.add_gap(GapId::Digest, subject, "it has no digest");
        } else if is_version_only(&artifact.digest) {
            let text = "it has a version and no digest: a rerun cannot be compared with it";
            self.add_gap(GapId::Digest, subject, text);
        } else if digest_weight < DIGEST_WEIGHT {
            let text = format!("its digest {} is no SHA-256", artifact.digest);
            self.add_gap(GapId::Digest, subject, &text);
        }
        if self.order.circular.contains(&node.id) {
            self.add_gap(GapId::Circle, subject, "it was made from itself");
        } else if artifact.is_source && node.id == self.plan.artifact {
            let is_rerun = self.lineage.events.iter().any(|event| {
                let execution = self.lineage.executions.get(&event.execution_id);
                event.artifact_id == node.id
                    && event.event_type.is_output()
                    && execution.is_some_and(|it| is_of_type(it, REPRODUCTION_TYPE))
            });
            let text = if is_rerun {
                "a reproduction made it: ask for the artifact that was reproduced"
            } else {
                "no execution made it"
            };
            self.add_gap(GapId::Producer, subject, text);
        }
        if artifact.is_source {
            self.add_source(node.id, &artifact.uri);
        }
        artifact
    }

    /// What was found at the URI of a source.
    fn add_source(&mut self, id: i64, uri: &str) {
        let subject = GapSubject::Artifact(id);
        if uri.is_empty() {
            self.plan.score.add(SOURCE_WEIGHT, false);
            self.add_gap(GapId::SourceMissing, subject, "it has no URI");
            return;
        }
        let Some(finding) = self.options.artifacts.get(&id) else {
            return;
        };
        self.plan
            .score
            .add(SOURCE_WEIGHT, *finding == Finding::Present);
        match finding {
            Finding::Present => {}
            Finding::Missing => {
                let text = format!("the source is not at {uri} any more");
                self.add_gap(GapId::SourceMissing, subject, &text);
            }
            Finding::Changed => {
                let text =
                    format!("the source at {uri} has another digest now: it was overwritten");
                self.add_gap(GapId::SourceChanged, subject, &text);
            }
        }
    }

    /// The verdict of the newest reproduction of each artifact.
    fn add_verdicts(&mut self) {
        let is_reproduced = |event: &&Event| {
            let mut steps = event.path.iter();
            event.event_type.is_input()
                && steps.any(|step| matches!(step, Step::Key(role) if role == REPRODUCED_ROLE))
        };
        let events = self.lineage.events.iter().filter(is_reproduced);
        let mut events: Vec<&Event> = events.collect();
        events.sort_by_key(|event| event.execution_id);
        for event in events {
            let execution = self.lineage.executions.get(&event.execution_id);
            let execution = execution.filter(|it| is_of_type(it, REPRODUCTION_TYPE));
            if let Some(artifact) = self.plan.artifacts.get_mut(&event.artifact_id)
                && let Some(verdict) = execution.and_then(|it| facts::text(it, VERDICT))
            {
                artifact.verdict = verdict;
            }
        }
    }

    fn add_step(&mut self, node: &Node) {
        let subject = GapSubject::Execution(node.id);
        let inputs = self.uses.inputs.get(&node.id);
        let blobs = facts::blobs(self.lineage, inputs.into_iter().flat_map(BTreeMap::values));
        let mut step = PlannedStep {
            execution: node.id,
            type_name: node.type_name.clone().unwrap_or_default(),
            name: node.content.name.clone().unwrap_or_default(),
            command: facts::command(node),
            check: facts::words(node, "check"),
            parameters: facts::parameters(node),
            code: facts::code(node, &blobs),
            environment: facts::environment(node, &blobs),
            inputs: self.roles(inputs, &facts::texts_below(node, "input.")),
            outputs: self.roles(
                self.uses.outputs.get(&node.id),
                &facts::texts_below(node, "output."),
            ),
            level: ReproductionLevel::Traced,
        };
        let artifacts = &self.plan.artifacts;
        places::share(&step.command, &mut step.outputs, |id| {
            let digest = artifacts.get(&id).map(|it| it.digest.as_str());
            digest.filter(|digest| is_strong(digest))
        });
        let gaps_before = self.plan.gaps.len();
        let has_code = self.check_code(subject, &step.code);
        let has_commands = self.check_commands(subject, &step);
        let has_environment = self.check_environment(subject, &step.environment);
        let has_blobs = self.check_blobs(subject, &step);
        let is_pinned = has_code && self.files(&step).all(|file| is_pinned(&file.digest));
        let is_runnable = has_commands && has_environment && has_blobs;
        let is_lost = self.plan.gaps[gaps_before..].iter().any(|gap| {
            matches!(
                gap.id,
                GapId::CommitMissing | GapId::SourceMissing | GapId::SourceChanged
            )
        });
        step.level = match (is_pinned, is_runnable) {
            (false, _) => ReproductionLevel::Traced,
            (true, false) => ReproductionLevel::Pinned,
            _ if is_lost => ReproductionLevel::Runnable,
            _ => self.level_now(&step),
        };
        self.plan.steps.push(step);
    }

    /// The level of a step that can be run.
    fn level_now(&self, step: &PlannedStep) -> ReproductionLevel {
        let is = |id: i64, finding| self.options.artifacts.get(&id) == Some(&finding);
        let is_lost = |id: i64| is(id, Finding::Missing) || is(id, Finding::Changed);
        let sources = step.inputs.iter().map(|input| input.artifact);
        let is_source = |id: &i64| self.plan.artifacts.get(id).is_some_and(|it| it.is_source);
        let sources: Vec<i64> = sources.filter(is_source).collect();
        let mut outputs = step.outputs.iter();
        let is_reproduced = !step.outputs.is_empty()
            && outputs.all(|output| {
                let artifact = self.plan.artifacts.get(&output.artifact);
                artifact.is_some_and(|it| [IDENTICAL, PASSES_CHECK].contains(&it.verdict.as_str()))
            });
        let blobs = [&step.code.diff, &step.code.spec, &step.environment.lock];
        let blobs = blobs.into_iter().flatten().filter_map(|blob| blob.artifact);
        let commit = self.options.commits.get(&step.code.commit);
        let has_code = step.code.is_in_spec() || commit == Some(&Finding::Present);
        if sources.iter().any(|id| is_lost(*id)) {
            ReproductionLevel::Runnable
        } else if is_reproduced {
            ReproductionLevel::Reproduced
        } else if step.environment.has_recipe()
            && sources
                .into_iter()
                .chain(blobs)
                .all(|id| is(id, Finding::Present))
            && has_code
        {
            ReproductionLevel::Present
        } else {
            ReproductionLevel::Runnable
        }
    }

    fn files(&self, step: &PlannedStep) -> impl Iterator<Item = &PlannedArtifact> {
        let files = step.inputs.iter().chain(&step.outputs);
        files.filter_map(|file| self.plan.artifacts.get(&file.artifact))
    }

    fn roles(
        &self,
        roles: Option<&BTreeMap<String, i64>>,
        paths: &BTreeMap<String, String>,
    ) -> Vec<RoleUse> {
        let known = |(_, id): &(&String, &i64)| self.plan.artifacts.contains_key(id);
        let roles = roles.into_iter().flatten().filter(known);
        roles
            .map(|(role, artifact)| RoleUse {
                role: role.clone(),
                artifact: *artifact,
                path: paths.get(role).cloned().unwrap_or_default(),
            })
            .collect()
    }

    fn check_code(&mut self, subject: GapSubject, code: &PlannedCode) -> bool {
        let is_unknown = code.is_dirty && code.diff.is_none();
        let has_commit = !code.repository.is_empty() && !code.commit.is_empty() && !is_unknown;
        let has_code = code.is_in_spec() || has_commit;
        self.plan.score.add(CODE_WEIGHT, has_code);
        if code.is_in_spec() {
            return true;
        }
        if code.commit.is_empty() {
            self.add_gap(GapId::Code, subject, "no code.commit");
        } else if code.repository.is_empty() {
            self.add_gap(GapId::Code, subject, "no code.repository");
        } else if is_unknown {
            let text = "the work tree differed from code.commit, and there is no code.diff";
            self.add_gap(GapId::Code, subject, text);
        } else if self.options.commits.get(&code.commit) == Some(&Finding::Missing) {
            let PlannedCode {
                commit, repository, ..
            } = code;
            let text = format!("the commit {commit} is not in {repository}");
            self.add_gap(GapId::CommitMissing, subject, &text);
        }
        has_code
    }

    /// Whether the command is known with all that it names.
    fn check_commands(&mut self, subject: GapSubject, step: &PlannedStep) -> bool {
        let has_command = !step.command.is_empty();
        self.plan.score.add(COMMAND_WEIGHT, has_command);
        if !has_command {
            self.add_gap(GapId::Command, subject, "no command");
        }
        // Words of other commands may look the same.
        let spec = step.code.spec.as_ref();
        let mut words = step.command.iter();
        let unfilled = spec.and_then(|_| words.find_map(|word| pipeline_placeholder(word)));
        if let Some(unfilled) = unfilled {
            let text = format!("the command has {unfilled}, which only its pipeline can fill in");
            self.add_gap(GapId::Command, subject, &text);
        }
        let mut unknown = BTreeSet::new();
        for word in &step.command {
            let value = |placeholder: Placeholder<'_>| {
                if let Placeholder::Parameter(name) = placeholder
                    && !step.parameters.contains_key(name)
                {
                    unknown.insert(format!("no param.{name}"));
                }
                Some(String::new())
            };
            let _ = expand(word, value);
        }
        self.plan.score.add(PARAMETERS_WEIGHT, unknown.is_empty());
        let mut is_complete = has_command && unfilled.is_none() && unknown.is_empty();
        for text in unknown {
            self.add_gap(GapId::Parameter, subject, &text);
        }
        for (side, files) in [("input", &step.inputs), ("output", &step.outputs)] {
            let is_lost = |file: &&RoleUse| !has_place(&step.command, &file.role, &file.path);
            for file in files.iter().filter(is_lost) {
                let text = format!(
                    "the {side} `{}` has no path that can be made again",
                    file.role
                );
                self.add_gap(GapId::Path, subject, &text);
                is_complete = false;
            }
        }
        is_complete
    }

    fn check_environment(&mut self, subject: GapSubject, environment: &PlannedEnvironment) -> bool {
        let has_environment = environment.lock.is_some() || !environment.image.is_empty();
        self.plan.score.add(ENVIRONMENT_WEIGHT, has_environment);
        if !has_environment {
            let text = "no environment.lock, and no environment.image with a digest";
            self.add_gap(GapId::Environment, subject, text);
        } else if !environment.has_recipe() {
            let text = "no environment.python for environment.lock, and no environment.image";
            self.add_gap(GapId::Environment, subject, text);
        }
        has_environment
    }

    /// Whether the blobs of a step can be found.
    fn check_blobs(&mut self, subject: GapSubject, step: &PlannedStep) -> bool {
        let blobs = [
            (CODE_DIFF, &step.code.diff),
            (CODE_SPEC, &step.code.spec),
            (ENVIRONMENT_LOCK, &step.environment.lock),
        ];
        let mut are_found = true;
        for (name, blob) in blobs {
            let Some(PlannedBlob {
                artifact,
                uri,
                digest,
            }) = blob
            else {
                continue;
            };
            let finding = artifact.and_then(|id| self.options.artifacts.get(&id));
            if artifact.is_none() || !is_strong(digest) {
                are_found = false;
                let text = format!("no artifact has the content of {name}, {digest}");
                self.add_gap(GapId::Blob, subject, &text);
            } else if finding.is_some_and(|finding| *finding != Finding::Present) {
                are_found = false;
                let text = format!("{name} is not at {uri} any more");
                self.add_gap(GapId::Blob, subject, &text);
            }
        }
        are_found
    }

    fn add_gap(&mut self, id: GapId, subject: GapSubject, text: &str) {
        let (nodes, kind, node) = match subject {
            GapSubject::Artifact(node) => (&self.lineage.artifacts, "artifact", node),
            GapSubject::Execution(node) => (&self.lineage.executions, "execution", node),
        };
        let named = nodes.get(&node);
        let type_name = named
            .and_then(|it| it.type_name.clone())
            .unwrap_or_default();
        let text = format!("{type_name} ({kind} {node}): {text}");
        self.plan.gaps.push(Gap { id, subject, text });
    }
}
