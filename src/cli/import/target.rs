//! The graph, into which an import writes.
//!
//! Every write can be made again without a difference, and what shows that a run is complete is
//! written last. So an import that was cut off goes on where it ended, and a second one adds what
//! is new.

use std::fmt;
use std::io::stderr;

use crate::cli::Failure;
use crate::cli::output::{printable, report};
use crate::error::{Error, Result};
use crate::graph::tracking::{EditRun, LogRun, NewExperiment, NewRun, SetRunDeleted, TrackedRun};
use crate::graph::{Graph, Write};
use crate::model::{Caller, Door, ExecutionState, MetricPoint};

/// What an import added.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub experiments: usize,
    pub runs: usize,
    pub points: usize,
    pub models: usize,
    pub versions: usize,
    pub artifacts: usize,
    pub files: usize,
    /// Runs that were complete before.
    pub known_runs: usize,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            experiments,
            runs,
            points,
            models,
            versions,
            artifacts,
            files,
            known_runs,
        } = self;
        write!(
            f,
            "imported {experiments} experiments, {runs} runs with {points} points of metrics, \
             {models} models, {versions} versions, {artifacts} artifacts and {files} files; \
             {known_runs} runs were there already"
        )
    }
}

/// How a run ended, or that it has not.
#[derive(Clone, Debug)]
pub(super) struct RunEnd {
    /// The id of the run.
    pub id: String,
    pub state: ExecutionState,
    /// Milliseconds since epoch.
    pub end_time: Option<i64>,
    pub is_deleted: bool,
}

impl RunEnd {
    /// Whether a run that is known has been imported as a whole: its end and its deletion are
    /// written last. One that is deleted here stays as it is.
    pub(super) fn is_that_of(&self, known: &TrackedRun) -> bool {
        let has_ended = known.state == Some(self.state)
            && known.ended == self.end_time
            && known.ended.is_some();
        known.is_deleted || (has_ended && !self.is_deleted)
    }
}

/// A graph into which an import writes, and what it has written.
#[derive(Debug)]
pub(super) struct ImportTarget<'g> {
    pub graph: &'g Graph,
    pub imported: Imported,
    caller: Caller,
    /// What could not be imported.
    problems: usize,
}

/// What a write that creates something has created; `None` if it was there.
pub(super) fn unless_there<T>(created: Result<T>) -> Result<Option<T>> {
    match created {
        Ok(created) => Ok(Some(created)),
        Err(Error::AlreadyExists(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl<'g> ImportTarget<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        Self {
            graph,
            imported: Imported::default(),
            caller: Caller::anonymous(Door::Command),
            problems: 0,
        }
    }

    pub(super) async fn write<W: Write + 'static>(&self, write: W) -> Result<W::Answer> {
        self.graph.write(&self.caller, write).await
    }

    /// Says that something cannot be imported, without the rest of the import.
    pub(super) fn leave_out(&mut self, what: &str, why: &impl fmt::Display) {
        self.problems += 1;
        let line = printable(&format!("{what}: {why}"));
        report(&mut stderr(), line);
    }

    /// What a write has given; `None` if the graph refuses what it says, which is left out then.
    ///
    /// # Errors
    ///
    /// Those of which another write would end as well.
    pub(super) fn unless_refused<T>(
        &mut self,
        what: &str,
        written: Result<T>,
    ) -> Result<Option<T>, Failure> {
        match written {
            Ok(answer) => Ok(Some(answer)),
            Err(
                error @ (Error::InvalidArgument(_)
                | Error::NotFound(_)
                | Error::AlreadyExists(_)
                | Error::FailedPrecondition(_)
                | Error::OutOfRange(_)
                | Error::TooLarge(_)),
            ) => {
                self.leave_out(what, &error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What was imported.
    ///
    /// # Errors
    ///
    /// If something was left out.
    pub(super) fn end(self) -> Result<Imported, Failure> {
        let Self {
            imported, problems, ..
        } = self;
        if problems == 0 {
            return Ok(imported);
        }
        Err(Failure(format!(
            "{imported}; {problems} problems, see above: mend them and start the import again"
        )))
    }

    /// The number of an experiment, which is created if it is not known. `None` for one that is
    /// deleted on both sides.
    pub(super) async fn experiment(
        &mut self,
        new: NewExperiment,
        is_deleted: bool,
    ) -> Result<Option<i64>> {
        let tracking = self.graph.tracking();
        match tracking.experiment_by_name(&new.name).await? {
            Some(known) if known.is_deleted && is_deleted => Ok(None),
            Some(known) if known.is_deleted => {
                let name = &new.name;
                let text = format!("the experiment {name} is deleted here");
                Err(Error::FailedPrecondition(text))
            }
            Some(known) => Ok(Some(known.number)),
            None => {
                let number = self.write(new).await?;
                self.imported.experiments += 1;
                Ok(Some(number))
            }
        }
    }

    /// Creates a run if it is not known, and gives it tags and parameters.
    pub(super) async fn begin_run(
        &mut self,
        new: NewRun,
        params: Vec<(String, String)>,
    ) -> Result<()> {
        let log = LogRun {
            id: new.id.clone(),
            params,
            tags: new.tags.clone(),
            ..LogRun::default()
        };
        let created = unless_there(self.write(new).await)?;
        self.imported.runs += usize::from(created.is_some());
        self.write(log).await
    }

    /// Adds points to the metrics of a run.
    pub(super) async fn log_points(&mut self, run: &str, metrics: Vec<MetricPoint>) -> Result<()> {
        let points = metrics.len();
        let log = LogRun {
            id: run.to_owned(),
            metrics,
            ..LogRun::default()
        };
        self.write(log).await?;
        self.imported.points += points;
        Ok(())
    }

    /// Ends a run.
    pub(super) async fn end_run(&self, end: RunEnd) -> Result<()> {
        let RunEnd {
            id,
            state,
            end_time,
            is_deleted,
        } = end;
        let edit = EditRun {
            id: id.clone(),
            state: Some(state),
            end_time,
            ..EditRun::default()
        };
        self.write(edit).await?;
        if is_deleted {
            self.write(SetRunDeleted { id, is_deleted }).await?;
        }
        Ok(())
    }
}
