//! Experiments: what is stored of them, and how it changes.

use super::fields::{set_texts, text, texts_after};
use super::names::{
    self, ACTIVE, ARTIFACT_LOCATION, DELETED, LIFECYCLE_STAGE, TAG_PREFIX, tag_property,
};
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{Kind, Node, NodeContent, NodeInput, NodeKey, Origin, Value};
use crate::storage::Tx;
use crate::storage::tables::tracking::{experiments as numbers, runs as run_rows};
use crate::storage::tables::{locks, nodes};

/// How many runs are changed together when their experiment is deleted or restored.
const RUN_BATCH_SIZE: i64 = 1000;

/// An experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    pub number: i64,
    pub name: String,
    /// Where files of its runs are, a URI.
    pub artifact_location: String,
    pub is_deleted: bool,
    /// Milliseconds since epoch.
    pub create_time: i64,
    /// Milliseconds since epoch.
    pub update_time: i64,
    pub tags: Vec<(String, String)>,
}

impl Experiment {
    /// The experiment that a context is.
    pub(super) fn of(node: &Node) -> Self {
        let content = &node.content;
        let number = content.external_id.as_deref();
        Self {
            number: number
                .and_then(names::experiment_number)
                .unwrap_or_default(),
            name: content.name.clone().unwrap_or_default(),
            artifact_location: text(&content.properties, ARTIFACT_LOCATION),
            is_deleted: is_deleted(content),
            create_time: node.create_time,
            update_time: node.update_time,
            tags: texts_after(&content.custom_properties, TAG_PREFIX),
        }
    }
}

/// Whether a node of an experiment or a run says that it is deleted.
pub(super) fn is_deleted(content: &NodeContent) -> bool {
    text(&content.properties, LIFECYCLE_STAGE) == DELETED
}

/// Says in a node whether it is deleted.
pub(super) fn set_deleted(content: &mut NodeContent, is_deleted: bool) {
    let stage = if is_deleted { DELETED } else { ACTIVE };
    let value = Value::String(stage.to_owned());
    content.properties.insert(LIFECYCLE_STAGE.to_owned(), value);
}

/// Creates an experiment.
#[derive(Clone, Debug, Default)]
pub struct NewExperiment {
    /// No other experiment has it, not a deleted one either. At most 255 characters.
    pub name: String,
    /// Where files of its runs are to be, a URI; made of its number without one.
    pub artifact_location: Option<String>,
    pub tags: Vec<(String, String)>,
}

impl NewExperiment {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn node(&self, type_id: i64, number: i64) -> NodeInput {
        let location = self.artifact_location.clone();
        let location = location.unwrap_or_else(|| names::served_location(number));
        let mut content = NodeContent {
            name: Some(self.name.clone()),
            external_id: Some(names::experiment_id(number)),
            properties: [(ARTIFACT_LOCATION.to_owned(), Value::String(location))].into(),
            ..NodeContent::default()
        };
        set_deleted(&mut content, false);
        set_texts(&mut content, tag_property, &self.tags);
        NodeInput {
            type_id: Some(type_id),
            content,
            ..NodeInput::default()
        }
    }
}

impl Write for NewExperiment {
    /// The number of the experiment.
    type Answer = i64;

    /// # Errors
    ///
    /// `AlreadyExists` when the name is taken.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<i64> {
        let types = TrackingTypes::ensure(tx, origin).await?;
        create(tx, types, self, origin.time).await
    }
}

pub(super) async fn create(
    tx: &mut Tx,
    types: TrackingTypes,
    new: &NewExperiment,
    now: i64,
) -> Result<i64> {
    // The lock keeps two experiments from getting one number.
    locks::structure(tx).await?;
    let key = NodeKey::TypeAndName(types.experiment, &new.name);
    if nodes::find(tx, Kind::Context, key).await?.is_some() {
        return Err(name_taken(&new.name));
    }
    let number = numbers::next_number(tx).await?;
    let node = new.node(types.experiment, number);
    let options = PutOptions::default();
    let context_id = NodeWriter::put_single(tx, Kind::Context, &node, options, now).await?;
    numbers::put(tx, number, context_id, false).await?;
    Ok(number)
}

fn name_taken(name: &str) -> Error {
    Error::AlreadyExists(format!(
        "Experiment(name={name}) already exists. Deleted experiments keep their names: restore it, \
         or choose another name."
    ))
}

/// An experiment that is not known.
pub(super) fn unknown(number: i64) -> Error {
    Error::NotFound(format!("No Experiment with id={number} exists"))
}

