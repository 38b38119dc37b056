//! What holds on both servers. The dumps in `tests/data/schema/{mysql,postgres}/` are from
//! `tests/wheel/make_server_dumps.py`.

use super::server::{Store, assert_same};
use super::{UPGRADE, WIDEN, downgrade_to, mysql, postgres};
use crate::error::Error;
use crate::storage::Dialect;
use crate::storage::migrate::{LIBRARY_VERSION, Migration, SchemaChange};

/// Registers each case for MySQL and for PostgreSQL.
macro_rules! on_servers {
    ($($case:ident)*) => {
        mod on_mysql {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Dialect::MySql).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Dialect::Postgres).await;
            })*
        }
    };
}
on_servers! {
    an_empty_database_gets_the_schema_of_the_wheel_but_wide
    several_processes_may_start_at_once
    several_processes_may_upgrade_at_once
    a_lock_is_given_back_after_a_failure
    the_current_version_is_left_alone
    a_widened_database_is_like_a_new_one
    a_plan_says_what_would_be_done
    what_is_missing_of_ours_is_made_again
    an_older_table_of_ours_is_renewed
    versions_that_are_refused
    a_schema_with_gaps
    a_downgrade_that_cannot_be
}

/// The wheel's store of a version.
fn wheel(dialect: Dialect, version: i64) -> &'static str {
    match dialect {
        Dialect::MySql => mysql::wheel(version).downgraded,
        _ => postgres::wheel(version),
    }
}

/// Columns that are wider in the databases that we create.
const WIDE: [&str; 10] = [
    "id",
    "type_id",
    "parent_type_id",
    "artifact_id",
    "execution_id",
    "context_id",
    "parent_context_id",
    "event_id",
    "int_value",
    "step_index",
];

/// What a line about the wheel's schema says in ours.
fn widened(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        [_, _, column, "int" | "integer", ..] if WIDE.contains(column) => line
            .replacen(" integer ", " bigint ", 1)
            .replacen(" int ", " bigint ", 1),
        [sequence, "integer"] if sequence.ends_with("_id_seq") => format!("{sequence} bigint"),
        ["CREATE", "INDEX", ..] => line
            .replace("(uri)", "(\"left\"(uri, 255))")
            .replace(" string_value)", " \"left\"(string_value, 255))"),
        _ => line.to_owned(),
    }
}

/// The primary key that only our schema has, on MariaDB.
const KEY_OF_PATHS: [&str; 2] = [
    "EventPath 5 pedigree_id bigint NO - auto_increment, INVISIBLE",
    "EventPath PRIMARY 0 1 pedigree_id whole",
];

async fn widened_schema(store: &Store, dialect: Dialect) -> Vec<String> {
    let mut lines: Vec<_> = store
        .schema()
        .await
        .iter()
        .map(|line| widened(line))
        .collect();
    if dialect == Dialect::MySql {
        lines.extend(KEY_OF_PATHS.map(str::to_owned));
    }
    lines.sort_unstable();
    lines
}

/// Sorted as this program sorts, not as a database does.
async fn schema(store: &Store) -> Vec<String> {
    let mut lines = store.schema().await;
    lines.sort_unstable();
    lines
}

fn version_row(dialect: Dialect) -> [&'static str; 1] {
    match dialect {
        Dialect::MySql => ["MLMDEnv: '10'"],
        _ => ["mlmdenv: (10)"],
    }
}

async fn an_empty_database_gets_the_schema_of_the_wheel_but_wide(dialect: Dialect) {
    let store = Store::load(dialect, "").await;
    let wheel = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
    store.prepare(Migration::default()).await.unwrap();
    assert_same(
        &schema(&store).await,
        &widened_schema(&wheel, dialect).await,
        "created",
    );
    assert_eq!(store.rows().await, version_row(dialect));

    let before = store.everything().await;
    for options in [UPGRADE, WIDEN] {
        store.prepare(options).await.unwrap();
        assert_eq!(store.everything().await, before);
    }
}

async fn several_processes_may_start_at_once(dialect: Dialect) {
    let store = Store::load(dialect, "").await;
    at_once(&store, Migration::default()).await;
    assert_eq!(store.rows().await, version_row(dialect));
}

async fn several_processes_may_upgrade_at_once(dialect: Dialect) {
    let store = Store::load(dialect, wheel(dialect, 9)).await;
    at_once(
        &store,
        Migration {
            widen: true,
            ..UPGRADE
        },
    )
    .await;
    assert!(store.plan(WIDEN).await.unwrap().scripts.is_empty());
}

