//! Artifacts that runs used and made, as other systems have recorded them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::experiments::context_id;
use super::names::DIGEST;
use super::runs::{check_active, experiment_of, find, unknown};
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::datasets::named::{self, NamedUris};
use crate::graph::edges::{events, memberships};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::graph::types::declared::{DeclaredType, find_declared, store_declared};
use crate::graph::write::Write;
use crate::model::{
    ArtifactState, Event, EventPath, EventType, Kind, Node, NodeContent, NodeInput, Origin, Value,
};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::nodes;

/// The type of artifacts of Weights & Biases, each a version of its collection.
const WANDB_TYPE: DeclaredType = (Kind::Artifact, "wandb.Artifact", &[]);

/// An artifact that a run used or made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunArtifact {
    /// No other artifact has it.
    pub external_id: String,
    /// Its name with its version; empty without one.
    pub name: String,
    /// Where its data is.
    pub uri: String,
    /// With what says of which kind it is before it.
    pub digest: String,
    /// Other custom properties. An artifact that is known gets these, and keeps the rest.
    pub facts: Vec<(String, Value)>,
    /// The path of the event that says so.
    pub path: EventPath,
}

impl RunArtifact {
    fn node(&self, type_id: i64) -> NodeInput {
        let digest = (DIGEST.to_owned(), Value::String(self.digest.clone()));
        let digest = Some(digest).filter(|_| !self.digest.is_empty());
        NodeInput {
            type_id: Some(type_id),
            content: NodeContent {
                name: Some(self.name.clone()).filter(|name| !name.is_empty()),
                external_id: Some(self.external_id.clone()),
                uri: Some(self.uri.clone()),
                state: Some(ArtifactState::Live.into()),
                custom_properties: self.facts.iter().cloned().chain(digest).collect(),
                ..NodeContent::default()
            },
            ..NodeInput::default()
        }
    }
}

/// Says that a run used or made artifacts.
#[derive(Clone, Debug)]
pub struct LogArtifacts {
    /// The id of the run.
    pub id: String,
    pub event_type: EventType,
    pub artifacts: Vec<RunArtifact>,
}

impl Write for LogArtifacts {
    /// How many artifacts were not known.
    type Answer = usize;

    /// # Errors
    ///
    /// `NotFound` for an unknown run, `InvalidArgument` for a deleted one and for what cannot be
    /// stored.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<usize> {
        let types = TrackingTypes::ensure(tx, origin).await?;
        let type_id = type_id(tx, WANDB_TYPE, origin).await?;
        let execution_id = find(tx, types, &self.id).await?;
        let execution_id = execution_id.ok_or_else(|| unknown(&self.id))?;
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let uris: BTreeSet<&str> = self.artifacts.iter().map(|it| it.uri.as_str()).collect();
        let named = named::name(tx, &uris, origin).await?;
        let run = LockedNode::lock(tx, Kind::Execution, execution_id).await?;
        let run = run.ok_or_else(|| unknown(&self.id))?;
        check_active(&self.id, &run.stored().content)?;
        let links = RunArtifacts {
            type_id,
            event_type: self.event_type,
            artifacts: &self.artifacts,
        };
        links.put(tx, run.stored(), named, origin.time).await
    }
}

/// Artifacts of a type that a run used or made.
pub(super) struct RunArtifacts<'a> {
    pub type_id: i64,
    pub event_type: EventType,
    pub artifacts: &'a [RunArtifact],
}

impl RunArtifacts<'_> {
    /// Stores what is not known yet, and links all to a run, which is locked, as are the datasets
    /// at their URIs. Returns how many were not known.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        run: &Node,
        named: NamedUris,
        now: i64,
    ) -> Result<usize> {
        let experiment = context_id(tx, experiment_of(&run.content.properties)).await?;
        let given = self.artifacts.iter();
        let given = given.map(|it| (it.external_id.as_str(), it)).collect();
        let (ids, new) = put(tx, self.type_id, &given, now).await?;
        let artifacts: Vec<i64> = ids.iter().map(|(id, _)| *id).collect();
        memberships::put_all(tx, Kind::Artifact, &[experiment], &artifacts, Nodes::Any).await?;
        let event = |(id, artifact): &(i64, &RunArtifact)| Event {
            artifact_id: *id,
            execution_id: run.id,
            event_type: self.event_type,
            milliseconds: Some(now),
            path: artifact.path.clone(),
        };
        events::put_missing(tx, ids.iter().map(event).collect()).await?;
        let placed = ids.iter().map(|(id, it)| (*id, Cow::Borrowed(&*it.uri)));
        named.join(tx, &placed.collect(), now).await?;
        Ok(new)
    }
}

/// Stores artifacts by their external ids, and returns them with their ids, and how many are new.
async fn put<'a>(
    tx: &mut Tx,
    type_id: i64,
    given: &BTreeMap<&str, &'a RunArtifact>,
    now: i64,
) -> Result<(Vec<(i64, &'a RunArtifact)>, usize)> {
    let external_ids: Vec<&str> = given.keys().copied().collect();
    let known_ids = nodes::ids_by_external_ids(tx, Kind::Artifact, &external_ids).await?;
    let known: HashMap<i64, &RunArtifact> = known_ids
        .iter()
        .filter_map(|(key, id)| Some((*id, *given.get(key.as_str())?)))
        .collect();
    let locked: Vec<i64> = known.keys().copied().collect();
    let mut edits = LockedNode::lock_all(tx, Kind::Artifact, &locked).await?;
    for edit in &mut edits {
        if let Some(artifact) = known.get(&edit.stored().id) {
            let facts = artifact.facts.iter().cloned();
            edit.content.custom_properties.extend(facts);
        }
    }
    LockedNode::store(tx, Kind::Artifact, edits, now).await?;
    let new = given
        .iter()
        .filter(|(key, _)| !known_ids.contains_key(**key));
    let new: Vec<&RunArtifact> = new.map(|(_, artifact)| *artifact).collect();
    let coming: Vec<NodeInput> = new.iter().map(|it| it.node(type_id)).collect();
    let options = PutOptions {
        on_conflict: OnConflict::Retry,
        ..PutOptions::default()
    };
    let mut writer = NodeWriter::new(tx, Kind::Artifact, coming.iter(), options, now).await?;
    for node in &coming {
        writer.put(tx, Cow::Borrowed(node)).await?;
    }
    let new_ids = writer.finish(tx).await?;
    let count = new_ids.len();
    let new = new_ids.into_iter().zip(new);
    Ok((known.into_iter().chain(new).collect(), count))
}

/// The id of a type, which is stored if it is missing.
pub(super) async fn type_id(tx: &mut Tx, declared: DeclaredType, origin: &Origin) -> Result<i64> {
    let found = match find_declared(tx, [declared]).await? {
        Some(found) => Some(found),
        None => store_declared(tx, [declared], origin).await?,
    };
    let [id] = found.ok_or_else(|| Error::internal("a type of artifacts has no id"))?;
    Ok(id)
}
