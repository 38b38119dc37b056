//! The health of a database: whether it is there, has its tables, and can be written.

use std::time::Duration;

use tokio::time::timeout;

use super::Database;
use super::database::Pools;
use super::driver::Open;
use crate::error::{Error, Result};

/// How long the statements that look at rights may wait, as for the lock of a migration.
const RIGHTS_TIME_LIMIT: Duration = Duration::from_secs(2);

/// Statements that change no row, which a server refuses all the same where the right, the table or
/// the permission to write is missing.
const SERVER_RIGHTS: &str = "
    INSERT INTO Type SELECT * FROM Type WHERE 1 = 0;
    INSERT INTO TypeProperty SELECT * FROM TypeProperty WHERE 1 = 0;
    INSERT INTO ParentType SELECT * FROM ParentType WHERE 1 = 0;
    INSERT INTO Artifact SELECT * FROM Artifact WHERE 1 = 0;
    INSERT INTO ArtifactProperty SELECT * FROM ArtifactProperty WHERE 1 = 0;
    INSERT INTO Execution SELECT * FROM Execution WHERE 1 = 0;
    INSERT INTO ExecutionProperty SELECT * FROM ExecutionProperty WHERE 1 = 0;
    INSERT INTO Context SELECT * FROM Context WHERE 1 = 0;
    INSERT INTO ContextProperty SELECT * FROM ContextProperty WHERE 1 = 0;
    INSERT INTO ParentContext SELECT * FROM ParentContext WHERE 1 = 0;
    INSERT INTO Event SELECT * FROM Event WHERE 1 = 0;
    INSERT INTO EventPath SELECT * FROM EventPath WHERE 1 = 0;
    INSERT INTO Association SELECT * FROM Association WHERE 1 = 0;
    INSERT INTO Attribution SELECT * FROM Attribution WHERE 1 = 0;
    INSERT INTO PedigreeChange SELECT * FROM PedigreeChange WHERE 1 = 0;
    INSERT INTO PedigreeOutbox SELECT * FROM PedigreeOutbox WHERE 1 = 0;
    INSERT INTO PedigreeLargeValue SELECT * FROM PedigreeLargeValue WHERE 1 = 0;
    INSERT INTO PedigreeMessage SELECT * FROM PedigreeMessage WHERE 1 = 0;
    INSERT INTO PedigreeDatasetWrite SELECT * FROM PedigreeDatasetWrite WHERE 1 = 0;
    INSERT INTO PedigreeDatasetRead SELECT * FROM PedigreeDatasetRead WHERE 1 = 0;
    INSERT INTO PedigreeDatasetName SELECT * FROM PedigreeDatasetName WHERE 1 = 0;
    INSERT INTO PedigreeRunLineage SELECT * FROM PedigreeRunLineage WHERE 1 = 0;
    INSERT INTO PedigreeColumnLineage SELECT * FROM PedigreeColumnLineage WHERE 1 = 0;
    INSERT INTO PedigreeColumnEdge SELECT * FROM PedigreeColumnEdge WHERE 1 = 0;
    INSERT INTO PedigreeFacet SELECT * FROM PedigreeFacet WHERE 1 = 0;
    UPDATE PedigreeFacet SET content = content WHERE 1 = 0;
    INSERT INTO PedigreeTarget SELECT * FROM PedigreeTarget WHERE 1 = 0;
    INSERT INTO PedigreeExperiment SELECT * FROM PedigreeExperiment WHERE 1 = 0;
    INSERT INTO PedigreeRun SELECT * FROM PedigreeRun WHERE 1 = 0;
    INSERT INTO PedigreeMetricSeries SELECT * FROM PedigreeMetricSeries WHERE 1 = 0;
    INSERT INTO PedigreeMetricPoint SELECT * FROM PedigreeMetricPoint WHERE 1 = 0;
    INSERT INTO PedigreeInputTag SELECT * FROM PedigreeInputTag WHERE 1 = 0;
    INSERT INTO PedigreeModelMetric SELECT * FROM PedigreeModelMetric WHERE 1 = 0;
    INSERT INTO PedigreeAliasMove SELECT * FROM PedigreeAliasMove WHERE 1 = 0;
    UPDATE PedigreeColumnEdge SET subtype = subtype WHERE 1 = 0;
    UPDATE PedigreeTarget SET beats = beats WHERE 1 = 0;
    UPDATE PedigreeExperiment SET is_deleted = is_deleted WHERE 1 = 0;
    UPDATE PedigreeRun SET is_deleted = is_deleted WHERE 1 = 0;
    UPDATE PedigreeMetricSeries SET step = step WHERE 1 = 0;
    UPDATE PedigreeModelMetric SET step = step WHERE 1 = 0;
    UPDATE PedigreeLock SET counter = counter WHERE 1 = 0;
    UPDATE PedigreeStore SET store_id = store_id WHERE 1 = 0;
    UPDATE PedigreeDatasetWrite SET tie_rank = tie_rank WHERE 1 = 0;
    UPDATE PedigreeDatasetRead SET artifact_id = artifact_id WHERE 1 = 0;
    UPDATE PedigreeDatasetName SET dataset_id = dataset_id WHERE 1 = 0;
    UPDATE Artifact SET uri = uri WHERE 1 = 0;
    UPDATE Execution SET last_known_state = last_known_state WHERE 1 = 0;
    UPDATE Context SET name = name WHERE 1 = 0;
    DELETE FROM ArtifactProperty WHERE 1 = 0;
    DELETE FROM ExecutionProperty WHERE 1 = 0;
    DELETE FROM ContextProperty WHERE 1 = 0;
    DELETE FROM PedigreeChange WHERE 1 = 0;
    DELETE FROM PedigreeOutbox WHERE 1 = 0;
    DELETE FROM PedigreeLargeValue WHERE 1 = 0;
    DELETE FROM PedigreeMessage WHERE 1 = 0;
    DELETE FROM PedigreeRunLineage WHERE 1 = 0;
    DELETE FROM PedigreeColumnLineage WHERE 1 = 0";