async fn at_once(store: &Store, options: Migration) {
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let database = store.open_again().await;
        processes.spawn(async move { crate::storage::migrate::prepare(&database, &options).await });
    }
    for done in processes.join_all().await {
        done.unwrap();
    }
}

async fn a_lock_is_given_back_after_a_failure(dialect: Dialect) {
    let store = Store::load(dialect, wheel(dialect, 9)).await;
    for _ in 0..3 {
        store.prepare(Migration::default()).await.unwrap_err();
    }
    let other = store.open_again().await;
    crate::storage::migrate::prepare(&other, &UPGRADE)
        .await
        .unwrap();
}

async fn the_current_version_is_left_alone(dialect: Dialect) {
    let store = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
    let before = store.everything().await;
    for options in [Migration::default(), UPGRADE, downgrade_to(-1)] {
        store.prepare(options).await.unwrap();
        assert_eq!(store.everything().await, before);
    }
}

/// Rows, the order of the steps of events and the next ids stay.
async fn a_widened_database_is_like_a_new_one(dialect: Dialect) {
    let new = Store::load(dialect, "").await;
    new.prepare(Migration::default()).await.unwrap();
    let store = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
    let before = (store.rows().await, store.next_ids().await);
    for _ in 0..2 {
        store.prepare(WIDEN).await.unwrap();
        assert_eq!(store.schema().await, new.schema().await);
        assert_eq!((store.rows().await, store.next_ids().await), before);
    }
    store
        .run("UPDATE ArtifactProperty SET int_value = 9223372036854775807 WHERE int_value IS NOT NULL")
        .await;
}

async fn a_plan_says_what_would_be_done(dialect: Dialect) {
    let folder = match dialect {
        Dialect::MySql => "mysql",
        _ => "postgres",
    };
    let file = |name: &str| format!("{folder}/{name}");
    let options = Migration {
        widen: true,
        ..UPGRADE
    };

    let store = Store::load(dialect, "").await;
    let plan = store.plan(options).await.unwrap();
    assert_eq!((plan.found, plan.reached), (None, LIBRARY_VERSION));
    assert_eq!(plan.scripts[0].change, SchemaChange::Create);
    assert_eq!(
        store.files(options).await,
        [file("schema.sql"), file("pedigree.sql")]
    );
    assert!(store.rows().await.is_empty());

    let store = Store::load(dialect, wheel(dialect, 9)).await;
    let before = store.everything().await;
    let plan = store.plan(options).await.unwrap();
    assert_eq!((plan.found, plan.reached), (Some(9), LIBRARY_VERSION));
    let files = [
        file("0010_proto_and_bool_values.up.sql"),
        file("widen.sql"),
        file("pedigree.sql"),
    ];
    assert_eq!(store.files(options).await, files);
    let error = store.plan(Migration::default()).await.unwrap_err();
    assert!(matches!(error, Error::FailedPrecondition(_)), "{error:?}");
    assert_eq!(store.everything().await, before);

    store.prepare(UPGRADE).await.unwrap();
    assert_eq!(store.files(WIDEN).await, [file("widen.sql")]);
    assert!(store.files(UPGRADE).await.is_empty());
    let plan = store.plan(downgrade_to(9)).await.unwrap();
    assert_eq!((plan.found, plan.reached), (Some(LIBRARY_VERSION), 9));
    assert_eq!(plan.scripts[0].change, SchemaChange::Downgrade(9));
    assert_eq!(
        store.files(downgrade_to(9)).await,
        [file("0010_proto_and_bool_values.down.sql")]
    );
}

async fn what_is_missing_of_ours_is_made_again(dialect: Dialect) {
    let (drops, file) = match dialect {
        Dialect::MySql => (
            [
                "ALTER TABLE Artifact DROP INDEX idx_pedigree_artifact_type",
                "ALTER TABLE Association DROP INDEX idx_pedigree_association_execution",
                "DROP TABLE PedigreeMessage",
            ],
            "mysql/pedigree.sql",
        ),
        _ => (
            [
                "DROP INDEX idx_pedigree_artifact_type",
                "DROP INDEX idx_pedigree_association_execution",
                "DROP TABLE PedigreeMessage",
            ],
            "postgres/pedigree.sql",
        ),
    };
    let store = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
    for drop in drops {
        store.prepare(Migration::default()).await.unwrap();
        assert!(store.files(Migration::default()).await.is_empty());
        store.run(drop).await;
        assert_eq!(store.files(Migration::default()).await, [file], "{drop}");
    }
}

