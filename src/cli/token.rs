//! `pedigree token`: API tokens for the security file.

use std::io::stdout;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::Failure;
use super::output::write;
use crate::config::parse_duration;
use crate::graph::Clock;
use crate::identity::token::NewToken;
use crate::security::is_token_subject;

#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print a new token, and its entry for the security file
    New(NewTokenArgs),
}

#[derive(Debug, Args)]
struct NewTokenArgs {
    /// Subject that the token stands for: token:NAME, or NAME alone
    #[arg(long, value_name = "NAME")]
    subject: String,

    /// Time after which the token is refused, such as 90d
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = parse_duration)]
    expires_in: Duration,
}

impl TokenArgs {
    /// Runs the command.
    pub(super) fn run(self) -> Result<(), Failure> {
        let TokenCommand::New(args) = self.command;
        args.run()
    }
}

impl NewTokenArgs {
    fn run(self) -> Result<(), Failure> {
        let subject = match self.subject {
            full if full.starts_with("token:") => full,
            name => format!("token:{name}"),
        };
        if !is_token_subject(&subject) {
            let problem = "--subject must be a name of letters, digits and -._@/";
            return Err(Failure(problem.to_owned()));
        }
        let now = Duration::from_millis(Clock::default().now().unsigned_abs());
        let end = Duration::from_secs((now + self.expires_in).as_secs());
        let milliseconds = i64::try_from(end.as_millis()).unwrap_or(i64::MAX);
        let made = NewToken::random(subject.into(), milliseconds);
        let NewToken { text, token } = made.map_err(|error| Failure(error.to_string()))?;
        let (id, digest, subject) = (token.id, hex::encode(token.sha256), token.subject);
        let expires = humantime::format_rfc3339_seconds(UNIX_EPOCH + end);
        let entry = format!(
            "{text}\n\n[[token]]\nid = \"{id}\"\nsha256 = \"{digest}\"\nsubject = \"{subject}\"\n\
             expires = {expires}\n"
        );
        write(&mut stdout(), entry).map(drop)
    }
}
