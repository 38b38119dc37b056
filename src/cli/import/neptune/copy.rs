//! The way of the rows of runs into the graph.

use std::fs;
use std::io::stdout;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::RunParts;
use super::records::{RunAttributes, RunFile, is_point, point};
use super::rows;
use crate::blobs::BlobStore;
use crate::cli::Failure;
use crate::cli::import::files::{self, FailedFile};
use crate::cli::import::target::{ImportTarget, Imported};
use crate::cli::output::{printable, report};
use crate::graph::file_path;
use crate::graph::tracking::NewExperiment;
use crate::graph::tracking::names::{run_files, served_location, served_path};
use crate::model::MetricPoint;

/// Points of metrics that are written at once.
const BATCH_POINTS: usize = 5000;

/// An import.
#[derive(Debug)]
pub(super) struct NeptuneImport<'g> {
    target: ImportTarget<'g>,
    files: Option<&'g (PathBuf, BlobStore)>,
    step_multiplier: i64,
}

impl<'g> NeptuneImport<'g> {
    pub(super) const fn new(
        target: ImportTarget<'g>,
        files: Option<&'g (PathBuf, BlobStore)>,
        step_multiplier: i64,
    ) -> Self {
        Self {
            target,
            files,
            step_multiplier,
        }
    }

    pub(super) fn end(self) -> Result<Imported, Failure> {
        self.target.end()
    }

    /// Imports a run, whose files begin with a name.
    pub(super) async fn run(&mut self, name: &Path, parts: &RunParts) -> Result<(), Failure> {
        let shown = name.display().to_string();
        // The export of a run renames its first file last.
        let numbers = parts.keys().copied();
        if !numbers.eq(0..u32::try_from(parts.len()).unwrap_or(u32::MAX)) {
            let why = "some of the files of the run are missing";
            self.target.leave_out(&shown, &why);
            return Ok(());
        }
        let Some(facts) = self.facts(parts).await else {
            return Ok(());
        };
        let (mut new, params) = match facts.begin() {
            Ok(begun) => begun,
            Err(why) => {
                self.target.leave_out(&shown, &why);
                return Ok(());
            }
        };
        let experiment = NewExperiment {
            name: facts.project.clone(),
            ..NewExperiment::default()
        };
        let experiment = self.target.experiment(experiment, false).await;
        let Some(number) = self.target.unless_refused(&shown, experiment)?.flatten() else {
            return Ok(());
        };
        let place = run_files(&served_location(number), &new.id);
        new.experiment = number;
        new.artifact_uri = Some(place.clone());
        let end = facts.end();
        let known = self.target.graph.tracking().run(&new.id).await?;
        let known = known.map(|known| known.snapshot);
        let is_known = known.as_ref();
        let is_known = is_known.is_some_and(|known| end.is_that_of(&known.run));
        if is_known {
            self.target.imported.known_runs += 1;
        } else {
            let (id, start) = (new.id.clone(), new.start_time);
            let begun = self.target.begin_run(new, params).await;
            if self.target.unless_refused(&shown, begun)?.is_none() {
                return Ok(());
            }
            if !self.points(&id, start, parts).await? {
                return Ok(());
            }
        }
        let are_whole = known.is_some_and(|known| known.run.is_deleted)
            || self
                .copy_files(&facts, served_path(&place).unwrap_or_default())
                .await?;
        if is_known || !are_whole {
            return Ok(());
        }
        let ended = self.target.end_run(end).await;
        if self.target.unless_refused(&shown, ended)?.is_some() {
            let left_out = facts.left_out.iter();
            let left_out = left_out.map(|(kind, rows)| format!("; {rows} rows of {kind} left out"));
            let left_out: String = left_out.collect();
            report(&mut stdout(), printable(&(facts.path() + &left_out)));
        }
        Ok(())
    }

    /// What the rows of a run say; `None` if they cannot be read.
    async fn facts(&mut self, parts: &RunParts) -> Option<RunAttributes> {
        let mut facts = RunAttributes::default();
        for path in parts.values() {
            let mut batches = rows::of_file(path);
            while let Some(batch) = batches.recv().await {
                let added = batch.and_then(|batch| {
                    let mut rows = batch.into_iter();
                    rows.try_for_each(|row| facts.add(row, self.step_multiplier))
                });
                if let Err(why) = added {
                    self.target.leave_out(&path.display().to_string(), &why);
                    return None;
                }
            }
        }
        Some(facts)
    }

