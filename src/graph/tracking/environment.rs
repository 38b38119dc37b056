//! What the files of a run say about its environment.
//!
//! `MLflow`'s client stores `requirements.txt`, `python_env.yaml` and `conda.yaml` with each model,
//! and users log such files themselves. The list of packages becomes a blob of the run.

use super::fields::text;
use super::models::artifact_ids;
use super::names::{self, ARTIFACT_URI, BYTES, DIGEST, SOURCE_RUN_ID};
use super::runs::find;
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::edges::events;
use crate::graph::files::{PutArtifactFile, sha256_text};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::graph::types::put::ensure;
use crate::graph::write::Write;
use crate::model::{
    ArtifactState, BLOB_TYPE, ENVIRONMENT_LOCK, ENVIRONMENT_PYTHON, Event, EventType, Kind,
    NodeContent, NodeInput, NodeKey, NodeType, Origin, Step, Value,
};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// What precedes the path of a file below those of its run or model.
const FILES_FOLDER: &str = "artifacts";

/// What a file says about the environment of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentFact {
    /// It is the list of packages.
    Packages,
    /// It names this version of Python.
    Python(String),
}

/// Stores a file, and what it says about the environment of the run whose file it is: that of a
/// model is of the run that logged the model. A file at the top of those of the run comes before
/// all others, and of these the first one counts.
#[derive(Clone, Debug)]
pub struct LogEnvironmentFile {
    pub file: PutArtifactFile,
    pub fact: EnvironmentFact,
}

impl Write for LogEnvironmentFile {
    type Answer = ();

    /// # Errors
    ///
    /// As those of [`PutArtifactFile`].
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let types = TrackingTypes::ensure(tx, origin).await?;
        if let Some(execution_id) = self.run(tx, types).await? {
            self.note(tx, execution_id, origin).await?;
        }
        self.file.apply(tx, origin).await
    }
}

impl LogEnvironmentFile {
    /// The execution of the run whose file it is, if it is the file of a run.
    async fn run(&self, tx: &mut Tx, types: TrackingTypes) -> Result<Option<i64>> {
        let parts: Vec<&str> = self.file.path.split('/').collect();
        let owners = parts.windows(2).filter(|pair| pair[1] == FILES_FOLDER);
        let owners: Vec<&str> = owners.map(|pair| pair[0]).collect();
        let models = artifact_ids(tx, types, &owners).await?;
        let models: Vec<i64> = models.into_values().collect();
        let models = nodes::by_ids(tx, Kind::Artifact, &models).await?;
        let mut models = models.iter().map(|node| &node.content);
        let model = models.find(|it| self.is_below(it.uri.as_deref().unwrap_or_default()));
        if let Some(model) = model {
            return find(tx, types, &text(&model.properties, SOURCE_RUN_ID)).await;
        }
        let runs = nodes::ids_by_names(tx, Kind::Execution, &[types.run], &owners).await?;
        let runs: Vec<i64> = runs.into_values().collect();
        let runs = nodes::by_ids(tx, Kind::Execution, &runs).await?;
        let mut runs = runs.iter();
        let run = runs.find(|it| self.is_below(&text(&it.content.properties, ARTIFACT_URI)));
        Ok(run.map(|node| node.id))
    }

    /// Whether the file is in a folder of this server.
    fn is_below(&self, folder: &str) -> bool {
        self.path_in(folder).is_some()
    }

    /// The path of the file in a folder of this server.
    fn path_in(&self, folder: &str) -> Option<&str> {
        let folder = names::served_path(folder)?;
        self.file.path.strip_prefix(folder)?.strip_prefix('/')
    }

    /// Adds what the file says to the execution of a run.
    async fn note(&self, tx: &mut Tx, execution_id: i64, origin: &Origin) -> Result<()> {
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let edit = LockedNode::lock(tx, Kind::Execution, execution_id).await?;
        let Some(mut edit) = edit else {
            return Ok(());
        };
        let digest = sha256_text(&self.file.digest);
        let (name, value) = match &self.fact {
            EnvironmentFact::Packages => (ENVIRONMENT_LOCK, &digest),
            EnvironmentFact::Python(version) => (ENVIRONMENT_PYTHON, version),
        };
        let folder = text(&edit.content.properties, ARTIFACT_URI);
        let is_first = self.path_in(&folder).is_some_and(|it| !it.contains('/'));
        let custom = &mut edit.content.custom_properties;
        if custom.contains_key(name) && !is_first {
            return Ok(());
        }
        custom.insert(name.to_owned(), Value::String(value.clone()));
        LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        if self.fact != EnvironmentFact::Packages {
            return Ok(());
        }
        let used = Event {
            artifact_id: self.blob(tx, &digest, origin).await?,
            execution_id,
            event_type: EventType::Input,
            milliseconds: Some(origin.time),
            path: vec![Step::Key(ENVIRONMENT_LOCK.to_owned())],
        };
        events::put_missing(tx, vec![used]).await
    }

    /// The artifact with the content of the file, which is stored if there is none.
    async fn blob(&self, tx: &mut Tx, digest: &str, origin: &Origin) -> Result<i64> {
        let external_id = names::blob_id(digest);
        let key = NodeKey::ExternalId(&external_id);
        if let Some(known) = nodes::find(tx, Kind::Artifact, key).await? {
            return Ok(known);
        }
        let declared = NodeType {
            name: BLOB_TYPE.to_owned(),
            ..NodeType::default()
        };
        let types = ensure(tx, vec![(Kind::Artifact, declared)], origin).await?;
        let type_id = types.first().copied();
        let bytes = i64::try_from(self.file.bytes).unwrap_or(i64::MAX);
        let facts = [
            (DIGEST, Value::String(digest.to_owned())),
            (BYTES, Value::Int(bytes)),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value));
        let node = NodeInput {
            type_id: Some(type_id.ok_or_else(|| Error::internal("the type of blobs has no id"))?),
            content: NodeContent {
                external_id: Some(external_id),
                uri: Some(names::served_uri(&self.file.path)),
                state: Some(ArtifactState::Live.into()),
                custom_properties: facts.into(),
                ..NodeContent::default()
            },
            ..NodeInput::default()
        };
        let options = PutOptions {
            on_conflict: OnConflict::Retry,
            ..PutOptions::default()
        };
        NodeWriter::put_single(tx, Kind::Artifact, &node, options, origin.time).await
    }
}
