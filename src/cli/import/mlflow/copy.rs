//! The way of experiments, runs and models of a server into the graph.

use std::io::stdout;

use serde_json::json;

use super::places::{FileOwner, FilePlaces};
use super::records::{
    SourceExperiment, SourceMetric, SourceModel, SourceRegisteredModel, SourceRun, SourceVersion,
    pairs,
};
use super::source::{MlflowSource, SourceList};
use crate::blobs::BlobStore;
use crate::cli::Failure;
use crate::cli::import::target::{ImportTarget, Imported, unless_there};
use crate::cli::output::{printable, report};
use crate::error::{Error, Result};
use crate::graph::registered::names::is_prompt;
use crate::graph::registered::{
    AliasTarget, EditVersion, MoveAlias, NewRegisteredModel, NewVersion, VersionChange,
    VersionSource,
};
use crate::graph::tracking::names::{model_files, run_files, served_location, served_path};
use crate::graph::tracking::{
    EditExperiment, EditModel, EditRun, ExperimentChange, LogInputs, LogOutputs, LogRun,
    LoggedModel, ModelChange, ModelPoint, NewExperiment, NewModel, NewRun,
};
use crate::model::MetricPoint;

/// Entries of a page: experiments and registered models, runs, models, versions.
const LISTED_ENTRIES: usize = 1000;
const LISTED_RUNS: usize = 100;
const LISTED_MODELS: usize = 50;

/// Points of a metric that are read and written at once.
const LISTED_POINTS: usize = 5000;

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
pub(super) struct MlflowImport<'s> {
    source: &'s MlflowSource,
    target: ImportTarget<'s>,
    places: FilePlaces<'s>,
}

impl<'s> MlflowImport<'s> {
    pub(super) fn new(
        source: &'s MlflowSource,
        blobs: Option<&'s BlobStore>,
        target: ImportTarget<'s>,
    ) -> Self {
        Self {
            source,
            target,
            places: FilePlaces::new(source, blobs),
        }
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
        self.target.end()
    }

    /// Imports an experiment, and its runs but for what follows their models. `None` for one that
    /// is deleted on both sides.
    async fn experiment(
        &mut self,
        experiment: SourceExperiment,
    ) -> Result<Option<BegunExperiment>, Failure> {
        let is_deleted = experiment.is_deleted();
        let name = printable(&experiment.name);
        let is_copied = self.places.copies(&experiment.artifact_location);
        let location = self.source.place_of(&experiment.artifact_location);
        let new = NewExperiment {
            name: experiment.name,
            artifact_location: Some(location).filter(|place| !place.is_empty() && !is_copied),
            tags: pairs(experiment.tags),
        };
        let Some(number) = self.target.experiment(new, is_deleted).await? else {
            return Ok(None);
        };
        if is_copied {
            let change = ExperimentChange::Relocate(served_location(number));
            self.target.write(EditExperiment { number, change }).await?;
        }
        let begun = BegunExperiment {
            id: experiment.experiment_id,
            number,
            is_deleted,
        };
        let before = self.target.imported.runs;
        self.begin_runs(&begun).await?;
        let runs = self.target.imported.runs - before;
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

    /// Whether a run has been imported as a whole, but for its files.
    async fn is_complete(&self, run: &SourceRun) -> Result<bool> {
        let known = self.target.graph.tracking().run(&run.info.run_id).await?;
        let end = run.end();
        Ok(known.is_some_and(|known| end.is_that_of(&known.snapshot.run)))
    }

    /// Imports runs but for what follows their models.
    async fn begin_runs(&mut self, experiment: &BegunExperiment) -> Result<(), Failure> {
        let mut list = Self::runs_of(experiment);
        while let Some(page) = self.source.next_page::<SourceRun>(&mut list).await? {
            for run in page {
                if self.is_complete(&run).await? {
                    self.target.imported.known_runs += 1;
                } else {
                    self.begin_run(run, experiment.number).await?;
                }
            }
        }
        Ok(())
    }

    async fn begin_run(&mut self, mut run: SourceRun, number: i64) -> Result<(), Failure> {
        let id = run.info.run_id.clone();
        let new = NewRun {
            id: id.clone(),
            experiment: number,
            name: run.info.run_name.clone(),
            owner: run.info.user_id.clone(),
            start_time: run.info.start_time,
            tags: pairs(run.data.tags.clone()),
            artifact_uri: Some(self.source.place_of(&run.info.artifact_uri)),
        };
        let params = pairs(std::mem::take(&mut run.data.params));
        self.target.begin_run(new, params).await?;
        for metric in &run.data.metrics {
            self.history(&id, &metric.key).await?;
        }
        let inputs = run.take_inputs();
        if !inputs.is_empty() {
            let models = Vec::new();
            let used = LogInputs { id, inputs, models };
            self.target.write(used).await?;
        }
        Ok(())
    }

    /// Imports all points of a metric.
    async fn history(&mut self, run: &str, key: &str) -> Result<(), Failure> {
        let fields = json!({"run_id": run, "metric_key": key, "max_results": LISTED_POINTS});
        let mut list = SourceList::got("/metrics/get-history", "metrics", fields);
        while let Some(page) = self.source.next_page::<SourceMetric>(&mut list).await? {
            let points: Vec<MetricPoint> = page.iter().map(SourceMetric::point).collect();
            self.target.log_points(run, points).await?;
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
                let known = self.known_model(&model.info.model_id).await?;
                match known.filter(|known| known.state == model.state()) {
                    Some(known) => {
                        self.model_files(&model, &known.artifact_uri, experiment.number)
                            .await?;
                    }
                    None => self.model(model, experiment.number).await?,
                }
            }
        }
        Ok(())
    }

