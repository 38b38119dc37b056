//! The runs that wrote what is at the URI of an artifact without a producer, and back: clients that
//! import data put an artifact, and no execution that made it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::graph::datasets::join::VERSION_TYPE;
use crate::model::{Event, EventType, Side, Stored};
use crate::storage::Tx;
use crate::storage::tables::{dataset_uses, events};

/// Events that are not stored: outputs of the runs that wrote the versions of datasets for which
/// artifacts stand that no run has produced. Each stands for the version that was present when it
/// was created. `known` are the stored events of the artifacts.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn implied_outputs(
    tx: &mut Tx,
    artifacts: &[i64],
    known: &[Stored<Event>],
) -> Result<Vec<Stored<Event>>> {
    let outputs = known.iter().map(|stored| &stored.value);
    let outputs = outputs.filter(|event| event.event_type.is_output());
    let produced: BTreeSet<i64> = outputs.map(|event| event.artifact_id).collect();
    let imported = artifacts.iter().filter(|id| !produced.contains(id));
    let imported: Vec<i64> = imported.copied().collect();
    let present = dataset_uses::present_at_creation(tx, &imported, VERSION_TYPE).await?;
    let mut imports: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for (artifact, version) in present {
        if let Some(version) = version.filter(|version| *version != artifact) {
            imports.entry(version).or_default().insert(artifact);
        }
    }
    let versions: Vec<i64> = imports.keys().copied().collect();
    let written = events::of_nodes(tx, Side::Artifact, &versions, &[EventType::Output]).await?;
    let implied = written.iter().flat_map(|Stored { value: event, .. }| {
        let of_version = imports.get(&event.artifact_id).into_iter().flatten();
        of_version.map(|&artifact_id| Stored {
            id: -artifact_id,
            value: Event {
                artifact_id,
                ..event.clone()
            },
        })
    });
    Ok(implied.collect())
}

/// [`implied_outputs`] of these runs.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn implied_outputs_of(
    tx: &mut Tx,
    runs: &[i64],
) -> Result<Vec<Stored<Event>>> {
    let artifacts = dataset_uses::created_after_writes(tx, runs, VERSION_TYPE).await?;
    let known = events::of_nodes(tx, Side::Artifact, &artifacts, &[]).await?;
    let mut implied = implied_outputs(tx, &artifacts, &known).await?;
    implied.retain(|stored| runs.contains(&stored.value.execution_id));
    Ok(implied)
}
