//! The way of the lines of an export into the graph.

use std::collections::HashSet;
use std::io::stdout;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::records::{BegunRun, ExportLine, ExportedArtifact, ExportedRun, points};
use crate::cli::Failure;
use crate::cli::import::target::{ImportTarget, Imported};
use crate::cli::output::{printable, report};
use crate::graph::tracking::{LogArtifacts, NewExperiment};
use crate::model::{EventType, MetricPoint};

/// The most bytes of a line.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// Points of metrics that are written at once, and those of one more line.
const BATCH_POINTS: usize = 5000;

/// The run whose lines come.
#[derive(Debug)]
struct OpenRun {
    /// Its id in its project.
    id: String,
    begun: BegunRun,
    /// Whether it was complete before.
    is_known: bool,
    /// Whether all of its lines so far have been imported.
    is_whole: bool,
    points: Vec<MetricPoint>,
    /// The metrics of which there are points.
    metrics: HashSet<String>,
    /// The last step, and its time.
    last: (i64, i64),
}

/// An import.
#[derive(Debug)]
pub(super) struct WandbImport<'g> {
    target: ImportTarget<'g>,
    open: Option<OpenRun>,
    /// The run that lines named last which is not open.
    unknown: Option<String>,
}

impl<'g> WandbImport<'g> {
    pub(super) const fn new(target: ImportTarget<'g>) -> Self {
        Self {
            target,
            open: None,
            unknown: None,
        }
    }

    pub(super) fn end(self) -> Result<Imported, Failure> {
        self.target.end()
    }

