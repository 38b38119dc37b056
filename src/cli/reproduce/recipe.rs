//! The recipe of a plan: what is fetched and checked, and what is run, in order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::STEPS_FOLDER;
use super::fetch::fetch;
use super::quote::{ROOT, in_root, quote, quote_all};
use crate::cli::Failure;
use crate::cli::digests::file_name;
use crate::proto::pedigree::reproduction::v1::{
    Blob, PlanResponse, PlannedArtifact, PlannedCode, PlannedEnvironment, PlannedStep, RoleUse,
};
use crate::reproduce::{PASSES_CHECK, Placeholder, expand, is_inner_path};

/// Functions that the lines of every recipe use.
const HELPERS: &str = include_str!("helpers.sh");

/// What scripts begin with: an error ends them; a line feed, and the folder of the recipe.
const PREAMBLE: &str = "set -eu\nnl='\n'\nroot=$(pwd)\n";

/// What runs a container that sees the folder of the recipe, and writes there as this user.
const CONTAINER: &str = "\"${CONTAINER_ENGINE:-docker}\" run --rm \
     --user \"$(id -u):$(id -g)\" --volume \"$root:$root\"";

/// Some lines of a shell, of which each is complete.
pub(super) struct RecipeTask {
    /// A word without special characters.
    pub name: String,
    /// What it shows before it runs.
    pub title: String,
    lines: Vec<String>,
}

/// Where a step writes an output.
pub(super) struct OutputPlace {
    pub artifact: i64,
    /// From the folder of the recipe.
    pub path: String,
    /// `sha256:HEX`.
    pub digest: String,
}

/// What to run, one after the other, and what comes out.
pub(super) struct Recipe {
    pub tasks: Vec<RecipeTask>,
    pub outputs: Vec<OutputPlace>,
}

impl Recipe {
    /// The recipe of a plan without gaps.
    ///
    /// # Errors
    ///
    /// If a source has a URI of which it is not known how to fetch it.
    pub(super) fn new(plan: &PlanResponse) -> Result<Self, Failure> {
        let artifacts = plan
            .artifacts
            .iter()
            .map(|artifact| (artifact.id, artifact));
        let mut builder = Builder {
            artifacts: artifacts.collect(),
            repositories: BTreeMap::new(),
            environments: BTreeMap::new(),
            places: BTreeMap::new(),
            outputs: Vec::new(),
        };
        let mut tasks = vec![builder.sources(plan)?, builder.repositories(plan)];
        tasks.extend(builder.environments(plan));
        for (step, number) in plan.steps.iter().zip(1..) {
            tasks.push(builder.step(step, number)?);
        }
        Ok(Self {
            tasks,
            outputs: builder.outputs,
        })
    }

