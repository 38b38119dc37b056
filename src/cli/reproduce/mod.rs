//! `pedigree reproduce`: says what it takes to make an artifact again, writes it as a recipe, runs
//! that, and compares what comes out.

mod fetch;
mod lookup;
mod presence;
mod print;
mod quote;
mod recipe;
mod rerun;

use std::io::{BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

pub(super) use self::lookup::{artifact_id, not_blank, planned};
pub(super) use self::presence::local_path;
use self::recipe::Recipe;
use super::client::ServerArgs;
use super::output::{printable, report};
use super::recorder::{Recorder, message};
use super::{Failure, json, output};
use crate::proto::pedigree::reproduction::v1::PlanResponse;

/// The exit codes of a plan with gaps or of environments that cannot be made, and of a rerun whose
/// outputs differ.
const GAPS_CODE: u8 = 4;
const DIFFERS_CODE: u8 = 5;

/// Where the work trees and files of steps are, in the folder of a recipe.
const STEPS_FOLDER: &str = "steps";

#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The artifact: its id, TYPE/NAME, or its URI or path, which mean the newest one there
    #[arg(value_parser = not_blank)]
    model: String,

    /// Take this execution where several produced an artifact, instead of the newest; may be
    /// repeated
    #[arg(long, value_name = "ID")]
    execution: Vec<i64>,

    /// text, or json: a `PlanResponse`
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: PlanFormat,

    /// Print a recipe instead of the plan, for a shell, for make, or as dvc.yaml; to be run in an
    /// empty folder
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["run", "format"])]
    recipe: Option<RecipeFormat>,

    /// Make the artifact again on this machine, compare it, and record the verdict
    #[arg(long)]
    run: bool,

    /// Empty folder to run in [default: reproduction-ID]
    #[arg(long, value_name = "DIR", requires = "run")]
    to: Option<PathBuf>,

    /// Run without asking
    #[arg(long, requires = "run")]
    yes: bool,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RecipeFormat {
    Sh,
    Make,
    Dvc,
}

impl ReproduceArgs {
    /// Prints the plan or the recipe, and runs it if that is asked for.
    pub(super) async fn run(&self) -> Result<ExitCode, Failure> {
        let plan = planned(&self.server, &self.model, &self.execution, None).await?;
        let text = match (self.recipe, self.format) {
            (Some(_), _) if !plan.gaps.is_empty() => {
                report(&mut stderr(), print::gaps(&plan).trim_end());
                return Ok(ExitCode::from(GAPS_CODE));
            }
            (Some(RecipeFormat::Sh), _) => Recipe::new(&plan)?.script(),
            (Some(RecipeFormat::Dvc), _) => Recipe::new(&plan)?.dvc(),
            (Some(RecipeFormat::Make), _) => Recipe::new(&plan)?.makefile(),
            (None, PlanFormat::Text) => print::plan(&plan),
            (None, PlanFormat::Json) => {
                let plan = json::write("pedigree.reproduction.v1.PlanResponse", &plan)?;
                format!("{plan}\n")
            }
        };
        output::write(&mut stdout(), text)?;
        if !plan.gaps.is_empty() {
            return Ok(ExitCode::from(GAPS_CODE));
        }
        if self.run {
            return self.rerun(&plan).await;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Runs the recipe, if that is confirmed, and records the verdicts.
    async fn rerun(&self, plan: &PlanResponse) -> Result<ExitCode, Failure> {
        let recipe = Recipe::new(plan)?;
        let folder = format!("reproduction-{}", plan.artifact_id);
        let folder = self.to.clone().unwrap_or_else(|| folder.into());
        self.confirm(plan, &folder)?;
        let folder = rerun::empty_folder(&folder)?;
        let Some(results) = rerun::run(&recipe, &folder, &self.server.variables()?)? else {
            return Ok(ExitCode::from(GAPS_CODE));
        };
        let recorder = Recorder::new(&self.server)?;
        let mut is_reproduced = true;
        for result in &results {
            let stored = recorder.send(&message(result.event(plan))).await?;
            let (id, verdict) = (result.artifact, result.verdict);
            let execution = stored.execution_id;
            let line = format!("artifact {id}: {verdict} (execution {execution})\n");
            output::write(&mut stdout(), line)?;
            is_reproduced &= result.is_good();
        }
        let code = if is_reproduced { 0 } else { DIFFERS_CODE };
        Ok(ExitCode::from(code))
    }

    /// Asks whether to run the commands of a plan.
    fn confirm(&self, plan: &PlanResponse, folder: &Path) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() {
            return Err(Failure(
                "give --yes to run the commands without asking".to_owned(),
            ));
        }
        let count = plan.steps.len();
        let folder = printable(&folder.to_string_lossy());
        output::write(
            &mut stdout(),
            format_args!("Run the commands of these {count} steps in {folder}? [y/N] "),
        )?;
        stdout().flush()?;
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure("nothing was run".to_owned())),
        }
    }
}
