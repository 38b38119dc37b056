//! What is special about PostgreSQL.

use super::server::Store;
use super::{UPGRADE, downgrade_to};
use crate::error::Error;
use crate::storage::Dialect;
use crate::storage::migrate::{LIBRARY_VERSION, Migration};

pub(super) fn wheel(version: i64) -> &'static str {
    match version {
        9 => include_str!("../../../../tests/data/schema/postgres/v9.sql"),
        _ => include_str!("../../../../tests/data/schema/postgres/v10.sql"),
    }
}

async fn load(script: &'static str) -> Store {
    Store::load(Dialect::Postgres, script).await
}

/// The columns; the wheel rebuilds the property tables, with other names of keys and other
/// conditions of indexes.
async fn columns(store: &Store) -> Vec<String> {
    let mut lines = store.schema().await;
    lines.retain(|line| !line.contains("property_") && !line.contains("_pkey"));
    lines
}

#[tokio::test]
async fn the_step_of_the_wheel_and_ours_end_alike() {
    let store = load(wheel(9)).await;
    store.prepare(UPGRADE).await.unwrap();
    let upgraded = load(include_str!(
        "../../../../tests/data/schema/postgres/v9_upgraded.sql"
    ))
    .await;
    assert_eq!(columns(&store).await, columns(&upgraded).await);
    assert_eq!(store.rows().await, upgraded.rows().await);

    let store = load(wheel(LIBRARY_VERSION)).await;
    let before = store.schema().await;
    store.downgrade(9).await;
    let downgraded = load(wheel(9)).await;
    assert_eq!(columns(&store).await, columns(&downgraded).await);
    assert_eq!(store.rows().await, downgraded.rows().await);
    store.prepare(UPGRADE).await.unwrap();
    assert_eq!(store.schema().await, before);
}

#[tokio::test]
async fn older_versions_have_no_steps() {
    let store = load(wheel(9)).await;
    store.run("UPDATE MLMDEnv SET schema_version = 8").await;
    let error = store.refused(UPGRADE).await;
    assert!(matches!(error, Error::FailedPrecondition(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "MLMD database version 8 is too old for library version 10: on this kind of database it upgrades from version 9 on."
    );
    let error = store.refused(downgrade_to(8)).await;
    assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
}

#[tokio::test]
async fn a_script_that_fails_undoes_those_before_it() {
    let store = load(wheel(9)).await;
    store
        .run("CREATE VIEW on_ids AS SELECT id FROM Artifact")
        .await;
    let error = store
        .refused(Migration {
            widen: true,
            ..UPGRADE
        })
        .await;
    assert_eq!(
        error.to_string(),
        "internal error: the widening of the schema failed"
    );
    assert!(error.chain().contains("view"), "{}", error.chain());
}

/// An index entry has to fit in a third of a page; of long text only the beginning is in it.
#[tokio::test]
async fn long_text_is_stored_and_found_by_index() {
    let store = load("").await;
    store.prepare(Migration::default()).await.unwrap();
    store
        .run(
            "INSERT INTO Artifact (type_id, uri) SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 2000) AS n;
             INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, string_value) SELECT id, 's', true, uri FROM Artifact;
             INSERT INTO Artifact (type_id, uri) SELECT 1, 'gs://' || n FROM generate_series(1, 5000) AS n;
             INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, string_value)
                 SELECT id, 's', true, 'value ' || id FROM Artifact WHERE id > 1;",
        )
        .await;
    store.run("ANALYZE").await;
    for (query, index) in [
        ("EXPLAIN SELECT id FROM Artifact WHERE left(uri, 255) = left('gs://7', 255) AND uri = 'gs://7'", "idx_artifact_uri"),
        (
            "EXPLAIN SELECT id FROM Artifact WHERE left(uri, 255) = ANY(ARRAY(SELECT left(v, 255) FROM unnest(ARRAY['gs://7', 'gs://8']) AS v))
             AND uri = ANY(ARRAY['gs://7', 'gs://8'])",
            "idx_artifact_uri",
        ),
        (
            "EXPLAIN SELECT artifact_id FROM ArtifactProperty WHERE name = 's' AND is_custom_property = true
             AND left(string_value, 255) = left('value 7', 255) AND string_value = 'value 7'",
            "idx_artifact_property_string",
        ),
    ] {
        let plan = store.texts(query).await.join("\n");
        assert!(plan.contains(index), "{plan}");
    }
}
