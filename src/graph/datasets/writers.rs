//! The runs that wrote what is at the URI of an artifact without a producer, and back: clients that
//! import data put an artifact, and no execution that made it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::graph::datasets::join::VERSION_TYPE;
use crate::model::{Event, EventType, Kind, Side, Stored};
use crate::storage::Tx;
use crate::storage::tables::{dataset_uses, events, nodes};

/// Events that are not stored: outputs of the runs that wrote the versions of datasets for which
/// artifacts stand that no run has produced. Each stands for the version that was present when it
/// was created. `known` are the stored events of the artifacts. With a time in milliseconds since
/// epoch, these are the runs and the events that were there.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn implied_outputs(
    tx: &mut Tx,
    artifacts: &[i64],
    known: &[Stored<Event>],
    as_of: Option<i64>,
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
    let (versions, outputs) = ((Side::Artifact, &*versions), [EventType::Output]);
    let written = events::of_nodes_as_of(tx, versions, &outputs, as_of).await?;
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
    as_of: Option<i64>,
) -> Result<Vec<Stored<Event>>> {
    let mut artifacts = dataset_uses::created_after_writes(tx, runs, VERSION_TYPE).await?;
    if let Some(time) = as_of {
        nodes::retain_created_by(tx, Kind::Artifact, &mut artifacts, time).await?;
    }
    let of = (Side::Artifact, &*artifacts);
    let known = events::of_nodes_as_of(tx, of, &[], as_of).await?;
    let mut implied = implied_outputs(tx, &artifacts, &known, as_of).await?;
    implied.retain(|stored| runs.contains(&stored.value.execution_id));
    Ok(implied)
}
