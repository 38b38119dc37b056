//! The program against the released ml-metadata wheel: `tests/wheel/README.md` says what each tool
//! checks.

use crate::binary::{Server, pedigree_on, run};
use crate::python::{python, sized};
use crate::support::{Backend, TestDatabase};

blocking_once! {
    the_test_file_of_the_wheel_as_it_ships_fails_only_where_it_must,
}

blocking_on_every_database!(
    the_test_file_of_the_wheel_passes,
    filter_queries_select_as_written_down,
    random_requests_get_the_answers_of_the_wheel,
    what_the_wheel_wrote_is_served_as_it_is,
    what_was_written_through_us_the_wheel_reads,
    every_older_version_is_upgraded_and_downgraded_to_as_by_the_wheel,
);

/// Runs a tool against a server on a new database.
fn against_new_server(backend: Backend, tool: &str, arguments: &[&str]) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let port = server.port.to_string();
    python(tool, &[&["--port", &port], arguments].concat());
    server.stop();
}

fn the_test_file_of_the_wheel_passes(backend: Backend) {
    against_new_server(backend, "upstream_tests.py", &["--patched"]);
}

fn the_test_file_of_the_wheel_as_it_ships_fails_only_where_it_must() {
    against_new_server(Backend::SqliteFile, "upstream_tests.py", &["--unpatched"]);
}

fn filter_queries_select_as_written_down(backend: Backend) {
    against_new_server(backend, "filter_rows.py", &[]);
}

fn random_requests_get_the_answers_of_the_wheel(backend: Backend) {
    for seed in sized(&["1"][..], &["1", "2", "3", "4"]) {
        let database = match backend {
            // The reference is in SQLite, which tells texts apart by their bytes.
            Backend::MySql => TestDatabase::of_mysql("latin1 COLLATE latin1_nopad_bin"),
            _ => TestDatabase::new(backend),
        };
        let server = Server::on(&database, &[]);
        let port = server.port.to_string();
        let requests = sized("1000", "10000");
        let arguments = [
            ["--port", &port],
            ["--url", &database.url],
            ["--requests", requests],
            ["--seed", seed],
        ];
        python("differential.py", arguments.as_flattened());
        server.stop();
    }
}

/// Empty databases of a kind, in each character set that a store may be in.
fn databases(backend: Backend) -> Vec<TestDatabase> {
    match backend {
        Backend::MySql => ["latin1", "utf8mb4"].map(TestDatabase::of_mysql).into(),
        _ => vec![TestDatabase::missing(backend)],
    }
}

/// What the wheel can write there.
const fn writable(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::SqliteFile | Backend::SqliteMemory => &[],
        Backend::Postgres | Backend::MySql => &["--portable"],
    }
}

fn what_the_wheel_wrote_is_served_as_it_is(backend: Backend) {
    for database in databases(backend) {
        wheel("write", &database, writable(backend));
        let written = dump_by_wheel(&database, &[]);
        let served = dump_and_stop(Server::on(&database, &[]), &[]);
        assert_eq_text(&served, &written);
        assert_eq_text(&dump_by_wheel(&database, &[]), &written);
    }
}

fn what_was_written_through_us_the_wheel_reads(backend: Backend) {
    let three = [(); 3].map(|()| databases(backend));
    let [wide, ours, wheels] = three.each_ref().map(|databases| databases.iter());
    for ((wide, ours), wheels) in wide.zip(ours).zip(wheels) {
        // More than the wheel can write it reads.
        let written = write_and_dump(wide, &[], &[]);
        assert_eq_text(&dump_by_wheel(wide, &[]), &written);

        let written = write_and_dump(ours, writable(backend), &["--no-times"]);
        wheel("write", wheels, writable(backend));
        assert_eq_text(&written, &dump_by_wheel(wheels, &["--no-times"]));
    }
}

/// Writes through a server and returns what it then answers.
fn write_and_dump(database: &TestDatabase, what: &[&str], options: &[&str]) -> String {
    let server = Server::on(database, &[]);
    let port = server.port.to_string();
    python(
        "interchange.py",
        &[&["write", "--port", &port], what].concat(),
    );
    dump_and_stop(server, options)
}

fn every_older_version_is_upgraded_and_downgraded_to_as_by_the_wheel(backend: Backend) {
    let latest = TestDatabase::missing(backend);
    wheel("write", &latest, &[writable(backend), &["--old"]].concat());
    for version in older_versions(backend) {
        let number = version.to_string();
        // What is expected: the wheel goes down and up again.
        let older = latest.copy();
        wheel("downgrade", &older, &["--to", &number]);
        let expected = older.copy();
        wheel("upgrade", &expected, &[]);
        let expected = dump_by_wheel(&expected, &[]);

        refuses_version(&older, *version);
        let upgraded = Server::on(&older, &["--upgrade-schema"]);
        assert_eq_text(&dump_and_stop(upgraded, &[]), &expected);

        let ours = latest.copy();
        let ended = run(pedigree_on(&ours, &["--downgrade-schema-to", &number]));
        assert!(ended.status.success(), "to version {version}: {ended:?}");
        wheel("upgrade", &ours, &[]);
        assert_eq_text(&dump_by_wheel(&ours, &[]), &expected);
    }
}

/// The versions that the wheel can go down to and up from.
fn older_versions(backend: Backend) -> &'static [i64] {
    match backend {
        Backend::SqliteFile | Backend::SqliteMemory => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        Backend::MySql => sized(&[0, 5, 9], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        Backend::Postgres => &[9],
    }
}

/// Checks that a database of an older version is not served without leave to upgrade it.
fn refuses_version(database: &TestDatabase, version: i64) {
    let ended = run(pedigree_on(database, &[]));
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

/// What the wheel reads from a database.
fn dump_by_wheel(database: &TestDatabase, options: &[&str]) -> String {
    dump("--url", &database.url, options)
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

/// Lets the wheel do something with a database.
fn wheel(command: &str, database: &TestDatabase, options: &[&str]) {
    python(
        "interchange.py",
        &[&[command, "--url", &database.url], options].concat(),
    );
}
