//! Databases that are refused, and that they stay as they were.

use super::described::Store;
use super::{LATEST, Migration, OLDER, UPGRADE, downgrade_to};
use crate::error::Error;
use crate::storage::migrate::Prepared;
use crate::storage::tables::schema::MLMD_TABLES;

/// Prepares what the script makes, which must fail and change nothing.
async fn refused(scripts: &[&'static str], options: Migration) -> Error {
    let store = Store::load("").await;
    for script in scripts {
        store.run(script).await;
    }
    let before = store.everything().await;
    let error = store.prepare(options).await.unwrap_err();
    assert_eq!(store.everything().await, before, "after {error}");
    error
}

macro_rules! assert_refused {
    ($error:expr, $variant:ident, $start:expr) => {
        let error = $error;
        assert!(matches!(error, Error::$variant(_)), "{error:?}");
        assert!(error.to_string().starts_with(&$start), "{error}");
    };
}

#[tokio::test]
async fn an_older_version_without_leave_to_upgrade() {
    for wheel in OLDER {
        assert_refused!(
            refused(&[wheel.downgraded], Migration::default()).await,
            FailedPrecondition,
            format!(
                "MLMD database version {} is older than library version 10. \
                 Schema migration is disabled. ",
                wheel.version
            )
        );
    }
}

#[tokio::test]
async fn a_newer_version() {
    let newer = [LATEST, "UPDATE MLMDEnv SET schema_version = 11"];
    for options in [Migration::default(), UPGRADE, downgrade_to(9)] {
        assert_refused!(
            refused(&newer, options).await,
            FailedPrecondition,
            "MLMD database version 11 is greater than library version 10. "
        );
    }
}

#[tokio::test]
async fn a_version_that_never_was() {
    let odd = [LATEST, "UPDATE MLMDEnv SET schema_version = -3"];
    assert_refused!(
        refused(&odd, UPGRADE).await,
        FailedPrecondition,
        "MLMD database version -3 is too old for library version 10"
    );
}

#[tokio::test]
async fn no_version_or_several() {
    for options in [Migration::default(), UPGRADE, downgrade_to(7)] {
        assert_refused!(
            refused(&[LATEST, "DELETE FROM MLMDEnv"], options).await,
            Contention,
            "In the given db, MLMDEnv table exists but no schema_version can be found."
        );
        assert_refused!(
            refused(&[LATEST, "INSERT INTO MLMDEnv VALUES (9)"], options).await,
            DataLoss,
            "In the given db, MLMDEnv table exists but schema_version cannot be resolved"
        );
    }
}

#[tokio::test]
async fn a_schema_with_gaps() {
    let gaps: [(&[&'static str], &str); 5] = [
        (&[LATEST, "DROP TABLE MLMDEnv"], "MLMDEnv."),
        (&[LATEST, "DROP TABLE Attribution"], "Attribution."),
        (
            &[LATEST, "ALTER TABLE ContextProperty DROP COLUMN bool_value"],
            "ContextProperty.",
        ),
        (
            &["CREATE TABLE Event (id INTEGER PRIMARY KEY)"],
            "Type, TypeProperty, ParentType, Artifact, ArtifactProperty, Execution, \
             ExecutionProperty, Event, EventPath, MLMDEnv, Context, ContextProperty, \
             ParentContext, Association, Attribution.",
        ),
        // Without its MLMDEnv no other version than 0 is known.
        (
            &[OLDER[5].downgraded, "DROP TABLE MLMDEnv"],
            "Type, ParentType, Artifact, ArtifactProperty, Execution, ExecutionProperty, \
             MLMDEnv, Context, ContextProperty, ParentContext.",
        ),
    ];
    for (scripts, missing) in gaps {
        for options in [Migration::default(), UPGRADE] {
            let error = refused(scripts, options).await;
            assert!(
                error
                    .to_string()
                    .ends_with(&format!("Missing or incomplete: {missing}")),
                "{error}"
            );
            assert_refused!(
                error,
                Contention,
                "There are a subset of tables in MLMD instance. "
            );
        }
    }
}

#[tokio::test]
async fn a_downgrade_that_cannot_be() {
    for scripts in [&[LATEST][..], &[]] {
        assert_refused!(
            refused(scripts, downgrade_to(11)).await,
            InvalidArgument,
            "MLMD cannot be downgraded to schema_version: 11."
        );
    }
    assert_refused!(
        refused(&[], downgrade_to(10)).await,
        InvalidArgument,
        "Empty database is given. Downgrade operation is not needed."
    );
}

#[tokio::test]
async fn a_downgrade_to_where_the_database_is_or_above() {
    for (script, target, is_at) in [(LATEST, 10, 10), (OLDER[5].downgraded, 7, 5)] {
        let store = Store::load(script).await;
        let before = store.everything().await;
        let prepared = store.prepare(downgrade_to(target)).await.unwrap();
        assert_eq!(prepared, Prepared::Downgraded { version: is_at });
        assert_eq!(store.everything().await, before);
    }
}

/// The step to version 9 fails when others are done already; so does the one down to 8 after the
/// one to 9.
#[tokio::test]
async fn a_step_that_fails_undoes_those_before_it() {
    const IN_THE_WAY: &str = "CREATE TABLE NewContext (a)";
    let error = refused(&[OLDER[2].downgraded, IN_THE_WAY], UPGRADE).await;
    assert_eq!(
        error.to_string(),
        "internal error: the upgrade to version 9 of the schema failed"
    );
    assert!(error.chain().contains("NewContext"), "{}", error.chain());

    let error = refused(&[LATEST, IN_THE_WAY], downgrade_to(3)).await;
    assert_eq!(
        error.to_string(),
        "internal error: the downgrade to version 8 of the schema failed"
    );
}

/// Steps that work on tables which are not the library's whole set end in the check, in the same
/// transaction.
#[tokio::test]
async fn an_upgrade_that_ends_with_gaps() {
    assert_refused!(
        refused(&[OLDER[9].downgraded, "DROP TABLE Attribution"], UPGRADE).await,
        Contention,
        "There are a subset of tables in MLMD instance. "
    );
}

#[tokio::test]
async fn the_list_of_tables_is_that_of_the_schema() {
    let store = Store::load("").await;
    store.prepare(Migration::default()).await.unwrap();
    let found = store
        .texts(
            "SELECT t.name || ': ' || group_concat(c.name, ' ' ORDER BY c.name)
             FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND t.name <> 'sqlite_sequence' AND t.name NOT LIKE 'Pedigree%'
             GROUP BY t.name ORDER BY t.rowid",
        )
        .await;
    let listed = MLMD_TABLES.map(|table| {
        let mut columns: Vec<&str> = table.column_names().collect();
        columns.sort_unstable();
        format!("{}: {}", table.name, columns.join(" "))
    });
    assert_eq!(found, listed);
}
