//! The tables and columns that a database has, compared with the schema.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::error::{Error, Result};
use crate::storage::tables::schema::MLMD_TABLES;
use crate::storage::{Dialect, Tx};

/// Tables and indexes that `pedigree.sql` creates.
const OWN_TABLES_AND_INDEXES: [&str; 31] = [
    "PedigreeChange",
    "PedigreeOutbox",
    "PedigreeLargeValue",
    "PedigreeMessage",
    "PedigreeLock",
    "PedigreeStore",
    "PedigreeDatasetWrite",
    "PedigreeDatasetRead",
    "PedigreeDatasetName",
    "PedigreeRunLineage",
    "PedigreeColumnLineage",
    "PedigreeColumnEdge",
    "PedigreeFacet",
    "PedigreeTarget",
    "PedigreeExperiment",
    "PedigreeRun",
    "PedigreeMetricSeries",
    "PedigreeMetricPoint",
    "PedigreeInputTag",
    "PedigreeModelMetric",
    "PedigreeAliasMove",
    "PedigreeArtifactFile",
    "idx_pedigree_attribution_artifact",
    "idx_pedigree_association_execution",
    "idx_pedigree_artifact_type",
    "idx_pedigree_artifact_type_state",
    "idx_pedigree_execution_type",
    "idx_pedigree_execution_type_state",
    "idx_pedigree_context_type",
    "idx_pedigree_metric_series_value",
    "idx_pedigree_metric_series_start",
];

/// An index of our own that no longer is one. Its table needs columns before it gets others.
const OLD_INDEX: &str = "idx_pedigree_metric_series_rank";

/// The table that exists while a creation is under way, where each statement about the schema
/// commits. A creation that was cut off leaves it.
const CREATION_MARK: &str = "PedigreeCreation";

/// The tables of version 0, which does not store its version.
const VERSION_0_TABLES: [&str; 8] = [
    "Artifact",
    "ArtifactProperty",
    "Event",
    "EventPath",
    "Execution",
    "ExecutionProperty",
    "Type",
    "TypeProperty",
];

/// The part of the schema that exists.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Completeness {
    Complete,
    Absent,
    /// Tables that are missing or lack columns.
    Partial {
        missing: Vec<&'static str>,
    },
}

/// The tables of a database with their columns, and its indexes, in lower case: databases differ in
/// the case that they store.
pub(super) struct Layout(HashMap<String, HashSet<String>>);

impl Layout {
    /// Reads the catalogue of the database: on PostgreSQL, a statement that fails on a missing
    /// table would end the transaction.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` for the tables of another program.
    pub(super) async fn read(tx: &mut Tx) -> Result<Self> {
        let rows: Vec<(String, String)> = tx
            .all(tx.sql("migrate::read", tx.dialect().catalog_query()))
            .await?;
        if tx.dialect().lowers_names() {
            refuse_quoted_tables(&rows)?;
        }
        let mut tables: HashMap<_, HashSet<_>> = HashMap::new();
        for (table, column) in rows {
            let columns = tables.entry(table.to_ascii_lowercase()).or_default();
            columns.insert(column.to_ascii_lowercase());
        }
        Ok(Self(tables))
    }

    /// Whether the table exists with the columns.
    pub(super) fn has<'a>(&self, table: &str, columns: impl IntoIterator<Item = &'a str>) -> bool {
        let found = self.0.get(&table.to_ascii_lowercase());
        found.is_some_and(|found| columns.into_iter().all(|name| found.contains(name)))
    }

    /// Whether these are the tables of version 0, which does not store its version.
    pub(super) fn is_version_0(&self) -> bool {
        VERSION_0_TABLES.iter().all(|table| self.has(table, []))
            && self.has("Type", ["is_artifact_type"])
    }

    /// Whether a creation of ours has begun and is not done, so that it has to run again.
    pub(super) fn is_creation_pending(&self) -> bool {
        self.has(CREATION_MARK, [])
    }

    /// Whether our own tables and indexes exist.
    pub(super) fn has_own(&self, dialect: Dialect) -> bool {
        let mut names = OWN_TABLES_AND_INDEXES.iter().chain(dialect.own_indexes());
        names.all(|name| self.has(name, []))
    }

    /// Whether a table of our own is an older one.
    pub(super) fn has_old_own(&self) -> bool {
        self.has(OLD_INDEX, [])
    }

    /// Compares with the library's version. Additional columns are ignored.
    pub(super) fn completeness(&self) -> Completeness {
        if MLMD_TABLES.iter().all(|table| !self.has(table.name, [])) {
            return Completeness::Absent;
        }
        let missing = MLMD_TABLES
            .iter()
            .filter(|table| !self.has(table.name, table.column_names()));
        let missing: Vec<_> = missing.map(|table| table.name).collect();
        if missing.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Partial { missing }
        }
    }

    /// Refuses a schema with gaps.
    pub(super) fn check(&self) -> Result<()> {
        let missing = match self.completeness() {
            Completeness::Complete => return Ok(()),
            Completeness::Absent => MLMD_TABLES.map(|table| table.name).to_vec(),
            Completeness::Partial { missing } => missing,
        };
        Err(Error::Contention(format!(
            "There are a subset of tables in MLMD instance. \
             Another process may be creating them; try again. Missing or incomplete: {}.",
            missing.join(", ")
        )))
    }
}

/// Refuses tables of PostgreSQL whose names are quoted, as those of Kubeflow's model registry: to
/// statements without quotes, as ML Metadata's are, they are not there.
fn refuse_quoted_tables(columns: &[(String, String)]) -> Result<()> {
    let names: BTreeSet<&str> = columns.iter().map(|(table, _)| table.as_str()).collect();
    let is_quoted = |name: &&str| {
        let plain = name.to_ascii_lowercase();
        let is_known = MLMD_TABLES
            .iter()
            .any(|table| table.name.eq_ignore_ascii_case(name));
        is_known && **name != plain && !names.contains(plain.as_str())
    };
    match names.iter().copied().find(|name| is_quoted(name)) {
        None => Ok(()),
        Some(name) => Err(Error::FailedPrecondition(format!(
            "the table \"{name}\" belongs to another program, such as Kubeflow's model registry: \
             ML Metadata's table is {} on PostgreSQL. Use a database of its own",
            name.to_ascii_lowercase()
        ))),
    }
}
