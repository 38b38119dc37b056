//! The files in `migrations/`, by dialect.

use crate::error::{Error, Result};
use crate::storage::Dialect;

/// What a dialect contributes: its files.
pub(super) struct Scripts {
    /// Creates the schema of the library's version.
    pub create: &'static str,
    /// The steps, oldest first; the last one leads to the library's version.
    pub steps: &'static [Step],
}

/// One step between two versions.
pub(super) struct Step {
    /// The version that `up` leads to and `down` leaves.
    pub version: i64,
    pub up: &'static str,
    pub down: &'static str,
}

macro_rules! step {
    ($version:literal, $path:literal) => {
        Step {
            version: $version,
            up: include_str!(concat!("../../../migrations/", $path, ".up.sql")),
            down: include_str!(concat!("../../../migrations/", $path, ".down.sql")),
        }
    };
}

static SQLITE: Scripts = Scripts {
    create: include_str!("../../../migrations/sqlite/schema.sql"),
    steps: &[
        step!(1, "sqlite/0001_schema_version"),
        step!(2, "sqlite/0002_type_kind"),
        step!(3, "sqlite/0003_contexts"),
        step!(4, "sqlite/0004_memberships"),
        step!(5, "sqlite/0005_names_and_times"),
        step!(6, "sqlite/0006_parents_and_versions"),
        step!(7, "sqlite/0007_byte_values"),
        step!(8, "sqlite/0008_unique_events"),
        step!(9, "sqlite/0009_external_ids"),
        step!(10, "sqlite/0010_proto_and_bool_values"),
    ],
};

impl Scripts {
    /// The files of a dialect.
    pub(super) fn of(dialect: Dialect) -> Result<&'static Self> {
        match dialect {
            Dialect::Sqlite => Ok(&SQLITE),
            Dialect::Postgres | Dialect::MySql => Err(Error::Unimplemented(
                "there is no schema for this kind of database yet".into(),
            )),
        }
    }

    /// The lowest version that the steps reach.
    pub(super) fn oldest(&self) -> i64 {
        self.steps
            .first()
            .map_or(super::LIBRARY_VERSION, |step| step.version - 1)
    }
}