    /// A script for a POSIX shell, to be run in an empty folder.
    pub(super) fn script(&self) -> String {
        let mut text = format!("#!/bin/sh\n{PREAMBLE}{HELPERS}");
        for task in &self.tasks {
            let title = quote(&task.title);
            let _ = writeln!(text, "\nprintf '%s\\n' {title}");
            for line in &task.lines {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// A `dvc.yaml`, for `dvc repro` in a folder where only `dvc init` was run. JSON is YAML.
    pub(super) fn dvc(&self) -> String {
        let mut stages = serde_json::Map::new();
        let mut before: Option<String> = None;
        for task in &self.tasks {
            let done = format!(".done-{}", task.name);
            let lines = task.lines.join("\n");
            let script = format!(
                "{PREAMBLE}{HELPERS}printf '%s\\n' {}\n{lines}\n: > {done}",
                quote(&task.title)
            );
            // DVC runs each line of a command in a shell of its own, which may be any.
            let line = quote(&script);
            let command = format!("nl=$(printf '\\n.'); nl=${{nl%.}}; exec sh -c {line}");
            let stage = json!({
                // Otherwise DVC reads it as a value to fill in.
                "cmd": command.replace("${", "\\${"),
                "deps": before.iter().collect::<Vec<_>>(),
                "outs": [{ (done.clone()): { "cache": false } }],
            });
            stages.insert(task.name.clone(), stage);
            before = Some(done);
        }
        format!("{:#}\n", json!({ "stages": stages }))
    }

    /// A file for GNU make, to be run in a folder with nothing else.
    pub(super) fn makefile(&self) -> String {
        let escaped = |text: &str| text.replace('$', "$$");
        let mut text = "SHELL = /bin/sh\n.NOTPARALLEL:\n".to_owned();
        let _ = write!(text, "define nl\n\n\nendef\nexport nl\n");
        let helpers = escaped(HELPERS);
        let _ = write!(
            text,
            "define helpers\nset -eu\nroot=$$(pwd)\n{helpers}endef\nexport helpers\n"
        );
        let last = self.tasks.last().map_or("", |task| &task.name);
        let _ = writeln!(text, "all: .done-{last}\n.PHONY: all");
        let mut before = String::new();
        for task in &self.tasks {
            let name = &task.name;
            let _ = writeln!(text, "\n.done-{name}:{before}");
            let title = escaped(&quote(&task.title));
            let _ = writeln!(text, "\t@printf '%s\\n' {title}");
            for line in &task.lines {
                let _ = writeln!(text, "\t@eval \"$$helpers\"; {}", escaped(line));
            }
            let _ = writeln!(text, "\t@touch $@");
            before = format!(" .done-{name}");
        }
        text
    }
}

struct Builder<'a> {
    artifacts: BTreeMap<i64, &'a PlannedArtifact>,
    /// The clones of repositories, by their URLs.
    repositories: BTreeMap<&'a str, String>,
    /// The environments, by the digests of their locks and the versions of Python.
    environments: BTreeMap<(&'a str, &'a str), String>,
    /// Where artifacts are that are there already.
    places: BTreeMap<i64, String>,
    outputs: Vec<OutputPlace>,
}

impl<'a> Builder<'a> {
    /// Fetches and checks everything that is not made.
    fn sources(&mut self, plan: &'a PlanResponse) -> Result<RecipeTask, Failure> {
        let mut lines = Vec::new();
        for artifact in plan.artifacts.iter().filter(|artifact| artifact.source) {
            let folder = format!("sources/{}", artifact.id);
            let place = format!("{folder}/{}", last_name(&artifact.uri));
            lines.push(format!("mkdir -p {}", in_root(&folder)));
            lines.push(fetch(&artifact.uri, &place, artifact.folder)?);
            lines.push(expectation(&artifact.uri, &place, &artifact.digest));
            self.places.insert(artifact.id, place);
        }
        let mut blobs: BTreeMap<&str, &Blob> = BTreeMap::new();
        blobs.extend(
            plan.steps
                .iter()
                .flat_map(blobs_of)
                .map(|it| (it.digest.as_str(), it)),
        );
        if !blobs.is_empty() {
            lines.push(format!("mkdir -p {}", in_root("blobs")));
        }
        for blob in blobs.into_values() {
            let place = blob_place(blob);
            lines.push(fetch(&blob.uri, &place, false)?);
            lines.push(expectation(&blob.uri, &place, &blob.digest));
        }
        Ok(RecipeTask {
            name: "sources".to_owned(),
            title: "fetch the sources".to_owned(),
            lines,
        })
    }

    /// Clones each repository.
    fn repositories(&mut self, plan: &'a PlanResponse) -> RecipeTask {
        let mut lines = vec![format!("mkdir -p {}", in_root("repositories"))];
        let code = plan.steps.iter().filter_map(|step| step.code.as_ref());
        for code in code.filter(|code| has_work_tree(code)) {
            let number = self.repositories.len() + 1;
            let place = format!("repositories/{number}");
            if !self.repositories.contains_key(code.repository.as_str()) {
                let (url, to) = (quote(&code.repository), in_root(&place));
                lines.push(format!("plain_git clone -q --no-checkout -- {url} {to}"));
                self.repositories.insert(&code.repository, place);
            }
        }
        RecipeTask {
            name: "repositories".to_owned(),
            title: "clone the repositories".to_owned(),
            lines,
        }
    }

    /// Makes an environment for each lock.
    fn environments(&mut self, plan: &'a PlanResponse) -> Option<RecipeTask> {
        let mut lines = vec![format!("mkdir -p {}", in_root("environments"))];
        for step in &plan.steps {
            let environment = step.environment.as_ref();
            let found = environment.and_then(|it| Some((it, environment_key(it)?)));
            let Some((environment, (key, lock))) = found else {
                continue;
            };
            let place = format!("environments/{}", self.environments.len() + 1);
            if let Entry::Vacant(entry) = self.environments.entry(key) {
                let (to, version) = (in_root(&place), quote(&environment.python));
                let lock = in_root(&blob_place(lock));
                let of = quote(&format!("execution {}", step.execution_id));
                lines.push(format!("environment {to} {version} {lock} {of}"));
                entry.insert(place);
            }
        }
        (!self.environments.is_empty()).then(|| RecipeTask {
            name: "environments".to_owned(),
            title: "make the environments".to_owned(),
            lines,
        })
    }

    /// Runs a step in a work tree of its own, and checks its outputs.
    fn step(&mut self, step: &'a PlannedStep, number: usize) -> Result<RecipeTask, Failure> {
        let code = step.code.clone().unwrap_or_default();
        let environment = step.environment.as_ref();
        if environment.is_none_or(|it| environment_key(it).is_none() && it.image.is_empty()) {
            let id = step.execution_id;
            return Err(Failure(format!(
                "execution {id}: a recipe needs environment.lock and environment.python, or \
                 environment.image"
            )));
        }
        let folder = StepFolder::new(number, &code);
        let mut lines = vec![format!(
            "mkdir -p {}",
            in_root(&format!("{STEPS_FOLDER}/{number}"))
        )];
        let tree = in_root(&folder.tree);
        if has_work_tree(&code) {
            let repository = self.repositories.get(code.repository.as_str());
            let repository = in_root(repository.map_or("", String::as_str));
            let commit = quote(&code.commit);
            lines.push(format!("work_tree {repository} {commit} {tree}"));
        } else {
            lines.push(format!("mkdir {tree}"));
        }
        if let Some(diff) = &code.diff {
            let apply = "apply --whitespace=nowarn --";
            let diff = in_root(&blob_place(diff));
            lines.push(format!("plain_git -C {tree} {apply} {diff}"));
        }
        lines.push(format!(
            "inner {}",
            in_root(&format!("{}/.", folder.directory))
        ));
        lines.push(format!("mkdir -p {}", in_root(&folder.directory)));
        for input in &step.inputs {
            let from = self
                .places
                .get(&input.artifact_id)
                .map_or("", String::as_str);
            lines.push(format!(
                "place {} {}",
                in_root(from),
                in_root(&folder.place(input))
            ));
        }
        for output in &step.outputs {
            lines.push(format!("room {}", in_root(&folder.place(output))));
        }
        lines.push(self.command(step, &folder, &folder.words(step)?));
        for output in &step.outputs {
            lines.push(self.comparison(step, &folder, output)?);
            let path = folder.place(output);
            self.places.insert(output.artifact_id, path.clone());
            let recorded = self.artifacts.get(&output.artifact_id);
            self.outputs.push(OutputPlace {
                artifact: output.artifact_id,
                path,
                digest: recorded.map(|it| it.digest.clone()).unwrap_or_default(),
            });
        }
        Ok(RecipeTask {
            name: format!("step-{number}"),
            title: format!(
                "step {number}: {} (execution {})",
                step.r#type, step.execution_id
            ),
            lines,
        })
    }

    /// A line that runs a program in the directory and the environment of a step. It is no function
    /// and no built-in command of the shell, whatever its name is.
    fn command(&self, step: &PlannedStep, folder: &StepFolder, words: &[String]) -> String {
        let directory = in_root(&folder.directory);
        let mut line = format!("(cd {directory}");
        let environment = step.environment.clone().unwrap_or_default();
        let key = environment_key(&environment).map(|(key, _)| key);
        let place = key.and_then(|key| self.environments.get(&key));
        let mut engine = String::new();
        if place.is_none() {
            engine.push_str(CONTAINER);
            let _ = write!(engine, " --workdir {directory}");
        }
        for (name, value) in &environment.variables {
            let variable = quote(&format!("{name}={value}"));
            let _ = match place {
                Some(_) => write!(line, " && export {variable}"),
                None => write!(engine, " --env {variable}"),
            };
        }
        let words = quote_all(words.iter().map(String::as_str));
        let _ = match place {
            Some(place) => {
                let path = in_root(&format!("{place}/bin"));
                write!(
                    line,
                    " && PATH={path}:\"$PATH\" && export PATH && exec {words}"
                )
            }
            None => write!(
                line,
                " && exec {engine} {} {words}",
                quote(&environment.image)
            ),
        };
        line + " < /dev/null)"
    }

    /// A line that compares an output with what was recorded.
    fn comparison(
        &self,
        step: &PlannedStep,
        folder: &StepFolder,
        output: &RoleUse,
    ) -> Result<String, Failure> {
        let id = output.artifact_id;
        let Some(recorded) = self.artifacts.get(&id) else {
            return Ok(":".to_owned());
        };
        let place = folder.place(output);
        let same = format!(
            "is_same {id} {} {}",
            in_root(&place),
            quote(hex(&recorded.digest))
        );
        if step.check.is_empty() {
            return Ok(format!("{same} || differs {id}"));
        }
        let old_folder = format!("old/{id}");
        let old = format!("{old_folder}/{}", last_name(&recorded.uri));
        let words = step.check.iter().map(|word| {
            let word = word.replace("{old}", &format!("{ROOT}/{old}"));
            word.replace("{new}", &format!("{ROOT}/{place}"))
        });
        let words: Vec<String> = words.collect();
        let check = self.command(step, folder, &words);
        let fetch = fetch(&recorded.uri, &old, recorded.folder)?;
        let made = format!("mkdir -p {}", in_root(&old_folder));
        let is_old = expectation(&recorded.uri, &old, &recorded.digest);
        Ok(format!(
            "{same} || {{ {made} && {fetch} && ({is_old}) && {check} && verdict {id} {}; }} || \
             differs {id}",
            quote(PASSES_CHECK)
        ))
    }
}

/// Where a step runs. Paths are from the folder of the recipe.
struct StepFolder {
    number: usize,
    tree: String,
    /// The working directory.
    directory: String,
}

impl StepFolder {
    fn new(number: usize, code: &PlannedCode) -> Self {
        let tree = format!("{STEPS_FOLDER}/{number}/tree");
        let directory = match code.path.as_str() {
            path if is_inner_path(path) => format!("{tree}/{path}"),
            _ => tree.clone(),
        };
        Self {
            number,
            tree,
            directory,
        }
    }

    /// The file of a role: where it was, if that is in the work tree.
    fn place(&self, file: &RoleUse) -> String {
        if is_inner_path(&file.path) {
            return format!("{}/{}", self.directory, file.path);
        }
        format!(
            "{STEPS_FOLDER}/{}/files/{}/{}",
            self.number,
            file.role.replace('/', "_"),
            last_name(&file.path)
        )
    }

    /// The words of the command of a step.
    fn words(&self, step: &PlannedStep) -> Result<Vec<String>, Failure> {
        let path = |files: &[RoleUse], role: &str| {
            let file = files.iter().find(|file| file.role == role)?;
            let is_inner = is_inner_path(&file.path);
            let place = || format!("{ROOT}/{}", self.place(file));
            Some(if is_inner { file.path.clone() } else { place() })
        };
        let value = |placeholder: Placeholder<'_>| match placeholder {
            Placeholder::Input(role) => path(&step.inputs, role),
            Placeholder::Output(role) => path(&step.outputs, role),
            Placeholder::Parameter(name) => step.parameters.get(name).cloned(),
        };
        let words = step.command.iter().map(|word| expand(word, value));
        let words: Result<Vec<_>, _> = words.collect();
        let id = step.execution_id;
        let words = words.map_err(|name| Failure(format!("execution {id}: no file is {name}")))?;
        match words.first() {
            Some(program) if !program.is_empty() && !program.starts_with('-') => Ok(words),
            _ => Err(Failure(format!(
                "execution {id}: the command has no program"
            ))),
        }
    }
}

/// A line that ends the recipe unless a file has its digest.
fn expectation(uri: &str, place: &str, digest: &str) -> String {
    format!(
        "expect {} {} {}",
        quote(uri),
        in_root(place),
        quote(hex(digest))
    )
}

/// The name of a file in its URI or its path.
fn last_name(uri: &str) -> &str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    file_name(Path::new(path.trim_end_matches('/')), "file")
}

fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn blob_place(blob: &Blob) -> String {
    format!("blobs/{}", hex(&blob.digest))
}

pub(super) fn blobs_of(step: &PlannedStep) -> impl Iterator<Item = &Blob> {
    let code = step.code.as_ref();
    let diff = code.and_then(|code| code.diff.as_ref());
    let spec = code.and_then(|code| code.spec.as_ref());
    let lock = step.environment.as_ref().and_then(|it| it.lock.as_ref());
    diff.into_iter().chain(spec).chain(lock)
}

/// Whether a step runs in a work tree. The command of another one has its code.
const fn has_work_tree(code: &PlannedCode) -> bool {
    !code.commit.is_empty() || code.spec.is_none()
}

fn environment_key(environment: &PlannedEnvironment) -> Option<((&str, &str), &Blob)> {
    let lock = environment.lock.as_ref()?;
    let key = (lock.digest.as_str(), environment.python.as_str());
    Some((key, lock)).filter(|_| !environment.python.is_empty())
}
