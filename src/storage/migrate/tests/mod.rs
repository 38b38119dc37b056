//! The migrations against what the wheel makes of the same databases: `tests/data/schema/` holds
//! its dumps, written by `tests/wheel/make_schema_dumps.py`.

mod described;
mod mysql;
mod postgres;
mod refusals;
mod server;
mod servers;

use super::scripts::Scripts;
use super::{LIBRARY_VERSION, Migration, prepare};
use crate::storage::{Database, Dialect};
use described::Store;

const UPGRADE: Migration = Migration {
    upgrade: true,
    widen: false,
    append_only: false,
    downgrade_to: None,
};

const WIDEN: Migration = Migration {
    upgrade: false,
    widen: true,
    append_only: false,
    downgrade_to: None,
};

const fn downgrade_to(version: i64) -> Migration {
    Migration {
        upgrade: false,
        widen: false,
        append_only: false,
        downgrade_to: Some(version),
    }
}

/// A version as the wheel downgraded to it, and as it upgraded it again.
struct Wheel {
    version: i64,
    downgraded: &'static str,
    upgraded: &'static str,
}

macro_rules! wheel {
    ($($version:literal)*) => {
        [$(Wheel {
            version: $version,
            downgraded: dump!(concat!("v", $version)),
            upgraded: dump!(concat!("v", $version, "_upgraded")),
        }),*]
    };
}
macro_rules! dump {
    ($name:expr) => {
        include_str!(concat!("../../../../tests/data/schema/", $name, ".sql"))
    };
}

const LATEST: &str = dump!("v10");
const OLD_ROWS: &str = dump!("old_rows");
const OLDER: [Wheel; 10] = wheel!(0 1 2 3 4 5 6 7 8 9);

#[tokio::test]
async fn an_empty_database_gets_the_schema_of_the_wheel() {
    let store = Store::load("").await;
    let wheel = Store::load(LATEST).await;
    store.prepare(Migration::default()).await.unwrap();
    assert_eq!(store.schema().await, wheel.schema().await);
    assert_eq!(store.rows().await, ["MLMDEnv: 10"]);

    let before = store.everything().await;
    store.prepare(UPGRADE).await.unwrap();
    assert_eq!(store.everything().await, before);
}

#[tokio::test]
async fn what_is_missing_of_ours_is_made_again() {
    const OURS: &str = "SELECT name FROM sqlite_master WHERE name LIKE 'idx_pedigree%' OR name LIKE 'Pedigree%' ORDER BY 1";
    let store = Store::load(LATEST).await;
    store.prepare(Migration::default()).await.unwrap();
    let ours = store.texts(OURS).await;
    assert_eq!(ours.len(), 46);
    for drop in [
        "DROP INDEX idx_pedigree_context_type",
        "DROP TABLE PedigreeMessage",
    ] {
        store.run(drop).await;
        assert_ne!(store.texts(OURS).await, ours);
        store.prepare(Migration::default()).await.unwrap();
        assert_eq!(store.texts(OURS).await, ours);
    }
}

#[tokio::test]
async fn an_older_table_of_ours_is_renewed() {
    const OLDER: &str = "
        DROP INDEX idx_pedigree_metric_series_value;
        DROP INDEX idx_pedigree_metric_series_start;
        ALTER TABLE PedigreeMetricSeries DROP COLUMN experiment_id;
        ALTER TABLE PedigreeMetricSeries DROP COLUMN start_time;
        CREATE INDEX idx_pedigree_metric_series_rank ON PedigreeMetricSeries (metric_key, value_rank);
        INSERT INTO PedigreeRun VALUES (1, 'r', 7, 0, 5);
        INSERT INTO PedigreeMetricSeries VALUES (1, 1, 'loss', 0, 0, 3)";
    const INDEXES: &str =
        "SELECT sql FROM sqlite_master WHERE name LIKE 'idx_pedigree%' ORDER BY 1";
    let store = Store::load(LATEST).await;
    store.prepare(Migration::default()).await.unwrap();
    let new = store.texts(INDEXES).await;
    store.run(OLDER).await;
    for _ in 0..2 {
        store.prepare(Migration::default()).await.unwrap();
        assert_eq!(store.texts(INDEXES).await, new);
    }
    let found = "SELECT CONCAT(experiment_id, ' ', start_time) FROM PedigreeMetricSeries";
    assert_eq!(store.texts(found).await, ["7 5"]);
}