    async fn known_model(&self, id: &str) -> Result<Option<LoggedModel>> {
        self.target.graph.tracking().model(id).await
    }

    /// Copies the files of a model that has a place here, if they are to be copied.
    async fn model_files(
        &mut self,
        model: &SourceModel,
        known: &str,
        number: i64,
    ) -> Result<(), Failure> {
        let (id, uri) = (&model.info.model_id, &model.info.artifact_uri);
        if !self.places.copies(uri) {
            return Ok(());
        }
        if served_path(known).is_some() {
            self.places.moved(uri, known);
            return Ok(());
        }
        let place = model_files(&served_location(number), id);
        let owner = FileOwner::Model(id);
        if !self
            .places
            .copy(&mut self.target, owner, uri, &place)
            .await?
        {
            return Ok(());
        }
        let edit = EditModel {
            id: id.clone(),
            change: ModelChange::Relocate(place.clone()),
        };
        match self.target.write(edit).await {
            // It is registered, and so its place stays.
            Err(error @ Error::FailedPrecondition(_)) => {
                self.target
                    .leave_out(&format!("the place of {owner}"), &error);
            }
            other => {
                other?;
                self.places.moved(uri, &place);
            }
        }
        Ok(())
    }

    async fn model(&mut self, mut model: SourceModel, number: i64) -> Result<(), Failure> {
        let state = model.state();
        let info = &model.info;
        let id = info.model_id.clone();
        let place = self.source.place_of(&info.artifact_uri);
        let new = NewModel {
            id: id.clone(),
            experiment: number,
            name: info.name.clone(),
            model_type: info.model_type.clone(),
            source_run: info.source_run_id.clone(),
            params: pairs(std::mem::take(&mut model.data.params)),
            tags: pairs(info.tags.clone()),
            artifact_uri: Some(place.clone()),
        };
        let created = unless_there(self.target.write(new).await)?;
        self.target.imported.models += usize::from(created.is_some());
        for metric in std::mem::take(&mut model.data.metrics) {
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
            match self.target.write(log).await {
                // Its run has been removed from the other server.
                Err(Error::NotFound(_)) => {}
                other => other?,
            }
        }
        let known = self.known_model(&id).await?;
        let known = known.map_or(place, |known| known.artifact_uri);
        self.model_files(&model, &known, number).await?;
        let change = ModelChange::SetState(state);
        self.target.write(EditModel { id, change }).await?;
        Ok(())
    }

