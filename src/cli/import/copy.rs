//! The way of experiments, runs and models into the graph.
//!
//! Every write can be made again without a difference, and what shows that a run or a model is
//! complete is written last. So an import that was cut off goes on where it ended, and a second one
//! adds what is new.

use std::fmt;
use std::io::stdout;

use serde_json::json;

use super::records::{
    SourceExperiment, SourceMetric, SourceModel, SourceRegisteredModel, SourceRun, SourceVersion,
    pairs,
};
use super::source::{MlflowSource, SourceList};
use crate::cli::Failure;
use crate::cli::output::{printable, report};
use crate::error::{Error, Result};
use crate::graph::registered::{
    AliasTarget, EditVersion, MoveAlias, NewRegisteredModel, NewVersion, VersionChange,
    VersionSource,
};
use crate::graph::tracking::{
    EditExperiment, EditModel, EditRun, ExperimentChange, LogInputs, LogOutputs, LogRun,
    ModelChange, ModelPoint, NewExperiment, NewModel, NewRun, SetRunDeleted,
};
use crate::graph::{Graph, Write};
use crate::model::{Caller, Door, MetricPoint};

/// Entries of a page: experiments and registered models, runs, models, versions.
const LISTED_ENTRIES: usize = 1000;
const LISTED_RUNS: usize = 100;
const LISTED_MODELS: usize = 50;

/// Points of a metric that are read and written at once.
const LISTED_POINTS: usize = 5000;

/// What an import added.
#[derive(Debug, Default)]
pub(super) struct Imported {
    experiments: usize,
    runs: usize,
    points: usize,
    models: usize,
    versions: usize,
    /// Runs that were complete before.
    known_runs: usize,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            experiments,
            runs,
            points,
            models,
            versions,
            known_runs,
        } = self;
        write!(
            f,
            "imported {experiments} experiments, {runs} runs with {points} points of metrics, \
             {models} models and {versions} versions; {known_runs} runs were there already"
        )
    }
}

/// An experiment whose runs are being imported.
#[derive(Debug)]
struct BegunExperiment {
    /// Its id on the other server.
    id: String,
    /// Its number here.
    number: i64,
    /// Whether it is deleted on the other server.
    is_deleted: bool,
}

/// An import.
#[derive(Debug)]
pub(super) struct Importer<'s> {
    source: &'s MlflowSource,
    graph: &'s Graph,
    caller: Caller,
    imported: Imported,
}

