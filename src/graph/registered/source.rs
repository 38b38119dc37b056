//! The artifact that a version of a registered model is: the one that training made, if the graph
//! knows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::names::{DOWNLOAD_URI, RUN_ID, SOURCE, alias_property, version_name};
use super::schema::RegistryTypes;
use super::{models, versions};
use crate::error::{Error, Result};
use crate::graph::datasets::join;
use crate::graph::edges::events;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::tracking::fields::text;
use crate::graph::tracking::lookup::{self, RunFiles};
use crate::graph::tracking::names::SOURCE_RUN_ID;
use crate::model::{
    ArtifactState, Event, EventType, Kind, Node, NodeContent, NodeInput, Origin, Side,
};
use crate::storage::Tx;
use crate::storage::tables::memberships::MembershipEnd;
use crate::storage::tables::{events as stored_events, memberships, nodes};

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// An artifact, by its id.
    Artifact(i64),
    /// A logged model, by its id.
    LoggedModel(String),
    /// Another version of a registered model, by name and version.
    Version(String, String),
    /// The version that an alias of a registered model names, by name and alias.
    Alias(String, String),
    /// A path below the files of a run, by its id.
    RunFile(String, String),
    /// A URI below the files of the run that the version names.
    FileOfRun(String),
    /// Any other URI.
    Uri(String),
    /// None: the version is a prompt, which has no files.
    Nothing,
}

/// The artifacts of a version, and what else follows from its source.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundSource {
    pub artifacts: Vec<i64>,
    /// An artifact that is to be created, at this URI.
    pub new_uri: Option<String>,
    /// The run that made it, if it is known and made no other artifact of the version.
    pub producer: Option<i64>,
    /// The run of the logged model or of the version that is the source.
    pub run: Option<String>,
    /// Where the files are, if the version that is the source says so.
    pub download_uri: Option<String>,
    /// The source for clients, if none was given.
    pub uri: Option<String>,
}

/// Finds the artifact of a source. `run` is the run that the version names, and `given` the source
/// as the client has written it.
///
/// # Errors
///
/// `NotFound` for an unknown artifact, model or version; `InvalidArgument` for files that are not
/// those of the run.
pub(super) async fn find(
    tx: &mut Tx,
    types: RegistryTypes,
    source: &VersionSource,
    (given, run): (&str, &str),
) -> Result<FoundSource> {
    let uri = match source {
        VersionSource::Artifact(id) => {
            let known = nodes::by_ids(tx, Kind::Artifact, &[*id]).await?.pop();
            let missing = || Error::NotFound(format!("there is no artifact {id}"));
            return Ok(FoundSource {
                artifacts: vec![*id],
                uri: known.ok_or_else(missing)?.content.uri,
                ..FoundSource::default()
            });
        }
        VersionSource::LoggedModel(id) => {
            let found = lookup::model(tx, id).await?;
            let missing = || Error::NotFound(format!("Logged model with ID '{id}' not found."));
            let found = found.ok_or_else(missing)?;
            let run = text(&found.content.properties, SOURCE_RUN_ID);
            return Ok(FoundSource {
                artifacts: vec![found.id],
                run: (!run.is_empty()).then_some(run),
                ..FoundSource::default()
            });
        }
        VersionSource::Version(model, version) => {
            let id = models::find(tx, types, model).await?;
            let id = id.ok_or_else(|| models::unknown(model))?;
            return of_version(tx, types, id, (model, version)).await;
        }
        VersionSource::Alias(model, alias) => {
            let id = models::find(tx, types, model).await?;
            let id = id.ok_or_else(|| models::unknown(model))?;
            let found = nodes::by_ids(tx, Kind::Context, &[id]).await?.pop();
            let property = alias_property(alias);
            let custom = found.map(|node| node.content.custom_properties);
            let version = text(&custom.unwrap_or_default(), &property);
            if version.is_empty() {
                return Err(Error::NotFound(format!(
                    "Registered model alias {alias} not found."
                )));
            }
            return of_version(tx, types, id, (model, &version)).await;
        }
        VersionSource::RunFile(of, path) => {
            if of != run {
                return Err(of_another_run(given));
            }
            match lookup::run(tx, run).await? {
                Some(files) => [&files.artifact_uri, "/", path].concat(),
                None => given.to_owned(),
            }
        }
        VersionSource::FileOfRun(uri) => {
            let files = lookup::run(tx, run).await?;
            let is_inside = |files: &RunFiles| {
                let rest = uri.strip_prefix(&files.artifact_uri);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !files.as_ref().is_some_and(is_inside) {
                return Err(of_another_run(given));
            }
            uri.clone()
        }
        VersionSource::Uri(uri) => uri.clone(),
        VersionSource::Nothing => return Ok(FoundSource::default()),
    };
    at_uri(tx, uri, run).await
}

fn of_another_run(source: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. The run_id request parameter must identify the \
         resource that contains the source."
    ))
}

