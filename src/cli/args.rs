//! The command line: the commands and their arguments.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::Failure;
use super::artifacts::ArtifactsArgs;
use super::audit::AuditArgs;
use super::collect::CollectArgs;
use super::export_provenance::ExportProvenanceArgs;
use super::facets::FacetsArgs;
use super::import::ImportArgs;
use super::migrate::MigrateArgs;
use super::models::ModelsArgs;
use super::policy::PolicyArgs;
use super::reconcile::ReconcileArgs;
use super::record::RecordArgs;
use super::report::ReportArgs;
use super::reproduce::ReproduceArgs;
use super::run::RunArgs;
use super::token::TokenArgs;
use super::trace::TraceArgs;
use super::watch::WatchArgs;
use crate::config::{ConfigArgs, ConfigError, ProcessEnv, without_logins};

/// A metadata and lineage server for machine learning that speaks ML Metadata's gRPC protocol.
///
/// Each option can also be given by the environment variable named with it, or as a key of the
/// configuration file: its name with underscores, as in `grpc_port = 8080`. Durations and sizes
/// take units, as in 2ms, 30s, 7d and 64MiB; without a unit they are seconds and bytes. The flags
/// of ML Metadata's server can be written in its syntax: -flag=value, --flag value, --noflag for a
/// switch, and --flagfile=FILE for a file with one flag per line.
#[derive(Debug, Parser)]
#[command(
    name = "pedigree",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
struct CommandLine {
    #[command(subcommand)]
    invocation: Option<Invocation>,

    #[command(flatten)]
    options: ConfigArgs,
}

/// What the process is called to do.
#[derive(Debug, Subcommand)]
pub(super) enum Invocation {
    /// Serve, which is also what happens without a command
    Serve(Box<ConfigArgs>),
    /// Create the schema of the database or bring it to this version, and exit
    Migrate(Box<MigrateArgs>),
    /// Add to the change history what other programs wrote to the database, and exit
    Reconcile(Box<ReconcileArgs>),
    /// Take over what another system has recorded
    Import(ImportArgs),
    /// Add to the change history what is older than it, and exit
    Adopt(Box<ConfigArgs>),
    /// Look after the bytes of files that clients upload
    Artifacts(ArtifactsArgs),
    /// Send a file of JSON lines to a server's Record method, each line a `RecordRequest`
    Record(RecordArgs),
    /// Print every change of a server's graph
    Watch(WatchArgs),
    /// Print what artifacts or executions were derived from, or what was derived from them
    Trace(TraceArgs),
    /// Print the facets of a node, as `OpenLineage`'s producers sent them
    Facets(FacetsArgs),
    /// Print registered models and their versions, or let an alias name another version
    Models(ModelsArgs),
    /// Print who did what, or keep it in a file
    Audit(AuditArgs),
    /// Run a command and record what it takes to run it again
    Run(Box<RunArgs>),
    /// Add to executions what the system that ran them knows about them
    Collect(CollectArgs),
    /// Say what it takes to make an artifact again, write it as a recipe, or do it
    Reproduce(Box<ReproduceArgs>),
    /// Print what an artifact was made from, for other tools: SLSA, ML-BOM, PROV, RO-Crate
    ExportProvenance(Box<ExportProvenanceArgs>),
    /// Print what the graph says about an artifact for an audit, and what is missing
    Report(Box<ReportArgs>),
    /// Make API tokens for the security file
    Token(TokenArgs),
    /// Check a security file, or explain what it allows
    Policy(PolicyArgs),
}

impl Invocation {
    /// Reads the words of a command line, the first of which is the program's name. Ends the
    /// process for `--help` and `--version`.
    pub(super) fn parse(words: &[OsString], process: &ProcessEnv) -> Result<Self, Failure> {
        let command = CommandLine::command();
        let error = match command.clone().try_get_matches_from(words) {
            Ok(matches) => return Ok(CommandLine::from_arg_matches(&matches)?.invocation()),
            Err(error) if !error.use_stderr() => error.exit(),
            Err(error) => error,
        };
        // Options before the error may be wrong too, which is reported at once.
        let matches = command.ignore_errors(true).try_get_matches_from(words);
        let read = matches.and_then(|matches| CommandLine::from_arg_matches(&matches));
        let invocation = read.ok().map(CommandLine::invocation);
        let options = invocation.as_ref().and_then(Self::options);
        let loaded = options.map(|options| options.clone().load(process));
        let mut problems = match loaded {
            Some(Err(ConfigError { problems })) => problems,
            _ => Vec::new(),
        };
        problems.push(problem(&error));
        Err(ConfigError { problems }.into())
    }

    fn options(&self) -> Option<&ConfigArgs> {
        match self {
            Self::Serve(options) | Self::Adopt(options) => Some(options),
            Self::Migrate(args) => Some(&args.options),
            Self::Reconcile(args) => Some(&args.options),
            Self::Import(args) => Some(args.options()),
            Self::Artifacts(args) => Some(args.options()),
            Self::Record(_)
            | Self::Watch(_)
            | Self::Trace(_)
            | Self::Facets(_)
            | Self::Models(_)
            | Self::Audit(_)
            | Self::Run(_)
            | Self::Collect(_)
            | Self::Reproduce(_)
            | Self::ExportProvenance(_)
            | Self::Report(_)
            | Self::Token(_)
            | Self::Policy(_) => None,
        }
    }
}

impl CommandLine {
    fn invocation(self) -> Invocation {
        self.invocation
            .unwrap_or_else(|| Invocation::Serve(self.options.into()))
    }
}

/// The first paragraph of an error, in one line. A word between the flags is not quoted: it could
/// be a password.
pub(super) fn problem(error: &clap::Error) -> String {
    let word = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
        .into_iter()
        .find_map(|kind| error.get(kind));
    let is_misplaced = matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::ArgumentConflict
    );
    if let Some(ContextValue::String(word)) = word
        && is_misplaced
        && !word.starts_with('-')
        && CommandLine::command().find_subcommand(word).is_none()
    {
        return "unexpected word between the flags".to_owned();
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    without_logins(paragraph.strip_prefix("error: ").unwrap_or(&paragraph))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &[&str]) -> String {
        let words = crate::config::rewrite(arguments.iter().map(Into::into)).unwrap();
        let words: Vec<_> = std::iter::once("pedigree".into()).chain(words).collect();
        let refused = Invocation::parse(&words, &ProcessEnv::default());
        refused.unwrap_err().to_string()
    }

    #[test]
    fn arguments_of_client_commands_are_named() {
        for (arguments, problem) in [
            (
                ["trace", "--direction=x"],
                "invalid value 'x' for '--direction",
            ),
            (["record", "--window=0"], "invalid value '0' for '--window"),
            (["watch", "--retry=soon"], "must be a duration"),
            (["watch", "--sinse=now"], "unexpected argument '--sinse'"),
        ] {
            let error = refusal(&arguments);
            assert!(error.contains(problem), "no {problem} in {error}");
        }
    }

    #[test]
    fn a_word_that_is_no_flag_is_not_repeated() {
        for arguments in [
            &["--mysql_config_password=", "hunter2"][..],
            &["--enable_database_upgrade", "hunter2"],
            &["--mysql_config_pasword=hunter2"],
            &["-mysql_config_pasword", "hunter2"],
            &["migrate", "hunter2"],
            &["serve", "hunter2"],
        ] {
            let error = refusal(arguments);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
