//! Experiments and runs, found by their ids or by a search.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::cache::{RunCache, RunSnapshot, latest_points};
use super::experiments::Experiment;
use super::inputs::RunInput;
use super::models::{self, LoggedModel};
use super::runs::{self, TrackedRun};
use super::schema::{PrepareTracking, TrackingTypes};
use super::{links, lookup, names};
use crate::error::{Error, Result};
use crate::graph::commit::engine::Engine;
use crate::graph::nodes::read::in_order;
use crate::model::{
    Caller, Door, ExperimentField, Kind, LifecycleView, MetricPoint, ModelField, Node, NodeKey,
    OffsetPage, RunField, RunPoint, TrackingQuery, distinct_ids,
};
use crate::storage::tables::nodes;
use crate::storage::tables::tracking::{
    curves, experiments as experiment_rows, inputs as input_tags, metrics, models as model_rows,
    run_search,
};
use crate::storage::{Database, Tx};

/// The experiments of a graph and their runs.
#[derive(Clone, Debug)]
pub struct GraphTracking {
    database: Database,
    engine: Arc<Engine>,
    cache: RunCache,
}

/// A run with the latest points of its metrics and with what it used.
#[derive(Clone, Debug, PartialEq)]
pub struct RunData {
    pub snapshot: Arc<RunSnapshot>,
    pub inputs: Vec<RunInput>,
    /// Ids of models that it used.
    pub model_inputs: Vec<String>,
    /// Ids of models that it made, with the steps of the training at which it did.
    pub model_outputs: Vec<(String, i64)>,
}

/// A run in a list, with the latest points of its metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    pub execution_id: i64,
    pub run: TrackedRun,
    pub metrics: Vec<MetricPoint>,
}

/// The most metrics of all runs of a list.
const MAX_LISTED_METRICS: i64 = 20_000;

impl GraphTracking {
    pub(in crate::graph) const fn new(
        database: Database,
        engine: Arc<Engine>,
        cache: RunCache,
    ) -> Self {
        Self {
            database,
            engine,
            cache,
        }
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

    /// A page of the experiments in a view that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn experiments(
        &self,
        view: LifecycleView,
        asked: &TrackingQuery<ExperimentField>,
    ) -> Result<Vec<Experiment>> {
        let (mut tx, _) = self.begin().await?;
        let ids = experiment_rows::search(&mut tx, view, asked).await?;
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
        let Some(node) = found else {
            return Ok(None);
        };
        let id = node.id;
        let metrics = latest_points(&mut tx, &[id]).await?.remove(&id);
        let snapshot = RunSnapshot {
            run: TrackedRun::of(node),
            metrics: metrics.unwrap_or_default(),
        };
        let found = vec![(id, Arc::new(snapshot))];
        Ok(with_links(&mut tx, found).await?.pop())
    }

