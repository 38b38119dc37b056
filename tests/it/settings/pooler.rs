//! `PgBouncer` before PostgreSQL: session pooling works, and other kinds are refused.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::core_cases;
use crate::binary::{Process, Server, run, wait_for};
use crate::faults::cluster::Cluster;
use crate::sql::query;
use crate::support::Backend;

with_servers! {
    session_pooling_works,
    a_small_pool_of_sessions_works,
    other_pooling_is_refused,
}

/// A pooler before the store of a cluster, with the settings of its package.
struct Pooler {
    url: String,
    _process: Process,
    _folder: TempDir,
}

impl Pooler {
    fn start(cluster: &Cluster, mode: &str, parameters: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases");
        let mut installing = Command::new(script);
        installing.arg("install-pgbouncer").stdin(Stdio::null());
        assert!(installing.status().unwrap().success());

        let folder = TempDir::new().unwrap();
        // The pooler does not run as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let address = url::Url::parse(&cluster.store_url()).unwrap();
        let password = address.password().unwrap();
        let port = address.port().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = free.local_addr().unwrap().port();
        drop(free);
        let users = folder.path().join("users");
        fs::write(&users, format!("\"store\" \"{password}\"\n")).unwrap();
        let settings = format!(
            "[databases]\n\
             store = host=127.0.0.1 port={port}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {own}\n\
             unix_socket_dir =\n\
             auth_type = plain\n\
             auth_file = {}\n\
             pool_mode = {mode}\n\
             {parameters}\n",
            users.display(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if rustix::process::getuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.arg(&file).stdin(Stdio::null());
        let process = Process::start(command);
        wait_for("the pooler", || {
            std::net::TcpStream::connect(("127.0.0.1", own)).ok()
        });
        Self {
            url: format!("postgres://store:{password}@127.0.0.1:{own}/store"),
            _process: process,
            _folder: folder,
        }
    }
}

/// Whether the sessions of the store are those of the pooler: they have its settings.
async fn assert_used(cluster: &Cluster, pooler: &Pooler, round: &str, arguments: &[&str]) {
    let server = Server::wait(Process::start(cluster.command(&pooler.url, arguments)));
    core_cases(&server, round).await;
    let sql = "SELECT application_name FROM pg_stat_activity WHERE usename = 'store'";
    assert!(!query(&cluster.url(), sql).await.is_empty());
    Cluster::stop(server);
}

async fn session_pooling_works() {
    let cluster = Cluster::start(Backend::Postgres).await;
    let pooler = Pooler::start(&cluster, "session", "");
    assert_used(&cluster, &pooler, "pooled", &[]).await;
    // Its sessions are used again, by a server of other settings.
    assert_used(&cluster, &pooler, "again", &["--statement-timeout", "5s"]).await;
}

/// Fewer than the server would open.
async fn a_small_pool_of_sessions_works() {
    let cluster = Cluster::start(Backend::Postgres).await;
    let pooler = Pooler::start(&cluster, "session", "default_pool_size = 3");
    assert_used(&cluster, &pooler, "pooled", &[]).await;
}

async fn other_pooling_is_refused() {
    let cluster = Cluster::start(Backend::Postgres).await;
    for (mode, parameters) in [
        ("transaction", ""),
        ("transaction", "server_round_robin = 1"),
        ("statement", ""),
    ] {
        let pooler = Pooler::start(&cluster, mode, parameters);
        for _ in 0..2 {
            let ended = run(cluster.command(&pooler.url, &[]));
            assert_eq!(ended.status.code(), Some(1), "{mode}: {ended:?}");
            let last = ended.stderr.lines().last().unwrap();
            assert!(last.contains("pool_mode = session"), "{mode}: {ended:?}");
        }
    }
}
