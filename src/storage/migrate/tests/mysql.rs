//! The steps on MySQL against those of the wheel.

use super::server::{Store, assert_same};
use super::{OLD_ROWS, UPGRADE, Wheel};
use crate::error::Error;
use crate::storage::Dialect;
use crate::storage::migrate::scripts::Scripts;
use crate::storage::migrate::{LIBRARY_VERSION, Migration};

macro_rules! dump {
    ($name:expr) => {
        include_str!(concat!(
            "../../../../tests/data/schema/mysql/",
            $name,
            ".sql"
        ))
    };
}
macro_rules! wheel {
    ($($version:literal)*) => {
        [$(Wheel {
            version: $version,
            downgraded: dump!(concat!("v", $version)),
            upgraded: dump!(concat!("v", $version, "_upgraded")),
        }),*, Wheel { version: 10, downgraded: dump!("v10"), upgraded: dump!("v10") }]
    };
}
static WHEEL: [Wheel; 11] = wheel!(0 1 2 3 4 5 6 7 8 9);

pub(super) fn wheel(version: i64) -> &'static Wheel {
    WHEEL.iter().find(|wheel| wheel.version == version).unwrap()
}

async fn load(script: &'static str) -> Store {
    Store::load(Dialect::MySql, script).await
}

/// Only that we do not give the ids of deleted events again, where the wheel makes a new table.
#[tokio::test]
async fn upgrades_end_as_those_of_the_wheel() {
    for wheel in &WHEEL {
        let store = load(wheel.downgraded).await;
        if wheel.version < 8 {
            store.run(OLD_ROWS).await;
        }
        let before = store.next_ids().await;
        store.prepare(UPGRADE).await.unwrap();
        let upgraded = load(wheel.upgraded).await;
        let what = format!("from {}", wheel.version);
        assert_same(&store.schema().await, &upgraded.schema().await, &what);
        assert_same(&store.rows().await, &upgraded.rows().await, &what);
        let after = store.next_ids().await;
        assert!(before.iter().all(|next| after.contains(next)), "{what}");
    }
}

#[tokio::test]
async fn downgrades_end_as_those_of_the_wheel() {
    for wheel in &WHEEL {
        let store = load(WHEEL[10].downgraded).await;
        store.downgrade(wheel.version).await;
        let downgraded = load(wheel.downgraded).await;
        assert_same(
            &store.everything().await,
            &downgraded.everything().await,
            &format!("to {}", wheel.version),
        );
    }
}

/// Every step can be done again when it was interrupted before it said so, which is the last thing
/// it does.
#[tokio::test]
async fn interrupted_steps_are_done_again() {
    let store = load(WHEEL[0].downgraded).await;
    let steps = Scripts::of(Dialect::MySql).steps;
    for step in steps {
        store.run(step.up.sql).await;
        if step.version > 1 {
            store.run(step.up.sql).await;
        }
        let expected = load(wheel(step.version).downgraded).await;
        assert_eq!(
            columns(&store).await,
            columns(&expected).await,
            "up to {}",
            step.version
        );
    }
    for step in steps.iter().rev() {
        store.run(step.down.sql).await;
        if step.version > 1 {
            store.run(step.down.sql).await;
        }
        let expected = load(wheel(step.version - 1).downgraded).await;
        assert_eq!(
            columns(&store).await,
            columns(&expected).await,
            "down from {}",
            step.version
        );
    }
}

/// Which columns there are; added ones come last on the way up, in other places on the way down.
async fn columns(store: &Store) -> Vec<String> {
    store
        .texts(
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable)
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1",
        )
        .await
}

