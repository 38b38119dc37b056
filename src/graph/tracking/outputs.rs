//! Models that runs made, and models that they used.

use std::collections::HashSet;

use super::models::{artifact_ids, unknown as unknown_model};
use super::runs::{check_active, lock};
use super::schema::TrackingTypes;
use crate::error::Result;
use crate::graph::edges::events;
use crate::graph::write::Write;
use crate::model::{Event, EventType, Origin, Side, Step};
use crate::storage::Tx;
use crate::storage::tables::events as stored_events;

/// Says that a run made models.
#[derive(Clone, Debug, Default)]
pub struct LogOutputs {
    pub id: String,
    /// Ids of models, each with the step of the training at which it was made.
    pub models: Vec<(String, i64)>,
}

impl Write for LogOutputs {
    type Answer = ();

    /// The first step of a model that the run made stays.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown run or model, `InvalidArgument` for a deleted run.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let run = lock(tx, &self.id, origin).await?;
        check_active(&self.id, &run.stored().content)?;
        let types = TrackingTypes::ensure(tx, origin).await?;
        let models = self.models.iter().map(|(id, step)| {
            let path = vec![Step::Index(*step)];
            (id.as_str(), path)
        });
        let models = models.collect();
        let outputs = (run.stored().id, EventType::Output);
        let outputs = links(tx, types, outputs, models, origin.time).await?;
        withdraw_pathless(tx, &outputs).await?;
        events::put_missing(tx, outputs).await
    }
}

/// The events between a run and models, with these paths.
pub(super) async fn links(
    tx: &mut Tx,
    types: TrackingTypes,
    (execution_id, event_type): (i64, EventType),
    models: Vec<(&str, Vec<Step>)>,
    now: i64,
) -> Result<Vec<Event>> {
    let ids: Vec<&str> = models.iter().map(|(id, _)| *id).collect();
    let known = artifact_ids(tx, types, &ids).await?;
    let event = |(id, path): (&str, Vec<Step>)| {
        let artifact_id = known.get(id).ok_or_else(|| unknown_model(id))?;
        Ok(Event {
            artifact_id: *artifact_id,
            execution_id,
            event_type,
            milliseconds: Some(now),
            path,
        })
    };
    models.into_iter().map(event).collect()
}

/// Deletes those of these events that are stored without a path: the creation of a model names its
/// run, but no step.
async fn withdraw_pathless(tx: &mut Tx, outputs: &[Event]) -> Result<()> {
    let artifacts: Vec<i64> = outputs.iter().map(|output| output.artifact_id).collect();
    let keys: HashSet<_> = outputs.iter().map(stored_events::key).collect();
    let stored = stored_events::whole_of_nodes(tx, Side::Artifact, &artifacts).await?;
    let stored = stored.into_iter().map(|stored| stored.value);
    let stored =
        stored.filter(|event| event.path.is_empty() && keys.contains(&stored_events::key(event)));
    events::delete(tx, stored.collect()).await
}
