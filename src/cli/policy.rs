//! `pedigree policy`: checks a security file, and explains what it allows.

use std::io::{stderr, stdout};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::output::report;
use crate::graph::Clock;
use crate::policy::{METHODS, MethodActions};
use crate::security::SecuritySettings;

#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check a security file, as a server would, and warn about what has no effect
    Check(PolicyFile),
    /// Print whether a subject may call a method, and why
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
struct PolicyFile {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    #[command(flatten)]
    file: PolicyFile,

    /// Subject, such as token:ci
    #[arg(long = "as", value_name = "SUBJECT")]
    subject: String,

    /// Name of a method, such as `PutExecution`, or its path
    #[arg(value_name = "METHOD")]
    method: String,
}

impl PolicyArgs {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            PolicyCommand::Check(PolicyFile { file }) => {
                let settings = SecuritySettings::read(&file)?;
                let name = file.display();
                for warning in settings.warnings(Clock::default().now()) {
                    report(&mut stderr(), format_args!("{name}, {warning}"));
                }
                report(&mut stdout(), format_args!("{name}: valid"));
                Ok(())
            }
            PolicyCommand::Explain(args) => args.run(),
        }
    }
}

impl ExplainArgs {
    fn run(self) -> Result<(), Failure> {
        let settings = SecuritySettings::read(&self.file.file)?;
        let method = self.method.as_str();
        let has_name = |row: &&MethodActions| {
            row.path == method || row.path.rsplit('/').next() == Some(method)
        };
        let row = METHODS.iter().find(has_name);
        let row = row.ok_or_else(|| Failure(format!("{method} is not a method")))?;
        let policy = &settings.policy;
        let decision = policy.decide(&self.subject, Some(row));
        let changes = policy.decide_changes(&self.subject, row);
        let out = &mut stdout();
        if decision.is_allowed() && !changes.is_allowed() {
            report(out, format_args!("of what is stored already: {decision}"));
            report(out, format_args!("of anything else: {changes}"));
        } else if decision.is_allowed() {
            report(out, changes);
        } else {
            report(out, decision);
        }
        Ok(())
    }
}
