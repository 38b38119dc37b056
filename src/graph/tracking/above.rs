//! The contexts into which the tags of a run put it: that of the run above it, and that of the run
//! of a pipeline.
//!
//! Nodes never leave contexts: a run whose tag changes is in the contexts of both values.

use super::experiments::context_id;
use super::fields::text;
use super::names::{self, PARENT_RUN_TAG, PIPELINE_RUN_TAG, PIPELINE_RUN_TYPE, tag_property};
use super::runs::{experiment_of, unknown};
use super::schema::TrackingTypes;
use crate::error::Result;
use crate::graph::edges::{memberships, parents};
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::model::{Kind, Membership, Node, NodeContent, NodeInput, NodeKey, Origin};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::{locks, nodes, types as stored_types};

type Tag = (String, String);

/// The value of the last tag with a key, which counts.
pub(super) fn last_tag<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    let tag = tags.iter().rfind(|(of, _)| of == key);
    tag.map(|(_, value)| value.as_str())
}

/// The contexts that tags of a run name, which are stored if they are missing. `experiment` is the
/// context of its experiment.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn named(
    tx: &mut Tx,
    types: TrackingTypes,
    tags: &[Tag],
    experiment: i64,
    now: i64,
) -> Result<Vec<i64>> {
    let of_run = pipeline(tx, last_tag(tags, PIPELINE_RUN_TAG)).await?;
    let mut contexts: Vec<i64> = of_run.into_iter().collect();
    let Some(parent) = last_tag(tags, PARENT_RUN_TAG) else {
        return Ok(contexts);
    };
    let Some(parent) = nodes::by_name(tx, Kind::Execution, types.run, parent).await? else {
        return Ok(contexts);
    };
    contexts.extend(pipeline_of(tx, &parent.content).await?);
    contexts.push(family(tx, types, &parent, experiment, now).await?);
    Ok(contexts)
}

/// Puts a run into the contexts that new tags of it name.
///
/// # Errors
///
/// `NotFound` for an unknown run.
pub(super) async fn join(tx: &mut Tx, id: &str, tags: &[Tag], origin: &Origin) -> Result<()> {
    let names_context = |(key, _): &Tag| [PARENT_RUN_TAG, PIPELINE_RUN_TAG].contains(&key.as_str());
    if !tags.iter().any(names_context) {
        return Ok(());
    }
    let types = TrackingTypes::ensure(tx, origin).await?;
    let run = nodes::by_name(tx, Kind::Execution, types.run, id).await?;
    let run = run.ok_or_else(|| unknown(id))?;
    let experiment = context_id(tx, experiment_of(&run.content.properties)).await?;
    let contexts = named(tx, types, tags, experiment, origin.time).await?;
    memberships::put_all(tx, Kind::Execution, &contexts, &[run.id], Nodes::Any).await
}

/// The context of the run of Kubeflow Pipelines that a run is about, if that has written one.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn pipeline_of(tx: &mut Tx, content: &NodeContent) -> Result<Option<i64>> {
    let tag = tag_property(PIPELINE_RUN_TAG).name;
    let run = text(&content.custom_properties, &tag);
    pipeline(tx, Some(run.as_str()).filter(|run| !run.is_empty())).await
}

async fn pipeline(tx: &mut Tx, run: Option<&str>) -> Result<Option<i64>> {
    let Some(run) = run else {
        return Ok(None);
    };
    match stored_types::id(tx, Kind::Context, PIPELINE_RUN_TYPE, None).await? {
        Some(type_id) => nodes::find(tx, Kind::Context, NodeKey::TypeAndName(type_id, run)).await,
        None => Ok(None),
    }
}

/// The context of a run and the runs below it, which is below that of their experiment.
async fn family(
    tx: &mut Tx,
    types: TrackingTypes,
    parent: &Node,
    experiment: i64,
    now: i64,
) -> Result<i64> {
    let name = parent.content.name.as_deref().unwrap_or_default();
    let external_id = names::family_id(name);
    let key = NodeKey::ExternalId(&external_id);
    if let Some(known) = nodes::find(tx, Kind::Context, key).await? {
        return Ok(known);
    }
    locks::structure(tx).await?;
    let node = NodeInput {
        type_id: Some(types.family),
        content: NodeContent {
            name: Some(name.to_owned()),
            external_id: Some(external_id),
            ..NodeContent::default()
        },
        ..NodeInput::default()
    };
    let options = PutOptions {
        on_conflict: OnConflict::Retry,
        ..PutOptions::default()
    };
    let context_id = NodeWriter::put_single(tx, Kind::Context, &node, options, now).await?;
    let link = Membership {
        context_id: experiment,
        node_id: context_id,
    };
    parents::link_missing(tx, &[link]).await?;
    memberships::put_all(tx, Kind::Execution, &[context_id], &[parent.id], Nodes::Any).await?;
    Ok(context_id)
}
