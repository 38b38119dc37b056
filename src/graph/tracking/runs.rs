//! Runs of experiments: what is stored of them, and how it changes.

use std::borrow::Cow;

use super::above;
use super::experiments::{self, is_deleted, set_deleted};
use super::fields::{int, set_texts, text, text_of};
use super::made::MadeFiles;
use super::names::{
    self, ARTIFACT_LOCATION, ARTIFACT_URI, DELETED, ENDED_AT, EXPERIMENT_ID, LIFECYCLE_STAGE,
    OWNER, PARAM_PREFIX, RUN_NAME, RUN_NAME_TAG, STARTED_AT, TAG_PREFIX, tag_property,
};
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::edges::memberships;
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{
    ExecutionState, Kind, Node, NodeContent, NodeInput, NodeKey, NodeState, Origin, Properties,
    Value,
};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::nodes;
use crate::storage::tables::properties::FromProperties;
use crate::storage::tables::tracking::runs::{self as run_rows, RunRow};

/// A run of an experiment, without its metrics and inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackedRun {
    /// No other run has it.
    pub id: String,
    /// The number of its experiment.
    pub experiment: i64,
    /// Others may have it.
    pub name: String,
    /// Who runs it; empty if that is not known.
    pub owner: String,
    pub state: Option<ExecutionState>,
    /// Milliseconds since epoch.
    pub started: Option<i64>,
    /// Milliseconds since epoch.
    pub ended: Option<i64>,
    /// Where its files are.
    pub artifact_uri: String,
    pub is_deleted: bool,
    pub params: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
}

impl TrackedRun {
    /// The run that an execution is.
    pub(super) fn of(mut node: Node) -> Self {
        let declared = std::mem::take(&mut node.content.properties);
        let custom = std::mem::take(&mut node.content.custom_properties);
        let mut run = Self::default();
        for (is_custom, properties) in [(false, declared), (true, custom)] {
            for (name, value) in properties {
                run.add(Cow::Owned(name), is_custom, value);
            }
        }
        run.of_execution(&node)
    }

    /// The run with these properties that an execution is.
    pub(super) fn of_execution(mut self, node: &Node) -> Self {
        self.id = node.content.name.clone().unwrap_or_default();
        self.state = match node.content.state {
            Some(NodeState::Execution(state)) => Some(state),
            Some(NodeState::Artifact(_)) | None => None,
        };
        self.params.sort_unstable();
        self.tags.sort_unstable();
        self
    }
}

impl FromProperties for TrackedRun {
    fn add(&mut self, name: Cow<'_, str>, is_custom: bool, value: Value) {
        if !is_custom {
            match (&*name, value) {
                (EXPERIMENT_ID, Value::Int(number)) => self.experiment = number,
                (RUN_NAME, Value::String(name)) => self.name = name,
                (ARTIFACT_URI, Value::String(uri)) => self.artifact_uri = uri,
                (LIFECYCLE_STAGE, Value::String(stage)) => self.is_deleted = stage == DELETED,
                _ => {}
            }
        } else if let Some(key) = name.strip_prefix(PARAM_PREFIX) {
            let param = text_of(value).map(|text| (key.to_owned(), text));
            self.params.extend(param);
        } else if let Some(key) = name.strip_prefix(TAG_PREFIX) {
            let tag = text_of(value).map(|text| (key.to_owned(), text));
            self.tags.extend(tag);
        } else {
            match (&*name, value) {
                (OWNER, Value::String(owner)) => self.owner = owner,
                (STARTED_AT, Value::Int(time)) => self.started = Some(time),
                (ENDED_AT, Value::Int(time)) => self.ended = Some(time),
                _ => {}
            }
        }
    }
}

/// The number of the experiment of a run with these declared properties.
pub(super) fn experiment_of(declared: &Properties) -> i64 {
    int(declared, EXPERIMENT_ID).unwrap_or_default()
}

/// Creates a run.
#[derive(Clone, Debug, Default)]
pub struct NewRun {
    /// Not used before.
    pub id: String,
    /// The number of its experiment.
    pub experiment: i64,
    pub name: String,
    /// Empty if it is not known.
    pub owner: String,
    /// Milliseconds since epoch; 0 if it is not known.
    pub start_time: i64,
    pub tags: Vec<(String, String)>,
    /// Where its files are; in a folder of its experiment without it.
    pub artifact_uri: Option<String>,
}

impl NewRun {
    fn node(&self, type_id: i64, location: &str) -> NodeInput {
        let artifact_uri = self.artifact_uri.clone();
        let artifact_uri = artifact_uri.unwrap_or_else(|| names::run_files(location, &self.id));
        let texts = [(ARTIFACT_URI, artifact_uri), (RUN_NAME, self.name.clone())];
        let texts = texts.map(|(name, text)| (name.to_owned(), Value::String(text)));
        let mut content = NodeContent {
            name: Some(self.id.clone()),
            external_id: Some(names::run_id(&self.id)),
            state: Some(ExecutionState::Running.into()),
            properties: texts.into(),
            ..NodeContent::default()
        };
        let number = Value::Int(self.experiment);
        content.properties.insert(EXPERIMENT_ID.to_owned(), number);
        set_deleted(&mut content, false);
        let custom = &mut content.custom_properties;
        if !self.owner.is_empty() {
            custom.insert(OWNER.to_owned(), Value::String(self.owner.clone()));
        }
        if self.start_time != 0 {
            custom.insert(STARTED_AT.to_owned(), Value::Int(self.start_time));
        }
        let name = (RUN_NAME_TAG.to_owned(), self.name.clone());
        set_texts(&mut content, tag_property, self.tags.iter().chain([&name]));
        NodeInput {
            type_id: Some(type_id),
            content,
            ..NodeInput::default()
        }
    }
}

