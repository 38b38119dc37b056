//! Upstream's flags and configuration file.

use std::fs;

use tempfile::TempDir;

use super::{Named, Parts, parts};
use crate::binary::{Process, Server, pedigree, run};
use crate::sql::{query, run_sql, sqlite};
use crate::support::Backend;
use crate::support::prelude::*;

with_servers!(flags, files);
once! {
    upgrades_by_flag_and_by_file,
    a_file_may_be_served_for_reading_only,
}
blocking_once! {
    what_cannot_be_used_is_reported_at_once,
}

const VERSION_7: &str = include_str!("../../data/schema/v7.sql");

/// The version of a schema.
async fn version(url: &str) -> String {
    let version = "SELECT CONCAT(schema_version, '') FROM MLMDEnv";
    query(url, version).await.concat()
}

/// Serves, and stops again; returns the log.
fn serves(dir: &TempDir, arguments: &[&str]) -> String {
    let mut command = pedigree(dir.path(), arguments);
    command.env("PEDIGREE_GRPC_PORT", "0");
    let server = Server::wait(Process::start(command));
    let log = server.process.log();
    server.stop();
    log
}

/// The one line of a start that is refused.
fn refusal(dir: &TempDir, arguments: &[&str]) -> String {
    let mut command = pedigree(dir.path(), arguments);
    command.env("PEDIGREE_GRPC_PORT", "0");
    let ended = run(command);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let is_log = |line: &&str| line.contains(" INFO ") || line.contains(" WARN ");
    let lines = ended.stderr.lines().filter(|line| !is_log(line));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 1, "{ended:?}");
    lines[0].to_owned()
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part} in: {text}");
    }
}