    /// Imports the points of the metrics of a run. Returns whether these are all.
    async fn points(&mut self, id: &str, start: i64, parts: &RunParts) -> Result<bool, Failure> {
        let mut points: Vec<MetricPoint> = Vec::new();
        for path in parts.values() {
            let shown = path.display().to_string();
            let mut batches = rows::of_file(path);
            while let Some(batch) = batches.recv().await {
                let of_batch = batch.and_then(|batch| {
                    let rows = batch.into_iter().filter(is_point);
                    let points = rows.map(|row| point(row, self.step_multiplier, start));
                    points.collect::<Result<Vec<_>, _>>()
                });
                match of_batch {
                    Ok(of_batch) => points.extend(of_batch.into_iter().flatten()),
                    Err(why) => {
                        self.target.leave_out(&shown, &why);
                        return Ok(false);
                    }
                }
                if points.len() >= BATCH_POINTS && !self.log(&shown, id, &mut points).await? {
                    return Ok(false);
                }
            }
            if !points.is_empty() && !self.log(&shown, id, &mut points).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn log(
        &mut self,
        shown: &str,
        id: &str,
        points: &mut Vec<MetricPoint>,
    ) -> Result<bool, Failure> {
        let logged = self.target.log_points(id, std::mem::take(points)).await;
        Ok(self.target.unless_refused(shown, logged)?.is_some())
    }

    /// Copies the files of a run below a path, if files are copied. Returns whether all are there.
    async fn copy_files(&mut self, facts: &RunAttributes, root: &str) -> Result<bool, Failure> {
        let Some((folder, blobs)) = self.files else {
            return Ok(true);
        };
        let mut are_whole = true;
        for RunFile { path, source } in &facts.files {
            let Some(safe) = file_path(source) else {
                self.target
                    .leave_out(source, &"no file can have such a path");
                are_whole = false;
                continue;
            };
            // A set of files is a folder.
            let mut open = vec![(folder.join(safe), [root, "/", path].concat())];
            while let Some((from, to)) = open.pop() {
                match self.copy_file(blobs, &from, &to).await? {
                    Ok(below) => open.extend(below),
                    Err(why) => {
                        self.target.leave_out(&from.display().to_string(), &why);
                        are_whole = false;
                    }
                }
            }
        }
        Ok(are_whole)
    }

    /// Copies a file, unless one of its size is there. Returns what is in a folder.
    async fn copy_file(
        &mut self,
        blobs: &BlobStore,
        from: &Path,
        to: &str,
    ) -> Result<Result<Vec<(PathBuf, String)>, String>, Failure> {
        let Some(to) = file_path(to) else {
            return Ok(Err("no file can have such a path".to_owned()));
        };
        let size = match fs::metadata(from) {
            Ok(found) if found.is_dir() => return Ok(entries(from, &to)),
            Ok(found) => found.len(),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let known = self.target.graph.files().at(&to).await?;
        if known
            .and_then(|known| known.file)
            .is_some_and(|known| known.bytes == size)
        {
            return Ok(Ok(Vec::new()));
        }
        let bytes = match File::open(from).await {
            Ok(file) => Box::pin(ReaderStream::new(file)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        match files::put(&self.target, blobs, &to, Some(size), bytes).await {
            Ok(()) => self.target.imported.files += 1,
            Err(FailedFile::Cut(why)) => return Ok(Err(why)),
            Err(FailedFile::Refused(error)) => return Ok(Err(error.to_string())),
        }
        Ok(Ok(Vec::new()))
    }
}

/// What is in a folder, with the paths that it gets.
fn entries(folder: &Path, to: &str) -> Result<Vec<(PathBuf, String)>, String> {
    let wrong = |error: std::io::Error| error.to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        let name = name.to_str().ok_or("the name of a file is not UTF-8")?;
        found.push((entry.path(), [to, "/", name].concat()));
    }
    Ok(found)
}