/// The context of an experiment.
pub(super) async fn context_id(tx: &mut Tx, number: i64) -> Result<i64> {
    let key = names::experiment_id(number);
    let found = nodes::find(tx, Kind::Context, NodeKey::ExternalId(&key)).await?;
    found.ok_or_else(|| unknown(number))
}

/// The context of an experiment that is not deleted.
pub(super) async fn active(tx: &mut Tx, number: i64) -> Result<Node> {
    let id = context_id(tx, number).await?;
    let found = nodes::by_ids(tx, Kind::Context, &[id]).await?.pop();
    let found = found.ok_or_else(|| unknown(number))?;
    check_active(number, &found.content)?;
    Ok(found)
}

/// Refuses a change of an experiment that is deleted.
fn check_active(number: i64, content: &NodeContent) -> Result<()> {
    if is_deleted(content) {
        return Err(Error::invalid(format!(
            "The experiment {number} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(())
}

/// Changes an experiment.
#[derive(Clone, Debug)]
pub struct EditExperiment {
    pub number: i64,
    pub change: ExperimentChange,
}

/// A change of an experiment.
#[derive(Clone, Debug)]
pub enum ExperimentChange {
    /// Another name, of at most 255 characters.
    Rename(String),
    SetTag {
        key: String,
        value: String,
    },
    DeleteTag {
        key: String,
    },
    /// Another place for files of runs that begin later.
    Relocate(String),
    /// Deletes it with all its runs. Nothing is removed.
    Delete,
    /// Restores it with all its runs, those too that were deleted before it.
    Restore,
}

impl Write for EditExperiment {
    type Answer = ();

    /// # Errors
    ///
    /// `NotFound` for an unknown experiment or tag, for one to delete that is deleted, and for one
    /// to restore that is not; `InvalidArgument` for other changes of a deleted one;
    /// `AlreadyExists` for a name that is taken.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        TrackingTypes::ensure(tx, origin).await?;
        let (number, now) = (self.number, origin.time);
        let id = context_id(tx, number).await?;
        let edit = LockedNode::lock(tx, Kind::Context, id).await?;
        let mut edit = edit.ok_or_else(|| unknown(number))?;
        let content = &mut edit.content;
        let mut stage = None;
        match &self.change {
            ExperimentChange::Rename(name) => {
                if is_deleted(content) {
                    return Err(Error::invalid("Cannot rename a non-active experiment."));
                }
                content.name = Some(name.clone());
            }
            ExperimentChange::SetTag { key, value } => {
                check_active(number, content)?;
                let value = Value::String(value.clone());
                content
                    .custom_properties
                    .insert(tag_property(key).name, value);
            }
            ExperimentChange::DeleteTag { key } => {
                check_active(number, content)?;
                let removed = content.custom_properties.remove(&tag_property(key).name);
                if removed.is_none() {
                    return Err(Error::NotFound(format!(
                        "No tag with name: {key} in experiment with id {number}"
                    )));
                }
            }
            ExperimentChange::Relocate(location) => {
                check_active(number, content)?;
                let location = Value::String(location.clone());
                content
                    .properties
                    .insert(ARTIFACT_LOCATION.to_owned(), location);
            }
            ExperimentChange::Delete | ExperimentChange::Restore => {
                let is_delete = matches!(self.change, ExperimentChange::Delete);
                if is_deleted(content) == is_delete {
                    return Err(unknown(number));
                }
                set_deleted(content, is_delete);
                numbers::put(tx, number, id, is_delete).await?;
                stage = Some(is_delete);
            }
        }
        let name = content.name.clone().unwrap_or_default();
        let stored = LockedNode::store(tx, Kind::Context, vec![edit], now).await;
        stored.map_err(|error| match error {
            Error::AlreadyExists(_) => name_taken(&name),
            other => other,
        })?;
        match stage {
            Some(is_deleted) => set_runs_deleted(tx, number, is_deleted, now).await,
            None => Ok(()),
        }
    }
}

/// Deletes or restores all runs of an experiment, part by part.
async fn set_runs_deleted(tx: &mut Tx, number: i64, deleted: bool, now: i64) -> Result<()> {
    loop {
        let ids = run_rows::first_of(tx, number, !deleted, RUN_BATCH_SIZE).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let mut edits = LockedNode::lock_all(tx, Kind::Execution, &ids).await?;
        for edit in &mut edits {
            set_deleted(&mut edit.content, deleted);
        }
        LockedNode::store(tx, Kind::Execution, edits, now).await?;
        run_rows::set_deleted(tx, &ids, deleted).await?;
    }
}
