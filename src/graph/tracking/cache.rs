//! A cache of runs, so that a page of runs reads no properties and no metrics of those that have
//! not changed.
//!
//! Every change of a run, by any door and any server, changes the time of its execution's last
//! update. A read looks at these times in its own transaction: a cached run counts while the time
//! is the same. Times are in milliseconds, so that two changes could have one time. A run whose
//! last update is not older than [`SETTLING_TIME`] is therefore not cached. The time also allows
//! for servers whose clocks differ.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::runs::TrackedRun;
use crate::error::Result;
use crate::graph::clock::Clock;
use crate::model::{Kind, MetricPoint, Node};
use crate::storage::Tx;
use crate::storage::tables::nodes::{self, UpdateTime};
use crate::storage::tables::tracking::metrics;

/// The age of the last update at which a run is cached, in milliseconds.
const SETTLING_TIME: i64 = 60_000;

/// The most bytes of the cached runs of a graph.
const MAX_CACHED_BYTES: u64 = 16 << 20;

/// A guess of the bytes of a run, from which the cache derives the size of its tables.
const USUAL_RUN_BYTES: usize = 1 << 10;

/// A run with the latest points of its metrics, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSnapshot {
    pub run: TrackedRun,
    pub metrics: Vec<MetricPoint>,
}

impl RunSnapshot {
    /// The bytes that it takes, about.
    fn bytes(&self) -> usize {
        let run = &self.run;
        let pairs = run.params.iter().chain(&run.tags);
        let texts =
            pairs.map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len());
        let points = self.metrics.iter();
        let points = points.map(|point| size_of::<MetricPoint>() + point.key.len());
        let own = [&run.id, &run.name, &run.owner, &run.artifact_uri];
        let own = own.iter().map(|text| text.len()).sum::<usize>();
        size_of::<Self>() + own + texts.sum::<usize>() + points.sum::<usize>()
    }
}

/// A run with the time of the last update of its execution, in milliseconds since epoch.
type CachedRun = (i64, Arc<RunSnapshot>);

#[derive(Clone, Debug)]
struct RunBytes;

impl Weighter<i64, CachedRun> for RunBytes {
    fn weight(&self, _: &i64, (_, snapshot): &CachedRun) -> u64 {
        u64::try_from(snapshot.bytes()).unwrap_or(u64::MAX)
    }
}

/// The cached runs of a graph, by execution. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::graph) struct RunCache {
    runs: Arc<Cache<i64, CachedRun, RunBytes>>,
    clock: Clock,
}

impl RunCache {
    /// An empty cache. The clock is the one that dates writes.
    pub fn new(clock: Clock) -> Self {
        let count = usize::try_from(MAX_CACHED_BYTES).unwrap_or_default() / USUAL_RUN_BYTES;
        let runs = Cache::with_weighter(count, MAX_CACHED_BYTES, RunBytes);
        Self {
            runs: Arc::new(runs),
            clock,
        }
    }

    /// The runs that these executions are, by execution. Those that do not exist are left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read(&self, tx: &mut Tx, ids: &[i64]) -> Result<HashMap<i64, Arc<RunSnapshot>>> {
        let times = nodes::update_times(tx, Kind::Execution, ids).await?;
        let mut found = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for UpdateTime { id, time } in times {
            match self.runs.get(&id) {
                Some((cached, snapshot)) if cached == time => _ = found.insert(id, snapshot),
                _ => unknown.push(id),
            }
        }
        let latest = self.clock.now().saturating_sub(SETTLING_TIME);
        for (node, snapshot) in snapshots(tx, &unknown).await? {
            let (id, time) = (node.id, node.update_time);
            // A time of 0 is none.
            if time != 0 && time < latest {
                self.runs.insert(id, (time, snapshot.clone()));
            }
            found.insert(id, snapshot);
        }
        Ok(found)
    }
}

/// Runs as they are stored.
async fn snapshots(tx: &mut Tx, ids: &[i64]) -> Result<Vec<(Node, Arc<RunSnapshot>)>> {
    let found: Vec<(Node, TrackedRun)> = nodes::by_ids_apart(tx, Kind::Execution, ids).await?;
    let mut metrics = latest_points(tx, ids).await?;
    let snapshot = |(node, run): (Node, TrackedRun)| {
        let metrics = metrics.remove(&node.id).unwrap_or_default();
        let run = run.of_execution(&node);
        (node, Arc::new(RunSnapshot { run, metrics }))
    };
    Ok(found.into_iter().map(snapshot).collect())
}

/// The latest points of the metrics of runs, by execution.
pub(super) async fn latest_points(
    tx: &mut Tx,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<MetricPoint>>> {
    let mut points: HashMap<i64, Vec<MetricPoint>> = HashMap::new();
    for series in metrics::series_of(tx, ids).await? {
        let of_run = points.entry(series.execution_id).or_default();
        of_run.push(series.latest);
    }
    Ok(points)
}