    /// Imports which models runs made and used, their files, and how runs and their experiment
    /// ended.
    async fn end_runs(&mut self, experiment: &BegunExperiment) -> Result<(), Failure> {
        let mut list = Self::runs_of(experiment);
        while let Some(page) = self.source.next_page::<SourceRun>(&mut list).await? {
            for run in page {
                let known = self.target.graph.tracking().run(&run.info.run_id).await?;
                let Some(known) = known else {
                    continue;
                };
                let known = &known.snapshot.run;
                let is_complete = run.end().is_that_of(known);
                if self.places.copies(&run.info.artifact_uri) && !known.is_deleted {
                    let is_here = served_path(&known.artifact_uri).is_some();
                    self.run_files(&run, experiment.number, is_here && is_complete)
                        .await?;
                }
                if !is_complete {
                    self.end_run(run).await?;
                }
            }
        }
        if experiment.is_deleted {
            let (number, change) = (experiment.number, ExperimentChange::Delete);
            self.target.write(EditExperiment { number, change }).await?;
        }
        Ok(())
    }

    /// Copies the files of a run, unless all are here, and says where they are.
    async fn run_files(
        &mut self,
        run: &SourceRun,
        number: i64,
        is_whole: bool,
    ) -> Result<(), Failure> {
        let (id, uri) = (&run.info.run_id, &run.info.artifact_uri);
        let place = run_files(&served_location(number), id);
        if !is_whole {
            let owner = FileOwner::Run(id);
            if !self
                .places
                .copy(&mut self.target, owner, uri, &place)
                .await?
            {
                return Ok(());
            }
            let edit = EditRun {
                id: id.clone(),
                artifact_uri: Some(place.clone()),
                ..EditRun::default()
            };
            self.target.write(edit).await?;
        }
        self.places.moved(uri, &place);
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
            self.target.write(LogOutputs { id, models }).await?;
        }
        let models = self.known_models(used, |model| model).await?;
        if !models.is_empty() {
            let inputs = Vec::new();
            self.target.write(LogInputs { id, inputs, models }).await?;
        }
        self.target.end_run(run.end()).await
    }

    /// Those of models that are here: models that were deleted on the other server are not.
    async fn known_models<T>(&self, models: Vec<T>, id: fn(&T) -> &String) -> Result<Vec<T>> {
        let mut known = Vec::with_capacity(models.len());
        for model in models {
            if self.known_model(id(&model)).await?.is_some() {
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
        unless_there(self.target.write(new).await)?;
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
            self.target.write(move_alias).await?;
        }
        Ok(())
    }

    async fn version(&mut self, model: &str, version: SourceVersion) -> Result<(), Failure> {
        let number = version.version.parse();
        let number = number.map_err(|_| Failure("a version is no number".to_owned()))?;
        let tags = pairs(version.tags);
        let source = match version.source.strip_prefix("models:/") {
            _ if is_prompt(&tags) => VersionSource::Nothing,
            Some(id) if self.known_model(id).await?.is_some() => {
                VersionSource::LoggedModel(id.to_owned())
            }
            _ => VersionSource::Uri(self.places.of(&version.source)),
        };
        let new = NewVersion {
            model: model.to_owned(),
            given_source: self.places.of(&version.source),
            source,
            run: version.run_id,
            run_link: version.run_link,
            description: version.description,
            tags,
            creates_model: false,
            number: Some(number),
        };
        if unless_there(self.target.write(new).await)?.is_none() {
            return Ok(());
        }
        self.target.imported.versions += 1;
        if !matches!(version.current_stage.as_str(), "" | "None") {
            let edit = EditVersion {
                model: model.to_owned(),
                version: version.version,
                change: VersionChange::SetStage {
                    stage: version.current_stage,
                    archives_others: false,
                },
            };
            self.target.write(edit).await?;
        }
        Ok(())
    }
}
