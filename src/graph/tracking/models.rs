//! Logged models: the artifacts that training made.

use std::collections::{BTreeMap, HashMap};

use super::experiments;
use super::fields::{int, set_texts, text, texts_after};
use super::log::set_params;
use super::names::{
    self, ARTIFACT_LOCATION, BYTES, DIGEST, EXPERIMENT_ID, FILES, MODEL_NAME, MODEL_TYPE,
    PARAM_PREFIX, SOURCE_RUN_ID, TAG_PREFIX, tag_property,
};
use super::runs::find;
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::edges::{events, memberships};
use crate::graph::files;
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{
    ArtifactState, Event, EventType, Kind, MetricPoint, Node, NodeContent, NodeInput, NodeState,
    Origin, Value, distinct_ids,
};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::nodes;
use crate::storage::tables::tracking::model_metrics;

/// A model that a run logged.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModel {
    /// No other model has it.
    pub id: String,
    /// The number of its experiment.
    pub experiment: i64,
    /// Others may have it.
    pub name: String,
    /// Empty if it is not known.
    pub model_type: String,
    /// The id of the run that logged it; empty if it is not known.
    pub source_run: String,
    pub state: Option<ArtifactState>,
    /// Where its files are.
    pub artifact_uri: String,
    /// Milliseconds since epoch.
    pub create_time: i64,
    /// Milliseconds since epoch.
    pub update_time: i64,
    pub params: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    /// The latest point of each metric on each dataset.
    pub metrics: Vec<ModelMetric>,
}

/// A metric of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetric {
    pub point: MetricPoint,
    /// The id of the run that logged it.
    pub run: String,
    /// The name and the digest of the dataset on which it was measured; both empty without one.
    pub dataset: (String, String),
}

impl LoggedModel {
    /// The model that an artifact is, without its metrics.
    pub(super) fn of(node: &Node) -> Self {
        let content = &node.content;
        let (declared, custom) = (&content.properties, &content.custom_properties);
        Self {
            id: content.name.clone().unwrap_or_default(),
            experiment: int(declared, EXPERIMENT_ID).unwrap_or_default(),
            name: text(declared, MODEL_NAME),
            model_type: text(declared, MODEL_TYPE),
            source_run: text(declared, SOURCE_RUN_ID),
            state: state(content),
            artifact_uri: content.uri.clone().unwrap_or_default(),
            create_time: node.create_time,
            update_time: node.update_time,
            params: texts_after(custom, PARAM_PREFIX),
            tags: texts_after(custom, TAG_PREFIX),
            metrics: Vec::new(),
        }
    }
}

const fn state(content: &NodeContent) -> Option<ArtifactState> {
    match content.state {
        Some(NodeState::Artifact(state)) => Some(state),
        Some(NodeState::Execution(_)) | None => None,
    }
}

/// Whether an artifact of a model says that it is deleted.
pub(super) fn is_deleted(content: &NodeContent) -> bool {
    state(content) == Some(ArtifactState::Deleted)
}

/// A model that is not known, or is deleted.
pub(super) fn unknown(id: &str) -> Error {
    Error::NotFound(format!("Logged model with ID '{id}' not found."))
}

/// Models with their metrics, in the same order.
pub(super) async fn with_metrics(tx: &mut Tx, found: &[Node]) -> Result<Vec<LoggedModel>> {
    let ids: Vec<i64> = found.iter().map(|node| node.id).collect();
    let rows = model_metrics::of_models(tx, &ids).await?;
    let runs = distinct_ids(rows.iter().map(|row| row.execution_id));
    let runs = nodes::by_ids(tx, Kind::Execution, &runs).await?.into_iter();
    let runs: HashMap<i64, Option<String>> = runs.map(|run| (run.id, run.content.name)).collect();
    let mut metrics: BTreeMap<i64, Vec<ModelMetric>> = BTreeMap::new();
    for row in rows {
        let run = runs.get(&row.execution_id).cloned().flatten();
        metrics
            .entry(row.artifact_id)
            .or_default()
            .push(ModelMetric {
                point: row.point,
                run: run.unwrap_or_default(),
                dataset: (row.dataset_name, row.dataset_digest),
            });
    }
    let model = |node: &Node| LoggedModel {
        metrics: metrics.remove(&node.id).unwrap_or_default(),
        ..LoggedModel::of(node)
    };
    Ok(found.iter().map(model).collect())
}

/// Creates a model, which is pending.
#[derive(Clone, Debug, Default)]
pub struct NewModel {
    /// Not used before.
    pub id: String,
    /// The number of its experiment.
    pub experiment: i64,
    pub name: String,
    pub model_type: String,
    /// The id of the run that logs it, which need not be known.
    pub source_run: String,
    pub params: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    /// Where its files are; in a folder of its experiment without it.
    pub artifact_uri: Option<String>,
}

impl NewModel {
    fn node(&self, type_id: i64, location: &str) -> NodeInput {
        let texts = [
            (MODEL_NAME, &self.name),
            (MODEL_TYPE, &self.model_type),
            (SOURCE_RUN_ID, &self.source_run),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), Value::String(text.clone())));
        let uri = self.artifact_uri.clone();
        let uri = uri.unwrap_or_else(|| names::model_files(location, &self.id));
        let mut content = NodeContent {
            name: Some(self.id.clone()),
            external_id: Some(names::model_id(&self.id)),
            uri: Some(uri),
            state: Some(ArtifactState::Pending.into()),
            properties: texts.into(),
            ..NodeContent::default()
        };
        let number = Value::Int(self.experiment);
        content.properties.insert(EXPERIMENT_ID.to_owned(), number);
        set_texts(&mut content, names::param_property, &self.params);
        set_texts(&mut content, tag_property, &self.tags);
        NodeInput {
            type_id: Some(type_id),
            content,
            ..NodeInput::default()
        }
    }
}

