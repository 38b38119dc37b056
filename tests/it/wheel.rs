//! The program against the released ml-metadata wheel: `tests/wheel/README.md` says what each tool checks.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::binary::{Server, pedigree, run};
use crate::python::{python, sized};

/// Runs a tool against a server on a new database.
fn against_new_server(tool: &str, arguments: &[&str]) {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), "store.db", &[]);
    let port = server.port.to_string();
    python(tool, &[&["--port", &port], arguments].concat());
    server.stop();
}

#[test]
fn the_test_file_of_the_wheel_passes() {
    against_new_server("upstream_tests.py", &["--patched"]);
}

#[test]
fn the_test_file_of_the_wheel_as_it_ships_fails_only_where_it_must() {
    against_new_server("upstream_tests.py", &["--unpatched"]);
}

#[test]
fn filter_queries_select_as_written_down() {
    against_new_server("filter_rows.py", &[]);
}

#[test]
fn random_requests_get_the_answers_of_the_wheel() {
    let requests = sized("2500", "10000");
    for seed in sized(&["1"][..], &["1", "2", "3", "4"]) {
        against_new_server("differential.py", &["--requests", requests, "--seed", seed]);
    }
}

#[test]
fn what_the_wheel_wrote_is_served_as_it_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("store.db");
    wheel("write", &file, &[]);
    let written = dump_file(&file, &[]);
    let served = dump_and_stop(Server::start(dir.path(), "store.db", &[]), &[]);
    assert_eq_text(&served, &written);
    assert_eq_text(&dump_file(&file, &[]), &written);
}

#[test]
fn what_was_written_through_us_the_wheel_reads() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), "ours.db", &[]);
    python(
        "interchange.py",
        &["write", "--port", &server.port.to_string()],
    );
    let answers = dump_and_stop(server, &[]);
    let ours = dir.path().join("ours.db");
    assert_eq_text(&dump_file(&ours, &[]), &answers);

    let wheels = dir.path().join("wheels.db");
    wheel("write", &wheels, &[]);
    let but_times = ["--no-times"];
    assert_eq_text(
        &dump_file(&ours, &but_times),
        &dump_file(&wheels, &but_times),
    );
}

#[test]
fn every_older_version_is_upgraded_and_downgraded_to_as_by_the_wheel() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    let latest = path("latest.db");
    wheel("write", &latest, &["--old"]);
    for version in 0..10 {
        let number = version.to_string();
        // What is expected: the wheel goes down and up again.
        let [older, expected] = [path("older.db"), path("expected.db")];
        fs::copy(&latest, &older).unwrap();
        wheel("downgrade", &older, &["--to", &number]);
        fs::copy(&older, &expected).unwrap();
        wheel("upgrade", &expected, &[]);
        let expected = dump_file(&expected, &[]);

        refuses_version(dir.path(), "older.db", version);
        let upgraded = Server::start(dir.path(), "older.db", &["--upgrade-schema"]);
        assert_eq_text(&dump_and_stop(upgraded, &[]), &expected);

        let ours = path("downgraded.db");
        fs::copy(&latest, &ours).unwrap();
        let arguments = ["--database-url", "sqlite:downgraded.db", "--grpc-port=0"];
        let mut downgrade = pedigree(dir.path(), &arguments);
        downgrade.args(["--downgrade-schema-to", &number]);
        let ended = run(downgrade);
        assert!(ended.status.success(), "to version {version}: {ended:?}");
        wheel("upgrade", &ours, &[]);
        assert_eq_text(&dump_file(&ours, &[]), &expected);
    }
}

/// Checks that a file of an older version is not served without leave to upgrade it.
fn refuses_version(dir: &Path, file: &str, version: i64) {
    let url = format!("sqlite:{file}");
    let ended = run(pedigree(dir, &["--grpc-port=0", "--database-url", &url]));
    assert!(!ended.status.success(), "{ended:?}");
    let expected = format!(
        "MLMD database version {version} is older than library version 10. Schema migration is disabled."
    );
    assert!(ended.stderr.contains(&expected), "{ended:?}");
}

/// `assert_eq!` for long texts: shows the first line that differs.
fn assert_eq_text(actual: &str, expected: &str) {
    let lines = actual.lines().zip(expected.lines()).zip(1..);
    for ((actual, expected), number) in lines {
        assert_eq!(actual, expected, "line {number}");
    }
    assert_eq!(actual.lines().count(), expected.lines().count());
}

/// What the wheel reads from a file.
fn dump_file(file: &Path, options: &[&str]) -> String {
    dump("--database", file.to_str().unwrap(), options)
}

/// What a server answers, which then stops.
fn dump_and_stop(server: Server, options: &[&str]) -> String {
    let said = dump("--port", &server.port.to_string(), options);
    server.stop();
    said
}

fn dump(from: &str, where_it_is: &str, options: &[&str]) -> String {
    let output = python(
        "interchange.py",
        &[&["dump", from, where_it_is], options].concat(),
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Lets the wheel do something with a file.
fn wheel(command: &str, file: &Path, options: &[&str]) {
    let file = file.to_str().unwrap();
    python(
        "interchange.py",
        &[&[command, "--database", file], options].concat(),
    );
}
