//! The command `pedigree migrate`.

use std::time::Duration;

use pedigree::storage::Database;
use pedigree::storage::connect::Connect;
use sqlx::{Connection, Executor};
use tempfile::TempDir;

use crate::binary::{Ended, Process, Server, pedigree, pedigree_on, run};
use crate::serving::get;
use crate::sql::{connect, query, run_now, run_sql};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    a_dry_run_creates_nothing,
    a_missing_database_is_created_and_then_left_alone,
    older_versions_are_upgraded_and_brought_back,
    of_many_at_once_one_works,
}
on_every_server! {
    a_narrow_database_is_widened_on_request,
    a_server_says_what_its_database_does,
}
with_servers! {
    a_version_without_steps_is_refused,
    tables_of_another_program_are_refused,
}
once! {
    what_cannot_be_is_refused,
    a_locked_file_is_waited_for,
}
blocking_once! {
    no_port_is_opened,
}

/// The schema of a version as ML Metadata makes it.
macro_rules! schema {
    ($name:literal) => {
        include_str!(concat!("../data/schema/", $name, ".sql"))
    };
}

/// Creates the database empty, as a client without the program does.
pub fn create(database: &TestDatabase) {
    if let Some((server, name)) = database.url.rsplit_once('/')
        && database.backend != Backend::SqliteFile
    {
        let any = match database.backend {
            Backend::Postgres => "postgres",
            _ => "mysql",
        };
        run_now(
            &format!("{server}/{any}"),
            format!("CREATE DATABASE {name}"),
        );
    }
}

/// The version of the schema.
pub async fn version(database: &TestDatabase) -> String {
    let version = "SELECT CONCAT(schema_version, '') FROM MLMDEnv";
    query(&database.url, version).await.concat()
}

/// Whether the database is there.
pub async fn exists(database: &TestDatabase) -> bool {
    if database.backend == Backend::SqliteFile {
        return database.file().exists();
    }
    let to = Connect::new(database.url.parse().unwrap());
    Database::look(&to).await.unwrap().is_some()
}

/// Runs `pedigree migrate` on a database.
fn migrate(database: &TestDatabase, more: &[&str]) -> Ended {
    let dir = TempDir::new().unwrap();
    let url = ["migrate", "--database-url", &database.url];
    run(pedigree(dir.path(), &[&url, more].concat()))
}

/// What it says when all goes well, without the line that names the database.
pub fn said(database: &TestDatabase, more: &[&str]) -> Vec<String> {
    let ended = migrate(database, more);
    assert!(ended.status.success(), "{ended:?}");
    let mut lines = ended.stdout.lines().map(str::to_owned);
    let first = lines.next().unwrap();
    assert!(first.starts_with("database: "), "{first}");
    let name = database.url.rsplit('/').next().unwrap();
    assert!(first.contains(name), "{first}");
    lines.collect()
}

/// The one line that it ends with when it does not.
fn refusal(database: &TestDatabase, more: &[&str]) -> String {
    let ended = migrate(database, more);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    ended.stderr
}

async fn a_dry_run_creates_nothing(backend: Backend) {
    let database = TestDatabase::missing(backend);
    let ended = migrate(&database, &["--dry-run"]);
    assert!(ended.status.success(), "{ended:?}");
    let expected = "which is missing and would be created\nschema: none\nwould run: creation, ";
    assert!(ended.stdout.contains(expected), "{ended:?}");
    let end = "/pedigree.sql\nthe schema would have version 10\n";
    assert!(ended.stdout.ends_with(end), "{ended:?}");
    assert!(!exists(&database).await);
}

async fn a_missing_database_is_created_and_then_left_alone(backend: Backend) {
    let database = TestDatabase::missing(backend);
    let lines = said(&database, &[]);
    assert!(lines[0].starts_with("creation, "), "{lines:?}");
    assert!(lines[1].starts_with("extension "), "{lines:?}");
    assert_eq!(lines[2..], ["done: the schema has version 10"]);
    assert_eq!(version(&database).await, "10");
    for more in [&["--widen"][..], &[]] {
        let expected = ["nothing to do: the schema has version 10"];
        assert_eq!(said(&database, more), expected);
    }
    let expected = ["schema: version 10", "nothing to do"];
    assert_eq!(said(&database, &["--dry-run"]), expected);
}