impl Write for NewRun {
    type Answer = TrackedRun;

    /// # Errors
    ///
    /// `NotFound` for an unknown experiment, `InvalidArgument` for a deleted one.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<TrackedRun> {
        let (types, now) = (TrackingTypes::ensure(tx, origin).await?, origin.time);
        let found = experiments::active(tx, self.experiment).await?;
        let experiment = found.id;
        let mut contexts = vec![experiment];
        contexts.extend(above::named(tx, types, &self.tags, experiment, now).await?);
        let location = text(&found.content.properties, ARTIFACT_LOCATION);
        let node = self.node(types.run, &location);
        let options = PutOptions::default();
        let kind = Kind::Execution;
        let execution_id = NodeWriter::put_single(tx, kind, &node, options, now).await?;
        let row = RunRow {
            execution_id,
            run_id: &self.id,
            experiment: self.experiment,
            start_time: self.start_time,
        };
        run_rows::insert(tx, &row).await?;
        memberships::put_all(tx, kind, &contexts, &[execution_id], Nodes::New).await?;
        Ok(TrackedRun::of(Node {
            id: execution_id,
            type_id: types.run,
            type_name: None,
            content: node.content,
            create_time: now,
            update_time: now,
        }))
    }
}

/// The execution of a run.
pub(super) async fn find(tx: &mut Tx, types: TrackingTypes, id: &str) -> Result<Option<i64>> {
    nodes::find(tx, Kind::Execution, NodeKey::TypeAndName(types.run, id)).await
}

/// A run that is not known.
pub(super) fn unknown(id: &str) -> Error {
    Error::NotFound(format!("Run with id={id} not found"))
}

/// Locks a run.
pub(super) async fn lock(tx: &mut Tx, id: &str, origin: &Origin) -> Result<LockedNode> {
    let types = TrackingTypes::ensure(tx, origin).await?;
    let found = find(tx, types, id).await?.ok_or_else(|| unknown(id))?;
    let edit = LockedNode::lock(tx, Kind::Execution, found).await?;
    edit.ok_or_else(|| unknown(id))
}

/// Refuses a change of a run that is deleted.
pub(super) fn check_active(id: &str, content: &NodeContent) -> Result<()> {
    if is_deleted(content) {
        return Err(Error::invalid(format!(
            "The run {id} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(())
}

/// Changes the state, the end, the name or the place of the files of a run. What is unset stays. A
/// run that completes has the files that its tags name as outputs.
#[derive(Clone, Debug, Default)]
pub struct EditRun {
    pub id: String,
    pub state: Option<ExecutionState>,
    /// Milliseconds since epoch.
    pub end_time: Option<i64>,
    pub name: Option<String>,
    /// Where its files are.
    pub artifact_uri: Option<String>,
}

impl Write for EditRun {
    type Answer = TrackedRun;

    /// # Errors
    ///
    /// `NotFound` for an unknown run, `InvalidArgument` for a deleted one.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<TrackedRun> {
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let made = match self.state {
            Some(ExecutionState::Complete) => MadeFiles::of_run(tx, &self.id, origin).await?,
            _ => None,
        };
        let mut edit = lock(tx, &self.id, origin).await?;
        let content = &edit.content;
        check_active(&self.id, content)?;
        if let Some(made) = made {
            made.put(tx, edit.stored(), origin.time).await?;
        }
        // The pipeline may have begun after its run here.
        if let Some(pipeline) = above::pipeline_of(tx, content).await? {
            let run = [edit.stored().id];
            memberships::put_all(tx, Kind::Execution, &[pipeline], &run, Nodes::Any).await?;
        }
        let content = &mut edit.content;
        if let Some(state) = self.state {
            content.state = Some(state.into());
        }
        if let Some(end_time) = self.end_time {
            let end_time = Value::Int(end_time);
            content
                .custom_properties
                .insert(ENDED_AT.to_owned(), end_time);
        }
        if let Some(uri) = &self.artifact_uri {
            let uri = Value::String(uri.clone());
            content.properties.insert(ARTIFACT_URI.to_owned(), uri);
        }
        if let Some(name) = &self.name {
            rename(content, name);
            let tag = tag_property(RUN_NAME_TAG).name;
            content
                .custom_properties
                .insert(tag, Value::String(name.clone()));
        }
        let stored = LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        let run = stored.into_iter().next().map(TrackedRun::of);
        run.ok_or_else(|| unknown(&self.id))
    }
}

/// Gives a run another name.
pub(super) fn rename(content: &mut NodeContent, name: &str) {
    let name = Value::String(name.to_owned());
    content.properties.insert(RUN_NAME.to_owned(), name);
}

/// Deletes a run, or restores it. Nothing is removed.
#[derive(Clone, Debug)]
pub struct SetRunDeleted {
    pub id: String,
    pub is_deleted: bool,
}

impl Write for SetRunDeleted {
    type Answer = ();

    /// # Errors
    ///
    /// `NotFound` for an unknown run.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let mut edit = lock(tx, &self.id, origin).await?;
        let execution_id = edit.stored().id;
        set_deleted(&mut edit.content, self.is_deleted);
        LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        run_rows::set_deleted(tx, &[execution_id], self.is_deleted).await
    }
}