/// The step to version 9 fails in its second table. Later it goes on from there.
#[tokio::test]
async fn a_step_that_fails_goes_on_later() {
    let store = load(wheel(7).downgraded).await;
    store
        .run("ALTER TABLE Artifact ADD COLUMN external_id VARCHAR(255) NOT NULL DEFAULT 'same'")
        .await;
    let error = store.prepare(UPGRADE).await.unwrap_err();
    let lead = "internal error: the upgrade to version 9 of the schema failed; what was done until then stays";
    assert!(error.to_string().starts_with(lead), "{error}");
    assert_eq!(store.plan(UPGRADE).await.unwrap().found, Some(8));

    store
        .run("ALTER TABLE Artifact DROP COLUMN external_id")
        .await;
    store.prepare(UPGRADE).await.unwrap();
    let upgraded = load(wheel(7).upgraded).await;
    assert_eq!(store.schema().await, upgraded.schema().await);
}

/// The statements of the scripts that make a new database.
fn creating_statements() -> Vec<&'static str> {
    let scripts = Scripts::of(Dialect::MySql);
    [scripts.create.sql, scripts.own.sql]
        .iter()
        .flat_map(|sql| sql.split_inclusive(";\n"))
        .filter(|statement| !statement.trim().is_empty())
        .collect()
}

#[tokio::test]
async fn a_creation_that_was_cut_after_any_statement_is_completed() {
    let new = load("").await;
    new.prepare(Migration::default()).await.unwrap();
    let (schema, tables) = (new.schema().await, tables_of(&new).await);
    let statements = creating_statements();
    assert!(statements.len() > 30, "{}", statements.len());
    for done in 0..=statements.len() {
        let store = load("").await;
        for statement in &statements[..done] {
            store.run(statement).await;
        }
        store.prepare(Migration::default()).await.unwrap();
        let what = format!("cut after {done} statements");
        assert_same(&store.schema().await, &schema, &what);
        assert_same(&tables_of(&store).await, &tables, &what);
        assert_eq!(store.rows().await, ["MLMDEnv: '10'"], "{what}");
        assert!(store.files(Migration::default()).await.is_empty(), "{what}");
    }
}

/// All tables, ours too.
async fn tables_of(store: &Store) -> Vec<String> {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1";
    store.texts(tables).await
}

/// A schema that lost tables, or that another program has begun, is not ours to complete.
#[tokio::test]
async fn a_schema_in_part_without_the_mark_of_a_creation_is_refused() {
    let statements = creating_statements();
    let store = load("").await;
    // The first two are the collation and the mark.
    store.run(statements[2]).await;
    let error = store.refused(UPGRADE).await;
    assert!(matches!(error, Error::Contention(_)), "{error:?}");
    let new = load("").await;
    new.prepare(Migration::default()).await.unwrap();
    new.run("DROP TABLE Attribution").await;
    let error = new.refused(UPGRADE).await;
    assert!(
        error.to_string().ends_with("incomplete: Attribution."),
        "{error}"
    );
}

#[tokio::test]
async fn every_table_of_a_new_database_has_a_primary_key() {
    let store = load("").await;
    store.prepare(Migration::default()).await.unwrap();
    let without = "SELECT table_name FROM information_schema.tables AS t
         WHERE table_schema = DATABASE() AND NOT EXISTS (
             SELECT 1 FROM information_schema.statistics AS s
             WHERE s.table_schema = DATABASE() AND s.table_name = t.table_name AND s.index_name = 'PRIMARY'
         )";
    assert_eq!(store.texts(without).await, [""; 0]);
}

#[tokio::test]
async fn text_that_version_6_cannot_hold_is_cut() {
    let store = load(wheel(LIBRARY_VERSION).downgraded).await;
    store
        .run(
            "UPDATE ArtifactProperty SET string_value = REPEAT('a', 70000) WHERE name = 's';
             UPDATE ContextProperty SET string_value = REPEAT(_utf8mb4 X'E6BCA2', 30000) WHERE name = 's';",
        )
        .await;
    store.downgrade(6).await;
    let lengths = store
        .texts(
            "SELECT CONVERT(CHAR_LENGTH(string_value), CHAR) FROM ArtifactProperty WHERE name = 's'
             UNION ALL SELECT CHAR_LENGTH(string_value) FROM ContextProperty WHERE name = 's'",
        )
        .await;
    assert_eq!(lengths, ["65535", "16383"]);
}