async fn flags() {
    let dir = TempDir::new().unwrap();
    let mysql = Named::new(Backend::MySql, "-Flags");
    let Parts {
        host,
        port,
        user,
        password,
    } = parts(Backend::MySql);
    let flags = [
        format!("--mysql_config_host={host}"),
        format!("--mysql_config_port={port}"),
        format!("--mysql_config_database={}", mysql.name),
        format!("--mysql_config_user={user}"),
        format!("--mysql_config_password={password}"),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let shown = format!("mysql://{host}:{port}/{}", mysql.name);
    assert_has(&serves(&dir, &flags), &[&shown]);
    assert_eq!(version(&mysql.url).await, "10");
    run_sql(&mysql.url, "DROP TABLE MLMDEnv").await;
    let explicit = [
        "--metadata_source_config_type=mysql",
        "--metadata_store_connection_retries=0",
    ];
    let line = refusal(&dir, &[&flags[..], &explicit].concat());
    assert_has(&line, &["subset of tables"]);

    let postgres = Named::new(Backend::Postgres, "-Flags");
    let Parts {
        host,
        port,
        user,
        password,
    } = parts(Backend::Postgres);
    let flags = [
        "--metadata_source_config_type=postgresql".to_owned(),
        format!("--postgres_config_hostaddr={host}"),
        "--postgres_config_host=".to_owned(),
        format!("--postgres_config_port={port}"),
        format!("--postgres_config_dbname={}", postgres.name),
        format!("--postgres_config_user={user}"),
        format!("--postgres_config_password={password}"),
        "--postgres_config_sslmode=allow".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let skip = [&flags[..], &["--postgres_config_skip_db_creation"]].concat();
    assert_has(&refusal(&dir, &skip), &["the database does not exist"]);
    let shown = format!("postgres://{host}:{port}/{}", postgres.name);
    assert_has(&serves(&dir, &flags).replace('\\', ""), &[&shown]);
    assert_eq!(version(&postgres.url).await, "10");
    serves(&dir, &skip);

    let line = refusal(&dir, &flags[1..]);
    assert_has(&line, &["metadata_source_config_type=postgresql"]);
}

async fn files() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.pbtxt");
    let named = ["--metadata_store_server_config_file", "config.pbtxt"];
    for backend in [Backend::MySql, Backend::Postgres] {
        let database = Named::new(backend, "-'File'");
        let Parts {
            host,
            port,
            user,
            password,
        } = parts(backend);
        let name = database.name.replace('\'', "\\'");
        let text = if backend == Backend::MySql {
            format!(
                "mysql {{ host: '{host}' port: {port} database: '{name}' user: '{user}' password: '{password}' }}"
            )
        } else {
            format!(
                "postgresql {{ host: '{host}' port: '{port}' dbname: '{name}' user: '{user}' password: '{password}' }}"
            )
        };
        fs::write(&file, format!("connection_config {{ {text} }}")).unwrap();
        serves(&dir, &named);
        assert_eq!(version(&database.url).await, "10");
        let ended = run(pedigree(
            dir.path(),
            &[&["migrate", "--dry-run"], &named[..]].concat(),
        ));
        assert_has(&ended.stdout, &["nothing to do"]);
    }

    // A file by the environment beats flags, and is the only one asked.
    fs::write(
        &file,
        "connection_config { sqlite { filename_uri: 'file:by%20file.db' } }",
    )
    .unwrap();
    let mut command = pedigree(dir.path(), &["--grpc-port=0", "--mysql_config_host=none"]);
    command.env("METADATA_STORE_SERVER_CONFIG_FILE", "config.pbtxt");
    Server::wait(Process::start(command)).stop();
    assert!(dir.path().join("by file.db").is_file());

    fs::write(&file, "connection_config { fake_database {} }").unwrap();
    assert_has(&serves(&dir, &named), &["sqlite::memory:"]);
    // Upstream's image sets the variable to nothing.
    let mut command = pedigree(dir.path(), &["--grpc-port=0"]);
    command.env("METADATA_STORE_SERVER_CONFIG_FILE", "");
    Server::wait(Process::start(command)).stop();
}

async fn upgrades_by_flag_and_by_file() {
    let dir = TempDir::new().unwrap();
    let store = sqlite(&dir.path().join("old.db"));
    run_sql(&store, VERSION_7).await;
    let file = dir.path().join("config.pbtxt");
    let connection = "connection_config { sqlite { filename_uri: 'old.db' } }";
    let named = ["--metadata_store_server_config_file=config.pbtxt"];
    let upgrade = [named[0], "--enable_database_upgrade"];

    let said = |migration: &str| fs::write(&file, format!("{connection} {migration}")).unwrap();
    said("migration_options { enable_upgrade_migration: false }");
    assert_has(&refusal(&dir, &upgrade), &["version 7 is older"]);
    said("");
    assert_has(&refusal(&dir, &named), &["version 7 is older"]);
    assert_has(&serves(&dir, &upgrade), &["upgrade to version 10"]);

    said("migration_options { downgrade_to_schema_version: 7 }");
    let ended = run(pedigree(dir.path(), &named));
    assert!(ended.status.success(), "{ended:?}");
    assert_has(&ended.stdout, &["Downgrade migration was performed."]);
    said("migration_options { enable_upgrade_migration: true }");
    assert_has(&serves(&dir, &named), &["upgrade to version 10"]);
    assert_eq!(version(&store).await, "10");
}

fn what_cannot_be_used_is_reported_at_once() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.pbtxt");
    let none = ["--metadata_store_server_config_file=none.pbtxt"];
    assert_has(&refusal(&dir, &none), &["none.pbtxt", "No such file"]);
    let only = ["--metadata_source_config_type=config_file"];
    assert_has(&refusal(&dir, &only), &["must name a file"]);
    let flags = [
        "--mysql_config_user=root",
        "--enable_database_upgrade=true",
        "--downgrade_db_schema_version=7",
        "--database-connections=1",
    ];
    let expected = [
        "mysql: exactly one of host and socket",
        "mysql: a database",
        "mysql: a port",
        "exclude each other",
        "database-connections",
    ];
    assert_has(&refusal(&dir, &flags), &expected);
    let flags = [
        "--metadata_source_config_type=postgresql",
        "--postgres_config_sslcert=x",
    ];
    let expected = [
        "host and hostaddr",
        "a user",
        "a dbname",
        "the port",
        "together",
    ];
    assert_has(&refusal(&dir, &flags), &expected);
    let flags = [
        "--mysql_config_host=h1,h2",
        "--mysql_config_port=3306",
        "--mysql_config_database=d",
    ];
    let expected = ["mysql: a list of hosts is for --database-url"];
    assert_has(&refusal(&dir, &flags), &expected);
    let refused = ["--metadata_source_config_type=oracle"];
    assert_has(&refusal(&dir, &refused), &["oracle", "postgresql"]);

    let named = ["--metadata_store_server_config_file=config.pbtxt"];
    for (text, expected) in [
        (
            "connection_config { mysql { hots: 'h' } }",
            "field 'hots' not found",
        ),
        (
            "connection_config { sqlite { filename_uri: 'file:x?vfs=y' } }",
            "`vfs`",
        ),
        (
            "connection_config { mysql { socket: 's' database: 'd' ssl_options { cipher: 'x' } } }",
            "cipher",
        ),
        (
            "connection_config { postgresql { hostaddr: 'h' port: '1' user: 'u' dbname: 'd' } }",
            "numeric",
        ),
        (
            "connection_config { postgresql { host: 'h1,h2' port: '1' user: 'u' dbname: 'd' } }",
            "postgresql: a list of hosts is for --database-url",
        ),
        (
            "connection_config { fake_database {} } ssl_config { server_key: 'k' }",
            "server_cert and server_key must be given",
        ),
        (
            "connection_config { fake_database {} } ssl_config { server_key: 'k' server_cert: 'c' client_verify: true }",
            "client_verify needs a custom_ca",
        ),
        (
            "migration_options { enable_upgrade_migration: true }",
            "names no database",
        ),
        ("", "names no database"),
    ] {
        fs::write(&file, text).unwrap();
        assert_has(&refusal(&dir, &named), &[expected]);
    }
    let text =
        "connection_config { fake_database {} } ssl_config { server_key: 'k' server_cert: 'c' }";
    fs::write(&file, text).unwrap();
    let both = [
        named[0],
        "--database-url=sqlite:x.db",
        "--tls-cert=c.pem",
        "--tls-key=k.pem",
    ];
    let expected = ["both name a database", "both give a certificate"];
    assert_has(&refusal(&dir, &both), &expected);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

async fn a_file_may_be_served_for_reading_only() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), "store.db", &[]);
    let put_type = Artifact::put_type("Data", &[]);
    let type_id = put_type.ask(server.client().await).await.unwrap();
    server.stop();

    let text =
        "connection_config { sqlite { filename_uri: 'store.db' connection_mode: READONLY } }";
    fs::write(dir.path().join("config.pbtxt"), text).unwrap();
    let arguments = [
        "--grpc-port=0",
        "--metadata_store_server_config_file=config.pbtxt",
    ];
    let server = Server::wait(Process::start(pedigree(dir.path(), &arguments)));
    let client = server.client().await;
    assert_eq!(
        Artifact::list(None)
            .ask(client.clone())
            .await
            .unwrap()
            .nodes
            .len(),
        0
    );
    let put = Artifact::put(vec![Artifact::new(type_id, "a")]);
    let refused = put.ask(client).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    server.stop();

    let text =
        "connection_config { sqlite { filename_uri: 'none.db' connection_mode: READWRITE } }";
    fs::write(dir.path().join("config.pbtxt"), text).unwrap();
    assert_has(&refusal(&dir, &arguments), &["none.db", "unable to open"]);
}