async fn older_versions_are_upgraded_and_brought_back(backend: Backend) {
    let versions: &[(&str, &str, usize)] = match backend {
        Backend::SqliteFile | Backend::SqliteMemory => &[("0", schema!("v0"), 10)],
        Backend::Postgres => &[("9", schema!("postgres/v9"), 1)],
        Backend::MySql => &[
            ("0", schema!("mysql/v0"), 10),
            ("7", schema!("mysql/v7"), 3),
        ],
    };
    for &(old, script, steps) in versions {
        let database = TestDatabase::missing(backend);
        create(&database);
        run_sql(&database.url, script).await;

        let planned = said(&database, &["--dry-run"]);
        assert_eq!(planned[0], format!("schema: version {old}"));
        assert_eq!(planned.len(), steps + 3, "{planned:?}");
        let last = "0010_proto_and_bool_values.up.sql";
        assert!(planned[steps].ends_with(last), "{planned:?}");
        // And the tables that are ours alone.
        let steps: Vec<&str> = planned[1..=steps + 1]
            .iter()
            .map(|line| line.strip_prefix("would run: ").unwrap())
            .collect();
        if old != "0" {
            assert_eq!(version(&database).await, old);
        }

        let lines = said(&database, &[]);
        assert_eq!(lines[..steps.len()], steps);
        let result = format!("done: the schema had version {old} and has version 10");
        assert_eq!(lines[steps.len()..], [result]);
        assert_eq!(version(&database).await, "10");

        let lines = said(&database, &["--downgrade-to", "9"]);
        let result = "done: the schema had version 10 and has version 9";
        assert_eq!(lines[1..], [result]);
        assert_eq!(version(&database).await, "9");
    }
}

async fn a_version_without_steps_is_refused() {
    let database = TestDatabase::missing(Backend::Postgres);
    create(&database);
    run_sql(&database.url, schema!("postgres/v9")).await;
    run_sql(&database.url, "UPDATE mlmdenv SET schema_version = 8").await;
    for more in [&["--dry-run"][..], &[]] {
        let line = refusal(&database, more);
        assert!(line.contains("version 8 is too old"), "{line}");
    }
    assert_eq!(version(&database).await, "8");
}

async fn tables_of_another_program_are_refused() {
    let database = TestDatabase::missing(Backend::Postgres);
    create(&database);
    let tables = "CREATE TABLE \"Type\" (id INT); CREATE TABLE \"MLMDEnv\" (schema_version INT)";
    run_sql(&database.url, tables).await;
    for more in [&["--dry-run"][..], &[]] {
        let line = refusal(&database, more);
        assert!(line.contains("belongs to another program"), "{line}");
    }
    // Beside tables of ML Metadata, they are in the way of nothing.
    run_sql(&database.url, schema!("postgres/v10")).await;
    assert!(migrate(&database, &[]).status.success());
}

async fn what_cannot_be_is_refused() {
    let database = TestDatabase::missing(Backend::SqliteFile);
    for more in [
        &["--dry-run", "--downgrade-to", "9"][..],
        &["--downgrade-to", "11"],
    ] {
        let line = refusal(&database, more);
        assert!(line.contains("owngrade"), "{line}");
    }
    let line = refusal(&database, &["--widen", "--downgrade-to", "9"]);
    assert!(line.contains("cannot be used with"), "{line}");
    assert!(refusal(&database, &["--downgrade-to", "-1"]).contains("-1"));
    let mut started = pedigree(&TempDir::new().unwrap().keep(), &["--database-url"]);
    started.args([&database.url, "--grpc-port", "0"]);
    run_sql(&database.url, schema!("v7")).await;
    let line = run(started).stderr;
    assert!(
        line.contains("`pedigree migrate`") && line.contains("--upgrade-schema"),
        "{line}"
    );
}

async fn of_many_at_once_one_works(backend: Backend) {
    let old = match backend {
        Backend::SqliteFile | Backend::SqliteMemory => (schema!("v7"), 4),
        Backend::Postgres => (schema!("postgres/v9"), 2),
        Backend::MySql => (schema!("mysql/v7"), 4),
    };
    let missing = ("", 2);
    for (script, changes) in [old, missing] {
        let database = TestDatabase::missing(backend);
        if !script.is_empty() {
            create(&database);
            run_sql(&database.url, script).await;
        }
        let dir = TempDir::new().unwrap();
        let arguments = ["migrate", "--database-url", &database.url];
        let migrating: Vec<Process> = (0..4)
            .map(|_| Process::start(pedigree(dir.path(), &arguments)))
            .collect();
        let arguments = [
            "--grpc-port",
            "0",
            "--upgrade-schema",
            "--database-url",
            &database.url,
        ];
        let serving: Vec<Process> = (0..3)
            .map(|_| Process::start(pedigree(dir.path(), &arguments)))
            .collect();
        let mut done = 0;
        for mut process in migrating {
            let status = process.end();
            assert!(status.success(), "{backend:?}: {}", process.log());
            done += process.output().matches(".sql").count();
        }
        for process in serving {
            let server = Server::wait(process);
            done += server.process.log().matches("changed the schema").count();
            server.stop();
        }
        assert_eq!(done, changes, "{backend:?}");
        assert_eq!(version(&database).await, "10");
    }
}

