//! The scripts in `migrations/` and the statements of the lock, for each dialect.

use crate::error::Error;
use crate::storage::Dialect;

/// A file in `migrations/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The path in that folder.
    pub file: &'static str,
    pub sql: &'static str,
}

/// One step between two versions.
pub(super) struct MigrationStep {
    /// The version that `up` leads to and `down` leaves.
    pub version: i64,
    pub up: Script,
    pub down: Script,
}

/// Statements of the lock that serializes changes of the schema.
pub(super) struct Lock {
    /// Acquires the lock and selects 1.
    pub take: &'static str,
    /// Releases the lock where the end of the transaction does not.
    pub release: Option<&'static str>,
}

/// Makes columns and indexes of an upstream database as wide as in a new one.
pub(super) struct Widening {
    /// Counts the columns and indexes to change.
    pub narrow: &'static str,
    pub script: Script,
}

/// Triggers that refuse changes of the history.
pub(super) struct AppendOnly {
    /// Counts the triggers that exist.
    pub existing: &'static str,
    pub triggers: i64,
    pub script: Script,
}

pub(super) struct Scripts {
    /// Creates the schema of the library's version.
    pub create: Script,
    /// Creates the tables and indexes of our own that are missing.
    pub own: Script,
    /// Brings a table of our own up to what `own` creates, where [`super::layout::Layout`] finds
    /// its old index.
    pub renew_own: Script,
    /// The steps, oldest first; the last one leads to the library's version.
    pub steps: &'static [MigrationStep],
    pub widening: Option<Widening>,
    pub append_only: AppendOnly,
    pub lock: Option<Lock>,
    /// Whether a failed script leaves no changes, nor do the scripts before it.
    pub atomic: bool,
    /// The error for a database with the version table but without a version in it.
    pub no_version: fn(String) -> Error,
}

macro_rules! script {
    ($path:expr) => {
        Script {
            file: $path,
            sql: include_str!(concat!("../../../migrations/", $path)),
        }
    };
}

macro_rules! append_only {
    ($folder:literal, $triggers:literal) => {
        AppendOnly {
            existing: include_str!(concat!(
                "../../../migrations/",
                $folder,
                "/append_only_count.sql"
            )),
            triggers: $triggers,
            script: script!(concat!($folder, "/append_only.sql")),
        }
    };
}

macro_rules! step {
    ($version:literal, $path:literal) => {
        MigrationStep {
            version: $version,
            up: script!(concat!($path, ".up.sql")),
            down: script!(concat!($path, ".down.sql")),
        }
    };
}

/// A write transaction locks the whole file. Integers have 64 bits whatever the column type.
static SQLITE: Scripts = Scripts {
    create: script!("sqlite/schema.sql"),
    own: script!("sqlite/pedigree.sql"),
    renew_own: script!("sqlite/metric_series.sql"),
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
    widening: None,
    append_only: append_only!("sqlite", 6),
    lock: None,
    atomic: true,
    no_version: Error::Contention,
};

/// ML Metadata supports PostgreSQL since version 10; its older steps do not work there.
static POSTGRES: Scripts = Scripts {
    create: script!("postgres/schema.sql"),
    own: script!("postgres/pedigree.sql"),
    renew_own: script!("postgres/metric_series.sql"),
    steps: &[step!(10, "postgres/0010_proto_and_bool_values")],
    widening: Some(Widening {
        narrow: include_str!("../../../migrations/postgres/narrow.sql"),
        script: script!("postgres/widen.sql"),
    }),
    append_only: append_only!("postgres", 6),
    // The key of the advisory lock is arbitrary: "pedigree" in ASCII.
    lock: Some(Lock {
        // The wait has no timeout here; `connect` limits other waits.
        take: "SELECT CAST(1 AS BIGINT) FROM set_config('lock_timeout', '0', true) AS unbounded
               WHERE unbounded IS NOT NULL AND pg_advisory_xact_lock(8098989908765599077) IS NOT NULL",
        release: None,
    }),
    atomic: true,
    no_version: Error::DataLoss,
};

/// Statements about the schema commit, so the lock belongs to the connection. Its name is global on
/// the server.
static MYSQL: Scripts = Scripts {
    create: script!("mysql/schema.sql"),
    own: script!("mysql/pedigree.sql"),
    renew_own: script!("mysql/metric_series.sql"),
    steps: &[
        step!(1, "mysql/0001_schema_version"),
        step!(2, "mysql/0002_type_kind"),
        step!(3, "mysql/0003_contexts"),
        step!(4, "mysql/0004_memberships"),
        step!(5, "mysql/0005_names_and_times"),
        step!(6, "mysql/0006_parents_and_versions"),
        step!(7, "mysql/0007_byte_values"),
        step!(8, "mysql/0008_unique_events"),
        step!(9, "mysql/0009_external_ids"),
        step!(10, "mysql/0010_proto_and_bool_values"),
    ],
    widening: Some(Widening {
        narrow: include_str!("../../../migrations/mysql/narrow.sql"),
        script: script!("mysql/widen.sql"),
    }),
    append_only: append_only!("mysql", 4),
    lock: Some(Lock {
        take: "SELECT GET_LOCK(CONCAT('pedigree ', LEFT(SHA2(DATABASE(), 256), 32)), 3600)",
        release: Some("SELECT RELEASE_LOCK(CONCAT('pedigree ', LEFT(SHA2(DATABASE(), 256), 32)))"),
    }),
    atomic: false,
    no_version: Error::Contention,
};

impl Scripts {
    /// The scripts of a dialect.
    pub(super) const fn of(dialect: Dialect) -> &'static Self {
        match dialect {
            Dialect::Sqlite => &SQLITE,
            Dialect::Postgres => &POSTGRES,
            Dialect::MySql => &MYSQL,
        }
    }

    /// The lowest version that the steps reach.
    pub(super) fn oldest(&self) -> i64 {
        self.steps
            .first()
            .map_or(super::LIBRARY_VERSION, |step| step.version - 1)
    }
}
