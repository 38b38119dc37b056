//! `TraceColumns`: from which columns others were made, over any number of datasets and runs.
//!
//! A walk that starts at a dataset follows what is known of all runs. One that starts at a version
//! or at a run follows what the runs did that wrote or read just these versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::graph::datasets::groups::DatasetGroups;
use crate::graph::datasets::join::{DATASET_TYPE, dataset_name};
use crate::graph::lineage::traverse::Direction;
use crate::model::{EventType, Kind, Side, Transformation};
use crate::storage::tables::column_lineage::{self, ColumnEnd, FoundColumnEdge};
use crate::storage::tables::{events, nodes, types};
use crate::storage::{Database, Tx};

/// The most edges of an answer.
pub const MAX_COLUMN_EDGES: usize = 100_000;

/// The most edges that a hop reads: those of the answer are among them.
const MAX_READ_EDGES: i64 = 200_000;

/// Where a walk over columns starts.
#[derive(Clone, Debug)]
pub enum ColumnStart {
    /// The URI of a dataset.
    Dataset(String),
    /// The id of an artifact.
    Version(i64),
    /// The id of an execution.
    Run(i64),
}

/// A query for the lineage of columns (`TraceColumns`).
#[derive(Clone, Debug)]
pub struct ColumnQuery {
    /// Upstream or downstream.
    pub direction: Direction,
    pub start: ColumnStart,
    /// All columns when unset.
    pub column: Option<String>,
    /// No limit when unset.
    pub max_hops: Option<i64>,
    /// 0 is [`MAX_COLUMN_EDGES`].
    pub max_edges: i64,
}

/// An edge of the lineage of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnEdge {
    /// Of the farther end, from the start.
    pub hop: i64,
    pub output: DatasetColumn,
    pub input: DatasetColumn,
    pub transformation: Transformation,
    /// `None` where no run is known, or not asked for.
    pub execution_id: Option<i64>,
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetColumn {
    /// The name of the dataset.
    pub dataset: String,
    /// Empty for all columns.
    pub column: String,
}

/// The lineage of columns.
#[derive(Clone, Debug, Default)]
pub struct ColumnLineage {
    pub edges: Vec<ColumnEdge>,
    /// Whether a limit left out edges.
    pub is_cut: bool,
}

/// Which runs' edges lead away from a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Via {
    /// Those of all runs.
    Any,
    /// Those of the runs that wrote this artifact; downstream, that read it.
    Version(i64),
    /// Those of this run.
    Run(i64),
    /// Those of the runs that wrote what this run read; downstream, that read what it wrote.
    Beyond(i64),
}

/// A column at which a walk has arrived: dataset, column, and how it goes on.
type ColumnPlace = (i64, String, Via);

struct Walk<'q> {
    query: &'q ColumnQuery,
    /// The runs of each [`Via`] that was met.
    runs: HashMap<Via, BTreeSet<i64>>,
    visited: BTreeSet<ColumnPlace>,
    found: BTreeSet<FoundColumnEdge>,
    edges: Vec<(i64, FoundColumnEdge)>,
    is_cut: bool,
}

pub(in crate::graph) async fn trace(
    database: &Database,
    query: &ColumnQuery,
) -> Result<ColumnLineage> {
    let max_edges = query.max_edges()?;
    let mut tx = database.read().await?;
    let mut frontier = query.starts(&mut tx).await?;
    let mut walk = Walk {
        query,
        runs: HashMap::new(),
        visited: frontier.iter().cloned().collect(),
        found: BTreeSet::new(),
        edges: Vec::new(),
        is_cut: false,
    };
    let mut hop = 0;
    while !frontier.is_empty() && !walk.is_cut {
        hop += 1;
        let is_beyond = query.max_hops.is_some_and(|max_hops| hop > max_hops);
        let room = if is_beyond { 0 } else { max_edges };
        frontier = walk.hop(&mut tx, hop, frontier, room).await?;
    }
    walk.named(&mut tx).await
}

impl ColumnQuery {
    fn max_edges(&self) -> Result<usize> {
        for (name, number) in [
            ("max_hops", self.max_hops.unwrap_or(0)),
            ("max_edges", self.max_edges),
        ] {
            if number < 0 {
                return Err(Error::invalid(format!(
                    "{name} cannot be negative: {name} = {number}"
                )));
            }
        }
        let given = usize::try_from(self.max_edges).unwrap_or(MAX_COLUMN_EDGES);
        Ok(match given {
            0 => MAX_COLUMN_EDGES,
            given => given.min(MAX_COLUMN_EDGES),
        })
    }

    const fn is_upstream(&self) -> bool {
        matches!(self.direction, Direction::Upstream)
    }