/// The newest artifact at a URI.
async fn at_uri(tx: &mut Tx, uri: String, run: &str) -> Result<FoundSource> {
    let known = nodes::by_uris(tx, &[&uri]).await?.pop();
    let run = lookup::run(tx, run).await?;
    let mut found = FoundSource::default();
    let mut is_made = false;
    if let Some(artifact) = known {
        let outputs = EventType::NAMED.into_iter().filter(|it| it.is_output());
        let outputs: Vec<EventType> = outputs.collect();
        let ids = [artifact.id];
        let made = stored_events::of_nodes(tx, Side::Artifact, &ids, &outputs).await?;
        is_made = !made.is_empty();
        found.artifacts.push(artifact.id);
    } else {
        found.new_uri = Some(uri);
    }
    found.producer = run.filter(|_| !is_made).map(|run| run.execution_id);
    Ok(found)
}

/// The artifacts of a version of a model.
async fn of_version(
    tx: &mut Tx,
    types: RegistryTypes,
    model_id: i64,
    (model, version): (&str, &str),
) -> Result<FoundSource> {
    let found = versions::find(tx, types, model_id, version).await?;
    let found: Node = found.ok_or_else(|| versions::unknown(model, version))?;
    let custom = &found.content.custom_properties;
    let (kind, end) = (Kind::Artifact, MembershipEnd::Context);
    let artifacts = memberships::find(tx, kind, end, &[found.id]).await?;
    let run = Some(text(custom, RUN_ID)).filter(|run| !run.is_empty());
    let uri = [DOWNLOAD_URI, SOURCE].map(|name| text(custom, name));
    Ok(FoundSource {
        artifacts: artifacts.into_iter().map(|it| it.node_id).collect(),
        run,
        download_uri: uri.into_iter().find(|uri| !uri.is_empty()),
        ..FoundSource::default()
    })
}

impl FoundSource {
    /// Creates the artifact that is missing, lets the run have made it, and returns the artifacts
    /// of the version.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn store(
        self,
        tx: &mut Tx,
        types: RegistryTypes,
        version: (i64, &str),
        origin: &Origin,
    ) -> Result<Vec<i64>> {
        let (mut artifacts, now) = (self.artifacts, origin.time);
        let mut placed = BTreeMap::new();
        if let Some(uri) = self.new_uri {
            let node = NodeInput {
                type_id: Some(types.artifact),
                content: NodeContent {
                    name: Some(version_name(version.0, version.1)),
                    uri: Some(uri.clone()),
                    state: Some(ArtifactState::Live.into()),
                    ..NodeContent::default()
                },
                ..NodeInput::default()
            };
            let options = PutOptions::default();
            let id = NodeWriter::put_single(tx, Kind::Artifact, &node, options, now).await?;
            artifacts.push(id);
            placed.insert(id, Cow::Owned(uri));
        }
        let output = |(execution_id, artifact_id)| Event {
            artifact_id,
            execution_id,
            event_type: EventType::Output,
            milliseconds: Some(now),
            path: Vec::new(),
        };
        let outputs = self.producer.into_iter().zip(artifacts.iter().copied());
        let outputs: Vec<Event> = outputs.map(output).collect();
        events::put_missing(tx, outputs.clone()).await?;
        join::at_uris(tx, &placed, &outputs, now).await?;
        Ok(artifacts)
    }
}
