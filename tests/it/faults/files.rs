//! What an operator does to the files of a SQLite database under a running server: nothing that was
//! acknowledged is lost, and what could be is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tonic::Status;

use crate::binary::{Process, Server, pedigree, run};
use crate::serving::get;
use crate::support::Client;
use crate::support::prelude::*;

once! {
    a_file_that_is_moved,
    a_file_that_is_removed,
    a_file_that_is_replaced,
    a_log_that_is_removed,
    a_file_that_becomes_read_only,
    a_file_that_cannot_be_written_ends_the_start,
    new_files_are_private,
}

/// A server on a file, and what it has acknowledged.
struct Served {
    dir: TempDir,
    server: Server,
    client: Client,
    type_id: i64,
    stored: Vec<i64>,
}

const ARGUMENTS: [&str; 2] = ["--admin-port", "0"];

impl Served {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let server = Server::start(dir.path(), "store.db", &ARGUMENTS);
        let client = server.client().await;
        let put_type = Artifact::put_type("T", &[]).ask(client.clone());
        let mut fixture = Self {
            type_id: put_type.await.unwrap(),
            dir,
            server,
            client,
            stored: Vec::new(),
        };
        for _ in 0..20 {
            fixture.put().await.unwrap();
        }
        fixture.wait_for_readiness(200).await;
        fixture
    }

    fn file(&self, end: &str) -> PathBuf {
        self.dir.path().join(["store.db", end].concat())
    }

    async fn put(&mut self) -> Result<(), Status> {
        let put = Artifact::put(vec![Artifact::default().with_type(self.type_id)]);
        self.stored.extend(put.ask(self.client.clone()).await?);
        Ok(())
    }

    async fn assert_refused(&mut self, text: &str) {
        let status = self.put().await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        assert_eq!(status.message(), text);
        // Reads go on.
        let read = Artifact::by_ids(&self.stored).ask(self.client.clone());
        assert_eq!(read.await.unwrap().len(), self.stored.len());
        self.wait_for_readiness(503).await;
    }

    /// Waits until the probes have this status.
    async fn wait_for_readiness(&self, status: u16) {
        while get(self.server.admin(), "/readyz").await.status != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the server, starts another one, and looks for all that was acknowledged.
    async fn assert_stored_by(self, file: &str) {
        self.server.kill();
        let server = Server::start(self.dir.path(), file, &[]);
        let read = Artifact::by_ids(&self.stored).ask(server.client().await);
        assert_eq!(read.await.unwrap().len(), self.stored.len());
        server.stop();
    }
}

const MOVED: &str = "a file of the database was moved or removed";

async fn a_file_that_is_moved() {
    let mut served = Served::new().await;
    let [from, to] = [served.file(""), served.file(".moved")];
    fs::rename(&from, &to).unwrap();
    served.assert_refused(MOVED).await;
    fs::rename(&to, &from).unwrap();
    served.put().await.unwrap();
    served.wait_for_readiness(200).await;
    fs::rename(&from, &to).unwrap();
    served.assert_refused(MOVED).await;
    served.assert_stored_by("store.db.moved").await;
}

async fn a_file_that_is_removed() {
    let mut served = Served::new().await;
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(served.file(end)).unwrap();
    }
    served.assert_refused(MOVED).await;
    served.server.stop();
    assert!(!served.dir.path().join("store.db").exists());
}

/// By a copy, as a backup is restored.
async fn a_file_that_is_replaced() {
    let mut served = Served::new().await;
    let other = Served::new().await;
    let (restored, other_dir) = (other.stored.len(), other.dir);
    other.server.stop();
    fs::copy(other_dir.path().join("store.db"), served.file(".new")).unwrap();
    fs::rename(served.file(".new"), served.file("")).unwrap();
    served
        .assert_refused("a file of the database was replaced")
        .await;
    let (dir, stored) = (served.dir, served.stored);
    served.server.stop();
    for end in ["-wal", "-shm"] {
        fs::remove_file(dir.path().join(["store.db", end].concat())).unwrap();
    }
    let restarted = Server::start(dir.path(), "store.db", &[]);
    let read = Artifact::by_ids(&stored).ask(restarted.client().await);
    assert_eq!(read.await.unwrap().len(), restored);
    restarted.stop();
}

async fn a_log_that_is_removed() {
    for end in ["-wal", "-shm"] {
        let mut served = Served::new().await;
        fs::remove_file(served.file(end)).unwrap();
        served.assert_refused(MOVED).await;
        served.assert_stored_by("store.db").await;
    }
}

async fn a_file_that_becomes_read_only() {
    let mut served = Served::new().await;
    permit(&served.file(""), 0o400);
    served
        .assert_refused("a file of the database is read-only")
        .await;
    permit(&served.file(""), 0o600);
    served.put().await.unwrap();
    served.wait_for_readiness(200).await;
    served.assert_stored_by("store.db").await;
}

fn permit(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

async fn a_file_that_cannot_be_written_ends_the_start() {
    let served = Served::new().await;
    let (dir, file) = (served.dir, "store.db");
    served.server.stop();
    permit(&dir.path().join(file), 0o400);
    let arguments = ["--grpc-port", "0", "--database-url", "sqlite:store.db"];
    let ended = run(pedigree(dir.path(), &arguments));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("read-only"), "{ended:?}");
    // As it is asked for, it is read.
    let url = "sqlite:store.db?mode=ro";
    let arguments = [
        "--grpc-port",
        "0",
        "--admin-port",
        "0",
        "--database-url",
        url,
    ];
    let reader = Server::wait(Process::start(pedigree(dir.path(), &arguments)));
    let read = Artifact::by_ids(&served.stored).ask(reader.client().await);
    assert_eq!(read.await.unwrap().len(), served.stored.len());
    assert_eq!(get(reader.admin(), "/readyz").await.status, 200);
    reader.stop();
}

async fn new_files_are_private() {
    let served = Served::new().await;
    for end in ["", "-wal", "-shm"] {
        let mode = fs::metadata(served.file(end)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
    served.server.stop();
}
