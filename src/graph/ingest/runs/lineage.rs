//! From which inputs a run made each of its outputs, and from which columns it made others, where
//! facets say it. Facets of datasets and of jobs say it of no run.

use std::collections::{BTreeMap, BTreeSet};

use super::node_ref::{LineageOwner, LineageSlots, NodeRefs};
use super::resolved_nodes::StoredNodes;
use crate::error::Result;
use crate::graph::names::number_of;
use crate::storage::Tx;
use crate::storage::tables::column_lineage::{self, ColumnFacet, StoredColumnEdge};
use crate::storage::tables::run_lineage::{self, RunLineage};

/// Stores what the facets that count say, in the place of what they said before.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn put(
    tx: &mut Tx,
    references: &NodeRefs<'_>,
    contexts: &StoredNodes,
    runs: &StoredNodes,
) -> Result<()> {
    // Of two events in the batch, the later one counts.
    let mut current = BTreeMap::new();
    for slots in &references.lineages {
        let (owners, owner) = match slots.owner {
            LineageOwner::Run(run) => (runs, run),
            LineageOwner::Context(context) => (contexts, context),
        };
        if owners.taken_facets[owner].contains(&slots.facet) {
            let id = owners.nodes[owner].id;
            let key = match slots.owner {
                LineageOwner::Run(_) => (id, number_of(slots.key.as_bytes())),
                LineageOwner::Context(_) => {
                    (0, number_of(format!("{id}:{}", slots.key).as_bytes()))
                }
            };
            current.insert(key, slots);
        }
    }
    let mut edges = Vec::new();
    let mut columns = Vec::new();
    let mut sets = BTreeMap::new();
    for ((execution_id, facet_id), slots) in current {
        if execution_id != 0 {
            edges.push(RunLineage {
                execution_id,
                facet_id,
                edges: slots.edges(contexts),
            });
        }
        let mut outputs = Vec::new();
        for (output, of_output) in slots.columns(contexts) {
            let set = set_id(&of_output);
            outputs.push((output, set));
            sets.insert(set, of_output.into_iter().collect());
        }
        columns.push(ColumnFacet {
            execution_id,
            facet_id,
            outputs,
        });
    }
    run_lineage::replace(tx, &edges).await?;
    column_lineage::replace(tx, &columns, &sets).await
}

impl LineageSlots<'_> {
    /// The outputs with their inputs, by id.
    fn edges(&self, contexts: &StoredNodes) -> Vec<(i64, Option<i64>)> {
        let id = |dataset: usize| contexts.nodes[self.datasets[dataset]].id;
        let edges = self.lineage.edges.iter();
        let edges = edges.map(|&(output, input)| (id(output), input.map(id)));
        let edges: BTreeSet<(i64, Option<i64>)> = edges.collect();
        edges.into_iter().collect()
    }

    /// The edges between columns, by the id of the output.
    fn columns(&self, contexts: &StoredNodes) -> BTreeMap<i64, BTreeSet<StoredColumnEdge>> {
        let id = |dataset: usize| contexts.nodes[self.datasets[dataset]].id;
        let mut columns: BTreeMap<i64, BTreeSet<StoredColumnEdge>> = BTreeMap::new();
        for source in &self.lineage.columns {
            let of_output = columns.entry(id(source.output)).or_default();
            of_output.insert(StoredColumnEdge {
                output_column: source.output_column.clone(),
                input_id: id(source.input),
                input_column: source.input_column.clone(),
                transformation: source.transformation.clone(),
            });
        }
        columns
    }
}

/// The id of a set of edges, which they determine.
fn set_id(edges: &BTreeSet<StoredColumnEdge>) -> i64 {
    let mut bytes = Vec::new();
    for edge in edges {
        bytes.extend(edge.input_id.to_be_bytes());
        let made = &edge.transformation;
        bytes.push(made.is_masking.into());
        for text in [
            &edge.output_column,
            &edge.input_column,
            &made.kind,
            &made.subtype,
            &made.description,
        ] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    number_of(&bytes)
}
