//! What the program cannot work with it says in one line, and ends.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use super::VERSION_10;
use crate::binary::{pedigree, run};
use crate::sql::{query, run_sql, sqlite};

once! {
    databases,
    downgrades,
}
blocking_once! {
    arguments_that_cannot_be_read,
    values_that_cannot_be_read_all_at_once,
    values_that_make_no_sense_all_at_once,
    the_value_of_a_variable_is_not_repeated,
    configuration_files,
    a_port_that_is_taken,
}

const VERSION_7: &str = include_str!("../../data/schema/v7.sql");

/// The one line that the program ends with.
fn refusal(dir: &Path, arguments: &[&str]) -> String {
    let mut command = pedigree(dir, arguments);
    command.env("PEDIGREE_GRPC_PORT", "0");
    command.env("RUST_BACKTRACE", "1");
    let ended = run(command);
    let said = ended.stderr;
    assert!(!ended.status.success(), "{arguments:?}: {said}");
    assert_eq!(ended.stdout, "");
    let mut lines = said.lines().filter(|line| !line.contains(" INFO "));
    let line = lines
        .next()
        .and_then(|line| line.strip_prefix("pedigree: "));
    assert_eq!(lines.next(), None, "{said}");
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Checks that the program refuses these arguments with a line that has all these parts.
fn refuses(dir: &TempDir, arguments: &[&str], parts: &[&str]) {
    let line = refusal(dir.path(), arguments);
    for part in parts {
        assert!(line.contains(part), "no {part} in: {line}");
    }
}

fn arguments_that_cannot_be_read() {
    let dir = TempDir::new().unwrap();
    refuses(&dir, &["--grcp-port=1"], &["--grcp-port", "--help"]);
    refuses(&dir, &["migrat"], &["migrat", "--help"]);
    refuses(&dir, &["--grpc-host", "here"], &["--grpc-host", "here"]);
    let expected = ["--log-format", "xml", "text, json"];
    refuses(&dir, &["--log-format", "xml"], &expected);
}

fn values_that_cannot_be_read_all_at_once() {
    let dir = TempDir::new().unwrap();
    refuses(
        &dir,
        &[
            "--grpc-host=here",
            "--log-format=xml",
            "--max-requests=many",
        ],
        &["'here'", "'xml'", "'many'", "--help"],
    );
    // Flags that are read leave a database's login out, whatever else is wrong.
    let arguments = ["--admin-port=x", "--keepalive=postgres://u:p@db"];
    refuses(&dir, &arguments, &["--admin-port", "--keepalive"]);
    assert!(!refusal(dir.path(), &arguments).contains("u:p"));
    let unknown = ["migrate", "--database-connections=some", "--widne"];
    refuses(&dir, &unknown, &["'some'", "--widne"]);
}

/// It may be a secret that was meant for another variable.
fn the_value_of_a_variable_is_not_repeated() {
    let dir = TempDir::new().unwrap();
    let mut command = pedigree(dir.path(), &[]);
    command.env("PEDIGREE_GRPC_PORT", "s3cr3t");
    let ended = run(command);
    assert!(!ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("PEDIGREE_GRPC_PORT must be"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("s3cr3t"), "{ended:?}");
}

fn values_that_make_no_sense_all_at_once() {
    let dir = TempDir::new().unwrap();
    refuses(
        &dir,
        &[
            "--database-url=oracle:x",
            "--database-connections=1",
            "--log-level=pedigree=loud",
        ],
        &["database-url", "database-connections", "log-level"],
    );
}

fn configuration_files() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.toml");
    for (text, parts) in [
        ("\ngrcp_port = 1", ["line 2", "grcp_port is not an option"]),
        ("grpc_port = \"x\"", ["line 1", "grpc_port must be a port"]),
        ("\n\ngrpc_port", ["line 3", "="]),
        (
            "database_connections = 1",
            ["database_connections", "at least 2"],
        ),
    ] {
        fs::write(&file, text).unwrap();
        refuses(&dir, &["--config", "config.toml"], &parts);
    }
    refuses(
        &dir,
        &["--config", "none.toml"],
        &["none.toml", "No such file"],
    );
    refuses(&dir, &["--config", "."], &["directory"]);
    fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    refuses(
        &dir,
        &["--config", "config.toml"],
        &["more than 1048576 bytes"],
    );
}

fn a_port_that_is_taken() {
    let dir = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    refuses(
        &dir,
        &["--grpc-port", &port],
        &["listen", &address, "in use"],
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

async fn databases() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("text.db"), "no database, but a file\n".repeat(100)).unwrap();
    run_sql(&sqlite(&path("old.db")), VERSION_7).await;
    run_sql(&sqlite(&path("new.db")), VERSION_10).await;
    run_sql(
        &sqlite(&path("new.db")),
        "UPDATE MLMDEnv SET schema_version = 11",
    )
    .await;

    for (url, parts) in [
        (
            "sqlite:none/store.db",
            vec!["none/store.db", "unable to open"],
        ),
        // Not even root can create a file there.
        (
            "sqlite:/proc/store.db",
            vec!["/proc/store.db", "unable to open"],
        ),
        ("sqlite:folder", vec!["folder", "unable to open"]),
        ("sqlite:text.db", vec!["text.db", "file is not a database"]),
        (
            "sqlite:old.db",
            vec![
                "old.db",
                "MLMD database version 7 is older than library version 10. Schema migration is disabled.",
            ],
        ),
        (
            "sqlite:new.db",
            vec![
                "new.db",
                "MLMD database version 11 is greater than library version 10.",
            ],
        ),
    ] {
        refuses(&dir, &["--database-url", url], &parts);
        refuses(
            &dir,
            &["--database-url", url, "--upgrade-schema=false"],
            &parts,
        );
    }
    let upgrade = ["--database-url", "sqlite:new.db", "--upgrade-schema"];
    refuses(&dir, &upgrade, &["version 11 is greater"]);
    let version = "SELECT CAST(schema_version AS TEXT) FROM MLMDEnv";
    assert_eq!(query(&sqlite(&path("old.db")), version).await, ["7"]);
    assert_eq!(query(&sqlite(&path("new.db")), version).await, ["11"]);
}

async fn downgrades() {
    let dir = TempDir::new().unwrap();
    run_sql(&sqlite(&dir.path().join("store.db")), VERSION_10).await;
    let refuses = |url: &str, version: &str, expected: &str| {
        let arguments = ["--database-url", url, "--downgrade-schema-to", version];
        refuses(&dir, &arguments, &[expected]);
    };
    let too_new = "MLMD cannot be downgraded to schema_version: 11.";
    refuses("sqlite:store.db", "11", too_new);
    let empty = "Empty database is given. Downgrade operation is not needed.";
    refuses("sqlite:empty.db", "9", empty);
    refuses("sqlite::memory:", "9", empty);
}