    /// The places where the walk starts.
    async fn starts(&self, tx: &mut Tx) -> Result<Vec<ColumnPlace>> {
        let (datasets, via) = match &self.start {
            ColumnStart::Dataset(uri) => (dataset_at(tx, uri).await?, Via::Any),
            ColumnStart::Version(id) => {
                let found = nodes::by_ids(tx, Kind::Artifact, &[*id]).await?;
                let Some(artifact) = found.first() else {
                    return Err(Error::NotFound(format!("there is no artifact {id}")));
                };
                let uri = artifact.content.uri.as_deref().unwrap_or_default();
                (dataset_at(tx, uri).await?, Via::Version(*id))
            }
            ColumnStart::Run(id) => {
                if nodes::by_ids(tx, Kind::Execution, &[*id]).await?.is_empty() {
                    return Err(Error::NotFound(format!("there is no execution {id}")));
                }
                let outputs = column_lineage::outputs_of(tx, *id).await?;
                let via = if self.is_upstream() {
                    Via::Run(*id)
                } else {
                    Via::Beyond(*id)
                };
                let groups = DatasetGroups::of(tx, &outputs).await?;
                let outputs = outputs.iter().map(|&id| groups.dataset(id));
                (
                    outputs.collect::<BTreeSet<i64>>().into_iter().collect(),
                    via,
                )
            }
        };
        let column = self.column.clone().unwrap_or_default();
        let place = |dataset| (dataset, column.clone(), via);
        Ok(datasets.into_iter().map(place).collect())
    }
}

/// The dataset at a URI.
async fn dataset_at(tx: &mut Tx, uri: &str) -> Result<Vec<i64>> {
    let name = dataset_name(uri);
    let type_id = types::id(tx, Kind::Context, DATASET_TYPE, None).await?;
    let type_ids: Vec<i64> = type_id.into_iter().collect();
    let found = nodes::ids_by_names(tx, Kind::Context, &type_ids, &[&name]).await?;
    let exact = found.into_iter().find(|((_, found), _)| *found == name);
    let Some((_, id)) = exact.filter(|_| !uri.is_empty()) else {
        return Err(Error::NotFound(format!("there is no dataset at {uri:?}")));
    };
    let groups = DatasetGroups::of(tx, &[id]).await?;
    Ok(vec![groups.dataset(id)])
}