#[tokio::test]
async fn a_store_in_memory_gets_the_schema() {
    let database = Database::open("sqlite::memory:", 1).await.unwrap();
    for _ in 0..2 {
        prepare(&database, &Migration::default()).await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_may_start_at_once() {
    let store = Store::load("").await;
    let other = store.open_again().await;
    let options = Migration::default();
    let (one, two) = tokio::join!(store.prepare(options), prepare(&other, &options));
    one.unwrap();
    two.unwrap();
    assert_eq!(store.rows().await, ["MLMDEnv: 10"]);
}

#[tokio::test]
async fn tables_of_others_are_no_hindrance() {
    let store = Store::load("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine');").await;
    store.prepare(Migration::default()).await.unwrap();
    assert_eq!(store.rows().await, ["MLMDEnv: 10", "notes: 'mine'"]);
}

#[tokio::test]
async fn the_current_version_is_left_alone() {
    let store = Store::load(LATEST).await;
    let before = store.everything().await;
    for options in [Migration::default(), UPGRADE, downgrade_to(-1)] {
        store.prepare(options).await.unwrap();
        assert_eq!(store.everything().await, before);
    }
}

#[tokio::test]
async fn upgrades_end_as_those_of_the_wheel() {
    for wheel in OLDER {
        let store = Store::load(wheel.downgraded).await;
        if wheel.version < 8 {
            store.run(OLD_ROWS).await;
        }
        store.prepare(UPGRADE).await.unwrap();
        assert_eq!(store.texts("PRAGMA integrity_check").await, ["ok"]);
        let upgraded = Store::load(wheel.upgraded).await;
        assert_eq!(
            store.schema().await,
            upgraded.schema().await,
            "schema of {}",
            wheel.version
        );
        assert_eq!(
            store.rows().await,
            upgraded.rows().await,
            "rows of {}",
            wheel.version
        );
    }
}

#[tokio::test]
async fn each_step_up_ends_in_the_schema_of_its_version() {
    let store = Store::load(OLDER[0].downgraded).await;
    let later = OLDER[1..].iter().map(|wheel| wheel.downgraded);
    let steps = Scripts::of(Dialect::Sqlite).steps;
    for (step, wheel) in steps.iter().zip(later.chain([LATEST])) {
        store.run(step.up.sql).await;
        let wheel = Store::load(wheel).await;
        let version = step.version;
        assert_eq!(
            store.schema().await,
            wheel.schema().await,
            "version {version}"
        );
        let recorded = store
            .texts("SELECT schema_version || '' FROM MLMDEnv")
            .await;
        assert_eq!(recorded, [version.to_string()]);
    }
}

#[tokio::test]
async fn downgrades_end_as_those_of_the_wheel() {
    for wheel in OLDER {
        let store = Store::load(LATEST).await;
        store.downgrade(wheel.version).await;
        assert_eq!(store.texts("PRAGMA integrity_check").await, ["ok"]);
        let downgraded = Store::load(wheel.downgraded).await;
        assert_eq!(
            store.schema().await,
            downgraded.schema().await,
            "schema of {}",
            wheel.version
        );
        assert_eq!(
            store.rows().await,
            downgraded.rows().await,
            "rows of {}",
            wheel.version
        );
    }
}

#[tokio::test]
async fn a_downgrade_stops_on_the_way_and_goes_on() {
    let store = Store::load(LATEST).await;
    for version in (0..LIBRARY_VERSION).rev() {
        store.downgrade(version).await;
    }
    let wheel = Store::load(OLDER[0].downgraded).await;
    assert_eq!(store.schema().await, wheel.schema().await);
    assert_eq!(store.rows().await, wheel.rows().await);
}

/// Every table that is copied keeps the highest id that it ever gave, even where no row is left
/// that has it.
#[tokio::test]
async fn ids_of_deleted_rows_are_not_given_again() {
    const GIVEN: &str = "SELECT name || ' ' || seq FROM sqlite_sequence \
                         WHERE name NOT IN ('Association', 'Attribution', 'Context') ORDER BY name";
    let store = Store::load(LATEST).await;
    store
        .run("INSERT INTO Event VALUES (50, 9, 9, 1, NULL); DELETE FROM Event WHERE id = 50;")
        .await;
    let given = ["Artifact 5", "Event 50", "Execution 2", "Type 15"];
    assert_eq!(store.texts(GIVEN).await, given);
    store.downgrade(0).await;
    assert_eq!(store.texts(GIVEN).await, given);
    store.prepare(UPGRADE).await.unwrap();
    assert_eq!(store.texts(GIVEN).await, given);
}

#[tokio::test]
async fn views_and_triggers_survive() {
    let store = Store::load(OLDER[7].downgraded).await;
    store
        .run(
            "CREATE VIEW recent AS SELECT id FROM Event WHERE id > 2;
             CREATE TABLE log (line);
             CREATE TRIGGER logged AFTER INSERT ON Association BEGIN
                 INSERT INTO log SELECT COUNT(*) FROM Event;
             END;",
        )
        .await;
    store.prepare(UPGRADE).await.unwrap();
    store.run("INSERT INTO Association VALUES (7, 7, 7)").await;
    assert_eq!(
        store.texts("SELECT 'event ' || id FROM recent").await,
        ["event 3"]
    );
    assert_eq!(
        store.texts("SELECT 'events ' || line FROM log").await,
        ["events 3"]
    );
}