/// What a write that creates something has created; `None` if it was there.
fn unless_there<T>(created: Result<T>) -> Result<Option<T>> {
    match created {
        Ok(created) => Ok(Some(created)),
        Err(Error::AlreadyExists(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl<'s> Importer<'s> {
    pub(super) fn new(source: &'s MlflowSource, graph: &'s Graph) -> Self {
        Self {
            source,
            graph,
            caller: Caller::anonymous(Door::Command),
            imported: Imported::default(),
        }
    }

    async fn write<W: Write + 'static>(&self, write: W) -> Result<W::Answer> {
        self.graph.write(&self.caller, write).await
    }

    /// Imports everything. Metrics of a model may be those of runs of other experiments, and a run
    /// that is complete is not read again: so all runs come first, and their ends last.
    pub(super) async fn run(mut self) -> Result<Imported, Failure> {
        let fields = json!({"max_results": LISTED_ENTRIES, "view_type": "ALL"});
        let mut list = SourceList::posted("/experiments/search", "experiments", fields);
        let mut experiments = Vec::new();
        while let Some(page) = self.source.next_page(&mut list).await? {
            for experiment in page {
                experiments.extend(self.experiment(experiment).await?);
            }
        }
        for experiment in &experiments {
            self.models(experiment).await?;
        }
        for experiment in &experiments {
            self.end_runs(experiment).await?;
        }
        let fields = json!({"max_results": LISTED_ENTRIES});
        let mut list = SourceList::got("/registered-models/search", "registered_models", fields);
        while let Some(page) = self.source.next_page(&mut list).await? {
            for model in page {
                self.registered_model(model).await?;
            }
        }
        Ok(self.imported)
    }

    /// Imports an experiment, and its runs but for what follows their models. `None` for one that
    /// is deleted on both sides.
    async fn experiment(
        &mut self,
        experiment: SourceExperiment,
    ) -> Result<Option<BegunExperiment>, Failure> {
        let is_deleted = experiment.is_deleted();
        let name = printable(&experiment.name);
        let known = self
            .graph
            .tracking()
            .experiment_by_name(&experiment.name)
            .await?;
        let number = match known {
            Some(known) if known.is_deleted && is_deleted => return Ok(None),
            Some(known) if known.is_deleted => {
                return Err(Failure(format!("the experiment {name} is deleted here")));
            }
            Some(known) => known.number,
            None => {
                let location = self.source.place_of(&experiment.artifact_location);
                let new = NewExperiment {
                    name: experiment.name,
                    artifact_location: Some(location).filter(|place| !place.is_empty()),
                    tags: pairs(experiment.tags),
                };
                self.imported.experiments += 1;
                self.write(new).await?
            }
        };
        let begun = BegunExperiment {
            id: experiment.experiment_id,
            number,
            is_deleted,
        };
        let before = self.imported.runs;
        self.begin_runs(&begun).await?;
        let runs = self.imported.runs - before;
        report(&mut stdout(), format!("{name}: {runs} new runs"));
        Ok(Some(begun))
    }

    /// The list of the runs of an experiment, the earliest first: parents come before children.
    fn runs_of(experiment: &BegunExperiment) -> SourceList {
        let fields = json!({
            "experiment_ids": [experiment.id], "run_view_type": "ALL", "max_results": LISTED_RUNS,
            "order_by": ["start_time ASC"],
        });
        SourceList::posted("/runs/search", "runs", fields)
    }

    /// Whether a run has been imported as a whole: its end and its deletion are written last. One
    /// that is deleted here stays as it is.
    async fn is_complete(&self, run: &SourceRun) -> Result<bool> {
        let known = self.graph.tracking().run(&run.info.run_id).await?;
        Ok(known.is_some_and(|known| {
            let known = known.run;
            let has_ended = known.state == Some(run.state())
                && known.ended == run.info.end_time
                && known.ended.is_some();
            known.is_deleted || (has_ended && !run.is_deleted())
        }))
    }

    /// Imports runs but for what follows their models.
    async fn begin_runs(&mut self, experiment: &BegunExperiment) -> Result<(), Failure> {
        let mut list = Self::runs_of(experiment);
        while let Some(page) = self.source.next_page::<SourceRun>(&mut list).await? {
            for run in page {
                if self.is_complete(&run).await? {
                    self.imported.known_runs += 1;
                } else {
                    self.begin_run(run, experiment.number).await?;
                }
            }
        }
        Ok(())
    }

    async fn begin_run(&mut self, mut run: SourceRun, number: i64) -> Result<(), Failure> {
        let id = run.info.run_id.clone();
        let (params, tags) = (
            pairs(std::mem::take(&mut run.data.params)),
            run.data.tags.clone(),
        );
        let new = NewRun {
            id: id.clone(),
            experiment: number,
            name: run.info.run_name.clone(),
            owner: run.info.user_id.clone(),
            start_time: run.info.start_time,
            tags: pairs(tags.clone()),
            artifact_uri: Some(self.source.place_of(&run.info.artifact_uri)),
        };
        self.imported.runs += usize::from(unless_there(self.write(new).await)?.is_some());
        let log = LogRun {
            id: id.clone(),
            params,
            tags: pairs(tags),
            ..LogRun::default()
        };
        self.write(log).await?;
        for metric in &run.data.metrics {
            self.history(&id, &metric.key).await?;
        }
        let inputs = run.take_inputs();
        if !inputs.is_empty() {
            let models = Vec::new();
            self.write(LogInputs { id, inputs, models }).await?;
        }
        Ok(())
    }

    /// Imports all points of a metric.
    async fn history(&mut self, run: &str, key: &str) -> Result<(), Failure> {
        let fields = json!({"run_id": run, "metric_key": key, "max_results": LISTED_POINTS});
        let mut list = SourceList::got("/metrics/get-history", "metrics", fields);
        while let Some(page) = self.source.next_page::<SourceMetric>(&mut list).await? {
            let metrics: Vec<MetricPoint> = page.iter().map(SourceMetric::point).collect();
            self.imported.points += metrics.len();
            let log = LogRun {
                id: run.to_owned(),
                metrics,
                ..LogRun::default()
            };
            self.write(log).await?;
        }
        Ok(())
    }

    /// Imports the logged models of an experiment. A server before version 3 has none.
    async fn models(&mut self, experiment: &BegunExperiment) -> Result<(), Failure> {
        let fields = json!({"experiment_ids": [experiment.id], "max_results": LISTED_MODELS});
        let list = SourceList::posted("/logged-models/search", "models", fields);
        let mut list = list.if_known();
        while let Some(page) = self.source.next_page::<SourceModel>(&mut list).await? {
            for model in page {
                let known = self.graph.tracking().model(&model.info.model_id).await?;
                if !known.is_some_and(|known| known.state == model.state()) {
                    self.model(model, experiment.number).await?;
                }
            }
        }
        Ok(())
    }

    async fn model(&mut self, model: SourceModel, number: i64) -> Result<(), Failure> {
        let (state, info) = (model.state(), model.info);
        let id = info.model_id;
        let new = NewModel {
            id: id.clone(),
            experiment: number,
            name: info.name,
            model_type: info.model_type,
            source_run: info.source_run_id,
            params: pairs(model.data.params),
            tags: pairs(info.tags),
            artifact_uri: Some(self.source.place_of(&info.artifact_uri)),
        };
        self.imported.models += usize::from(unless_there(self.write(new).await)?.is_some());
        for metric in model.data.metrics {
            let point = metric.point();
            let of_model = ModelPoint {
                model: id.clone(),
                dataset: (metric.dataset_name, metric.dataset_digest),
                point: point.clone(),
            };
            let log = LogRun {
                id: metric.run_id,
                metrics: vec![point],
                model_metrics: vec![of_model],
                ..LogRun::default()
            };
            match self.write(log).await {
                // Its run has been removed from the other server.
                Err(Error::NotFound(_)) => {}
                other => other?,
            }
        }
        let change = ModelChange::SetState(state);
        self.write(EditModel { id, change }).await?;
        Ok(())
    }

    /// Imports which models runs made and used, and how runs and their experiment ended.
    async fn end_runs(&self, experiment: &BegunExperiment) -> Result<(), Failure> {
        let mut list = Self::runs_of(experiment);
        while let Some(page) = self.source.next_page::<SourceRun>(&mut list).await? {
            for run in page {
                if !self.is_complete(&run).await? {
                    self.end_run(run).await?;
                }
            }
        }
        if experiment.is_deleted {
            let (number, change) = (experiment.number, ExperimentChange::Delete);
            self.write(EditExperiment { number, change }).await?;
        }
        Ok(())
    }

    async fn end_run(&self, run: SourceRun) -> Result<()> {
        let (id, made, used) = (
            run.info.run_id.clone(),
            run.made_models(),
            run.used_models(),
        );
        let models = self.known_models(made, |(model, _)| model).await?;
        if !models.is_empty() {
            let id = id.clone();
            self.write(LogOutputs { id, models }).await?;
        }
        let models = self.known_models(used, |model| model).await?;
        if !models.is_empty() {
            let (id, inputs) = (id.clone(), Vec::new());
            self.write(LogInputs { id, inputs, models }).await?;
        }
        let edit = EditRun {
            id: id.clone(),
            state: Some(run.state()),
            end_time: run.info.end_time,
            name: None,
        };
        self.write(edit).await?;
        if run.is_deleted() {
            let is_deleted = true;
            self.write(SetRunDeleted { id, is_deleted }).await?;
        }
        Ok(())
    }

    /// Those of models that are here: models that were deleted on the other server are not.
    async fn known_models<T>(&self, models: Vec<T>, id: fn(&T) -> &String) -> Result<Vec<T>> {
        let mut known = Vec::with_capacity(models.len());
        for model in models {
            if self.graph.tracking().model(id(&model)).await?.is_some() {
                known.push(model);
            }
        }
        Ok(known)
    }

    async fn registered_model(&mut self, model: SourceRegisteredModel) -> Result<(), Failure> {
        let new = NewRegisteredModel {
            name: model.name.clone(),
            description: model.description.filter(|text| !text.is_empty()),
            tags: pairs(model.tags),
        };
        unless_there(self.write(new).await)?;
        let name = model.name.replace('\'', "''");
        let fields = json!({
            "filter": format!("name = '{name}'"), "max_results": LISTED_ENTRIES,
            "order_by": "version_number ASC",
        });
        let mut list = SourceList::got("/model-versions/search", "model_versions", fields);
        while let Some(page) = self.source.next_page(&mut list).await? {
            for version in page {
                self.version(&model.name, version).await?;
            }
        }
        for alias in model.aliases {
            let move_alias = MoveAlias {
                model: model.name.clone(),
                alias: alias.alias,
                to: AliasTarget::Version(alias.version),
                expected: None,
            };
            self.write(move_alias).await?;
        }
        Ok(())
    }

    async fn version(&mut self, model: &str, version: SourceVersion) -> Result<(), Failure> {
        let number = version.version.parse();
        let number = number.map_err(|_| Failure("a version is no number".to_owned()))?;
        let source = match version.source.strip_prefix("models:/") {
            Some(id) if self.graph.tracking().model(id).await?.is_some() => {
                VersionSource::LoggedModel(id.to_owned())
            }
            _ => VersionSource::Uri(self.source.place_of(&version.source)),
        };
        let new = NewVersion {
            model: model.to_owned(),
            given_source: self.source.place_of(&version.source),
            source,
            run: version.run_id,
            run_link: version.run_link,
            description: version.description,
            tags: pairs(version.tags),
            creates_model: false,
            number: Some(number),
        };
        if unless_there(self.write(new).await)?.is_none() {
            return Ok(());
        }
        self.imported.versions += 1;
        if !matches!(version.current_stage.as_str(), "" | "None") {
            let edit = EditVersion {
                model: model.to_owned(),
                version: version.version,
                change: VersionChange::SetStage {
                    stage: version.current_stage,
                    archives_others: false,
                },
            };
            self.write(edit).await?;
        }
        Ok(())
    }
}
