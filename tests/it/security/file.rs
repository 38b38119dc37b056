//! The security file at the start, and when it changes while the server runs.

use std::fs;

use tempfile::TempDir;

use super::{FILE, MadeToken, put, write_file};
use crate::binary::{Process, Server, pedigree_on, run};
use crate::serving::get;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    a_changed_file_is_in_force_and_a_wrong_one_is_not,
}
blocking_once! {
    a_server_does_not_start_with_a_wrong_file,
    a_server_without_a_file_warns_where_others_reach_it,
}

const IN_FORCE: &str = "the security file has changed and is in force";

async fn a_changed_file_is_in_force_and_a_wrong_one_is_not() {
    let folder = TempDir::new().unwrap();
    let [old, new] = ["old", "new"].map(|name| MadeToken::new(folder.path(), name));
    let file = write_file(folder.path(), &[&old.entry]);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
    let server = Server::on(&database, &arguments);
    let client = server.client().await;
    let call = async |token: &MadeToken| {
        let called = put(client.clone(), "Data", &[&token.bearer()]).await;
        called.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    let is_valid = async || {
        let metrics = get(server.admin(), "/metrics").await.text();
        metrics.contains("pedigree_security_file_valid 1\n")
    };
    assert_eq!(call(&old).await, Code::Ok);
    assert_eq!(call(&new).await, Code::Unauthenticated);
    assert!(is_valid().await);

    write_file(folder.path(), &[&new.entry, "hunter2 = 1\n"]);
    let process = &server.process;
    process.wait_for_log("what it said before stays in force");
    let log = process.log();
    assert!(
        log.contains(&format!("{FILE}, line 6: unknown field")),
        "{log}"
    );
    assert_eq!(call(&old).await, Code::Ok);
    assert_eq!(call(&new).await, Code::Unauthenticated);
    assert!(!is_valid().await);

    write_file(folder.path(), &[&new.entry]);
    process.wait_for_log(IN_FORCE);
    assert_eq!(call(&old).await, Code::Unauthenticated);
    assert_eq!(call(&new).await, Code::Ok);
    assert!(is_valid().await);

    fs::remove_file(&file).unwrap();
    process.wait_for_log("cannot read ");
    assert_eq!(call(&old).await, Code::Unauthenticated);
    assert_eq!(call(&new).await, Code::Ok);
    server.stop();
}

fn a_server_does_not_start_with_a_wrong_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(FILE);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let refused = || {
        let started = run(pedigree_on(
            &database,
            &["--security", file.to_str().unwrap()],
        ));
        assert_eq!(started.status.code(), Some(1));
        started.stderr
    };
    let missing = refused();
    assert!(missing.contains("cannot read "), "{missing}");
    write_file(folder.path(), &["\nallow_anonymous = \"hunter2\"\n"]);
    let wrong = refused();
    assert!(wrong.contains(&format!("{FILE}, line 2: ")), "{wrong}");
    let said = wrong.lines().filter(|line| line.contains(FILE));
    assert_eq!(said.count(), 1, "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

fn a_server_without_a_file_warns_where_others_reach_it() {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "ci");
    let file = write_file(folder.path(), &[&token.entry]);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let everywhere = "--grpc-host=0.0.0.0";
    let secured = ["--security", file.to_str().unwrap(), everywhere];
    for (arguments, warnings) in [(&[everywhere][..], 1), (&[], 0), (&secured, 0)] {
        let process = Process::start(pedigree_on(&database, arguments));
        process.wait_for_log("serving=true");
        let log = process.log();
        let warned = log.matches("everybody who reaches the port may read and write");
        assert_eq!(warned.count(), warnings, "{arguments:?}: {log}");
    }
}