async fn a_locked_file_is_waited_for() {
    /// Longer than one attempt waits.
    const LOCKED: Duration = Duration::from_secs(7);
    let database = TestDatabase::missing(Backend::SqliteFile);
    create(&database);
    run_sql(&database.url, schema!("v7")).await;
    let mut other = connect(&database.url).await;
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let mut migrating = Process::start(pedigree_on(&database, &["migrate"]));
    let serving = Process::start(pedigree_on(&database, &["--upgrade-schema"]));
    tokio::time::sleep(LOCKED).await;
    let ended = migrating.try_end();
    assert!(ended.is_none(), "{ended:?}: {}", migrating.log());
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    assert!(migrating.end().success(), "{}", migrating.log());
    Server::wait(serving).stop();
    assert_eq!(version(&database).await, "10");
}

/// A database as ML Metadata creates it has integers of 32 bits on a server, and PostgreSQL indexes
/// whole texts.
async fn a_narrow_database_is_widened_on_request(backend: Backend) {
    let script = match backend {
        Backend::Postgres => schema!("postgres/v10"),
        _ => schema!("mysql/v10"),
    };
    let database = TestDatabase::missing(backend);
    create(&database);
    run_sql(&database.url, script).await;
    let dir = TempDir::new().unwrap();
    let arguments = ["--grpc-port", "0", "--database-url", &database.url];
    let server = Server::wait(Process::start(pedigree(dir.path(), &arguments)));
    let client = server.client().await;
    let type_id = Artifact::put_type("Wide", &[("p", PropertyType::Int)])
        .ask(client.clone())
        .await
        .unwrap();
    let mut artifact = Artifact::new(type_id, "wide");
    artifact.properties.insert("p".into(), int(1 << 40));
    let refused = Artifact::put(vec![artifact.clone()])
        .ask(client.clone())
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert!(
        refused.message().contains("`pedigree migrate --widen`"),
        "{refused:?}"
    );

    Artifact::by_ids(&[1]).ask(client.clone()).await.unwrap();
    let planned = said(&database, &["--widen", "--dry-run"]);
    assert!(
        planned[1].starts_with("would run: widening, "),
        "{planned:?}"
    );
    let lines = said(&database, &["--widen"]);
    assert!(lines[0].starts_with("widening, "), "{lines:?}");
    // The server goes on. What it had prepared for the narrow columns it prepares again.
    let put = Artifact::put(vec![artifact]).ask(client.clone()).await;
    let ids = put.unwrap();
    let read = || Artifact::by_ids(&ids).ask(client.clone());
    let mut stored = read().await;
    while stored
        .as_ref()
        .is_err_and(|status| status.code() == Code::Aborted)
    {
        stored = read().await;
    }
    assert_eq!(stored.unwrap()[0].properties["p"], int(1 << 40));
    server.stop();
}

fn no_port_is_opened() {
    let dir = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let with = |arguments: &[&str]| {
        let mut command = pedigree(dir.path(), arguments);
        command.env("PEDIGREE_GRPC_PORT", &port);
        run(command)
    };
    assert!(with(&["migrate"]).status.success());
    let ended = with(&["--downgrade-schema-to", "9"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended
            .stdout
            .starts_with("Downgrade migration was performed.")
    );
    assert!(
        with(&["serve", "--upgrade-schema"])
            .stderr
            .contains("cannot listen")
    );
    assert!(dir.path().join("pedigree.db").exists());
}

/// Checks that a line about the database is in the log of a server and in `/readyz?verbose`.
pub async fn assert_says(server: &Server, line: &str) {
    let answer = get(server.admin(), "/readyz?verbose").await;
    assert!(answer.text().starts_with("ok\n"), "{}", answer.text());
    assert!(
        answer.text().lines().any(|said| said == line),
        "{}",
        answer.text()
    );
    assert!(
        server.process.log().contains(line),
        "{}",
        server.process.log()
    );
}

async fn a_server_says_what_its_database_does(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &["--admin-port", "0"]);
    assert_says(
        &server,
        "locks: exclude the transactions of another connection",
    )
    .await;
    assert_says(&server, "ids: ascend across connections").await;
    if backend == Backend::Postgres {
        assert_says(&server, "notifications: NOTIFY works").await;
        assert_says(&server, "sequences: are ahead of their tables").await;
    }
    assert_eq!(get(server.admin(), "/readyz").await.text(), "ok\n");
    server.stop();
}
