//! Experiments and runs, found by their ids or by a search.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::experiments::Experiment;
use super::inputs::{RunInput, text_digests};
use super::names;
use super::runs::{self, TrackedRun};
use super::schema::{PrepareTracking, TrackingTypes};
use crate::error::{Error, Result};
use crate::graph::commit::engine::Engine;
use crate::graph::facets;
use crate::model::{
    Caller, Door, EventType, ExperimentField, Kind, MetricPoint, Node, OffsetPage, RunField, Side,
    TrackingQuery, distinct_ids,
};
use crate::storage::tables::tracking::{
    experiments as experiment_rows, inputs as input_tags, metrics, runs as run_rows,
};
use crate::storage::tables::{events, facets as facet_texts, nodes};
use crate::storage::{Database, Tx};

/// The most bytes of schemas and profiles of datasets that are read at once. More are left out.
const MAX_TEXTS_BYTES: usize = 16 << 20;

/// The experiments of a graph and their runs.
#[derive(Clone, Debug)]
pub struct GraphTracking {
    database: Database,
    engine: Arc<Engine>,
}

/// A run with the latest points of its metrics and with what it used.
#[derive(Clone, Debug, PartialEq)]
pub struct RunData {
    pub run: TrackedRun,
    pub metrics: Vec<MetricPoint>,
    pub inputs: Vec<RunInput>,
}

impl GraphTracking {
    pub(in crate::graph) const fn new(database: Database, engine: Arc<Engine>) -> Self {
        Self { database, engine }
    }

    /// Begins a read. The first one in a store has the types and the first experiment stored.
    async fn begin(&self) -> Result<(Tx, TrackingTypes)> {
        let mut tx = self.database.read().await?;
        if let Some(types) = TrackingTypes::find(&mut tx).await? {
            return Ok((tx, types));
        }
        drop(tx);
        let server = Caller::anonymous(Door::Command);
        self.engine.write(&server, PrepareTracking).await?;
        let mut tx = self.database.read().await?;
        let types = TrackingTypes::find(&mut tx).await?;
        let types = types.ok_or_else(|| Error::internal("the types of runs are missing"))?;
        Ok((tx, types))
    }

    /// The experiment with a number.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn experiment(&self, number: i64) -> Result<Option<Experiment>> {
        let (mut tx, _) = self.begin().await?;
        let key = names::experiment_id(number);
        let found = nodes::by_external_ids(&mut tx, Kind::Context, &[&key]).await?;
        Ok(found.first().map(Experiment::of))
    }

    /// The experiment with a name, which may be deleted.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn experiment_by_name(&self, name: &str) -> Result<Option<Experiment>> {
        let (mut tx, types) = self.begin().await?;
        let found = nodes::by_name(&mut tx, Kind::Context, types.experiment, name).await?;
        Ok(found.as_ref().map(Experiment::of))
    }

    /// A page of the experiments that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn experiments(
        &self,
        asked: &TrackingQuery<ExperimentField>,
    ) -> Result<Vec<Experiment>> {
        let (mut tx, _) = self.begin().await?;
        let ids = experiment_rows::search(&mut tx, asked).await?;
        let found = in_order(&mut tx, Kind::Context, &ids).await?;
        Ok(found.iter().map(Experiment::of).collect())
    }

    /// A run.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn run(&self, id: &str) -> Result<Option<RunData>> {
        let (mut tx, types) = self.begin().await?;
        let found = nodes::by_name(&mut tx, Kind::Execution, types.run, id).await?;
        let found: Vec<Node> = found.into_iter().collect();
        Ok(with_data(&mut tx, &found).await?.pop())
    }

    /// A page of the runs of experiments that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn runs(
        &self,
        experiments: &[i64],
        asked: &TrackingQuery<RunField>,
    ) -> Result<Vec<RunData>> {
        let (mut tx, _) = self.begin().await?;
        let ids = run_rows::search(&mut tx, experiments, asked).await?;
        let found = in_order(&mut tx, Kind::Execution, &ids).await?;
        with_data(&mut tx, &found).await
    }

    /// A page of the points of a metric of a run, by time, step and value. None for an unknown run.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn metric_history(
        &self,
        run: &str,
        key: &str,
        page: OffsetPage,
    ) -> Result<Vec<MetricPoint>> {
        let (mut tx, types) = self.begin().await?;
        match runs::find(&mut tx, types, run).await? {
            Some(id) => metrics::points(&mut tx, id, key, page).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The nodes with these ids, in their order.
async fn in_order(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Node>> {
    let found = nodes::by_ids(tx, kind, ids).await?;
    let mut by_id: HashMap<i64, Node> = found.into_iter().map(|node| (node.id, node)).collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

/// Runs with their metrics and inputs, in the same order.
async fn with_data(tx: &mut Tx, found: &[Node]) -> Result<Vec<RunData>> {
    let ids: Vec<i64> = found.iter().map(|node| node.id).collect();
    let mut points: HashMap<i64, Vec<MetricPoint>> = HashMap::new();
    for series in metrics::series_of(tx, &ids).await? {
        points
            .entry(series.execution_id)
            .or_default()
            .push(series.latest);
    }
    let mut inputs = inputs_of(tx, &ids).await?;
    let run = |node: &Node| RunData {
        run: TrackedRun::of(node),
        metrics: points.remove(&node.id).unwrap_or_default(),
        inputs: inputs.remove(&node.id).unwrap_or_default(),
    };
    Ok(found.iter().map(run).collect())
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

/// The datasets that runs used, by execution.
async fn inputs_of(tx: &mut Tx, runs: &[i64]) -> Result<HashMap<i64, Vec<RunInput>>> {
    let used = events::of_nodes(tx, Side::Execution, runs, &[EventType::Input]).await?;
    let artifacts = distinct_ids(used.iter().map(|event| event.value.artifact_id));
    let artifacts = nodes::of_types(tx, Kind::Artifact, &artifacts, &[names::RUN_INPUT_TYPE]);
    let artifacts = artifacts.await?;
    let artifacts = nodes::by_ids(tx, Kind::Artifact, &artifacts).await?;
    let digests: Vec<&str> = text_digests(&artifacts).into_iter().collect();
    let texts = texts_of(tx, &digests).await?;
    let known = artifacts
        .iter()
        .map(|node| (node.id, RunInput::of(node, &texts)));
    let known: HashMap<i64, RunInput> = known.collect();
    let mut tags: BTreeMap<(i64, i64), Vec<(String, String)>> = BTreeMap::new();
    for tag in input_tags::of_runs(tx, runs).await? {
        let of_use = tags.entry((tag.execution_id, tag.artifact_id)).or_default();
        of_use.push((tag.key, tag.value));
    }
    let mut inputs: HashMap<i64, Vec<RunInput>> = HashMap::new();
    for event in used {
        let event = event.value;
        let Some(input) = known.get(&event.artifact_id) else {
            continue;
        };
        let tags = tags.remove(&(event.execution_id, event.artifact_id));
        inputs
            .entry(event.execution_id)
            .or_default()
            .push(RunInput {
                tags: tags.unwrap_or_default(),
                ..input.clone()
            });
    }
    Ok(inputs)
}
