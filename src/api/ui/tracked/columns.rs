//! Parameters and metrics of runs as columns of a table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::graph::tracking::ListedRun;

/// The most columns of each sort.
const MAX_COLUMNS: usize = 10;

/// The columns of some runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RunColumns {
    /// Keys of metrics: those that most runs have.
    pub metrics: Vec<String>,
    /// Keys of parameters: those whose values differ, then those that most runs have.
    pub params: Vec<String>,
    /// How many keys have no column.
    pub left_out: usize,
}

impl RunColumns {
    /// The columns of runs. That of the metric `ordered` is always there.
    pub fn of(runs: &[ListedRun], ordered: Option<&str>) -> Self {
        let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
        let mut params: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for found in runs {
            for point in &found.metrics {
                *metrics.entry(&point.key).or_default() += 1;
            }
            for (key, value) in &found.run.params {
                let (runs, values) = params.entry(key).or_default();
                *runs += 1;
                values.insert(value);
            }
        }
        let keys = metrics.len() + params.len();
        let mut metrics: Vec<(&str, usize)> = metrics.into_iter().collect();
        metrics.sort_by_key(|(key, runs)| (Some(*key) != ordered, std::cmp::Reverse(*runs)));
        let mut params: Vec<(&str, (usize, BTreeSet<&str>))> = params.into_iter().collect();
        params.sort_by_key(|(_, (of, values))| {
            let differs = values.len() > 1 || *of < runs.len();
            (!differs, std::cmp::Reverse(*of))
        });
        let first = |keys: Vec<&str>| -> Vec<String> {
            keys.into_iter()
                .take(MAX_COLUMNS)
                .map(str::to_owned)
                .collect()
        };
        let metrics = first(metrics.into_iter().map(|(key, _)| key).collect());
        let params = first(params.into_iter().map(|(key, _)| key).collect());
        Self {
            left_out: keys - metrics.len() - params.len(),
            metrics,
            params,
        }
    }

    /// The texts of a run in the columns: metrics, then parameters; empty for what it lacks.
    pub fn texts(&self, found: &ListedRun) -> Vec<String> {
        let metrics: HashMap<&str, f64> = found
            .metrics
            .iter()
            .map(|point| (point.key.as_str(), point.value))
            .collect();
        let params: HashMap<&str, &str> = found
            .run
            .params
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let metric = |key: &String| metrics.get(key.as_str()).map(f64::to_string);
        let param = |key: &String| params.get(key.as_str()).map(|it| (*it).to_owned());
        let texts = self.metrics.iter().map(metric);
        let texts = texts.chain(self.params.iter().map(param));
        texts.map(Option::unwrap_or_default).collect()
    }
}