/// The same of SQLite, which has no rights: what writes would wait for the writer.
const SQLITE_TABLES: &str = "
    SELECT 1 FROM Type, TypeProperty, ParentType WHERE 0;
    SELECT 1 FROM Artifact, ArtifactProperty, Execution, ExecutionProperty WHERE 0;
    SELECT 1 FROM Context, ContextProperty, ParentContext, Association, Attribution WHERE 0;
    SELECT 1 FROM Event, EventPath WHERE 0;
    SELECT 1 FROM PedigreeChange, PedigreeOutbox, PedigreeMessage, PedigreeLock, PedigreeStore
    WHERE 0;
    SELECT 1 FROM PedigreeLargeValue WHERE 0;
    SELECT 1 FROM PedigreeDatasetWrite, PedigreeDatasetRead, PedigreeDatasetName WHERE 0;
    SELECT 1 FROM PedigreeRunLineage, PedigreeColumnLineage, PedigreeColumnEdge WHERE 0;
    SELECT 1 FROM PedigreeFacet WHERE 0;
    SELECT 1 FROM PedigreeTarget WHERE 0;
    SELECT 1 FROM PedigreeExperiment, PedigreeRun, PedigreeInputTag WHERE 0;
    SELECT 1 FROM PedigreeMetricSeries, PedigreeMetricPoint, PedigreeModelMetric WHERE 0;
    SELECT 1 FROM PedigreeAliasMove WHERE 0";

impl Database {
    /// Asks whether the database can be used. The question has a connection of its own, so that it
    /// does not wait for those of requests.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the database is not there, `DatabaseRefused` when it cannot be read or
    /// written, `Exhausted` when it has no connection for the question.
    pub async fn check(&self) -> Result<()> {
        let probe = match &*self.pools {
            Pools::Sqlite { probe, .. } => {
                let Some(probe) = probe else { return Ok(()) };
                probe.check_files().await?;
                Open::Sqlite(probe.begin("BEGIN", None).await?)
            }
            Pools::Postgres(shares) => Open::Postgres(shares.probe.lend(None).await?),
            // Nothing that it does is committed.
            Pools::MySql(shares) => Open::MySql(shares.probe.lend(None).await?.transacting()),
        };
        let mut tx = self.tx(probe, self.types.moment());
        if !self.dialect().has_round_trips() {
            return tx.script(SQLITE_TABLES).await;
        }
        tx.script("SELECT 1").await?;
        match timeout(RIGHTS_TIME_LIMIT, tx.script(SERVER_RIGHTS)).await {
            Ok(Err(error @ Error::DatabaseRefused { .. })) => Err(error),
            // A migration may hold a table.
            _ => Ok(()),
        }
    }
}

/// Whether an error of [`Database::check`] says that the database is there, but busy.
#[must_use]
pub const fn is_busy(error: &Error) -> bool {
    matches!(
        error,
        Error::Exhausted(_) | Error::Contention(_) | Error::DeadlineExceeded(_)
    )
}
