//! The program as a user runs it: its arguments, what it says, how it stops.

mod kubeflow;
mod refusals;
mod shutdown;
mod swapped;

pub use shutdown::Unfinished;

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::binary::{Process, Server, pedigree, run, wait_for};
use crate::sql::{query, run_sql, sqlite};
use crate::support::Client;
use crate::support::prelude::*;

once! {
    a_store_in_memory_serves_all_and_lives_as_long_as_the_process,
    two_servers_on_one_file_lose_no_writes,
    a_downgrade_ends_well_and_an_upgrade_brings_the_store_back,
}
blocking_once! {
    without_arguments_it_keeps_its_store_in_the_directory_where_it_is,
    without_arguments_it_is_at_port_8080_of_loopback,
    help_and_version_go_to_standard_output,
    a_flag_beats_the_environment_which_beats_the_file,
    old_names_of_variables_flags_and_keys_still_work,
    log_lines_in_json_can_be_parsed,
}

const VERSION_10: &str = include_str!("../../data/schema/v10.sql");

/// Starts the program with nothing but a free port in its environment.
fn start(mut command: Command) -> Server {
    command.env("PEDIGREE_GRPC_PORT", "0");
    Server::wait(Process::start(command))
}

/// A type for artifacts, which every client may put.
async fn put_type(client: &Client) -> i64 {
    Artifact::put_type("Data", &[])
        .ask(client.clone())
        .await
        .unwrap()
}

/// The names of all artifacts, sorted.
async fn artifact_names(client: Client) -> Vec<String> {
    let artifacts = Artifact::list(None).ask(client).await.unwrap().nodes;
    let mut names: Vec<String> = artifacts.into_iter().filter_map(|node| node.name).collect();
    names.sort();
    names
}

/// The output of a command that must end well.
fn output(command: Command) -> String {
    let ended = run(command);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

fn without_arguments_it_keeps_its_store_in_the_directory_where_it_is() {
    let dir = TempDir::new().unwrap();
    let server = start(pedigree(dir.path(), &[]));
    assert!(dir.path().join("pedigree.db").is_file());
    let log = server.process.log();
    assert!(log.contains("database=\"sqlite:pedigree.db\""), "{log}");
    assert!(log.contains("listening"), "{log}");
    // The words that test harnesses of ML Metadata's server wait for.
    let words = format!("Server listening on 127.0.0.1:{}", server.port);
    server.process.wait_for_log(&words);
    assert_eq!(server.process.output(), "");
}

fn without_arguments_it_is_at_port_8080_of_loopback() {
    let dir = TempDir::new().unwrap();
    let mut process = Process::start(pedigree(dir.path(), &[]));
    // Where something else has the port, the program names it too.
    let served = "listening address=127.0.0.1:8080\n";
    let refused = "cannot listen on 127.0.0.1:8080: ";
    wait_for("a word on the port", || {
        let log = process.log();
        (log.contains(served) || log.contains(refused)).then_some(())
    });
    process.signal(Signal::TERM);
    process.end();
}

fn help_and_version_go_to_standard_output() {
    let dir = TempDir::new().unwrap();
    let help = output(pedigree(dir.path(), &["--help"]));
    for text in [
        "Usage: pedigree",
        "--grpc-port",
        "PEDIGREE_GRPC_PORT",
        "8080",
        "sqlite:pedigree.db",
    ] {
        assert!(help.contains(text), "no {text} in {help}");
    }
    let version = output(pedigree(dir.path(), &["--version"]));
    assert_eq!(
        version,
        concat!("pedigree ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn a_flag_beats_the_environment_which_beats_the_file() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("pedigree.toml"),
        "database_url = \"sqlite:file.db\"\nlog_level = \"pedigree=debug\"",
    )
    .unwrap();
    let serve = |flags: &[&str], environment: &[(&str, &str)]| {
        let mut command = pedigree(dir.path(), flags);
        command.env("PEDIGREE_CONFIG", "pedigree.toml");
        command.envs(environment.iter().copied());
        let server = start(command);
        let log = server.process.log();
        let (_, rest) = log.split_once("database=\"sqlite:").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let environment = ("PEDIGREE_DATABASE_URL", "sqlite:environment.db");
    assert_eq!(serve(&[], &[]), "file.db");
    assert_eq!(serve(&[], &[environment]), "environment.db");
    let flags = ["--database-url", "sqlite:flag.db"];
    assert_eq!(serve(&flags, &[environment]), "flag.db");
    assert_eq!(serve(&flags, &[]), "flag.db");
}

/// The options that were renamed: the name of the version before, and the name now.
const RENAMED: [(&str, &str); 10] = [
    ("history", "change_retention"),
    ("record_memory", "dedup_window"),
    ("record_batch_age", "record_batch_linger"),
    ("list_memory", "list_buffer_bytes"),
    ("stream_patience", "slow_reader_timeout"),
    ("database_wait", "database_acquire_timeout"),
    ("database_idle", "database_idle_timeout"),
    ("database_age", "database_max_lifetime"),
    ("connection_age", "max_connection_age"),
    ("connection_idle", "max_connection_idle"),
];

fn old_names_of_variables_flags_and_keys_still_work() {
    let dir = TempDir::new().unwrap();
    let file = RENAMED.map(|(old, _)| format!("{old} = 11\n")).concat();
    fs::write(dir.path().join("old.toml"), file).unwrap();
    let flags = RENAMED.map(|(old, _)| format!("--{}=11", old.replace('_', "-")));
    let variable = |name: &str| format!("PEDIGREE_{}", name.to_uppercase());
    let variables = RENAMED.map(|(old, _)| (variable(old), "11"));

    let mut by_flag = pedigree(dir.path(), &["--print-config"]);
    by_flag.args(&flags);
    let mut by_variable = pedigree(dir.path(), &["--print-config"]);
    by_variable.envs(variables.clone());
    let by_key = pedigree(dir.path(), &["--print-config", "--config=old.toml"]);
    for command in [by_flag, by_variable, by_key] {
        let printed = output(command);
        for (_, new) in RENAMED {
            let line = format!("{new} = 11\n");
            assert!(printed.contains(&line), "no {line} in {printed}");
        }
    }

    let help = output(pedigree(dir.path(), &["--help"]));
    for (old, new) in RENAMED {
        let mut both = pedigree(dir.path(), &["--print-config"]);
        both.envs([(variable(old), "11"), (variable(new), "12")]);
        let ended = run(both);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let expected = "are names of the same option: give only one of them";
        assert!(ended.stderr.contains(expected), "{ended:?}");
        assert!(ended.stderr.contains(&variable(old)), "{ended:?}");
        assert!(!help.contains(&format!("--{} ", old.replace('_', "-"))));
        assert!(help.contains(&format!("--{} ", new.replace('_', "-"))));
    }
}

fn log_lines_in_json_can_be_parsed() {
    let dir = TempDir::new().unwrap();
    let arguments = ["--grpc-port", "0", "--log-format", "json"];
    let mut process = Process::start(pedigree(dir.path(), &arguments));
    process.wait_for_log("\"opened the database\"");
    process.signal(Signal::TERM);
    assert!(process.end().success());

    let log = process.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let field = |message: &str, field: &str| {
        let line = lines.iter().find(|line| line["message"] == message);
        line.and_then(|line| line[field].as_str())
            .unwrap_or_else(|| panic!("no {message} with {field} in {log}"))
    };
    assert!(field("listening", "address").starts_with("127.0.0.1:"));
    assert_eq!(
        field("opened the database", "database"),
        "sqlite:pedigree.db"
    );
    assert!(lines.iter().all(|line| line["level"] == "INFO"), "{log}");
}

async fn a_store_in_memory_serves_all_and_lives_as_long_as_the_process() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), ":memory:", &[]);
    let writers = write_at_once(&server, "w", 12).await;
    for client in writers {
        assert_eq!(artifact_names(client).await.len(), 12 * 5);
    }
    server.stop();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    let server = Server::start(dir.path(), ":memory:", &[]);
    let names = artifact_names(server.client().await).await;
    assert_eq!(names, [""; 0]);
}

