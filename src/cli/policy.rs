//! `pedigree policy`: checks a security file, and explains what it allows.

use std::io::{stderr, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::Failure;
use super::output::report;
use crate::graph::Clock;
use crate::identity::groups;
use crate::policy::{Decision, GROUP_ORIGIN, METHODS, MethodActions, Who};
use crate::security::{NamedTenant, SecuritySettings, TenantChoice, TenantRules};
use crate::storage::connect::Address;

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

    /// Group of the subject, such as ml-platform; may be repeated. Those of a service account of
    /// Kubernetes need not be given
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,

    /// Tenant that the call is for; by default that of a call which names none
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,

    /// Name of a method, such as `PutExecution`, also with its service, or the path of a route
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
                for (tenant, rules) in settings.tenants.all() {
                    if let Some(problem) = url_problem(rules) {
                        let line = rules.line;
                        let text = format_args!(
                            "{name}, line {line}: warning: tenant {tenant}: {problem}"
                        );
                        report(&mut stderr(), text);
                    }
                }
                report(&mut stdout(), format_args!("{name}: valid"));
                Ok(())
            }
            PolicyCommand::Explain(args) => args.run(),
        }
    }
}

/// What is wrong with the URL of a tenant. A file with it may be on another machine.
fn url_problem(rules: &TenantRules) -> Option<String> {
    match rules.database.read() {
        Err(problem) => Some(problem),
        Ok(url) => {
            let address: Result<Address, _> = url.expose_secret().parse();
            address
                .is_err()
                .then(|| "its URL cannot be used".to_owned())
        }
    }
}

/// The method of this name, whatever its case: `METHOD`, `SERVICE/METHOD` or `SERVICE.METHOD` with
/// or without the package, or the path of a route.
///
/// # Errors
///
/// If no method has the name, or several have it.
fn named_method(name: &str) -> Result<&'static MethodActions, Failure> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('.', "/");
    let wanted = plain(name);
    let wanted = wanted.trim_start_matches('/');
    let has_name = |row: &&MethodActions| {
        let path = plain(row.path);
        let rest = path.strip_suffix(wanted).filter(|_| !wanted.is_empty());
        row.path == name || rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', ' ']))
    };
    let named: Vec<&MethodActions> = METHODS.iter().filter(has_name).collect();
    match named[..] {
        [row] => Ok(row),
        [] => Err(Failure(format!("{name} is not a method"))),
        _ => {
            let paths: Vec<&str> = named.iter().map(|row| row.path).collect();
            let text = format!("several methods are named {name}: {}", paths.join(", "));
            Err(Failure(text))
        }
    }
}

impl ExplainArgs {
    fn run(self) -> Result<(), Failure> {
        let settings = SecuritySettings::read(&self.file.file)?;
        let row = named_method(&self.method)?;
        let policy = &settings.policy;
        let named_groups = self
            .groups
            .iter()
            .map(|name| format!("{GROUP_ORIGIN}{name}").into());
        let own = groups::of_subject(&self.subject);
        let groups: Vec<Arc<str>> = own.iter().cloned().chain(named_groups).collect();
        let who = Who {
            subject: &self.subject,
            groups: &groups,
        };
        let named = NamedTenant {
            header: self.tenant.as_deref(),
            ..NamedTenant::default()
        };
        let out = &mut stdout();
        let tokens = settings.identities.tokens.all();
        let own: Vec<_> = tokens
            .filter(|token| *token.subject == self.subject)
            .collect();
        let now = Clock::default().now();
        if !own.is_empty() && own.iter().all(|token| token.expires <= now) {
            report(out, "every token of the subject has expired");
        }
        if !groups.is_empty() {
            report(out, format_args!("groups: {}", groups.join(", ")));
        }
        let TenantChoice::Chosen(tenant) = settings.tenant_of(who, named) else {
            report(out, Decision::NoTenant);
            return Ok(());
        };
        if !settings.tenants.is_empty() {
            report(out, format_args!("tenant: {tenant}"));
        }
        let decision = policy.decide(who, &tenant, Some(row));
        let changes = policy.decide_changes(who, &tenant, row);
        if decision.is_allowed() && !changes.is_allowed() {
            report(
                out,
                format_args!("with types that are stored already: {decision}"),
            );
            report(out, format_args!("with other types: {changes}"));
        } else if decision.is_allowed() {
            report(out, changes);
        } else {
            report(out, decision);
        }
        Ok(())
    }
}
