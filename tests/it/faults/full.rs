//! There is no more room where the database keeps its data.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;
use tonic::Status;

use super::cluster::Cluster;
use crate::binary::{Process, Server, pedigree};
use crate::sql::{query, sqlite};
use crate::support::prelude::*;
use crate::support::{Backend, Client};

once! {
    sqlite_has_no_room,
    postgres_has_no_room,
    mysql_has_no_room,
}

const NO_ROOM: &str = "the database has no room for this now";
/// In a statement, or in the commit.
const AWAY: [&str; 2] = [
    "the database is not available",
    "the database became unavailable in the commit: the change may or may not be stored",
];

/// Bytes of one artifact.
const SIZE: usize = 1_000_000;

/// The most artifacts that are written before there must have been no room.
const MOST: usize = 200;

/// A limit for the size of files. No block ends there, so that the last write of a file ends early,
/// as on a disk that is full.
const LIMIT: u64 = (40 << 20) + 1000;

/// Lets a process write no file beyond so many bytes.
fn limit_files(pid: Pid, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, limit).unwrap();
}

/// A text that cannot be compressed to much less.
fn text_of(number: usize) -> String {
    let mut random = number as u64;
    let mut letter = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((random >> 40) % 90).unwrap())
    };
    (0..SIZE).map(|_| letter()).collect()
}

async fn put(client: &Client, type_id: i64, number: usize) -> Result<(), Status> {
    let artifact = Artifact::new(type_id, &number.to_string());
    let artifact = artifact.with_custom("much", text(text_of(number)));
    Artifact::put(vec![artifact]).ask(client.clone()).await?;
    Ok(())
}

/// Writes until there is no room, which is told so. Returns the type of the artifacts and how many
/// there are.
async fn fill(client: &Client, code: Code, texts: &[&str]) -> (i64, usize) {
    let type_id = Artifact::put_type("T", &[]).ask(client.clone()).await;
    let type_id = type_id.unwrap();
    for number in 0..MOST {
        if let Err(status) = put(client, type_id, number).await {
            assert_eq!(status.code(), code, "{status:?}");
            assert!(texts.contains(&status.message()), "{status:?}");
            assert!(number > 0);
            return (type_id, number);
        }
    }
    panic!("there is room for {MOST}");
}

/// Checks that what was acknowledged is there, and only that.
async fn check(url: &str, acknowledged: impl Iterator<Item = usize>) {
    let sql = "SELECT CONCAT(a.name, ' ', LENGTH(p.string_value)) FROM Artifact a
               LEFT JOIN ArtifactProperty p ON p.artifact_id = a.id";
    let stored: BTreeSet<String> = query(url, sql).await.into_iter().collect();
    let expected = acknowledged.map(|number| format!("{number} {SIZE}"));
    assert_eq!(stored, expected.collect());
}

async fn sqlite_has_no_room() {
    let dir = TempDir::new().unwrap();
    let url = sqlite(&dir.path().join("store.db"));
    // The signal that goes with the limit would end the program.
    let mut command = Command::new("sh");
    let ignoring = "trap '' XFSZ; exec \"$@\"";
    let program = pedigree(dir.path(), &["--grpc-port", "0", "--database-url", &url]);
    command
        .args(["-c", ignoring, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear();
    let server = Server::wait(Process::start(command));
    let client = server.client().await;
    limit_files(server.process.pid(), Some(LIMIT));
    // To SQLite, a limit of the process is an I/O error.
    let (type_id, full) = fill(&client, Code::Unavailable, &AWAY).await;
    let read = Artifact::by_name("T", "0").ask(client.clone()).await;
    assert!(read.unwrap().is_some());

    limit_files(server.process.pid(), None);
    put(&client, type_id, MOST + 1).await.unwrap();
    server.stop();
    check(&url, (0..full).chain([MOST + 1])).await;
    assert_eq!(query(&url, "PRAGMA integrity_check").await, ["ok"]);
}

async fn postgres_has_no_room() {
    let cluster = Cluster::start(Backend::Postgres).await;
    let server = cluster.serve(&[]);
    let client = server.client().await;
    // More than its log needs for a file.
    cluster.limit_files(&LIMIT.to_string());
    cluster.close_sessions().await;
    let (type_id, full) = fill(&client, Code::ResourceExhausted, &[NO_ROOM]).await;
    let read = Artifact::by_name("T", "0").ask(client.clone()).await;
    assert!(read.unwrap().is_some());

    cluster.limit_files("unlimited");
    cluster.close_sessions().await;
    put(&client, type_id, MOST + 1).await.unwrap();
    check(&cluster.store_url(), (0..full).chain([MOST + 1])).await;
    Cluster::stop(server);
}

async fn mysql_has_no_room() {
    let cluster = Cluster::start(Backend::MySql).await;
    let options = cluster.home().join("options");
    let usual = fs::read_to_string(&options).unwrap();
    let restart_with_room = |megabytes: usize| {
        let file = format!("ibdata1:12M:autoextend:max:{megabytes}M");
        let limited = format!("innodb-file-per-table = OFF\ninnodb-data-file-path = {file}\n");
        cluster.halt();
        fs::write(&options, usual.clone() + &limited).unwrap();
        cluster.start_again();
    };
    restart_with_room(40);
    let server = cluster.serve(&[]);
    let client = server.client().await;
    let (type_id, full) = fill(&client, Code::ResourceExhausted, &[NO_ROOM]).await;
    let read = Artifact::by_name("T", "0").ask(client.clone()).await;
    assert!(read.unwrap().is_some());

    restart_with_room(400);
    put(&client, type_id, MOST + 1).await.unwrap();
    check(&cluster.store_url(), (0..full).chain([MOST + 1])).await;
    Cluster::stop(server);
}