async fn two_servers_on_one_file_lose_no_writes() {
    let dir = TempDir::new().unwrap();
    let one = Server::start(dir.path(), "shared.db", &[]);
    let two = Server::start(dir.path(), "shared.db", &[]);
    tokio::join!(write_at_once(&one, "one", 6), write_at_once(&two, "two", 6));
    let seen_by_one = artifact_names(one.client().await).await;
    let seen_by_two = artifact_names(two.client().await).await;
    assert_eq!(seen_by_one.len(), 2 * 6 * 5);
    assert_eq!(seen_by_one, seen_by_two);
}

/// Has so many clients write five artifacts each, one at a time; returns the clients.
async fn write_at_once(server: &Server, prefix: &str, writers: usize) -> Vec<Client> {
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let client = server.client().await;
        let prefix = format!("{prefix} {writer}");
        tasks.push(tokio::spawn(async move {
            let type_id = put_type(&client).await;
            for number in 0..5 {
                let artifact = Artifact::new(type_id, &format!("{prefix} {number}"));
                Artifact::put(vec![artifact])
                    .ask(client.clone())
                    .await
                    .unwrap();
            }
            client
        }));
    }
    let mut clients = Vec::new();
    for task in tasks {
        clients.push(task.await.unwrap());
    }
    clients
}

async fn a_downgrade_ends_well_and_an_upgrade_brings_the_store_back() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("old.db");
    run_sql(&sqlite(&file), VERSION_10).await;
    let arguments = ["--database-url", "sqlite:old.db", "--grpc-port", "0"];
    let with = |more: &[&'static str]| pedigree(dir.path(), &[&arguments, more].concat());

    let said = output(with(&["--downgrade-schema-to", "7"]));
    let expected = "Downgrade migration was performed. Connection to the downgraded database is Cancelled. \
                    Now the database is at schema version 7.";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(said.lines().count(), 1);
    let version = "SELECT CAST(schema_version AS TEXT) FROM MLMDEnv";
    assert_eq!(query(&sqlite(&file), version).await, ["7"]);

    let server = start(with(&["--upgrade-schema"]));
    assert!(server.process.log().contains("upgrade to version 10"));
    server.stop();
    assert_eq!(query(&sqlite(&file), version).await, ["10"]);
}
