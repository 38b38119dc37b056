//! What is sent to other systems: runs with what is around them, and how far each target is.
//!
//! * `runs`: runs as they are sent.
//! * `target`: the one server that sends to a target, and what the target has got.

pub(in crate::graph) mod runs;
pub(in crate::graph) mod target;

use self::runs::{PlacedRun, RunWithData};
use self::target::TargetSlot;
use crate::error::Result;
use crate::storage::Database;

/// What is sent to other systems of a graph.
#[derive(Clone, Debug)]
pub struct GraphExport {
    database: Database,
}

impl GraphExport {
    pub(in crate::graph) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// The executions with these ids, ascending by id, with their artifacts.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn runs_with_data(&self, ids: &[i64]) -> Result<Vec<RunWithData>> {
        runs::with_data(&self.database, ids).await
    }

    /// The executions with these ids, and those with these external ids, ascending by id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn placed_runs(
        &self,
        ids: &[i64],
        external_ids: &[String],
    ) -> Result<Vec<PlacedRun>> {
        runs::placed(&self.database, ids, external_ids).await
    }

    /// The progress of the target of a name, from the view of the server with this id.
    #[must_use]
    pub fn target_slot(&self, name: &str, server_id: &str) -> TargetSlot {
        TargetSlot::new(self.database.clone(), name, server_id)
    }
}
