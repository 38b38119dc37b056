//! `pedigree run`: runs a command and records what it takes to run it again.

mod bindings;
mod child;
mod code;
mod environment;
mod facts;
mod step;

use std::collections::BTreeSet;
use std::fs;
use std::io::stderr;
use std::process::ExitCode;

use clap::Args;
use url::Url;

use self::bindings::{NamedValue, RoleBinding, named_value, role_binding};
use self::child::CommandEnd;
pub(super) use self::code::real_path;
pub(super) use self::facts::{int, text};
use self::step::RunStep;
pub(super) use self::step::role_path;
use super::blob_store::BlobStoreArgs;
use super::client::ServerArgs;
use super::output::report;
use super::recorder::{Recorder, message};
use super::{Failure, json};
use crate::proto::pedigree::lineage::v1::RecordRequest;
use crate::reproduce::expand;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Type of the execution
    #[arg(long, value_name = "TYPE", default_value = "pedigree.Run")]
    r#type: String,

    /// Name of the execution, which no other of its type has
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Context that the execution belongs to, such as `Pipeline=nightly`; may be repeated
    #[arg(long, value_name = "TYPE=NAME", value_parser = named_value)]
    context: Vec<NamedValue>,

    /// File or folder that the command reads, with its role and the type of its artifact; may be
    /// repeated
    #[arg(long = "in", value_name = "ROLE=[TYPE:]PATH", value_parser = role_binding)]
    inputs: Vec<RoleBinding>,

    /// File or folder that the command writes; may be repeated
    #[arg(long = "out", value_name = "ROLE=[TYPE:]PATH", value_parser = role_binding)]
    outputs: Vec<RoleBinding>,

    /// URI under which the file of a role is kept, instead of its path; may be repeated
    #[arg(long = "as", value_name = "ROLE=URI", value_parser = named_value)]
    uris: Vec<NamedValue>,

    /// Parameter of the command, such as `seed=7`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named_value)]
    parameters: Vec<NamedValue>,

    /// Fail if the work tree differs from its commit, instead of keeping the difference
    #[arg(long)]
    clean: bool,

    /// Command that succeeds if another file is as good as an output, such as
    /// `python compare.py {old} {new}`: words between spaces
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,

    #[command(flatten)]
    blobs: BlobStoreArgs,

    #[command(flatten)]
    server: ServerArgs,

    /// The command. `{in:ROLE}`, `{out:ROLE}` and `{param:NAME}` stand for paths and values
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl RunArgs {
    /// Runs the command. The exit code is that of the command, or 1 if its end is not recorded:
    /// what counts on the graph must not go on.
    pub(super) async fn run(&self) -> Result<ExitCode, Failure> {
        self.check_names()?;
        let mut step = RunStep::prepare(self)?;
        let recorder = Recorder::new(&self.server)?;
        step.find_inputs(self.server.store_client()?, self.server.reconnects())
            .await?;
        let started = recorder.send(&message(step.start())).await;
        started.map_err(|problem| self.start_problem(problem))?;
        let before = step.output_stamps();
        let end = child::run(step.words()).await?;
        let end = match end.problem {
            Some(_) => end,
            None => step.finish(&before).map_or_else(failed, |()| end),
        };
        let request = message(step.end(&end));
        let stored = match recorder.send(&request).await {
            Ok(result) => result,
            Err(problem) => return Err(unrecorded(&request, &problem, self.server.given_url())),
        };
        let problem = end.problem.as_deref().unwrap_or("COMPLETE");
        let id = stored.execution_id;
        report(&mut stderr(), format_args!("execution {id}: {problem}"));
        for (line, id) in step.output_lines().zip(stored.output_ids) {
            report(&mut stderr(), format_args!("artifact {id}: {line}"));
        }
        Ok(ExitCode::from(end.code))
    }

    /// Why the start was refused. A name belongs to one execution of a type, even if it failed.
    fn start_problem(&self, problem: Failure) -> Failure {
        match &self.name {
            Some(name) if problem.0.starts_with("ALREADY_EXISTS") => Failure(format!(
                "an execution of type {} has the name `{name}`: give another --name, or none; \
                 nothing was run",
                self.r#type
            )),
            _ => problem,
        }
    }

    /// Whether the names of roles and parameters say what is meant.
    fn check_names(&self) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for binding in self.inputs.iter().chain(&self.outputs) {
            if !seen.insert(&binding.role) {
                return Err(Failure(format!(
                    "the role `{}` is given twice",
                    binding.role
                )));
            }
        }
        for NamedValue { name, value } in &self.uris {
            if !seen.contains(name) {
                return Err(Failure(format!("--as {name}: no file has this role")));
            }
            if Url::parse(value).is_ok_and(|uri| uri.password().is_some()) {
                return Err(Failure(format!("--as {name}: the URI has a password")));
            }
        }
        let mut seen = BTreeSet::new();
        for NamedValue { name, .. } in &self.parameters {
            if !seen.insert(name) {
                return Err(Failure(format!("the parameter `{name}` is given twice")));
            }
        }
        self.check.as_deref().map_or(Ok(()), check_of_outputs)
    }
}

/// Whether the command of `--check` compares with the new file, and has no placeholder of the
/// command that is run, for which it would have no value.
fn check_of_outputs(check: &str) -> Result<(), Failure> {
    if let Err(name) = expand(check, |_| None) {
        return Err(Failure(format!(
            "--check has {name}: it can have {{old}} and {{new}} only"
        )));
    }
    if check.contains("{new}") {
        Ok(())
    } else {
        Err(Failure(
            "--check has no {new}, the file to check".to_owned(),
        ))
    }
}

/// The end of a command that succeeded, although its files say otherwise.
fn failed(problem: Failure) -> CommandEnd {
    CommandEnd {
        code: 1,
        problem: Some(problem.0),
    }
}

/// Writes the end of a run to a file for `pedigree record`, after the server did not record it.
/// Returns the error of the command, which names the file.
fn unrecorded(request: &RecordRequest, problem: &Failure, url: &str) -> Failure {
    let kept = json::write("pedigree.lineage.v1.RecordRequest", request).and_then(|line| {
        let id = request.id.trim_start_matches("run:");
        let path = format!("pedigree-unrecorded-{id}.jsonl");
        fs::write(&path, format!("{line}\n"))?;
        Ok(path)
    });
    match kept {
        Ok(path) => Failure(format!(
            "the end of the command could not be recorded: {problem}; it is kept: run `pedigree \
             record --server {url} {path}`"
        )),
        Err(lost) => Failure(format!(
            "the end of the command could not be recorded: {problem}; it could not be kept: {lost}"
        )),
    }
}
