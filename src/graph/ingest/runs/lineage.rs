//! The inputs from which a run made each of its outputs, where facets of the run say it.

use std::collections::{BTreeMap, BTreeSet};

use super::RunEvent;
use super::node_ref::NodeRefs;
use super::resolved_nodes::StoredNode;
use crate::error::Result;
use crate::graph::names::number_of;
use crate::storage::Tx;
use crate::storage::tables::run_lineage::{self, RunLineage};

/// Stores what the facets of runs say, in the place of what they said before. `taken` are the
/// facets of each run that count, as indexes.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn put(
    tx: &mut Tx,
    events: &[&RunEvent],
    references: &NodeRefs<'_>,
    taken: &[Vec<usize>],
    contexts: &[StoredNode],
    runs: &[StoredNode],
) -> Result<()> {
    // Of two events in the batch, the later one counts.
    let mut told = BTreeMap::new();
    for (event, slots) in events.iter().zip(&references.slots) {
        let Some(run) = slots.run else {
            continue;
        };
        for &number in &taken[run] {
            let facet = &event.facets[number];
            let Some(lineage) = &facet.lineage else {
                continue;
            };
            let id = |dataset: usize| contexts[slots.facets[number][dataset]].id;
            let edges = lineage.edges.iter();
            let edges = edges.map(|&(output, input)| (id(output), input.map(id)));
            let edges: BTreeSet<(i64, Option<i64>)> = edges.collect();
            let key = (runs[run].id, number_of(facet.key.as_bytes()));
            told.insert(key, edges);
        }
    }
    let told = told.into_iter();
    let told = told.map(|((execution_id, facet_id), edges)| RunLineage {
        execution_id,
        facet_id,
        edges: edges.into_iter().collect(),
    });
    let told: Vec<RunLineage> = told.collect();
    run_lineage::replace(tx, &told).await
}
