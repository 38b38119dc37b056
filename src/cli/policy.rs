//! `pedigree policy`: checks a security file.

use std::io::stdout;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::output::report;
use crate::security::SecuritySettings;

#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check a security file, as a server would
    Check(PolicyFile),
}

#[derive(Debug, Args)]
struct PolicyFile {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl PolicyArgs {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        let PolicyCommand::Check(PolicyFile { file }) = self.command;
        SecuritySettings::read(&file)?;
        report(&mut stdout(), format!("{}: valid", file.display()));
        Ok(())
    }
}
