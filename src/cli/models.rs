//! `pedigree models`: registers versions, prints models and their versions, and moves aliases.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::stdout;

use clap::{Args, Subcommand, ValueEnum};
use prost::Message;
use tonic::{Code, Status};

use super::client::{RegistryClient, ServerArgs};
use super::reproduce::{artifact_id, not_blank};
use super::{Failure, json, output};
use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::{Artifact, Event};
use crate::proto::pedigree::lineage::v1::TraceRequest;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;
use crate::proto::pedigree::registry::v1::{
    AliasHistoryRequest, AliasMove, CreateVersionRequest, GetAliasRequest, GetAliasResponse,
    ListModelsRequest, ListVersionsRequest, ModelVersion, RegisteredModel, RollbackRequest,
    SetAliasRequest,
};
use crate::utc::utc_text;

/// The entries that are asked for at once.
const PAGE_ENTRIES: i32 = 1000;

/// The alias of the version that is in use.
const DEFAULT_ALIAS: &str = "production";

#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Print the registered models, with their aliases
    Ls(LsArgs),
    /// Print the versions of a model, the newest first
    Versions(VersionsArgs),
    /// Register an artifact as the next version of a model
    Register(RegisterArgs),
    /// Let an alias name a version
    Promote(PromoteArgs),
    /// Let an alias name the version that it named before its last move
    Rollback(RollbackArgs),
    /// Print which version an alias names, since when, who let it, and the data it was made from
    Where(WhereArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModelsFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct LsArgs {
    /// text: a line for each model; json: an object for each model
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: ModelsFormat,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct VersionsArgs {
    /// The name of the model
    #[arg(value_name = "MODEL", value_parser = not_blank)]
    model: String,

    /// text: a line for each version; json: an object for each version
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: ModelsFormat,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct RegisterArgs {
    /// The name of the model, which is registered too if it is missing
    #[arg(value_name = "MODEL", value_parser = not_blank)]
    model: String,

    /// The artifact: its id, TYPE/NAME, or its URI or path, which mean the newest one there
    #[arg(long, value_name = "ARTIFACT", value_parser = not_blank)]
    artifact: String,

    /// What the version is
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    description: String,

    #[command(flatten)]
    server: ServerArgs,
}

/// An alias of a model.
#[derive(Debug, Args)]
struct AliasArgs {
    /// The name of the model
    #[arg(value_name = "MODEL", value_parser = not_blank)]
    model: String,

    /// The alias
    #[arg(long, value_name = "NAME", value_parser = not_blank, default_value = DEFAULT_ALIAS)]
    alias: String,
}

#[derive(Debug, Args)]
struct PromoteArgs {
    #[command(flatten)]
    alias: AliasArgs,

    /// The version that the alias is to name
    #[arg(value_name = "VERSION")]
    version: String,

    /// Only if the alias names this version now; empty for none
    #[arg(long, value_name = "VERSION")]
    expected: Option<String>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    #[command(flatten)]
    alias: AliasArgs,

    /// Only if the alias names this version now
    #[arg(long, value_name = "VERSION")]
    expected: Option<String>,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct WhereArgs {
    #[command(flatten)]
    alias: AliasArgs,

    /// Print the last moves of the alias too
    #[arg(long)]
    history: bool,

    #[command(flatten)]
    server: ServerArgs,
}

impl ModelsArgs {
    /// Runs the command.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.command {
            ModelsCommand::Ls(args) => args.run().await,
            ModelsCommand::Versions(args) => args.run().await,
            ModelsCommand::Register(args) => args.run().await,
            ModelsCommand::Promote(args) => args.run().await,
            ModelsCommand::Rollback(args) => args.run().await,
            ModelsCommand::Where(args) => args.run().await,
        }
    }
}

/// Prints lines, and returns whether the reader is still there.
fn print(lines: impl IntoIterator<Item = String>) -> Result<bool, Failure> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    output::write(&mut stdout(), text)
}

/// Prints the lines of pages, which a function has with the token of the next one, up to the end.
async fn print_pages(
    mut page: impl AsyncFnMut(String) -> Result<(Vec<String>, String), Failure>,
) -> Result<(), Failure> {
    let mut token = String::new();
    loop {
        let (lines, next) = page(token).await?;
        if !print(lines)? || next.is_empty() {
            return Ok(());
        }
        token = next;
    }
}

impl ModelsFormat {
    /// The lines of entries, which are messages with this name.
    fn lines<M: Message>(
        self,
        name: &str,
        entries: &[M],
        text: fn(&M) -> String,
    ) -> Result<Vec<String>, Failure> {
        let line = |entry: &M| match self {
            Self::Text => Ok(output::printable(&text(entry))),
            Self::Json => Ok(json::write(name, entry)?.to_string()),
        };
        entries.iter().map(line).collect()
    }
}

impl LsArgs {
    async fn run(&self) -> Result<(), Failure> {
        let mut client = self.server.registry_client()?;
        print_pages(async |page_token| {
            let request = ListModelsRequest {
                page_size: PAGE_ENTRIES,
                page_token,
            };
            let page = client.list_models(request).await?.into_inner();
            let name = "pedigree.registry.v1.RegisteredModel";
            let lines = self.format.lines(name, &page.models, model_line)?;
            Ok((lines, page.next_page_token))
        })
        .await
    }
}

impl VersionsArgs {
    async fn run(&self) -> Result<(), Failure> {
        let mut client = self.server.registry_client()?;
        print_pages(async |page_token| {
            let request = ListVersionsRequest {
                model: self.model.clone(),
                page_size: PAGE_ENTRIES,
                page_token,
            };
            let page = client.list_versions(request).await?.into_inner();
            let name = "pedigree.registry.v1.ModelVersion";
            let lines = self.format.lines(name, &page.versions, version_line)?;
            Ok((lines, page.next_page_token))
        })
        .await
    }
}

impl RegisterArgs {
    async fn run(&self) -> Result<(), Failure> {
        let request = CreateVersionRequest {
            model: self.model.clone(),
            artifact_id: artifact_id(&self.server, &self.artifact).await?,
            description: self.description.clone(),
            ..CreateVersionRequest::default()
        };
        let mut client = self.server.registry_client()?;
        let created = client.create_version(request).await?.into_inner();
        let version = created.version.unwrap_or_default();
        print([output::printable(&version_line(&version))]).map(drop)
    }
}

impl PromoteArgs {
    async fn run(&self) -> Result<(), Failure> {
        let mut client = self.server.registry_client()?;
        let request = SetAliasRequest {
            model: self.alias.model.clone(),
            alias: self.alias.alias.clone(),
            version: self.version.clone(),
            expected_version: self.expected.clone(),
        };
        let moved = client.set_alias(request).await?.into_inner().r#move;
        let version = &self.version;
        let text = moved.map_or_else(|| format!("named {version} already"), |it| move_text(&it));
        print([output::printable(&format!("{} {text}", self.alias.alias))]).map(drop)
    }
}

impl RollbackArgs {
    async fn run(&self) -> Result<(), Failure> {
        let mut client = self.server.registry_client()?;
        let request = RollbackRequest {
            model: self.alias.model.clone(),
            alias: self.alias.alias.clone(),
            expected_version: self.expected.clone(),
        };
        let moved = client.rollback(request).await?.into_inner().r#move;
        let text = move_text(&moved.unwrap_or_default());
        print([output::printable(&format!("{} {text}", self.alias.alias))]).map(drop)
    }
}

impl WhereArgs {
    async fn run(&self) -> Result<(), Failure> {
        let mut client = self.server.registry_client()?;
        let request = GetAliasRequest {
            model: self.alias.model.clone(),
            alias: self.alias.alias.clone(),
        };
        let found = match client.get_alias(request).await {
            Ok(found) => found.into_inner(),
            Err(status) if self.history && status.code() == Code::NotFound => {
                return self.print_past(&mut client, status).await;
            }
            Err(status) => return Err(status.into()),
        };
        let mut lines = where_lines(&self.alias.alias, &found);
        let artifacts = found.version.unwrap_or_default().artifact_ids;
        let data = self.data(artifacts).await?;
        lines.extend(data.into_iter().map(|data| format!("made from {data}")));
        if self.history {
            lines.extend(self.moves(&mut client).await?);
        }
        print(lines.iter().map(|line| output::printable(line))).map(drop)
    }

    /// Prints the moves of an alias that was deleted. One without moves never was.
    async fn print_past(&self, client: &mut RegistryClient, status: Status) -> Result<(), Failure> {
        let moves = self.moves(client).await?;
        if moves.is_empty() {
            return Err(status.into());
        }
        let now = format!("{} names no version", self.alias.alias);
        let lines = [now].into_iter().chain(moves);
        print(lines.map(|line| output::printable(&line))).map(drop)
    }

    /// The last moves of the alias, a line each.
    async fn moves(&self, client: &mut RegistryClient) -> Result<Vec<String>, Failure> {
        let request = AliasHistoryRequest {
            model: self.alias.model.clone(),
            alias: self.alias.alias.clone(),
            max_moves: PAGE_ENTRIES,
        };
        let moves = client.alias_history(request).await?.into_inner().moves;
        let line = |it: &AliasMove| format!("{}{}  {}", utc_text(it.time), by(it), move_text(it));
        Ok(moves.iter().map(line).collect())
    }

    /// The names of the artifacts from which others were made and that nothing has made.
    async fn data(&self, artifacts: Vec<i64>) -> Result<BTreeSet<String>, Failure> {
        if artifacts.is_empty() {
            return Ok(BTreeSet::new());
        }
        let request = TraceRequest {
            direction: Direction::Provenance.into(),
            artifact_ids: artifacts.clone(),
            ..TraceRequest::default()
        };
        let mut client = self.server.client()?;
        let mut responses = client.trace(request).await?.into_inner();
        let mut found = Vec::new();
        let mut made: BTreeSet<i64> = artifacts.into_iter().collect();
        while let Some(response) = responses.message().await? {
            let outputs = response
                .events
                .iter()
                .filter(|event| is_output(event.r#type()));
            made.extend(outputs.map(Event::artifact_id));
            found.extend(response.artifacts);
        }
        let sources = found
            .iter()
            .filter(|artifact| !made.contains(&artifact.id()));
        let name = |artifact: &Artifact| {
            let uri = artifact.uri.as_deref().filter(|uri| !uri.is_empty());
            let name = uri.or(artifact.name.as_deref()).unwrap_or_default();
            format!("artifact {} {} {name}", artifact.id(), artifact.r#type())
        };
        Ok(sources.map(name).collect())
    }
}

const fn is_output(event_type: Type) -> bool {
    matches!(
        event_type,
        Type::Output | Type::DeclaredOutput | Type::InternalOutput | Type::PendingOutput
    )
}

/// The name of a model and its aliases.
fn model_line(model: &RegisteredModel) -> String {
    let mut line = model.name.clone();
    for (alias, version) in &model.aliases {
        let _ = write!(line, "  {alias}={version}");
    }
    line
}

/// A version, its time, its artifacts, its aliases and who registered it.
fn version_line(version: &ModelVersion) -> String {
    let time = utc_text(version.create_time);
    let mut line = format!("{}  {time}", version.version);
    if !version.author.is_empty() {
        let _ = write!(line, "  by {}", version.author);
    }
    for id in &version.artifact_ids {
        let _ = write!(line, "  artifact {id}");
    }
    if !version.source.is_empty() {
        let _ = write!(line, "  {}", version.source);
    }
    for alias in &version.aliases {
        let _ = write!(line, "  {alias}");
    }
    line
}

/// What an alias names, since when, and who let it.
fn where_lines(alias: &str, found: &GetAliasResponse) -> Vec<String> {
    let version = found.version.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "{alias} is version {} of {}",
        version.version, version.model
    )];
    if let Some(moved) = &found.r#move {
        lines.push(format!("since {}{}", utc_text(moved.time), by(moved)));
    }
    for id in &version.artifact_ids {
        lines.push(format!("artifact {id}"));
    }
    if !version.run_id.is_empty() {
        lines.push(format!("run {}", version.run_id));
    }
    lines
}

fn by(moved: &AliasMove) -> String {
    match moved.principal.as_str() {
        "" => String::new(),
        principal => format!(" by {principal}"),
    }
}

/// From which version to which an alias went.
fn move_text(moved: &AliasMove) -> String {
    let named = |version: &str| match version {
        "" => "none".to_owned(),
        version => version.to_owned(),
    };
    let (from, to) = (named(&moved.from_version), named(&moved.to_version));
    format!("went from {from} to {to}")
}