impl Write for NewModel {
    type Answer = LoggedModel;

    /// Stores the model as an output of its run, if that is known.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown experiment, `InvalidArgument` for a deleted one.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<LoggedModel> {
        let (types, now) = (TrackingTypes::ensure(tx, origin).await?, origin.time);
        let experiment = experiments::active(tx, self.experiment).await?;
        let location = text(&experiment.content.properties, ARTIFACT_LOCATION);
        let node = self.node(types.model, &location);
        let options = PutOptions::default();
        let kind = Kind::Artifact;
        let artifact_id = NodeWriter::put_single(tx, kind, &node, options, now).await?;
        memberships::put_all(tx, kind, &[experiment.id], &[artifact_id], Nodes::New).await?;
        if let Some(execution_id) = find(tx, types, &self.source_run).await? {
            let output = Event {
                artifact_id,
                execution_id,
                event_type: EventType::Output,
                milliseconds: Some(now),
                path: Vec::new(),
            };
            events::put_missing(tx, vec![output]).await?;
        }
        Ok(LoggedModel::of(&Node {
            id: artifact_id,
            type_id: types.model,
            type_name: None,
            content: node.content,
            create_time: now,
            update_time: now,
        }))
    }
}

/// Changes a model.
#[derive(Clone, Debug)]
pub struct EditModel {
    pub id: String,
    pub change: ModelChange,
}

/// A change of a model.
#[derive(Clone, Debug)]
pub enum ModelChange {
    /// `None` for a state that is not known. A model that is ready has all its files, and the
    /// artifact their digest.
    SetState(Option<ArtifactState>),
    /// Another place of its files. If this server has them and the model is ready, the artifact
    /// gets their digest.
    Relocate(String),
    /// Parameters never change.
    AddParams(Vec<(String, String)>),
    /// The last one of a key counts.
    SetTags(Vec<(String, String)>),
    DeleteTag(String),
    /// Nothing is removed.
    Delete,
}

impl Write for EditModel {
    /// The model with its metrics.
    type Answer = LoggedModel;

    /// # Errors
    ///
    /// `NotFound` for an unknown model and for a tag to delete that it lacks; `InvalidArgument` for
    /// another value of a parameter.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<LoggedModel> {
        let types = TrackingTypes::ensure(tx, origin).await?;
        let ids = artifact_ids(tx, types, &[&self.id]).await?;
        let artifact_id = ids.get(&self.id).ok_or_else(|| unknown(&self.id))?;
        let edit = LockedNode::lock(tx, Kind::Artifact, *artifact_id).await?;
        let edit = edit.filter(|edit| !is_deleted(&edit.content));
        let mut edit = edit.ok_or_else(|| unknown(&self.id))?;
        let content = &mut edit.content;
        match &self.change {
            ModelChange::SetState(state) => {
                content.state = state.map(Into::into);
                if *state == Some(ArtifactState::Live) {
                    set_contents(tx, content).await?;
                }
            }
            ModelChange::Relocate(uri) => {
                content.uri = Some(uri.clone());
                if self::state(content) == Some(ArtifactState::Live) {
                    set_contents(tx, content).await?;
                }
            }
            ModelChange::AddParams(params) => {
                let conflicts = set_params(content, params);
                if let Some(conflict) = conflicts.first() {
                    return Err(Error::invalid(format!(
                        "Changing param values is not allowed. Param with key='{}' was already \
                         logged with value='{}' for model ID='{}'.",
                        conflict.key, conflict.stored, self.id
                    )));
                }
            }
            ModelChange::SetTags(tags) => set_texts(content, tag_property, tags),
            ModelChange::DeleteTag(key) => {
                let tag = tag_property(key).name;
                if content.custom_properties.remove(&tag).is_none() {
                    return Err(Error::NotFound(format!(
                        "No tag with key '{key}' found for model with ID '{}'.",
                        self.id
                    )));
                }
            }
            ModelChange::Delete => content.state = Some(ArtifactState::Deleted.into()),
        }
        let stored = LockedNode::store(tx, Kind::Artifact, vec![edit], origin.time).await?;
        let model = with_metrics(tx, &stored).await?.pop();
        model.ok_or_else(|| unknown(&self.id))
    }
}

/// Says in an artifact what the files of its model are, if this server has them.
async fn set_contents(tx: &mut Tx, content: &mut NodeContent) -> Result<()> {
    let folder = content.uri.as_deref().and_then(names::served_path);
    let Some(folder) = folder.map(str::to_owned) else {
        return Ok(());
    };
    if let Some(contents) = files::contents(tx, &folder).await? {
        let custom = &mut content.custom_properties;
        custom.insert(DIGEST.to_owned(), Value::String(contents.digest));
        custom.insert(BYTES.to_owned(), Value::Int(contents.bytes));
        custom.insert(FILES.to_owned(), Value::Int(contents.files));
    }
    Ok(())
}

/// The artifacts of models by their ids, as far as they are known.
pub(super) async fn artifact_ids(
    tx: &mut Tx,
    types: TrackingTypes,
    ids: &[&str],
) -> Result<HashMap<String, i64>> {
    let found = nodes::ids_by_names(tx, Kind::Artifact, &[types.model], ids).await?;
    let by_id = found.into_iter().map(|((_, name), id)| (name, id));
    Ok(by_id.collect())
}