    /// Imports the lines of a file.
    pub(super) async fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let shown = path.display().to_string();
        let failed = |error: std::io::Error| Failure(format!("cannot read {shown}: {error}"));
        let mut reader = BufReader::new(File::open(path).await.map_err(failed)?);
        let mut line = Vec::new();
        for number in 1_usize.. {
            line.clear();
            let mut limited = (&mut reader).take(MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut line).await.map_err(failed)?;
            if read == 0 {
                break;
            }
            let place = format!("{shown}:{number}");
            if line.len() as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
                // The rest of the line would be taken for others.
                return Err(Failure(format!("{place}: the line is too long")));
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                self.line(&place, line).await?;
            }
        }
        self.close(&shown).await
    }

    async fn line(&mut self, place: &str, line: &[u8]) -> Result<(), Failure> {
        match ExportLine::parse(line) {
            Ok(ExportLine::Run(run)) => self.begin(place, *run).await,
            Ok(ExportLine::History { run, row }) => {
                let Some(open) = self.open_run(place, &run) else {
                    return Ok(());
                };
                match points(&row, open.begun.new.start_time) {
                    Ok(points) => self.history(place, points).await,
                    Err(why) => {
                        self.leave_out(place, &why);
                        Ok(())
                    }
                }
            }
            Ok(ExportLine::Logged(artifact)) => {
                self.artifact(place, *artifact, EventType::Output).await
            }
            Ok(ExportLine::Used(artifact)) => {
                self.artifact(place, *artifact, EventType::Input).await
            }
            Ok(ExportLine::End { run }) => {
                if self.open_run(place, &run).is_some() {
                    self.finish(place).await?;
                }
                Ok(())
            }
            Err(why) => {
                self.leave_out(place, &why);
                Ok(())
            }
        }
    }

    /// Says that a line is left out. Its run, which may be the open one, does not end.
    fn leave_out(&mut self, place: &str, why: &str) {
        self.target.leave_out(place, &why);
        if let Some(open) = &mut self.open {
            open.is_whole = false;
        }
    }

    /// The open run, if a line is about it. Of several lines about another one, the first is named.
    fn open_run(&mut self, place: &str, run: &str) -> Option<&mut OpenRun> {
        if self.open.as_ref().is_some_and(|open| open.id == run) {
            return self.open.as_mut();
        }
        if self.unknown.as_deref() != Some(run) {
            let why = format!("no line before it begins the run {run}");
            self.target.leave_out(place, &why);
            self.unknown = Some(run.to_owned());
        }
        None
    }

    async fn begin(&mut self, place: &str, run: ExportedRun) -> Result<(), Failure> {
        self.close(place).await?;
        let id = run.id.clone();
        // Its lines are not named again if it is left out.
        self.unknown = Some(id.clone());
        let new = NewExperiment {
            name: run.experiment(),
            ..NewExperiment::default()
        };
        let mut begun = match run.begin() {
            Ok(begun) => begun,
            Err(why) => {
                self.target.leave_out(place, &why);
                return Ok(());
            }
        };
        let experiment = self.target.experiment(new, false).await;
        let Some(number) = self.target.unless_refused(place, experiment)?.flatten() else {
            return Ok(());
        };
        begun.new.experiment = number;
        let known = self.target.graph.tracking().run(&begun.new.id).await?;
        let is_known = known.is_some_and(|known| begun.end.is_that_of(&known.snapshot.run));
        if is_known {
            self.target.imported.known_runs += 1;
        } else {
            let params = std::mem::take(&mut begun.params);
            let stored = self.target.begin_run(begun.new.clone(), params).await;
            if self.target.unless_refused(place, stored)?.is_none() {
                return Ok(());
            }
        }
        self.open = Some(OpenRun {
            id,
            is_known,
            is_whole: true,
            points: Vec::new(),
            metrics: HashSet::new(),
            last: (0, begun.new.start_time),
            begun,
        });
        Ok(())
    }

    async fn history(&mut self, place: &str, points: Vec<MetricPoint>) -> Result<(), Failure> {
        let Some(open) = self.open.as_mut().filter(|open| !open.is_known) else {
            return Ok(());
        };
        for point in points {
            open.last = open.last.max((point.step, point.time));
            if !open.metrics.contains(&point.key) {
                open.metrics.insert(point.key.clone());
            }
            open.points.push(point);
        }
        if open.points.len() >= BATCH_POINTS {
            self.flush(place).await?;
        }
        Ok(())
    }

    /// Writes the points that wait. `place` is that of the last one.
    async fn flush(&mut self, place: &str) -> Result<(), Failure> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let points = std::mem::take(&mut open.points);
        if points.is_empty() {
            return Ok(());
        }
        let stored = self.target.log_points(&open.begun.new.id, points).await;
        if self.target.unless_refused(place, stored)?.is_none() {
            open.is_whole = false;
        }
        Ok(())
    }

    async fn artifact(
        &mut self,
        place: &str,
        artifact: ExportedArtifact,
        event_type: EventType,
    ) -> Result<(), Failure> {
        let Some(open) = self.open_run(place, &artifact.run) else {
            return Ok(());
        };
        let id = open.begun.new.id.clone();
        let artifact = match artifact.artifact() {
            Ok(artifact) => artifact,
            Err(why) => {
                self.leave_out(place, &why);
                return Ok(());
            }
        };
        let artifacts = vec![artifact];
        let write = LogArtifacts {
            id,
            event_type,
            artifacts,
        };
        let stored = self.target.write(write).await;
        if let Some(new) = self.target.unless_refused(place, stored)? {
            self.target.imported.artifacts += new;
        } else if let Some(open) = &mut self.open {
            open.is_whole = false;
        }
        Ok(())
    }

    /// Ends the open run, of which all lines have come.
    async fn finish(&mut self, place: &str) -> Result<(), Failure> {
        if let Some(open) = &mut self.open {
            let summary = std::mem::take(&mut open.begun.summary).into_iter();
            let rest = summary.filter(|(key, _)| !open.metrics.contains(key));
            let (step, last_time) = open.last;
            let time = open.begun.end.end_time.unwrap_or(last_time);
            let point = |(key, value)| MetricPoint {
                key,
                value,
                time,
                step,
            };
            if !open.is_known {
                open.points.extend(rest.map(point));
            }
        }
        self.flush(place).await?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        if open.is_known || !open.is_whole {
            return Ok(());
        }
        let ended = self.target.end_run(open.begun.end).await;
        if self.target.unless_refused(place, ended)?.is_some() {
            report(&mut stdout(), printable(&open.begun.path));
        }
        Ok(())
    }

    /// Leaves the open run as one that has not ended: its export was cut off.
    async fn close(&mut self, place: &str) -> Result<(), Failure> {
        self.flush(place).await?;
        if let Some(open) = self.open.take() {
            let why = format!("no line before it ends the run {}", open.begun.path);
            self.target.leave_out(place, &why);
        }
        Ok(())
    }
}
