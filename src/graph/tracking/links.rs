//! What runs used and made, as it is read.

use std::collections::{BTreeMap, HashMap};

use super::inputs::{RunInput, text_digests};
use super::names::{LOGGED_MODEL_TYPE, RUN_INPUT_TYPE};
use crate::error::Result;
use crate::graph::facets;
use crate::model::{Event, EventType, Kind, Node, Side, Step, Stored, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::tracking::inputs as input_tags;
use crate::storage::tables::{events, facets as facet_texts, nodes};

/// The most bytes of schemas and profiles of datasets that are read at once. More are left out.
const MAX_TEXTS_BYTES: usize = 16 << 20;

/// What a run used and made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RunLinks {
    pub inputs: Vec<RunInput>,
    /// Ids of models that it used.
    pub model_inputs: Vec<String>,
    /// Ids of models that it made, with their steps.
    pub model_outputs: Vec<(String, i64)>,
}

/// What runs used and made, by execution.
pub(super) async fn of_runs(tx: &mut Tx, runs: &[i64]) -> Result<HashMap<i64, RunLinks>> {
    let linked = [EventType::Input, EventType::Output];
    let linked = events::of_nodes(tx, Side::Execution, runs, &linked).await?;
    let artifacts = distinct_ids(linked.iter().map(|event| event.value.artifact_id));
    let types = [RUN_INPUT_TYPE, LOGGED_MODEL_TYPE];
    let artifacts = nodes::of_types(tx, Kind::Artifact, &artifacts, &types).await?;
    let artifacts = nodes::by_ids(tx, Kind::Artifact, &artifacts).await?;
    let is_input = |node: &Node| node.type_name.as_deref() == Some(RUN_INPUT_TYPE);
    let (datasets, models): (Vec<Node>, Vec<Node>) = artifacts.into_iter().partition(is_input);
    let models = models.into_iter();
    let models = models.map(|node| (node.id, node.content.name.unwrap_or_default()));
    let models: HashMap<i64, String> = models.collect();
    let mut links: HashMap<i64, RunLinks> = HashMap::new();
    if !datasets.is_empty() {
        add_datasets(tx, runs, &linked, &datasets, &mut links).await?;
    }
    if !models.is_empty() {
        add_models(tx, linked, &models, &mut links).await?;
    }
    Ok(links)
}

/// The texts with these digests, as far as they are not too many.
async fn texts_of(tx: &mut Tx, digests: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for (digest, bytes) in facet_texts::part_sizes(tx, digests).await? {
        *sizes.entry(digest).or_default() += usize::try_from(bytes).unwrap_or(MAX_TEXTS_BYTES);
    }
    let mut left = MAX_TEXTS_BYTES;
    let mut read: Vec<&str> = Vec::new();
    for (digest, bytes) in &sizes {
        if let Some(rest) = left.checked_sub(*bytes) {
            left = rest;
            read.push(digest);
        }
    }
    facets::texts(tx, &read).await
}

async fn add_datasets(
    tx: &mut Tx,
    runs: &[i64],
    linked: &[Stored<Event>],
    datasets: &[Node],
    links: &mut HashMap<i64, RunLinks>,
) -> Result<()> {
    let digests: Vec<&str> = text_digests(datasets).into_iter().collect();
    let texts = texts_of(tx, &digests).await?;
    let known = datasets
        .iter()
        .map(|node| (node.id, RunInput::of(node, &texts)));
    let known: HashMap<i64, RunInput> = known.collect();
    let mut tags: BTreeMap<(i64, i64), Vec<(String, String)>> = BTreeMap::new();
    for tag in input_tags::of_runs(tx, runs).await? {
        let of_use = tags.entry((tag.execution_id, tag.artifact_id)).or_default();
        of_use.push((tag.key, tag.value));
    }
    let inputs = linked.iter().map(|stored| &stored.value);
    for event in inputs.filter(|event| event.event_type == EventType::Input) {
        let Some(input) = known.get(&event.artifact_id) else {
            continue;
        };
        let tags = tags.remove(&(event.execution_id, event.artifact_id));
        let of_run = links.entry(event.execution_id).or_default();
        of_run.inputs.push(RunInput {
            tags: tags.unwrap_or_default(),
            ..input.clone()
        });
    }
    Ok(())
}

/// Adds models. An output without a step comes from the creation of the model alone.
async fn add_models(
    tx: &mut Tx,
    mut linked: Vec<Stored<Event>>,
    models: &HashMap<i64, String>,
    links: &mut HashMap<i64, RunLinks>,
) -> Result<()> {
    linked.retain(|stored| models.contains_key(&stored.value.artifact_id));
    events::attach_paths(tx, &mut linked).await?;
    for Stored { value, .. } in linked {
        let Some(model) = models.get(&value.artifact_id) else {
            continue;
        };
        let of_run = links.entry(value.execution_id).or_default();
        match (value.event_type, value.path.as_slice()) {
            (EventType::Input, _) => of_run.model_inputs.push(model.clone()),
            (_, [Step::Index(step)]) => of_run.model_outputs.push((model.clone(), *step)),
            _ => {}
        }
    }
    Ok(())
}