async fn an_older_table_of_ours_is_renewed(dialect: Dialect) {
    const ROWS: &str = "
        CREATE INDEX idx_pedigree_metric_series_rank ON PedigreeMetricSeries (metric_key, value_rank);
        INSERT INTO PedigreeRun VALUES (1, 'r', 7, FALSE, 5);
        INSERT INTO PedigreeMetricSeries VALUES (1, 1, 'loss', 0, 0, 3)";
    let (older, files) = match dialect {
        Dialect::MySql => (
            "ALTER TABLE PedigreeMetricSeries DROP INDEX idx_pedigree_metric_series_value,
             DROP INDEX idx_pedigree_metric_series_start,
             DROP COLUMN experiment_id, DROP COLUMN start_time",
            ["mysql/metric_series.sql", "mysql/pedigree.sql"],
        ),
        _ => (
            "ALTER TABLE PedigreeMetricSeries DROP COLUMN experiment_id, DROP COLUMN start_time",
            ["postgres/metric_series.sql", "postgres/pedigree.sql"],
        ),
    };
    let store = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
    store.prepare(Migration::default()).await.unwrap();
    let new = store.schema().await;
    store.run(older).await;
    store.run(ROWS).await;
    assert_eq!(store.files(Migration::default()).await, files);
    store.prepare(Migration::default()).await.unwrap();
    assert!(store.files(Migration::default()).await.is_empty());
    let found = "SELECT CONCAT(experiment_id, ' ', start_time) FROM PedigreeMetricSeries";
    assert_eq!(store.texts(found).await, ["7 5"]);
    assert_eq!(store.schema().await, new);
}

async fn versions_that_are_refused(dialect: Dialect) {
    let latest = wheel(dialect, LIBRARY_VERSION);
    let store = Store::load(dialect, wheel(dialect, 9)).await;
    let error = store.refused(Migration::default()).await;
    assert!(
        error
            .to_string()
            .starts_with("MLMD database version 9 is older than library version 10. "),
        "{error}"
    );

    let store = Store::load(dialect, latest).await;
    store.run("UPDATE MLMDEnv SET schema_version = 11").await;
    for options in [Migration::default(), UPGRADE, downgrade_to(9)] {
        let error = store.refused(options).await;
        assert!(matches!(error, Error::FailedPrecondition(_)), "{error:?}");
        let lead = "MLMD database version 11 is greater than library version 10. ";
        assert!(error.to_string().starts_with(lead), "{error}");
    }
    store.run("INSERT INTO MLMDEnv VALUES (9)").await;
    let error = store.refused(UPGRADE).await;
    assert!(matches!(error, Error::DataLoss(_)), "{error:?}");
    store.run("DELETE FROM MLMDEnv").await;
    let error = store.refused(UPGRADE).await;
    match dialect {
        Dialect::MySql => assert!(matches!(error, Error::Contention(_)), "{error:?}"),
        _ => assert!(matches!(error, Error::DataLoss(_)), "{error:?}"),
    }
    let lead = "In the given db, MLMDEnv table exists but no schema_version can be found.";
    assert!(error.to_string().starts_with(lead), "{error}");
}

async fn a_schema_with_gaps(dialect: Dialect) {
    for (gap, missing) in [
        ("DROP TABLE MLMDEnv", "MLMDEnv."),
        (
            "ALTER TABLE ContextProperty DROP COLUMN bool_value",
            "ContextProperty.",
        ),
    ] {
        let store = Store::load(dialect, wheel(dialect, LIBRARY_VERSION)).await;
        store.run(gap).await;
        let error = store.refused(UPGRADE).await;
        assert!(matches!(error, Error::Contention(_)), "{error:?}");
        assert!(error.to_string().ends_with(missing), "{error}");
    }
}

async fn a_downgrade_that_cannot_be(dialect: Dialect) {
    let store = Store::load(dialect, "").await;
    for (target, lead) in [
        (11, "MLMD cannot be downgraded to schema_version: 11."),
        (
            10,
            "Empty database is given. Downgrade operation is not needed.",
        ),
    ] {
        let error = store.refused(downgrade_to(target)).await;
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(error.to_string().starts_with(lead), "{error}");
    }
}