impl Walk<'_> {
    /// Goes one hop further, and returns the places that are new. It keeps at most `max_edges`.
    async fn hop(
        &mut self,
        tx: &mut Tx,
        hop: i64,
        from: Vec<ColumnPlace>,
        max_edges: usize,
    ) -> Result<Vec<ColumnPlace>> {
        let vias: BTreeSet<Via> = from.iter().map(|(_, _, via)| *via).collect();
        self.load_runs(tx, vias).await?;
        let leaders: BTreeSet<i64> = from.iter().map(|(dataset, _, _)| *dataset).collect();
        let leaders: Vec<i64> = leaders.into_iter().collect();
        let groups = DatasetGroups::of(tx, &leaders).await?;
        let end = if self.query.is_upstream() {
            ColumnEnd::Output
        } else {
            ColumnEnd::Input
        };
        let mut is_read_in_part = false;
        let mut edges = Vec::new();
        for is_any in [true, false] {
            let places = from
                .iter()
                .filter(|(_, _, via)| (*via == Via::Any) == is_any);
            let datasets: BTreeSet<i64> = places.clone().map(|(dataset, _, _)| *dataset).collect();
            let names = datasets.iter().flat_map(|&id| groups.names(id));
            let names: Vec<i64> = names.collect();
            let runs = places
                .filter_map(|(_, _, via)| self.runs.get(via))
                .flatten();
            let mut runs: BTreeSet<i64> = runs.copied().collect();
            // What no run says holds for all of them.
            runs.insert(0);
            let runs: Vec<i64> = runs.into_iter().collect();
            let of_runs = (!is_any).then_some(runs.as_slice());
            let read = column_lineage::edges_at(tx, end, &names, of_runs, MAX_READ_EDGES).await?;
            is_read_in_part |= i64::try_from(read.len()).is_ok_and(|read| read >= MAX_READ_EDGES);
            edges.extend(read);
        }
        edges.sort_unstable();
        let far_ids: BTreeSet<i64> = edges.iter().map(|edge| self.ends(edge).1.0).collect();
        let far_ids: Vec<i64> = far_ids.into_iter().collect();
        let far_groups = DatasetGroups::of(tx, &far_ids).await?;
        let mut by_dataset: BTreeMap<i64, Vec<&ColumnPlace>> = BTreeMap::new();
        for place in &from {
            by_dataset.entry(place.0).or_default().push(place);
        }
        let mut new = Vec::new();
        for edge in edges {
            let ((near_id, near_column), (far_id, far_column)) = self.ends(&edge);
            let (far_id, far_column) = (far_groups.dataset(far_id), far_column.to_owned());
            let places = by_dataset
                .get(&groups.dataset(near_id))
                .into_iter()
                .flatten();
            let mut is_led_to = false;
            let mut reached = Vec::new();
            for (_, column, via) in places {
                let is_column =
                    column == near_column || column.is_empty() || near_column.is_empty();
                if is_column && self.leads(*via, edge.execution_id) {
                    is_led_to = true;
                    let via = match (*via, edge.execution_id) {
                        (Via::Any, _) | (_, 0) => Via::Any,
                        (_, run) => Via::Beyond(run),
                    };
                    reached.push((far_id, far_column.clone(), via));
                }
            }
            if !is_led_to {
                continue;
            }
            if !self.found.contains(&edge) {
                if self.edges.len() >= max_edges {
                    self.is_cut = true;
                    return Ok(Vec::new());
                }
                self.found.insert(edge.clone());
                self.edges.push((hop, edge));
            }
            for place in reached {
                if self.visited.insert(place.clone()) {
                    new.push(place);
                }
            }
        }
        self.is_cut = is_read_in_part;
        Ok(new)
    }

    /// The dataset and the column of the nearer end of an edge, and those of the farther one.
    fn ends<'e>(&self, found: &'e FoundColumnEdge) -> ((i64, &'e str), (i64, &'e str)) {
        let output = (found.output_id, found.edge.output_column.as_str());
        let input = (found.edge.input_id, found.edge.input_column.as_str());
        if self.query.is_upstream() {
            (output, input)
        } else {
            (input, output)
        }
    }

    /// Whether an edge of this run, or of none for 0, leads away.
    fn leads(&self, via: Via, run: i64) -> bool {
        match via {
            Via::Any => run == 0,
            other => {
                run == 0
                    || self
                        .runs
                        .get(&other)
                        .is_some_and(|runs| runs.contains(&run))
            }
        }
    }

    /// Reads which runs these stand for.
    async fn load_runs(&mut self, tx: &mut Tx, vias: BTreeSet<Via>) -> Result<()> {
        let is_upstream = self.query.is_upstream();
        let of_types = |is_input: bool| {
            let types = EventType::NAMED.into_iter();
            let types = types.filter(move |it| it.is_input() == is_input);
            types.collect::<Vec<EventType>>()
        };
        let (near, far) = (of_types(is_upstream), of_types(!is_upstream));
        let beyond: Vec<i64> = vias
            .iter()
            .filter_map(|via| match via {
                Via::Beyond(run) => Some(*run),
                Via::Any | Via::Version(_) | Via::Run(_) => None,
            })
            .collect();
        let used = events::of_nodes(tx, Side::Execution, &beyond, &near).await?;
        let versions = vias.iter().filter_map(|via| match via {
            Via::Version(id) => Some(*id),
            Via::Any | Via::Beyond(_) | Via::Run(_) => None,
        });
        let artifacts = used.iter().map(|stored| stored.value.artifact_id);
        let artifacts: BTreeSet<i64> = artifacts.chain(versions).collect();
        let artifacts: Vec<i64> = artifacts.into_iter().collect();
        let made = events::of_nodes(tx, Side::Artifact, &artifacts, &far).await?;
        let mut runs_of: HashMap<i64, BTreeSet<i64>> = HashMap::new();
        for stored in &made {
            let runs = runs_of.entry(stored.value.artifact_id).or_default();
            runs.insert(stored.value.execution_id);
        }
        for via in vias {
            let mut runs = BTreeSet::new();
            match via {
                Via::Any => continue,
                Via::Run(run) => _ = runs.insert(run),
                Via::Version(id) => runs.extend(runs_of.get(&id).into_iter().flatten()),
                Via::Beyond(run) => {
                    let own = used.iter().filter(|it| it.value.execution_id == run);
                    let ids = own.map(|it| it.value.artifact_id);
                    runs.extend(ids.filter_map(|id| runs_of.get(&id)).flatten());
                }
            }
            self.runs.insert(via, runs);
        }
        Ok(())
    }

    /// The edges, with the names of datasets.
    async fn named(self, tx: &mut Tx) -> Result<ColumnLineage> {
        let ids = self.edges.iter();
        let ids = ids.flat_map(|(_, edge)| [edge.output_id, edge.edge.input_id]);
        let ids: BTreeSet<i64> = ids.collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let contexts = nodes::by_ids(tx, Kind::Context, &ids).await?;
        let names = contexts.into_iter();
        let names = names.map(|node| (node.id, node.content.name.unwrap_or_default()));
        let names: HashMap<i64, String> = names.collect();
        let column = |dataset: i64, column: String| DatasetColumn {
            dataset: names.get(&dataset).cloned().unwrap_or_default(),
            column,
        };
        let edge = |(hop, found): (i64, FoundColumnEdge)| ColumnEdge {
            hop,
            output: column(found.output_id, found.edge.output_column),
            input: column(found.edge.input_id, found.edge.input_column),
            transformation: found.edge.transformation,
            execution_id: (found.execution_id != 0).then_some(found.execution_id),
        };
        Ok(ColumnLineage {
            edges: self.edges.into_iter().map(edge).collect(),
            is_cut: self.is_cut,
        })
    }
}