    /// A page of the runs in a view of experiments that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn runs(
        &self,
        experiments: &[i64],
        view: LifecycleView,
        asked: &TrackingQuery<RunField>,
    ) -> Result<Vec<RunData>> {
        let (mut tx, _) = self.begin().await?;
        let ids = run_search::search(&mut tx, experiments, view, asked).await?;
        let mut found = self.cache.read(&mut tx, &ids).await?;
        let found = ids.iter().filter_map(|id| Some((*id, found.remove(id)?)));
        with_links(&mut tx, found.collect()).await
    }

    /// Whether anything has been tracked. Other reads have the types and the first experiment
    /// stored where it has not.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn is_used(&self) -> Result<bool> {
        let mut tx = self.database.read().await?;
        Ok(TrackingTypes::find(&mut tx).await?.is_some())
    }

    /// As [`Self::runs`], with metrics and without inputs and models, for lists.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn listed_runs(
        &self,
        experiments: &[i64],
        view: LifecycleView,
        asked: &TrackingQuery<RunField>,
    ) -> Result<Vec<ListedRun>> {
        let mut tx = self.database.read().await?;
        let ids = run_search::search(&mut tx, experiments, view, asked).await?;
        let found = runs_in_order(&mut tx, &ids).await?;
        let mut points: HashMap<i64, Vec<MetricPoint>> = HashMap::new();
        if !ids.is_empty() {
            for series in curves::series_among(&mut tx, &ids, MAX_LISTED_METRICS).await? {
                let of_run = points.entry(series.execution_id).or_default();
                of_run.push(series.latest);
            }
        }
        let listed = |(execution_id, run)| ListedRun {
            execution_id,
            run,
            metrics: points.remove(&execution_id).unwrap_or_default(),
        };
        Ok(found.into_iter().map(listed).collect())
    }

    /// The execution that the run with an id is.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn run_execution(&self, id: &str) -> Result<Option<i64>> {
        let mut tx = self.database.read().await?;
        let found = lookup::run(&mut tx, id).await?;
        Ok(found.map(|run| run.execution_id))
    }

    /// The context that the experiment with a number is.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn experiment_context(&self, number: i64) -> Result<Option<i64>> {
        let mut tx = self.database.read().await?;
        let key = names::experiment_id(number);
        nodes::find(&mut tx, Kind::Context, NodeKey::ExternalId(&key)).await
    }

    /// A model that is not deleted.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn model(&self, id: &str) -> Result<Option<LoggedModel>> {
        let (mut tx, types) = self.begin().await?;
        let found = nodes::by_name(&mut tx, Kind::Artifact, types.model, id).await?;
        let found = found.filter(|node| !models::is_deleted(&node.content));
        let found: Vec<Node> = found.into_iter().collect();
        Ok(models::with_metrics(&mut tx, &found).await?.pop())
    }

    /// A page of the models of experiments that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn models(
        &self,
        experiments: &[i64],
        asked: &TrackingQuery<ModelField>,
    ) -> Result<Vec<LoggedModel>> {
        let (mut tx, types) = self.begin().await?;
        let keys: Vec<String> = experiments
            .iter()
            .map(|it| names::experiment_id(*it))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let contexts = nodes::ids_by_external_ids(&mut tx, Kind::Context, &keys).await?;
        let contexts: Vec<i64> = contexts.into_values().collect();
        let ids = model_rows::search(&mut tx, types.model, &contexts, asked).await?;
        let found = in_order(&mut tx, Kind::Artifact, &ids).await?;
        models::with_metrics(&mut tx, &found).await
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

    /// The first points of a metric of runs, by run, time, step and value, each with the id of its
    /// run. None for unknown runs.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn metric_histories(
        &self,
        runs: &[&str],
        key: &str,
        limit: i64,
    ) -> Result<Vec<RunPoint>> {
        let (mut tx, _) = self.begin().await?;
        metrics::points_of_runs(&mut tx, runs, key, limit).await
    }

    /// Points of a metric of runs from a first to a last step, by run, step, time and value: of
    /// each run so many, evenly spread over its points, and the last one.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn metric_samples(
        &self,
        runs: &[&str],
        key: &str,
        steps: (i64, i64),
        samples: i64,
    ) -> Result<Vec<RunPoint>> {
        let (mut tx, _) = self.begin().await?;
        metrics::samples_of_runs(&mut tx, runs, key, steps, samples).await
    }

    /// The first datasets that runs of experiments used, ascending. Those of deleted experiments
    /// are left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn inputs(&self, experiments: &[i64], limit: i64) -> Result<Vec<InputSummary>> {
        let (mut tx, types) = self.begin().await?;
        let used = input_tags::used_in(
            &mut tx,
            experiments,
            types.input,
            names::INPUT_CONTEXT_TAG,
            limit,
        );
        let used = used.await?;
        let ids = distinct_ids(used.iter().map(|(_, id, _)| *id));
        let found = nodes::by_ids(&mut tx, Kind::Artifact, &ids).await?;
        let input = |node: &Node| (node.id, RunInput::of(node, &BTreeMap::new()));
        let found: HashMap<i64, RunInput> = found.iter().map(input).collect();
        let summaries = used.into_iter().filter_map(|(experiment, id, context)| {
            let RunInput { name, digest, .. } = found.get(&id)?.clone();
            Some(InputSummary {
                experiment,
                name,
                digest,
                context,
            })
        });
        let mut summaries: Vec<InputSummary> = summaries.collect();
        summaries.sort();
        Ok(summaries)
    }
}

/// A dataset of an experiment, and what its runs used it for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputSummary {
    /// The number of the experiment.
    pub experiment: i64,
    pub name: String,
    pub digest: String,
    pub context: Option<String>,
}

/// The runs that these executions are, in their order, each with its execution.
async fn runs_in_order(tx: &mut Tx, ids: &[i64]) -> Result<Vec<(i64, TrackedRun)>> {
    let found = nodes::by_ids_apart(tx, Kind::Execution, ids).await?;
    let run = |(node, run): (Node, TrackedRun)| (node.id, run.of_execution(&node));
    let mut by_id: HashMap<i64, TrackedRun> = found.into_iter().map(run).collect();
    let run = |id: &i64| Some((*id, by_id.remove(id)?));
    Ok(ids.iter().filter_map(run).collect())
}

/// Runs with what they used and made, in the same order.
async fn with_links(tx: &mut Tx, found: Vec<(i64, Arc<RunSnapshot>)>) -> Result<Vec<RunData>> {
    let ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
    let mut links = links::of_runs(tx, &ids).await?;
    let data = |(id, snapshot)| {
        let links = links.remove(&id).unwrap_or_default();
        RunData {
            snapshot,
            inputs: links.inputs,
            model_inputs: links.model_inputs,
            model_outputs: links.model_outputs,
        }
    };
    Ok(found.into_iter().map(data).collect())
}
